//! What a run would take, told without running it.

use super::{ModelInfo, written};
use crate::{
    alphabet::N_SPECIAL_TOKENS,
    error::Error,
    fasta::{Input, Sample, Share},
    job::{DeviceChoice, Dtype, EmbedPlan, ModelSpec, ScoreQuestion},
    score::Extent,
};
use std::path::Path;

/// What a run would take.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// The inputs, as the script names them.
    pub inputs: String,
    /// The model, as the script names it.
    pub model: String,
    /// What the inputs hold. Nothing, if one is a pipe.
    pub sample: Option<Sample>,
    /// The proteins of scores, whose sequences the sample counts.
    pub proteins: Option<u64>,
    /// How fast the model would be. Nothing, if nobody knows.
    pub rate: Option<Rate>,
    /// Whether the model would run on the CPU only because this machine shows no GPU.
    pub lacks_gpu: bool,
    /// Bytes of the output, about. Nothing, if there is no output or the input is a pipe.
    pub output_bytes: Option<f64>,
}

/// How fast a model is.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    /// Tokens a second, from FASTA to the output.
    pub tokens_per_sec: f64,
    /// By what that is known.
    pub known_by: String,
    /// Whether that was told, and is no measurement on other devices.
    pub is_given: bool,
}

/// Tokens a second of models of about so many weights, from FASTA to Parquet in bf16 on one H100 (SXM,
/// 700 W), on proteins of UniProt. `docs/speed.md` says how they were measured.
const H100_RATES: [(&str, u64, f64); 6] = [
    ("8M", 7_500_000, 11_043_000.0),
    ("35M", 33_500_000, 3_587_000.0),
    ("150M", 148_000_000, 1_250_000.0),
    ("650M", 651_000_000, 404_900.0),
    ("3B", 2_838_000_000, 106_700.0),
    ("15B", 15_100_000_000, 21_200.0),
];
/// By which share the weights of a model may be more or fewer.
const TOLERANCE: f64 = 0.1;
/// Bytes of a score, and of a perplexity with its likelihood, with what ends them, about.
const SCORE_BYTES: f64 = 11.2;
const PERPLEXITY_BYTES: f64 = 25.0;

impl Forecast {
    /// What `plan` would take with a model, or a `share` of it. `given` is how many tokens a second its devices do together, if
    /// that is known.
    ///
    /// # Errors
    /// If the inputs cannot be read, or a policy does not allow a record.
    pub(super) fn of(
        (spec, model): (&ModelSpec, &ModelInfo),
        plan: &EmbedPlan,
        (inputs, share): (&[Input], &Share),
        given: Option<f64>,
    ) -> Result<Self, Error> {
        let dataset = plan.dataset();
        let sample = Sample::of(inputs, &dataset.policy, dataset.take)?;
        let share_bytes = share.disk_bytes().unwrap_or(0);
        let sample = sample.map(|sample| sample.of_share(share_bytes));
        let output_bytes =
            sample.and_then(|sample| written::output_bytes(&sample, plan, model.hidden_size));
        Ok(Self {
            inputs: dataset.sources.join(", "),
            model: model.name.clone(),
            sample,
            proteins: None,
            lacks_gpu: lacks_gpu(spec),
            rate: given
                .map(Rate::given)
                .or_else(|| Rate::measured(spec, model)),
            output_bytes,
        })
    }

    /// What scores of this extent, or a `share` of them, would take with a model.
    pub(super) fn of_scores(
        (spec, model): (&ModelSpec, &ModelInfo),
        (question, inputs): (&ScoreQuestion, String),
        extent: &Extent,
        share: f64,
        given: Option<f64>,
    ) -> Self {
        let score_bytes = match question {
            ScoreQuestion::Mutants(..) => SCORE_BYTES,
            ScoreQuestion::Perplexity(..) => PERPLEXITY_BYTES,
        };
        let sequences = share * extent.sequences as f64;
        let tokens = share * extent.tokens as f64;
        Self {
            inputs,
            model: model.name.clone(),
            sample: Some(Sample {
                records: sequences,
                kept: sequences,
                sequences,
                residues: tokens - N_SPECIAL_TOKENS as f64 * sequences,
                is_share: share < 1.0,
                ..Sample::default()
            }),
            proteins: Some(extent.proteins),
            lacks_gpu: lacks_gpu(spec),
            rate: given
                .map(Rate::given)
                .or_else(|| Rate::measured(spec, model)),
            output_bytes: Some(extent.text_bytes as f64 + score_bytes * extent.scores as f64),
        }
    }

    /// Tokens, BOS and EOS included.
    pub fn tokens(&self) -> Option<f64> {
        let sample = self.sample?;
        Some(sample.residues + N_SPECIAL_TOKENS as f64 * sample.sequences)
    }

    /// Seconds of the work itself, models loaded.
    pub fn seconds(&self) -> Option<f64> {
        Some(self.tokens()? / self.rate.as_ref()?.tokens_per_sec)
    }
}

/// Whether the model would run on a GPU if this machine had one.
fn lacks_gpu(spec: &ModelSpec) -> bool {
    spec.device == DeviceChoice::Auto && !is_on_gpu(spec)
}

/// Whether a model would run on a GPU. No device is opened to find out: where the device is chosen by
/// itself, the driver's file has to do.
pub(super) fn is_on_gpu(spec: &ModelSpec) -> bool {
    match spec.device {
        DeviceChoice::AllGpus | DeviceChoice::Gpus(_) => true,
        DeviceChoice::Auto => Path::new("/dev/nvidia0").exists(),
        DeviceChoice::Cpu | DeviceChoice::Mock => false,
    }
}

impl Rate {
    fn given(tokens_per_sec: f64) -> Self {
        Self {
            tokens_per_sec,
            known_by: "as given".to_owned(),
            is_given: true,
        }
    }

    /// That of one H100, or of as many as the script names, if a model of this size was measured there. Nobody
    /// measured other formats than bf16, and no other device is as fast.
    fn measured(spec: &ModelSpec, model: &ModelInfo) -> Option<Self> {
        let n_gpus = match &spec.device {
            DeviceChoice::Cpu | DeviceChoice::Mock => return None,
            DeviceChoice::Auto if lacks_gpu(spec) => return None,
            DeviceChoice::Gpus(gpus) => gpus.len(),
            DeviceChoice::Auto | DeviceChoice::AllGpus => 1,
        };
        let is_like = |n_parameters: u64| {
            (model.n_parameters as f64 / n_parameters as f64 - 1.0).abs() < TOLERANCE
        };
        let mut rates = H100_RATES.iter();
        let (name, _, rate) = rates.find(|(_, n_parameters, _)| is_like(*n_parameters))?;
        matches!(spec.dtype, None | Some(Dtype::Bf16)).then(|| Self {
            tokens_per_sec: n_gpus as f64 * rate,
            known_by: match n_gpus {
                1 => format!("{name} in bf16 on one H100, as measured"),
                n => format!("{name} in bf16 on {n} H100, as one was measured"),
            },
            is_given: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_gpu_is_no_h100() {
        let model = ModelInfo {
            name: "8M".to_owned(),
            device: "auto".to_owned(),
            dtype: "f32".to_owned(),
            hidden_size: 320,
            n_layers: 6,
            n_parameters: 7_500_000,
            lacks: Default::default(),
        };
        let has_gpu = Path::new("/dev/nvidia0").exists();
        let spec = |device: &str| {
            let options = [("device".to_owned(), device.into())];
            ModelSpec::from_map("8M", options.into()).unwrap()
        };
        let rate = |device: &str| Rate::measured(&spec(device), &model);
        assert_eq!(rate("auto").is_some(), has_gpu);
        assert_eq!(lacks_gpu(&spec("auto")), !has_gpu);
        assert!(rate("cuda").is_some() && !lacks_gpu(&spec("cuda")));
        assert!(rate("cpu").is_none() && !lacks_gpu(&spec("cpu")));
    }

    #[test]
    fn rates_are_those_of_the_documentation() {
        let speed = include_str!("../../docs/speed.md");
        for (name, _, rate) in H100_RATES {
            let begins = |line: &&str| {
                let line = line.replace("**", "");
                line.starts_with(&format!("| {name} |")) || line.starts_with(&format!("| {name} ("))
            };
            let line = speed
                .lines()
                .find(begins)
                .expect(name)
                .replace([',', '*'], "");
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            assert_eq!(cells[3], format!("{rate:.0}"), "{line}");
        }
    }
}
