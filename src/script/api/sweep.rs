//! `sweep(...)`: a loop over parameters, as a table that is kept.

use super::{
    run::ScriptRun as Run,
    value::{option_map, script_value},
};
use crate::{
    error::Error,
    job::{OptionMap, Problems, SweepPlan},
    paths::Role,
    report::{Better, ReportError, Row, RunSummary, Sweep as Table},
    script::{
        failure::{Failure, RhaiResultOf, message, raise_error},
        session::Session,
    },
    text::printable,
};
use rhai::{Array, FnPtr, INT, Map, plugin::*};
use std::{cell::RefCell, path::Path, rc::Rc};

/// A sweep in a script. Clones share it.
#[derive(Clone)]
pub(super) struct ScriptSweep(Rc<State>);

struct State {
    plan: SweepPlan,
    /// By which the register of paths tells sweeps apart.
    number: usize,
    table: RefCell<Table>,
    /// Under `runner check` points are run once and nothing is written.
    is_rehearsal: bool,
}

fn open(context: &NativeCallContext, name: &str, options: OptionMap) -> RhaiResultOf<ScriptSweep> {
    let session = Session::of(context);
    let plan = SweepPlan::from_map(name, options).map(|plan| SweepPlan {
        shard: session.shard(),
        ..plan
    });
    let plan = session.files().certain_option("folder", plan);
    let plan = plan.map_err(plan_error)?;
    let is_rehearsal = session.host()?.is_rehearsal();
    let number = session.files().sweep(&plan).map_err(raise_error)?;
    let table = match is_rehearsal {
        true => Table::rehearse(&plan),
        false => Table::open(&plan),
    };
    let table = table.map_err(file_error)?;
    Ok(ScriptSweep(Rc::new(State {
        plan,
        number,
        table: RefCell::new(table),
        is_rehearsal,
    })))
}

fn plan_error(problems: Problems) -> Box<EvalAltResult> {
    raise_error(problems.into())
}

fn file_error(error: ReportError) -> Box<EvalAltResult> {
    raise_error(error.into())
}

impl ScriptSweep {
    /// Runs a point and adds its row, or takes the row of an earlier run.
    fn run_point(
        &self,
        context: &NativeCallContext,
        params: OptionMap,
        point: &FnPtr,
    ) -> RhaiResultOf<()> {
        let State {
            plan,
            table,
            is_rehearsal,
            ..
        } = &*self.0;
        let (warmup, repeat) = match is_rehearsal {
            true => (0, 1),
            false => (plan.warmup, plan.repeat.get()),
        };
        if table.borrow_mut().take_finished(&params, repeat) {
            tracing::info!(
                "the sweep `{}` takes a point over from an earlier run",
                plan.name
            );
            return Ok(());
        }
        let mut runs = Vec::with_capacity(repeat);
        let mut error = None;
        // Nothing of the table is borrowed here: the point may use it.
        for n in 0..warmup + repeat {
            match self.call(context, point)? {
                Ok(run) if n >= warmup => {
                    run.settings().check(&params).map_err(plan_error)?;
                    runs.push(run);
                }
                Ok(_) => {}
                Err(message) => {
                    error = Some(message);
                    break;
                }
            }
        }
        let summaries: Vec<&RunSummary> = runs.iter().map(Run::summary).collect();
        let row = Row::measured(params, repeat, &summaries, error);
        table.borrow_mut().add(row).map_err(file_error)
    }

    /// Runs a point once. The inner error is the point's, the outer one ends the script.
    fn call(
        &self,
        context: &NativeCallContext,
        point: &FnPtr,
    ) -> RhaiResultOf<Result<Run, String>> {
        let session = Session::of(context);
        let called = session.in_point(|| point.call_within_context::<Dynamic>(context, ()));
        let value = match called {
            Ok(value) => value,
            Err(error) if self.must_end(&session, &error) => return Err(error),
            Err(error) => return Ok(Err(message(&error))),
        };
        let type_name = context.engine().map_type_name(value.type_name()).to_owned();
        match value.try_cast::<Run>() {
            Some(run) => Ok(Ok(run)),
            None => Err(plan_error(Problems::one(
                format!("a point of a sweep must give a run, not a value of type {type_name}"),
                Some("end the closure with `embed(...)`, without a semicolon".to_owned()),
            ))),
        }
    }

    /// Whether an error of a point is not the point's.
    fn must_end(&self, session: &Session, error: &EvalAltResult) -> bool {
        let inner = error.unwrap_inner();
        if !inner.is_catchable() {
            return true;
        }
        // A file that two parts of the script are after is the script's fault, not that of a point.
        if let EvalAltResult::ErrorRuntime(thrown, _) = inner
            && let Some(failure) = thrown.read_lock::<Failure>()
            && let Error::Plan(problems) = failure.error()
            && session.files().is_certain(problems)
        {
            return true;
        }
        // A rehearsal is there to find what a real sweep would write into every row, such as a
        // misspelt function or an input that is missing. Options may be wrong for one point only,
        // and what a script throws it throws on purpose.
        self.0.is_rehearsal
            && match inner {
                EvalAltResult::ErrorRuntime(thrown, _) => thrown
                    .read_lock::<Failure>()
                    .is_some_and(|failure| !matches!(failure.error(), Error::Plan(_))),
                _ => true,
            }
    }

    fn best(&self, figure: &str) -> RhaiResultOf<Map> {
        let better = Better::of(figure).map_err(plan_error)?;
        let table = self.0.table.borrow();
        match table.best(figure, better) {
            Some(row) => Ok(row_map(row)),
            None => Err(plan_error(table.why_no_best(figure))),
        }
    }

    /// Writes the sweep to a file of this role, unless this is a rehearsal.
    fn write(
        &self,
        context: &NativeCallContext,
        role: Role,
        path: &str,
        write: impl FnOnce(&Table, &Path) -> Result<(), ReportError>,
    ) -> RhaiResultOf<()> {
        let session = Session::of(context);
        let path = session.own_file(Path::new(path));
        let known = session.files().table(self.0.number, role, &path);
        known.map_err(raise_error)?;
        if self.0.is_rehearsal {
            return Ok(());
        }
        write(&self.0.table.borrow(), &path).map_err(file_error)
    }
}

/// A row as scripts see it: `params`, and beside them all figures.
fn row_map(row: &Row) -> Map {
    let number = |value: Option<f64>| value.map_or(Dynamic::UNIT, Dynamic::from_float);
    let mut map = Map::new();
    for (name, value) in row.figures() {
        map.insert(name.into(), number(value));
    }
    let params: Map = row
        .params
        .iter()
        .map(|(name, value)| (name.as_str().into(), script_value(value)))
        .collect();
    map.insert("params".into(), params.into());
    map.insert("repeat".into(), Dynamic::from_int(row.repeat as INT));
    map.insert("n_ok".into(), Dynamic::from_int(row.n_ok as INT));
    map.insert("tokens_per_sec_sd".into(), number(row.tokens_per_sec_sd()));
    let error = row.error.clone().map_or(Dynamic::UNIT, Dynamic::from);
    map.insert("error".into(), error);
    map
}

fn params(context: &NativeCallContext, map: Map) -> RhaiResultOf<OptionMap> {
    SweepPlan::params(option_map(context, map)).map_err(plan_error)
}

#[export_module]
pub(super) mod sweep_api {
    use super::*;

    pub type Sweep = ScriptSweep;

    /// Returns a table for the points of a parameter sweep, still without points.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let table = sweep("readers");
    /// ```
    #[rhai_fn(name = "sweep", volatile, return_raw)]
    pub fn sweep(context: NativeCallContext, name: &str) -> RhaiResultOf<Sweep> {
        open(&context, name, OptionMap::new())
    }

    /// Returns a table for the points of a parameter sweep, still without points. Options:
    ///
    /// {options of `sweep`}
    ///
    /// # Example
    ///
    /// ```rhai
    /// let table = sweep("readers", #{ repeat: 3, warmup: 1, folder: "sweeps" });
    /// ```
    #[rhai_fn(name = "sweep", volatile, return_raw)]
    pub fn sweep_with(context: NativeCallContext, name: &str, options: Map) -> RhaiResultOf<Sweep> {
        let options = option_map(&context, options);
        open(&context, name, options)
    }

    /// Runs a point of the sweep, as often as `repeat` and `warmup` say, and adds a row with the
    /// means of its figures. `point` is a closure that gives a run. What it throws does not end the
    /// sweep: the row then holds the error. `score` and `perplexity` give no runs, and are no part of a point. A point
    /// that an earlier run has finished is not run. A
    /// parameter with the name of an option of `embed`, or of `device`, `dtype`, `gelu`, `threads`, `cpu_lanes`,
    /// `int8_products` or `accept_accuracy`, must be what the run had.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let model = esm2("models/esm2");
    /// let proteins = fasta("proteins.fa");
    /// let table = sweep("readers", #{ repeat: 3, folder: "sweeps" });
    /// for readers in [1, 2, 4, 8] {
    ///     for prefetch in [1, 4, 16] {
    ///         let params = #{ readers: readers, prefetch: prefetch };
    ///         table.run(params, || embed(model, proteins, params));
    ///     }
    /// }
    /// print(table);
    /// ```
    #[rhai_fn(volatile, pure, return_raw)]
    pub fn run(
        context: NativeCallContext,
        sweep: &mut Sweep,
        params: Map,
        point: FnPtr,
    ) -> RhaiResultOf<()> {
        let params = super::params(&context, params)?;
        sweep.run_point(&context, params, &point)
    }

    /// Adds a row with the figures of a run that the script made itself.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let table = sweep("readers");
    /// let run = embed(esm2("models/esm2"), fasta("proteins.fa"), #{ readers: 3 });
    /// table.add(#{ readers: 3 }, run);
    /// ```
    #[rhai_fn(volatile, pure, return_raw)]
    pub fn add(
        context: NativeCallContext,
        sweep: &mut Sweep,
        params: Map,
        run: Run,
    ) -> RhaiResultOf<()> {
        let params = super::params(&context, params)?;
        run.settings().check(&params).map_err(plan_error)?;
        let row = Row::measured(params, 1, &[run.summary()], None);
        sweep.0.table.borrow_mut().add(row).map_err(file_error)
    }

    /// Returns the point whose `figure` is best: the largest of a speed or of `packing_fill`, the
    /// smallest of `seconds`, of memory or of `gpu_idle`. It is a map with `params`, and with the
    /// means of all figures by name. Points that failed are left out.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let model = esm2("models/esm2");
    /// let proteins = fasta("proteins.fa");
    /// let table = sweep("readers");
    /// for readers in [1, 2, 4] {
    ///     let params = #{ readers: readers };
    ///     table.run(params, || embed(model, proteins.take(1000), params));
    /// }
    /// let best = table.best("tokens_per_sec");
    /// print(`${best.tokens_per_sec} tokens/s with ${best.params}`);
    /// embed(model, proteins, best.params + #{ output: "embeddings.parquet" });
    /// ```
    #[rhai_fn(volatile, pure, return_raw)]
    pub fn best(sweep: &mut Sweep, figure: &str) -> RhaiResultOf<Map> {
        ScriptSweep::best(sweep, figure)
    }

    /// Writes the table to a file, as CSV or Parquet: `path` ends with `.csv` or `.parquet`. An older
    /// table of that name is replaced.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let table = sweep("readers");
    /// table.save("readers.csv");
    /// ```
    #[rhai_fn(volatile, pure, return_raw)]
    pub fn save(context: NativeCallContext, sweep: &mut Sweep, path: &str) -> RhaiResultOf<()> {
        Table::check_ending(Path::new(path)).map_err(plan_error)?;
        sweep.write(&context, Role::SavedTable, path, Table::save)
    }

    /// Writes the table and its charts as a page that any browser shows without a network. An older
    /// page of that name is replaced.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let table = sweep("readers");
    /// table.plot("readers.html");
    /// ```
    #[rhai_fn(volatile, pure, return_raw)]
    pub fn plot(context: NativeCallContext, sweep: &mut Sweep, path: &str) -> RhaiResultOf<()> {
        sweep.write(&context, Role::Plot, path, Table::plot)
    }

    /// Returns the name of the sweep.
    #[rhai_fn(get = "name", pure)]
    pub fn name(sweep: &mut Sweep) -> String {
        sweep.0.table.borrow().name().to_owned()
    }

    /// Returns the number of points, those that failed included.
    #[rhai_fn(get = "len", pure)]
    pub fn len(sweep: &mut Sweep) -> INT {
        sweep.0.table.borrow().rows().len() as INT
    }

    /// Returns the points in the order in which they ended, each as a map like that of `best`. Its
    /// `error` says why a point failed, and is `()` for the others.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let table = sweep("readers", #{ folder: "sweeps" });
    /// for row in table.rows {
    ///     if row.error != () { print(`${row.params}: ${row.error}`); }
    /// }
    /// ```
    #[rhai_fn(get = "rows", pure)]
    pub fn rows(sweep: &mut Sweep) -> Array {
        let table = sweep.0.table.borrow();
        table.rows().iter().map(|row| row_map(row).into()).collect()
    }

    /// Returns the points as a table with the fastest one marked, and how much faster it was than the
    /// slowest.
    #[rhai_fn(name = "to_string", pure)]
    pub fn to_text(sweep: &mut Sweep) -> String {
        printable(&sweep.0.table.borrow().to_string()).into_owned()
    }

    /// Returns everything that the sweep knows.
    #[rhai_fn(name = "to_debug", pure)]
    pub fn to_debug(sweep: &mut Sweep) -> String {
        format!("{:?}", sweep.0.table.borrow())
    }

    /// Returns whether two values have the same name and points.
    #[rhai_fn(name = "==", pure)]
    pub fn equals(a: &mut Sweep, b: Sweep) -> bool {
        a.0.table == b.0.table
    }

    /// Returns whether two values differ in their name or a point.
    #[rhai_fn(name = "!=", pure)]
    pub fn differs(a: &mut Sweep, b: Sweep) -> bool {
        a.0.table != b.0.table
    }
}
