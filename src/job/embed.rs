//! How to embed a dataset.

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
    /// How long a reader may take over its next frame before it counts as hung.
    pub reader_timeout: Duration,
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
}

impl Default for EmbedOptions {
    fn default() -> Self {
        let at_least_one = |n| NonZeroUsize::new(n).expect("the constants are not zero");
        Self {
            readers: at_least_one(Self::READERS),
            prefetch: at_least_one(Self::PREFETCH),
            token_budget: None,
            pooling: Pooling::Mean,
            layers: vec![Layer(-1)],
            output: None,
            overwrite: false,
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
