//! `mutants(...)`, `score(...)` and `perplexity(...)`.

use super::{closures::Closures, model::ScriptModel as Model, value::option_map};
use crate::{
    error::Error,
    host::Scored,
    job::{Dataset, MutantsTable, OptionMap, Problems, ScorePlan},
    paths::Role,
    script::{
        failure::{RhaiResultOf, raise_error, raise_fault},
        session::Session,
    },
    text::printable,
};
use rhai::{Dynamic, INT, Map, plugin::*};
use std::{path::Path, rc::Rc};

/// What a call of `score` or `perplexity` came to, in a script.
#[derive(Clone, PartialEq)]
pub(super) struct ScriptScores(Rc<Scored>);

fn run_score(
    context: &NativeCallContext,
    (call, model): (&str, &Model),
    mut options: Map,
    plan: impl FnOnce(OptionMap) -> Result<ScorePlan, Problems>,
) -> RhaiResultOf<ScriptScores> {
    let session = Session::of(context);
    if session.is_in_point() {
        let problems = Problems::one(
            format!("a point of a sweep gives a run, and `{call}` gives scores"),
            Some(format!(
                "measure with `embed(...)`, and call `{call}` outside of the sweep"
            )),
        );
        // Nothing is computed whose figures could be in no table.
        session.files().add_fault(&problems);
        return Err(raise_fault(problems));
    }
    session.add_run();
    let mut host = session.host()?;
    let mut closures = Closures::take(context, &mut options, host.is_rehearsal());
    let options = option_map(context, options);
    let score = || -> Result<Scored, Error> {
        let plan = session.files().certain_option("output", plan(options))?;
        session.files().scores(&plan)?;
        host.score(model.handle(), &plan, &mut closures)
    };
    let scored = score();
    match scored {
        Ok(scored) => {
            session.add_rejected(scored.extent.rejected);
            Ok(ScriptScores(Rc::new(scored)))
        }
        Err(error) => Err(closures.raise(error)),
    }
}

fn table(context: &NativeCallContext, path: &str, options: Map) -> RhaiResultOf<Mutants> {
    let table = MutantsTable::from_map(Path::new(path), option_map(context, options));
    let table = table.map_err(|problems| raise_error(problems.into()))?;
    let session = Session::of(context);
    let mut files = session.files();
    let known = files.read(Role::Input, Path::new(path)).and_then(|()| {
        let fasta = table.fasta.iter();
        let fasta: Vec<_> = fasta
            .map(|path| path.to_string_lossy().into_owned())
            .collect();
        files.sources(&fasta)
    });
    known.map_err(|problems| raise_error(problems.into()))?;
    Ok(Mutants::Table(table))
}

type Mutants = crate::job::Mutants;

#[export_module]
pub(super) mod scores_api {
    use super::*;

    pub type Mutants = crate::job::Mutants;
    pub type Scores = ScriptScores;

    /// Returns the mutants of a CSV or TSV file, which has one in each row, all of one protein. Nothing is read before
    /// `score`. Options:
    ///
    /// {options of `mutants`}
    ///
    /// # Example
    ///
    /// ```rhai
    /// let dms = mutants("BLAT_ECOLX.csv", #{ fasta: "BLAT_ECOLX.fasta", offset: 24 });
    /// ```
    #[rhai_fn(name = "mutants", volatile, return_raw)]
    pub fn mutants(context: NativeCallContext, path: &str, options: Map) -> RhaiResultOf<Mutants> {
        table(&context, path, options)
    }

    /// Returns all mutants of each protein in which one residue is another amino acid: 19 a site. Long proteins are
    /// not truncated: a model sees each site in the middle of 1,022 residues.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let all = all_single_mutants(fasta("proteins.fa").max_length(2000));
    /// ```
    #[rhai_fn(name = "all_single_mutants")]
    pub fn all_single_mutants(proteins: Dataset) -> Mutants {
        Mutants::AllSingle(proteins)
    }

    /// Returns all mutants of each protein of a FASTA file in which one residue is another amino acid.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let all = all_single_mutants("proteins.fa");
    /// ```
    #[rhai_fn(name = "all_single_mutants", volatile, return_raw)]
    pub fn all_single_mutants_of(
        context: NativeCallContext,
        source: &str,
    ) -> RhaiResultOf<Mutants> {
        let sources = vec![source.to_owned()];
        let known = Session::of(&context).files().sources(&sources);
        known.map_err(|problems| raise_error(problems.into()))?;
        Ok(Mutants::AllSingle(Dataset::new(sources)))
    }

    /// Scores mutants, and writes a table of them with a column named after the model: higher is fitter. Where it was
    /// begun before, it is gone on with; where it is finished, there is nothing to do. `docs/scores.md` says what the
    /// methods compute. Options:
    ///
    /// {options of `score`}
    ///
    /// And those of `embed` that say how it runs: `readers`, `prefetch`, `token_budget`, `overwrite`, `resume`,
    /// `commit_every`, `overlap`, `packing`, `thresholds`, `monitor_hz`, `metrics_every`, `on_sample`,
    /// `on_bottleneck`, `reader_timeout` and `grace`.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let dms = mutants("dms.csv", #{ sequence: "MKTVRQERLKSIVRILERSK" });
    /// print(score(esm2("models/esm2"), dms, #{ output: "scores.csv" }));
    /// ```
    #[rhai_fn(name = "score", volatile, return_raw)]
    pub fn score(
        context: NativeCallContext,
        model: Model,
        mutants: Mutants,
        options: Map,
    ) -> RhaiResultOf<Scores> {
        let plan = |options| ScorePlan::of_mutants(mutants, options);
        run_score(&context, ("score", &model), options, plan)
    }

    /// Finds the perplexity of each protein of a dataset, and writes a table of them: lower is likelier. Options:
    ///
    /// {options of `perplexity`}
    ///
    /// And those of `embed` that say how it runs, as for `score`.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let model = esm2("models/esm2");
    /// print(perplexity(model, fasta("proteins.fa"), #{ output: "perplexity.csv" }));
    /// ```
    #[rhai_fn(name = "perplexity", volatile, return_raw)]
    pub fn perplexity(
        context: NativeCallContext,
        model: Model,
        dataset: Dataset,
        options: Map,
    ) -> RhaiResultOf<Scores> {
        let plan = |options| ScorePlan::of_proteins(dataset, options);
        run_score(&context, ("perplexity", &model), options, plan)
    }

    /// Returns the path of the table, or `()` if this process made a part of the work only.
    #[rhai_fn(get = "output", pure)]
    pub fn output(scores: &mut Scores) -> Dynamic {
        match &scores.0.done {
            Some(done) => done.output.to_string_lossy().into_owned().into(),
            None => Dynamic::UNIT,
        }
    }

    /// Returns the method.
    #[rhai_fn(get = "method", pure)]
    pub fn method(scores: &mut Scores) -> String {
        scores.0.method.to_owned()
    }

    /// Returns the number of scores: rows of the table.
    #[rhai_fn(get = "len", pure)]
    pub fn len(scores: &mut Scores) -> INT {
        scores.0.extent.scores as INT
    }

    /// Returns the number of sequences that the model had to see.
    #[rhai_fn(get = "sequences", pure)]
    pub fn sequences(scores: &mut Scores) -> INT {
        scores.0.extent.sequences as INT
    }

    /// Returns the number of tokens of these sequences.
    #[rhai_fn(get = "tokens", pure)]
    pub fn tokens(scores: &mut Scores) -> INT {
        scores.0.extent.tokens as INT
    }

    /// Returns the number of records that a rule rejected.
    #[rhai_fn(get = "rejected", pure)]
    pub fn rejected(scores: &mut Scores) -> INT {
        scores.0.extent.rejected as INT
    }

    /// Returns the seconds that all of it took.
    #[rhai_fn(get = "seconds", pure)]
    pub fn seconds(scores: &mut Scores) -> f64 {
        scores.0.seconds
    }

    /// Returns Spearman's rank correlation of the scores with the column `DMS_score`, or `()` if the table has none.
    #[rhai_fn(get = "spearman", pure)]
    pub fn spearman(scores: &mut Scores) -> Dynamic {
        let done = scores.0.done.as_ref();
        done.and_then(|done| done.spearman)
            .map_or(Dynamic::UNIT, Dynamic::from_float)
    }

    /// Returns what the scores are and how they came about, as lines.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let dms = mutants("dms.csv", #{ fasta: "wild_type.fa" });
    /// print(score(esm2("models/esm2"), dms, #{ output: "scores.csv" }));
    /// ```
    #[rhai_fn(name = "to_string", pure)]
    pub fn to_text(scores: &mut Scores) -> String {
        printable(&scores.0.to_string()).into_owned()
    }

    /// Returns all that is known of the scores.
    #[rhai_fn(name = "to_debug", pure)]
    pub fn to_debug(scores: &mut Scores) -> String {
        format!("{:?}", scores.0)
    }

    /// Returns whether two values are the same scores.
    #[rhai_fn(name = "==", pure)]
    pub fn equals(a: &mut Scores, b: Scores) -> bool {
        *a == b
    }

    /// Returns whether two values are different scores.
    #[rhai_fn(name = "!=", pure)]
    pub fn differs(a: &mut Scores, b: Scores) -> bool {
        *a != b
    }
}
