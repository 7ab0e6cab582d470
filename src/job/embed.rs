//! How to embed a dataset.

use super::{
    Dataset, Delays, Effect, Keys, Layer, LongSequences, OptionMap, OptionTable, OptionValue,
    OutputDtype, OutputTarget, Pooling, Problems, Thresholds,
    row::{OptionRow, non_zero},
};
use crate::alphabet::{N_SPECIAL_TOKENS, SHORTEST_SEQUENCE};
use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

/// The options of one call of `embed`.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbedOptions {
    /// Reader subprocesses.
    pub readers: NonZeroUsize,
    /// Packed batches that may wait for the encoder.
    pub prefetch: NonZeroUsize,
    /// Tokens in a batch; the device decides if it is not given.
    pub token_budget: Option<NonZeroUsize>,
    /// How the vectors of a sequence's residues become one: a vector for each way. If it is not given, it is
    /// their mean, and none where something else is asked for.
    pub pooling: Option<Vec<Pooling>>,
    /// Keep the residues of each sequence.
    pub sequences: bool,
    /// What the entries of an output are called by that has names for them.
    pub keys: Keys,
    /// Keep the vectors of residues, too.
    pub residues: bool,
    /// Keep what the head of the language model says of each residue.
    pub logits: bool,
    /// Keep the probabilities of contacts between residues.
    pub contacts: bool,
    /// Of contacts, list the pairs that are at least so probable instead.
    pub threshold: Option<f64>,
    /// Of these, list those of residues that are at least so far from each other in the sequence.
    pub min_separation: NonZeroUsize,
    /// Keep that of BOS and EOS as well as that of residues.
    pub special_tokens: bool,
    /// The number format of vectors; if it is not given, `f16` where those of residues are kept.
    pub output_dtype: Option<OutputDtype>,
    /// The layers whose output is kept, in output order.
    pub layers: Vec<Layer>,
    /// The Parquet file to write, or the folder of parts; without one the run returns statistics only.
    pub output: Option<PathBuf>,
    /// Replace another output, or a finished one.
    pub overwrite: bool,
    /// Go on with an output that was begun, and leave one that is finished.
    pub resume: bool,
    /// How long work may be at stake, at least.
    pub commit_every: Duration,
    /// Bring batches to the device and fetch results while it computes others.
    pub overlap: bool,
    /// Lay sequences end to end; else pad them to the longest of their batch.
    pub packing: bool,
    /// A mode for tests, which scripts cannot ask for: memory of batches on the device is
    /// overwritten as soon as it may be.
    pub poison: bool,
    /// Another one: the GPU of the lane with the first number is lost at its batch with the second.
    pub lose_gpu: Option<(usize, u64)>,
    /// Another one: stages that are slower than they need to be.
    pub delays: Delays,
    /// From which figures on the run counts as held back.
    pub thresholds: Thresholds,
    /// Samples of the GPU, the processes and the stages a second; none at 0.
    pub monitor_hz: f64,
    /// Batches between two lines of measurements.
    pub metrics_every: u64,
    /// How long a reader may take over its next frame before it counts as hung.
    pub reader_timeout: Duration,
    /// How long a run that is told to stop may finish what it has begun.
    pub grace: Duration,
}

type Row = OptionRow<EmbedOptions>;

#[rustfmt::skip]
const OPTIONS: &[Row] = &[
    Row::whole("readers", 1..=MOST_READERS, |to, n| to.readers = non_zero(n), |of| of.readers.into())
        .doc("reader subprocesses"),
    Row::whole("prefetch", 1..=MOST_PREFETCH, |to, n| to.prefetch = non_zero(n), |of| of.prefetch.into())
        .doc("packed batches that may wait for the model"),
    Row::whole("token_budget", SMALLEST_BATCH..=LARGEST_BATCH,
        |to, n| to.token_budget = Some(non_zero(n)), |of| of.token_budget.into())
        .otherwise("32,768 on a GPU, 65,536 there for small models, 1,024 on the CPU")
        .doc("tokens in a batch: residues, and two for each sequence. Halved, with a warning, where the GPU's \
              memory is too small")
        .effect(Effect::LastBits),
    Row::choices("pooling", &Pooling::NAMES, |name| Pooling::from_name(name).is_some(), |_| None,
        |to, names| Pooling::from_names(names).map(|poolings| to.pooling = Some(poolings)),
        |of| of.pooling.as_deref().map_or(OptionValue::Nothing, Pooling::value))
        .otherwise("`\"mean\"`; nothing with `residues`, `logits` or `contacts`")
        .doc("how the vectors of a sequence's residues become one: of each component their mean, their largest value \
              or their standard deviation (divided by their number n, so 0 for a single one); `\"cls\"` takes the vector \
              of the first token, BOS, instead. Of several, each is a column")
        .effect(Effect::Values),
    Row::flag("residues", |to, flag| to.residues = flag, |of| of.residues.into())
        .doc("keep a vector for each residue")
        .effect(Effect::Values),
    Row::flag("logits", |to, flag| to.logits = flag, |of| of.logits.into())
        .doc("keep what the head of the language model says of each residue: 33 numbers, one for each token, before \
              softmax, in `\"f32\"`")
        .effect(Effect::Values),
    Row::flag("contacts", |to, flag| to.contacts = flag, |of| of.contacts.into())
        .doc("keep how probable it is that two residues are in contact, their C-beta atoms within 8 angstroms: a row for \
              each residue, with a number for each residue, in `\"f32\"`. The square of the length is much: see `threshold`")
        .effect(Effect::Values),
    Row::number("threshold", 0.0..=1.0, |to, number| to.threshold = Some(number),
        |of| of.threshold.map_or(OptionValue::Nothing, OptionValue::Decimal))
        .doc("with `contacts`, keep only a list of those pairs that are at least so probable, such as 0.3: `i`, `j`, \
              numbers of residues from 1 on with i < j, and their `probability`")
        .effect(Effect::Values),
    Row::whole("min_separation", 1..=LARGEST_BATCH, |to, n| to.min_separation = non_zero(n),
        |of| of.min_separation.into())
        .doc("with `threshold`, the least difference of i and j: neighbours in a sequence are in contact anyhow")
        .effect(Effect::Values),
    Row::flag("special_tokens", |to, flag| to.special_tokens = flag, |of| of.special_tokens.into())
        .doc("with `residues` or `logits`, keep what belongs to BOS and EOS, too: first and last of each sequence")
        .effect(Effect::Values),
    Row::choice("output_dtype", &OutputDtype::NAMES,
        |to, name| OutputDtype::from_name(name).map(|dtype| to.output_dtype = Some(dtype)),
        |of| of.output_dtype.map_or(OptionValue::Nothing, |dtype| dtype.name().into()))
        .otherwise("`\"f32\"`; `\"f16\"` with `residues`")
        .doc("the number format of vectors in the output; one that is too large for it ends the run")
        .effect(Effect::Values),
    Row::flag("sequences", |to, flag| to.sequences = flag, |of| of.sequences.into())
        .doc("add a column `sequence`: the residues that were embedded")
        .effect(Effect::Values),
    Row::choice("keys", &Keys::NAMES, |to, name| Keys::from_name(name).map(|keys| to.keys = keys),
        |of| of.keys.name().into())
        .doc("what the datasets of an `.h5` file are called by: the ids of the sequences, with `\"accession\"` the \
              accessions in those of UniProt, such as `P06582`, or with `\"hash\"` and \
              `sequences: true` a hash of their residues, by which biotrainer looks them up")
        .effect(Effect::Values),
    Row::wholes("layers", |to, layers| to.layers = layers.into_iter().map(Layer).collect(),
        |of| OptionValue::List(of.layers.iter().map(|layer| layer.0.into()).collect()))
        .doc("hidden states to keep: 0 is the embedding output, -1 the last")
        .effect(Effect::Values),
    Row::path("output", "a path, such as \"embeddings.parquet\"", |path| OutputTarget::of(path).map(|_| ()),
        |to, path| to.output = Some(path), |of| of.output.as_deref().into())
        .doc("where embeddings go, a row a sequence in input order: a file of the [format](docs/output.md#formats) that \
              its name ends with, such as `.parquet`, `.h5` or `.npy`, or, with a name ending in `/`, a folder of \
              Parquet files, which are read as one data set; without one the run gives figures only")
        .flag_doc("where embeddings go, a row a sequence in input order: a file whose name ends with `.parquet`, `.h5`, \
              `.embed`, `.npy`, `.safetensors` or `.arrow`, or, with a name ending in `/`, a folder of Parquet files, \
              which are read as one data set"),
    Row::flag("overwrite", |to, flag| to.overwrite = flag, |of| of.overwrite.into())
        .doc("replace an output that is finished, or is another one; one that was begun is gone on with"),
    Row::flag("resume", |to, flag| to.resume = flag, |of| of.resume.into())
        .doc("go on with an output that was begun, and compute nothing where it is finished; `false` refuses to touch \
              what is there, and with `overwrite: true` begins anew")
        .flag_doc("go on with an output that was begun, and compute nothing where it is finished; `--resume=false` \
              refuses to touch what is there, and with `--overwrite` begins anew"),
    Row::seconds("commit_every", 0.01..=86_400.0,
        |to, seconds| to.commit_every = Duration::from_secs_f64(seconds),
        |of| of.commit_every.as_secs_f64().into())
        .doc("seconds between two commits, at least: what was computed since the last one is lost if the program is \
              killed. After ten minutes of the default it is a twentieth of the work so far"),
    Row::flag("overlap", |to, flag| to.overlap = flag, |of| of.overlap.into())
        .doc("bring batches to the GPU, and results back, while it computes others; `false` is for measuring \
              what that gains"),
    Row::flag("packing", |to, flag| to.packing = flag, |of| of.packing.into())
        .doc("lay sequences end to end; `false` pads them to the longest of their batch, for measuring what \
              packing gains: `examples/ablation.rhai`")
        .effect(Effect::LastBits),
    Row::map("thresholds", |to, map| Thresholds::from_map(map).map(|read| to.thresholds = read),
        || Thresholds::OPTIONS.docs(), |of| OptionValue::Map(Thresholds::OPTIONS.map(&of.thresholds)))
        .doc("from which figures on a run counts as held back"),
    Row::number("monitor_hz", 0.0..=MOST_MONITOR_HZ, |to, hz| to.monitor_hz = monitor_hz(hz),
        |of| of.monitor_hz.into())
        .doc("measurements a second, at least 0.001; 0 for none"),
    Row::whole("metrics_every", 1..=1_000_000, |to, n| to.metrics_every = n.unsigned_abs(),
        |of| of.metrics_every.into())
        .doc("batches between two lines of `metrics` and of the log"),
    Row::closure("on_sample", "|sample| print(sample.tokens_per_sec)")
        .doc("gets a map of measurements, as often as `monitor_hz` says, while the work goes on; a call that is not \
              over when the work is done is waited for. What it throws stops the run"),
    Row::closure("on_bottleneck", "|found| print(found)")
        .doc("gets a `Bottleneck` when something holds the run back: once a minute for each stage, sooner if it \
              gets worse; what it throws stops the run"),
    Row::seconds("reader_timeout", 0.1..=86_400.0,
        |to, seconds| to.reader_timeout = Duration::from_secs_f64(seconds),
        |of| of.reader_timeout.as_secs_f64().into())
        .doc("seconds without a word after which a reader counts as hung and is replaced"),
    Row::seconds("grace", 0.0..=3600.0,
        |to, seconds| to.grace = Duration::from_secs_f64(seconds), |of| of.grace.as_secs_f64().into())
        .doc("seconds that a run which is told to stop may take to finish what it has begun"),
];

/// More readers than this are a typing error, not a wish.
const MOST_READERS: i64 = 256;
/// More batches than this would hold gigabytes and hide nothing more.
const MOST_PREFETCH: i64 = 1024;
/// A batch holds the shortest sequence at least.
const SMALLEST_BATCH: i64 = SHORTEST_SEQUENCE as i64;
/// Offsets into a batch are 32-bit.
const LARGEST_BATCH: i64 = 1 << 30;
/// A sample in a quarter of an hour. With fewer, one would come once in hours, if at all.
const LEAST_MONITOR_HZ: f64 = 0.001;
/// NVML measures no faster.
const MOST_MONITOR_HZ: f64 = 10.0;

fn monitor_hz(hz: f64) -> f64 {
    if hz > 0.0 {
        hz.max(LEAST_MONITOR_HZ)
    } else {
        hz
    }
}

impl EmbedOptions {
    /// Every option of `embed`, in the order in which problems are told.
    pub const OPTIONS: OptionTable<Self> = OptionTable {
        rows: OPTIONS,
        defaults: Self::default,
    };

    /// Reads the options that a script gave; the others keep their defaults.
    ///
    /// # Errors
    /// Every option that is unknown, of the wrong type or out of range.
    pub fn from_map(map: OptionMap) -> Result<Self, Problems> {
        Self::OPTIONS.read(map)
    }

    /// The value of the option `name` as a script would write it. `None` if there is no such option,
    /// or if it is a closure.
    pub fn value(&self, name: &str) -> Option<OptionValue> {
        Self::OPTIONS.value(self, name)
    }

    /// Checks that every sequence that `dataset` lets through fits into a batch.
    ///
    /// # Errors
    /// The token budget is given and too small for the longest sequence.
    pub fn check_fits(&self, dataset: &Dataset) -> Result<(), Problems> {
        let limit = dataset.policy.long_sequences.limit();
        let longest = dataset.policy.max_length.map_or(limit, |n| n.min(limit));
        self.check_room(longest, |room, _| {
            (
                format!("the dataset lets sequences of {longest} residues through"),
                format!(
                    "raise `token_budget`, or shorten sequences with `.long_sequences(\"{}\", \
                     {room})`",
                    LongSequences::Truncate(room).name()
                ),
            )
        })
    }

    /// Checks that sequences of so many residues fit into a batch. `explain` says why they have so many, and how to
    /// mend it, of the residues that a batch has room for and the tokens that it would need.
    ///
    /// # Errors
    /// The token budget is given and too small.
    pub(super) fn check_room(
        &self,
        longest: usize,
        explain: impl FnOnce(usize, usize) -> (String, String),
    ) -> Result<(), Problems> {
        let Some(budget) = self.token_budget else {
            return Ok(());
        };
        let room = budget.get().saturating_sub(N_SPECIAL_TOKENS);
        let mut problems = Problems::default();
        if longest > room {
            let needed = longest.saturating_add(N_SPECIAL_TOKENS);
            let (reason, hint) = explain(room, needed);
            problems.add_option(
                "token_budget",
                format!("`token_budget` is {budget}, but {reason}, which are {needed} tokens with BOS and EOS"),
                Some(hint),
            );
        }
        problems.none_or(())
    }

    /// The layers as indices from 0 to `n_layers`, the model's number of transformer layers, in
    /// output order.
    ///
    /// # Errors
    /// Every layer that the model does not have, and layers that are named twice.
    pub fn resolve_layers(&self, n_layers: usize) -> Result<Vec<usize>, Problems> {
        let mut problems = Problems::default();
        let mut indices: Vec<usize> = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            match layer.resolve(n_layers) {
                None => problems.add_option(
                    "layers",
                    format!("the model has no layer {}", layer.0),
                    Some(format!(
                        "layers go from 0, the embedding output, to {n_layers}, the last; -1 is \
                         the last, too"
                    )),
                ),
                Some(index) if indices.contains(&index) => problems.add_option(
                    "layers",
                    format!("layer {} is layer {index}, which is named already", layer.0),
                    Some("name each layer once".to_owned()),
                ),
                Some(index) => indices.push(index),
            }
        }
        problems.none_or(indices)
    }
}

impl Default for EmbedOptions {
    fn default() -> Self {
        Self {
            readers: non_zero(2),
            prefetch: non_zero(4),
            token_budget: None,
            pooling: None,
            residues: false,
            sequences: false,
            keys: Keys::default(),
            logits: false,
            contacts: false,
            threshold: None,
            min_separation: non_zero(6),
            special_tokens: false,
            output_dtype: None,
            layers: vec![Layer(-1)],
            output: None,
            overwrite: false,
            resume: true,
            commit_every: Duration::from_secs(30),
            overlap: true,
            packing: true,
            poison: false,
            lose_gpu: None,
            delays: Delays::default(),
            thresholds: Thresholds::default(),
            monitor_hz: 2.0,
            metrics_every: 10,
            reader_timeout: Duration::from_secs(60),
            grace: Duration::from_secs(20),
        }
    }
}

#[cfg(test)]
mod tests;
