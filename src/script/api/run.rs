//! `embed(...)` and the figures of a run.

use super::{
    closures::Closures, embeddings::ScriptEmbeddings as Embeddings, model::ScriptModel as Model,
    value::option_map,
};
use crate::{
    error::Error,
    job::{Dataset, EmbedOptions},
    report::RunSummary,
    script::{
        failure::{RhaiResultOf, raise},
        session::Session,
        settings::RunSettings,
    },
    text::printable,
};
use rhai::{FLOAT, INT, Map, plugin::*};
use std::{path::PathBuf, rc::Rc};

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

fn run_embed(
    context: &NativeCallContext,
    model: &Model,
    dataset: &Dataset,
    mut options: Map,
) -> RhaiResultOf<ScriptRun> {
    let session = Session::of(context);
    let mut host = session.host()?;
    let mut closures = Closures::take(context, &mut options, host.is_rehearsal());
    let options = option_map(context, options);
    let embed = || -> Result<Made, Error> {
        let options = EmbedOptions::from_map(options);
        let options = session.files().certain_option("output", options)?;
        options.check_fits(dataset)?;
        options.resolve_layers(model.info().n_layers)?;
        session.files().run(dataset, &options)?;
        let summary = host.embed(model.handle(), dataset, &options, &mut closures)?;
        if let Some(output) = options.output.as_ref().filter(|_| host.is_rehearsal()) {
            session.files().rehearse(output, summary.hidden_size);
        }
        let settings = RunSettings::new(
            model.handle().spec(),
            model.info().n_layers,
            options,
            &summary,
        );
        Ok(Made { summary, settings })
    };
    match embed() {
        Ok(made) => {
            session.add_rejected(made.summary.rejected);
            Ok(ScriptRun(Rc::new(made)))
        }
        Err(error) => Err(closures.raise(error)),
    }
}

/// A path as a string, or nothing.
fn path_or_nothing(path: Option<&PathBuf>) -> Dynamic {
    path.map_or(Dynamic::UNIT, |path| {
        path.to_string_lossy().into_owned().into()
    })
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

    /// Embeds a dataset. Options:
    ///
    /// * `output`: the Parquet file to write, one row a sequence, in input order
    /// * `overwrite`: replace an output file that exists (`false`)
    /// * `overlap`: bring batches to the GPU and fetch embeddings while it computes others (`true`);
    ///   `false` is for measuring what that gains
    /// * `packing`: lay sequences end to end (`true`); `false` pads them to the longest of their
    ///   batch, for measuring what packing gains
    /// * `pooling`: `"mean"` over residues, `"max"` over residues, or `"cls"` (`"mean"`)
    /// * `layers`: whose output is kept, from 0, the embedding output; -1 is the last (`[-1]`)
    /// * `token_budget`: tokens in a batch (the device decides)
    /// * `readers`: reader subprocesses (2)
    /// * `prefetch`: packed batches that may wait for the encoder (4)
    /// * `reader_timeout`: seconds a reader may be silent before it is replaced (60)
    /// * `thresholds`: from which figures on the run counts as held back, a map with some of
    ///   `gpu_util_critical` (0.5), `gpu_util_mild` (0.8), `gpu_idle` (0.1), `gpu_idle_goal` (0.05),
    ///   `wait_ms` (5) and `fill` (0.85)
    /// * `on_sample`: a closure that gets a map of measurements, by default twice a second, between
    ///   batches; what it throws stops the run
    /// * `on_bottleneck`: a closure that gets a `Bottleneck` when something holds the run back: once a
    ///   minute for each stage, sooner if it gets worse; what it throws stops the run
    /// * `monitor_hz`: measurements a second, from 0.001 to 10 (2); 0 for none
    /// * `metrics_every`: batches between two lines of `metrics` and of the log (10)
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

    /// Returns the embeddings that the run wrote, read back from its output file.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let run = embed(esm2("models/esm2"), fasta("proteins.fa"), #{ output: "run.parquet" });
    /// print(run.embeddings().ids[0]);
    /// ```
    #[rhai_fn(name = "embeddings", volatile, pure, return_raw)]
    pub fn run_embeddings(context: NativeCallContext, run: &mut Run) -> RhaiResultOf<Embeddings> {
        match &run.summary().output {
            Some(path) => Embeddings::read(&context, path),
            None => Err(raise(
                "the run has no output to read back; give `embed` an `output`".to_owned(),
            )),
        }
    }

    /// Returns the number of records read: embedded plus rejected.
    #[rhai_fn(get = "records", pure)]
    pub fn records(run: &mut Run) -> INT {
        run.summary().records as INT
    }

    /// Returns the number of sequences embedded.
    #[rhai_fn(get = "sequences", pure)]
    pub fn sequences(run: &mut Run) -> INT {
        run.summary().sequences as INT
    }

    /// Returns the number of records that a rule rejected.
    #[rhai_fn(get = "rejected", pure)]
    pub fn rejected(run: &mut Run) -> INT {
        run.summary().rejected as INT
    }

    /// Returns the number of sequences of which only the beginning was embedded.
    #[rhai_fn(get = "truncated", pure)]
    pub fn truncated(run: &mut Run) -> INT {
        run.summary().truncated as INT
    }

    /// Returns the number of residues embedded.
    #[rhai_fn(get = "residues", pure)]
    pub fn residues(run: &mut Run) -> INT {
        run.summary().residues as INT
    }

    /// Returns the number of tokens embedded: residues, and BOS and EOS of each sequence.
    #[rhai_fn(get = "tokens", pure)]
    pub fn tokens(run: &mut Run) -> INT {
        run.summary().tokens as INT
    }

    /// Returns the number of batches.
    #[rhai_fn(get = "batches", pure)]
    pub fn batches(run: &mut Run) -> INT {
        run.summary().batches as INT
    }

    /// Returns the seconds from the call to the published output.
    #[rhai_fn(get = "seconds", pure)]
    pub fn seconds(run: &mut Run) -> FLOAT {
        run.summary().seconds
    }

    /// Returns the sequences embedded per second.
    #[rhai_fn(get = "sequences_per_sec", pure)]
    pub fn sequences_per_sec(run: &mut Run) -> FLOAT {
        run.summary().sequences_per_sec()
    }

    /// Returns the tokens embedded per second.
    #[rhai_fn(get = "tokens_per_sec", pure)]
    pub fn tokens_per_sec(run: &mut Run) -> FLOAT {
        run.summary().tokens_per_sec()
    }

    /// Returns the residues embedded per second.
    #[rhai_fn(get = "residues_per_sec", pure)]
    pub fn residues_per_sec(run: &mut Run) -> FLOAT {
        run.summary().residues_per_sec()
    }

    /// Returns how full the batches were, from 0 to 1: tokens over token budget.
    #[rhai_fn(get = "packing_fill", pure)]
    pub fn packing_fill(run: &mut Run) -> FLOAT {
        run.summary().packing_fill
    }

    /// Returns the seconds that the encoder computed, by the device's own clock where it has one.
    #[rhai_fn(get = "encoder_seconds", pure)]
    pub fn encoder_seconds(run: &mut Run) -> FLOAT {
        run.summary().encoder_seconds
    }

    /// Returns the seconds that the encoder waited for a batch.
    #[rhai_fn(get = "wait_seconds", pure)]
    pub fn wait_seconds(run: &mut Run) -> FLOAT {
        run.summary().wait_seconds
    }

    /// Returns the tokens embedded per second of computing.
    #[rhai_fn(get = "encoder_tokens_per_sec", pure)]
    pub fn encoder_tokens_per_sec(run: &mut Run) -> FLOAT {
        run.summary().encoder_tokens_per_sec()
    }

    /// Returns the share of the time from the first batch to the last during which the GPU had
    /// nothing to compute, from 0 to 1, as the GPU measured it. On the CPU it is `()`.
    #[rhai_fn(get = "gpu_idle", pure)]
    pub fn gpu_idle(run: &mut Run) -> Dynamic {
        run.summary()
            .gpu_idle()
            .map_or(Dynamic::UNIT, Dynamic::from_float)
    }

    /// Returns the share of the copies to the GPU that it did not have to wait for, from 0 to 1, as
    /// the GPU measured it. On the CPU, and for a single batch, it is `()`.
    #[rhai_fn(get = "upload_hidden", pure)]
    pub fn upload_hidden(run: &mut Run) -> Dynamic {
        let hidden = run.summary().upload_hidden();
        hidden.map_or(Dynamic::UNIT, Dynamic::from_float)
    }

    /// Returns the bytes of the GPU's memory that the model and its batches took. On the CPU it is
    /// `()`.
    #[rhai_fn(get = "gpu_memory_bytes", pure)]
    pub fn gpu_memory_bytes(run: &mut Run) -> Dynamic {
        let gpu = run.summary().gpu;
        gpu.map_or(Dynamic::UNIT, |gpu| {
            Dynamic::from_int(gpu.memory_bytes as INT)
        })
    }

    /// Returns the number of readers that had to be replaced.
    #[rhai_fn(get = "reader_restarts", pure)]
    pub fn reader_restarts(run: &mut Run) -> INT {
        run.summary().reader_restarts as INT
    }

    /// Returns the largest resident memory of the program so far, in bytes.
    #[rhai_fn(get = "peak_memory_bytes", pure)]
    pub fn peak_memory_bytes(run: &mut Run) -> INT {
        run.summary().peak_memory_bytes as INT
    }

    /// Returns the path of the output file, or `()` if there is none.
    #[rhai_fn(get = "output", pure)]
    pub fn output(run: &mut Run) -> Dynamic {
        path_or_nothing(run.summary().output.as_ref())
    }

    /// Returns the path of the file that lists the rejected records, or `()` if there is none.
    #[rhai_fn(get = "rejects", pure)]
    pub fn rejects(run: &mut Run) -> Dynamic {
        path_or_nothing(run.summary().rejects.as_ref())
    }

    /// Returns the model's name.
    #[rhai_fn(get = "model", pure)]
    pub fn model(run: &mut Run) -> String {
        run.summary().model.clone()
    }

    /// Returns where the model ran.
    #[rhai_fn(get = "device", pure)]
    pub fn device(run: &mut Run) -> String {
        run.summary().device.clone()
    }

    /// Returns the number format of weights and activations.
    #[rhai_fn(get = "dtype", pure)]
    pub fn dtype(run: &mut Run) -> String {
        run.summary().dtype.clone()
    }

    /// Returns the number of components of an embedding.
    #[rhai_fn(get = "hidden_size", pure)]
    pub fn hidden_size(run: &mut Run) -> INT {
        run.summary().hidden_size as INT
    }

    /// Returns the number of reader subprocesses.
    #[rhai_fn(get = "readers", pure)]
    pub fn readers(run: &mut Run) -> INT {
        run.summary().readers as INT
    }

    /// Returns the number of packed batches that could wait for the encoder.
    #[rhai_fn(get = "prefetch", pure)]
    pub fn prefetch(run: &mut Run) -> INT {
        run.summary().prefetch as INT
    }

    /// Returns the number of tokens that a batch could hold.
    #[rhai_fn(get = "token_budget", pure)]
    pub fn token_budget(run: &mut Run) -> INT {
        run.summary().token_budget as INT
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
