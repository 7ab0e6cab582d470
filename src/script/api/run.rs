//! `embed(...)` and the figures of a run.

use super::{
    closures::Closures, embeddings::ScriptEmbeddings as Embeddings, model::ScriptModel as Model,
    value::option_map,
};
use crate::{
    error::Error,
    host::Outline,
    job::{Dataset, EmbedOptions, EmbedPlan, ModelSpec, OptionMap, OutputTarget, Problems},
    report::RunSummary,
    script::{
        failure::{RhaiResultOf, raise_with_hint},
        rehearsed::Rehearsed,
        session::Session,
        settings::RunSettings,
    },
    text::printable,
};
use rhai::{Map, plugin::*};
use std::{num::NonZeroUsize, path::PathBuf, rc::Rc};

/// A run in a script.
#[derive(Clone, PartialEq)]
pub(super) struct ScriptRun(Rc<Made>);

/// A run, and what it was made with.
#[derive(PartialEq)]
struct Made {
    summary: RunSummary,
    settings: RunSettings,
}

impl ScriptRun {
    /// The run's figures.
    pub(super) fn summary(&self) -> &RunSummary {
        &self.0.summary
    }

    /// What the run was made with.
    pub(super) fn settings(&self) -> &RunSettings {
        &self.0.settings
    }
}

pub(super) fn run_embed(
    context: &NativeCallContext,
    model: &Model,
    dataset: &Dataset,
    mut options: Map,
) -> RhaiResultOf<ScriptRun> {
    let session = Session::of(context);
    session.add_run();
    let mut host = session.host()?;
    let mut closures = Closures::take(context, &mut options, host.is_rehearsal());
    let options = option_map(context, options);
    let embed = || -> Result<Made, Error> {
        let at_home = |problems: Problems| problems.at_home(&ModelSpec::OPTIONS.names(), "esm2");
        let options = EmbedOptions::from_map(options).map_err(at_home);
        let options = session.files().certain_option("output", options)?;
        let plan = EmbedPlan::new(dataset.clone(), options, model.info().n_layers)?;
        session.files().run(dataset, plan.options())?;
        let summary = host.embed(model.handle(), &plan, &mut closures)?;
        if let Some(output) = plan
            .options()
            .output
            .as_ref()
            .filter(|_| host.is_rehearsal())
        {
            let target = OutputTarget::of(output).map_err(|problem| Problems(vec![problem]))?;
            let hidden_size = summary.hidden_size;
            let outline = Outline::of_run(&plan, hidden_size, target.format);
            let rehearsed = Rehearsed {
                hidden_size,
                outline,
            };
            session.files().rehearse(output, rehearsed);
            if let Some(shard) = summary.shard {
                session.files().rehearse_shard(output, shard);
            }
        }
        let used = match NonZeroUsize::new(summary.token_budget) {
            Some(token_budget) => plan.used(token_budget),
            None => plan.options().clone(),
        };
        let settings =
            RunSettings::new(model.handle().spec(), model.info().n_layers, used, &summary);
        Ok(Made { summary, settings })
    };
    match embed() {
        Ok(made) => {
            // A job that went on ends as one would that nobody disturbed.
            let RunSummary {
                rejected,
                resumed_rejected,
                ..
            } = made.summary;
            session.add_rejected(rejected + resumed_rejected);
            Ok(ScriptRun(Rc::new(made)))
        }
        Err(error) => Err(closures.raise(error)),
    }
}

/// Where the output of a run is, for something that is done with it.
pub(super) fn output_of(run: &ScriptRun, what: &str) -> RhaiResultOf<PathBuf> {
    let output = run.summary().output.clone();
    output.ok_or_else(|| {
        raise_with_hint(
            format!("the run has no output to {what}"),
            "give it an `output`",
        )
    })
}

/// The embeddings that a run wrote.
fn read_back(
    context: &NativeCallContext,
    run: &ScriptRun,
    options: OptionMap,
) -> RhaiResultOf<Embeddings> {
    Embeddings::read(context, &output_of(run, "read back")?, options)
}

#[export_module]
pub(super) mod run_api {
    use super::*;

    pub type Run = ScriptRun;

    /// Embeds a dataset: one vector a sequence, the mean over its residues in the model's last
    /// layer. Nothing is written; the run has only figures.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let run = embed(esm2("models/esm2"), fasta("proteins.fa"));
    /// print(run.tokens_per_sec);
    /// ```
    #[rhai_fn(name = "embed", volatile, return_raw)]
    pub fn embed(context: NativeCallContext, model: Model, dataset: Dataset) -> RhaiResultOf<Run> {
        run_embed(&context, &model, &dataset, Map::new())
    }

    /// Embeds a dataset. Where the output was begun before, the run goes on with it; where it is finished, there is
    /// nothing to do. Where several processes share the work (`runner exec --shard 3/16`, or a Slurm array), it embeds
    /// the records of its shard, and the output is there when all are merged. Options:
    ///
    /// {options of `embed`}
    ///
    /// # Example
    ///
    /// ```rhai
    /// let run = embed(esm2("models/esm2"), fasta("proteins.fa"), #{
    ///     readers: 4,
    ///     token_budget: 32768,
    ///     output: "embeddings.parquet",
    ///     thresholds: #{ gpu_idle: 0.2 },
    ///     on_bottleneck: |found| if found.severity == "critical" { throw found.message; },
    /// });
    /// print(run);
    /// ```
    #[rhai_fn(name = "embed", volatile, return_raw)]
    pub fn embed_with(
        context: NativeCallContext,
        model: Model,
        dataset: Dataset,
        options: Map,
    ) -> RhaiResultOf<Run> {
        run_embed(&context, &model, &dataset, options)
    }

    /// Returns the embeddings that the run wrote, read back from its output.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let run = embed(esm2("models/esm2"), fasta("proteins.fa"), #{ output: "run.parquet" });
    /// print(run.embeddings().ids[0]);
    /// ```
    #[rhai_fn(name = "embeddings", volatile, pure, return_raw)]
    pub fn run_embeddings(context: NativeCallContext, run: &mut Run) -> RhaiResultOf<Embeddings> {
        read_back(&context, run, OptionMap::new())
    }

    /// Returns the embeddings that the run wrote, with the options of `embeddings`.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let run = embed(esm2("models/esm2"), fasta("proteins.fa"), #{
    ///     output: "run.parquet", pooling: ["mean", "max"],
    /// });
    /// print(run.embeddings(#{ column: "embedding_max" }).len);
    /// ```
    #[rhai_fn(name = "embeddings", volatile, pure, return_raw)]
    pub fn run_embeddings_with(
        context: NativeCallContext,
        run: &mut Run,
        options: Map,
    ) -> RhaiResultOf<Embeddings> {
        read_back(&context, run, option_map(&context, options))
    }

    /// Returns the figures as a table.
    ///
    /// # Example
    ///
    /// ```rhai
    /// print(embed(esm2("models/esm2"), fasta("proteins.fa")));
    /// ```
    #[rhai_fn(name = "to_string", pure)]
    pub fn to_text(run: &mut Run) -> String {
        printable(&run.summary().to_string()).into_owned()
    }

    /// Returns all figures by name.
    #[rhai_fn(name = "to_debug", pure)]
    pub fn to_debug(run: &mut Run) -> String {
        format!("{:?}", run.summary())
    }

    /// Returns whether two values are the same run.
    #[rhai_fn(name = "==", pure)]
    pub fn equals(a: &mut Run, b: Run) -> bool {
        *a == b
    }

    /// Returns whether two values are different runs.
    #[rhai_fn(name = "!=", pure)]
    pub fn differs(a: &mut Run, b: Run) -> bool {
        *a != b
    }
}
