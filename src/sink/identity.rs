//! What an output is, and what it says about how it came about.

use super::SinkError;
use crate::job::{Dtype, GeluForm};

/// Which embeddings an output holds: all that can change a value or a row. It is known before the run
/// begins, and two outputs of one input with the same identity are the same.
///
/// It becomes key-value metadata of the file, as do its [`Circumstances`] and what is known at the end,
/// its [`Closing`]. Numbers are decimal; a key is absent where the script
/// set no limit.
///
/// | key | example |
/// |---|---|
/// | `runner.version` | `0.1.0` |
/// | `runner.model` | `esm2_t33_650M_UR50D` |
/// | `runner.weights_hash` | what the model loader computed |
/// | `runner.layers` | `33`, or `0,33` |
/// | `runner.pooling`, and every other option on which values depend | `mean` |
/// | `runner.dtype` | `bf16` |
/// | `runner.gelu` | `tanh`, or `erf` |
/// | `runner.device` | `NVIDIA H200 (cuda:0)` |
/// | `runner.token_budget`, `runner.packing`, and every other option on which their last bits depend | `32768` |
/// | `runner.long_sequences` | `truncate 1022` |
/// | `runner.residues` | `unk` |
/// | `runner.min_length`, `runner.max_length`, `runner.take` | `10` |
/// | `runner.input_fingerprint` | a hash of all records: ids, descriptions, residues, lengths, and what became of each |
/// | `runner.records`, `runner.embedded`, `runner.rejected` | `20000`; the last two add up to the first |
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// The model's name.
    pub model: String,
    /// A hash of the model's weights.
    pub weights_hash: String,
    /// The hidden states that are written, in output order: 0 is the embedding output.
    pub layers: Vec<usize>,
    /// The number format of weights and activations. The output is always `f32`.
    pub dtype: Dtype,
    /// The form of GELU that was computed.
    pub gelu: GeluForm,
    /// The options on which values and rows depend, by name, with what the run used.
    pub options: Vec<(&'static str, String)>,
    /// The rules of the dataset that the script gave, by name.
    pub rules: Vec<(&'static str, String)>,
}

/// Under which circumstances the embeddings were computed, which may change how long it takes, but no
/// more of a value than its last bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// Where the model ran, for people.
    pub device: String,
    /// The options on which the last bits of values depend, by name, with what the run used.
    pub options: Vec<(&'static str, String)>,
}

/// What is known only at the end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// A hash of the contents of the input, for comparing runs.
    pub input_fingerprint: String,
    /// Records read, whatever became of them.
    pub n_records: u64,
}

impl Identity {
    /// As metadata.
    pub(super) fn entries(&self) -> Vec<(String, String)> {
        let settings = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("model", &self.model),
            ("weights_hash", &self.weights_hash),
            ("dtype", self.dtype.name()),
            ("gelu", self.gelu.name()),
        ];
        let chosen = self.options.iter().chain(&self.rules);
        let chosen = chosen.map(|(name, value)| (*name, value.as_str()));
        keyed(settings.into_iter().chain(chosen))
    }
}

impl Circumstances {
    /// As metadata.
    pub(super) fn entries(&self) -> Vec<(String, String)> {
        let options = self.options.iter();
        let options = options.map(|(name, value)| (*name, value.as_str()));
        keyed(
            [("device", self.device.as_str())]
                .into_iter()
                .chain(options),
        )
    }
}

fn keyed<'a>(entries: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    entries
        .map(|(name, value)| (format!("runner.{name}"), value.to_owned()))
        .collect()
}

impl Closing {
    /// The metadata known at the end, provided that no record went missing.
    ///
    /// # Errors
    /// If records read ≠ embedded + rejected.
    pub(super) fn entries(
        &self,
        n_embedded: u64,
        n_rejected: u64,
    ) -> Result<Vec<(&'static str, String)>, SinkError> {
        if self.n_records != n_embedded + n_rejected {
            return Err(SinkError::Conservation {
                n_records: self.n_records,
                n_embedded,
                n_rejected,
            });
        }
        Ok(vec![
            ("runner.input_fingerprint", self.input_fingerprint.clone()),
            ("runner.records", self.n_records.to_string()),
            ("runner.embedded", n_embedded.to_string()),
            ("runner.rejected", n_rejected.to_string()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_conserved() {
        let closing = Closing {
            input_fingerprint: "f".into(),
            n_records: 5,
        };
        assert!(closing.entries(3, 2).is_ok());
        let error = closing.entries(3, 1).unwrap_err().to_string();
        assert_eq!(error, "5 records were read, but 3 embedded and 1 rejected");
    }
}
