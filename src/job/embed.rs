//! How to embed a dataset.

use super::{
    Dataset, LongSequences, OptionMap, OutputFormat, Problems, Thresholds, options::OptionReader,
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
    /// How the vectors of a sequence's residues become one.
    pub pooling: Pooling,
    /// The layers whose output is kept, in output order.
    pub layers: Vec<Layer>,
    /// The Parquet file to write; without one the run returns statistics only.
    pub output: Option<PathBuf>,
    /// Replace an output file that exists.
    pub overwrite: bool,
    /// Bring batches to the device and fetch results while it computes others.
    pub overlap: bool,
    /// Lay sequences end to end; else pad them to the longest of their batch.
    pub packing: bool,
    /// A mode for tests, which scripts cannot ask for: memory of batches on the device is
    /// overwritten as soon as it may be.
    pub poison: bool,
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
}

/// How long stages take over each batch beside their work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    /// Packing.
    pub packing: Duration,
    /// Writing.
    pub writing: Duration,
}

/// An index into a model's hidden states, as Python writes it: 0 is the embedding output, 1 the
/// output of the first layer, −1 the last layer's output after the final layer norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer(pub i64);

/// How the vectors of a sequence's residues become one. BOS and EOS never count as residues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// The mean over residues.
    #[default]
    Mean,
    /// The largest value of each component over residues.
    Max,
    /// The vector of the BOS (`<cls>`) token.
    Cls,
}

impl EmbedOptions {
    /// Reader subprocesses when the script names no number.
    pub const READERS: usize = 2;
    /// Batches that may wait for the encoder when the script names no number.
    pub const PREFETCH: usize = 4;
    /// More readers than this are a typing error, not a wish.
    pub const MOST_READERS: usize = 256;
    /// Seconds a reader may take over its next frame when the script names no number.
    pub const READER_TIMEOUT_SECONDS: u64 = 60;
    /// More batches than this would hold gigabytes and hide nothing more.
    pub const MOST_PREFETCH: usize = 1024;
    /// Every option's name in scripts.
    pub const NAMES: [&str; 15] = [
        "readers",
        "prefetch",
        "token_budget",
        "pooling",
        "layers",
        "output",
        "overwrite",
        "overlap",
        "packing",
        "thresholds",
        "monitor_hz",
        "metrics_every",
        "on_sample",
        "on_bottleneck",
        "reader_timeout",
    ];
    /// Those of them that are closures, which the script language keeps for itself.
    pub const CLOSURES: [&str; 2] = ["on_sample", "on_bottleneck"];
    /// Samples a second when the script names no number.
    pub const MONITOR_HZ: f64 = 2.0;
    /// A sample in a quarter of an hour.
    pub const LEAST_MONITOR_HZ: f64 = 0.001;
    /// NVML measures no faster.
    pub const MOST_MONITOR_HZ: f64 = 10.0;
    /// Batches between two lines of measurements when the script names no number.
    pub const METRICS_EVERY: u64 = 10;

    /// Reads the options that a script gave; the others keep their defaults.
    ///
    /// # Errors
    /// Every option that is unknown, of the wrong type or out of range.
    pub fn from_map(map: OptionMap) -> Result<Self, Problems> {
        let mut read = OptionReader::new(map, &Self::NAMES);
        let mut options = Self::default();
        if let Some(readers) = read.whole("readers", 1..=Self::MOST_READERS as i64) {
            options.readers = non_zero(readers);
        }
        if let Some(prefetch) = read.whole("prefetch", 1..=Self::MOST_PREFETCH as i64) {
            options.prefetch = non_zero(prefetch);
        }
        options.token_budget = read
            .whole("token_budget", SMALLEST_BUDGET..=LARGEST_BUDGET)
            .map(non_zero);
        if let Some(pooling) = read.choice("pooling", &Pooling::NAMES, Pooling::from_name) {
            options.pooling = pooling;
        }
        if let Some(layers) = read.whole_list("layers") {
            options.layers = layers.into_iter().map(Layer).collect();
        }
        options.output =
            read.checked_path("output", "a path, such as \"embeddings.parquet\"", |path| {
                OutputFormat::of(path).map(|_| ())
            });
        if let Some(overwrite) = read.flag("overwrite") {
            options.overwrite = overwrite;
        }
        if let Some(overlap) = read.flag("overlap") {
            options.overlap = overlap;
        }
        if let Some(packing) = read.flag("packing") {
            options.packing = packing;
        }
        if let Some(thresholds) = read.map("thresholds", Thresholds::from_map) {
            options.thresholds = thresholds;
        }
        if let Some(hz) = read.number("monitor_hz", 0.0..=Self::MOST_MONITOR_HZ) {
            // Below, a sample would come once in hours, if at all.
            let least = if hz > 0.0 {
                Self::LEAST_MONITOR_HZ
            } else {
                0.0
            };
            options.monitor_hz = hz.max(least);
        }
        if let Some(every) = read.whole("metrics_every", 1..=1_000_000) {
            options.metrics_every = every.unsigned_abs();
        }
        for name in Self::CLOSURES {
            // A closure was taken out before; what is left under its name is something else.
            read.refuse_any(
                name,
                "a closure, such as |sample| print(sample.tokens_per_sec)",
            );
        }
        if let Some(seconds) = read.seconds("reader_timeout", 0.1..=86_400.0) {
            options.reader_timeout = Duration::from_secs_f64(seconds);
        }
        read.finish(options)
    }

    /// Checks that every sequence that `dataset` lets through fits into a batch.
    ///
    /// # Errors
    /// The token budget is given and too small for the longest sequence.
    pub fn check_fits(&self, dataset: &Dataset) -> Result<(), Problems> {
        let Some(budget) = self.token_budget else {
            return Ok(());
        };
        let limit = dataset.policy.long_sequences.limit();
        let longest = dataset.policy.max_length.map_or(limit, |n| n.min(limit));
        let room = budget.get().saturating_sub(N_SPECIAL_TOKENS);
        let mut problems = Problems::default();
        if longest > room {
            problems.add_option(
                "token_budget",
                format!(
                    "`token_budget` is {budget}, but the dataset lets sequences of {longest} \
                     residues through, which are {} tokens with BOS and EOS",
                    longest + N_SPECIAL_TOKENS
                ),
                Some(format!(
                    "raise `token_budget`, or shorten sequences with `.long_sequences(\"{}\", \
                     {room})`",
                    LongSequences::Truncate(room).name()
                )),
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

/// A batch holds the shortest sequence at least.
const SMALLEST_BUDGET: i64 = SHORTEST_SEQUENCE as i64;
/// Offsets into a batch are 32-bit.
const LARGEST_BUDGET: i64 = 1 << 30;

fn non_zero(number: i64) -> NonZeroUsize {
    usize::try_from(number)
        .ok()
        .and_then(NonZeroUsize::new)
        .expect("the range that the number was read with begins above zero")
}

impl Default for EmbedOptions {
    fn default() -> Self {
        Self {
            readers: non_zero(Self::READERS as i64),
            prefetch: non_zero(Self::PREFETCH as i64),
            token_budget: None,
            pooling: Pooling::Mean,
            layers: vec![Layer(-1)],
            output: None,
            overwrite: false,
            overlap: true,
            packing: true,
            poison: false,
            delays: Delays::default(),
            thresholds: Thresholds::default(),
            monitor_hz: Self::MONITOR_HZ,
            metrics_every: Self::METRICS_EVERY,
            reader_timeout: Duration::from_secs(Self::READER_TIMEOUT_SECONDS),
        }
    }
}

impl Layer {
    /// The index from 0 to `layers`, where `layers` is the model's number of transformer layers,
    /// or `None` if the model has no such layer.
    ///
    /// # Examples
    /// ```
    /// use runner::job::Layer;
    ///
    /// assert_eq!(Layer(-1).resolve(33), Some(33));
    /// assert_eq!(Layer(0).resolve(33), Some(0));
    /// assert_eq!(Layer(34).resolve(33), None);
    /// ```
    pub fn resolve(self, layers: usize) -> Option<usize> {
        let states = i64::try_from(layers).ok()? + 1;
        let index = if self.0 < 0 { states + self.0 } else { self.0 };
        let index = usize::try_from(index).ok()?;
        (index <= layers).then_some(index)
    }
}

impl Pooling {
    /// Every pooling's name in scripts.
    pub const NAMES: [&str; 3] = ["mean", "max", "cls"];

    /// The pooling with this name in scripts.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "mean" => Some(Self::Mean),
            "max" => Some(Self::Max),
            "cls" => Some(Self::Cls),
            _ => None,
        }
    }

    /// The pooling's name in scripts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Max => "max",
            Self::Cls => "cls",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Hint;
    use crate::job::OptionValue::{self, *};

    fn read(options: &[(&str, OptionValue)]) -> Result<EmbedOptions, String> {
        let map = options
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        EmbedOptions::from_map(map).map_err(|problems| problems.in_full())
    }

    #[test]
    fn options_that_are_not_given_keep_their_defaults() {
        assert_eq!(read(&[]), Ok(EmbedOptions::default()));
        assert_eq!(read(&[("output", Nothing)]), Ok(EmbedOptions::default()));
    }

    #[test]
    fn every_name_is_read() {
        let options = read(&[
            ("readers", Whole(3)),
            ("prefetch", Whole(5)),
            ("token_budget", Whole(4096)),
            ("pooling", Text("cls".to_owned())),
            ("layers", List(vec![Whole(0), Whole(-1)])),
            ("output", Text("a.parquet".to_owned())),
            ("overwrite", Flag(true)),
            ("overlap", Flag(false)),
            ("packing", Flag(false)),
            (
                "thresholds",
                Map([("gpu_idle".to_owned(), Decimal(0.2))].into()),
            ),
            ("monitor_hz", Whole(10)),
            ("metrics_every", Whole(3)),
            ("reader_timeout", Decimal(1.5)),
        ]);
        let expect = EmbedOptions {
            readers: non_zero(3),
            prefetch: non_zero(5),
            token_budget: Some(non_zero(4096)),
            pooling: Pooling::Cls,
            layers: vec![Layer(0), Layer(-1)],
            output: Some(PathBuf::from("a.parquet")),
            overwrite: true,
            overlap: false,
            packing: false,
            thresholds: Thresholds {
                gpu_idle: 0.2,
                ..Thresholds::default()
            },
            monitor_hz: 10.0,
            metrics_every: 3,
            reader_timeout: Duration::from_millis(1500),
            ..EmbedOptions::default()
        };
        assert_eq!(options, Ok(expect));
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let check = |name: &str, value: OptionValue, expect: &str| {
            let message = read(&[(name, value)]).unwrap_err();
            assert!(message.contains(expect), "{message}");
        };
        check("readers", Whole(0), "a whole number from 1 to 256");
        check("readers", Decimal(2.0), "`readers` is 2.0, but must be");
        check("token_budget", Whole(2), "from 3 to");
        check(
            "pooling",
            Text("means".to_owned()),
            "did you mean \"mean\"?",
        );
        check("layers", List(vec![]), "`layers` is [], but must be");
        check("monitor_hz", Whole(11), "a number from 0 to 10");
        check("on_sample", Whole(1), "must be a closure");
        check("thresholds", Whole(1), "must be a map");
        let typo = Map([("gpu_idel".to_owned(), Decimal(0.2))].into());
        check("thresholds", typo, "did you mean `gpu_idle`?");
        check("output", Text(String::new()), "must be a path");
        check("reader_timeout", Decimal(f64::NAN), "seconds from 0.1");
    }

    #[test]
    fn a_budget_holds_the_longest_sequence() {
        let dataset = Dataset::new(vec!["-".to_owned()]);
        let check = |budget: i64, dataset: &Dataset, fits: bool| {
            let options = read(&[("token_budget", Whole(budget))]).expect("a valid budget");
            assert_eq!(options.check_fits(dataset).is_ok(), fits, "{budget}");
        };
        check(1024, &dataset, true);
        check(1023, &dataset, false);
        let short = dataset.clone().max_length(100).expect("a valid length");
        check(102, &short, true);
        check(101, &short, false);
    }

    #[test]
    fn layers_must_exist_and_differ() {
        let check = |layers: &[i64], expect: Option<&[usize]>| {
            let options = EmbedOptions {
                layers: layers.iter().copied().map(Layer).collect(),
                ..EmbedOptions::default()
            };
            let indices = options.resolve_layers(6).ok();
            assert_eq!(indices.as_deref(), expect, "{layers:?}");
        };
        check(&[0, 3, -1], Some(&[0, 3, 6]));
        check(&[7], None);
        check(&[-8], None);
        check(&[6, -1], None);
    }
}
