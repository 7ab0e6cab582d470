//! Which model to load, and where.

use super::{OptionMap, Problems, options::OptionReader};
use std::fmt;

/// A model as a script names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSpec {
    /// A folder with `config.json` and weights, or an id of the Hugging Face Hub.
    pub source: String,
    /// The number format of weights and activations; the device decides if it is not given.
    pub dtype: Option<Dtype>,
    /// Where the model runs.
    pub device: DeviceChoice,
}

/// A number format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    Bf16,
}

/// Where a model runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The fastest device that models run on, which is the CPU.
    #[default]
    Auto,
    /// burn-flex.
    Cpu,
    /// The CUDA device with this ordinal.
    Cuda(usize),
    /// No model at all: embeddings are hashes of the tokens. For testing and for measuring
    /// everything around the model.
    Mock,
}

impl ModelSpec {
    /// Every option's name in scripts.
    pub const NAMES: [&str; 2] = ["dtype", "device"];

    /// The model `source` with the options that a script gave.
    ///
    /// # Errors
    /// An empty source, and every option that is unknown, of the wrong type or out of range.
    pub fn from_map(source: &str, map: OptionMap) -> Result<Self, Problems> {
        if source.trim().is_empty() {
            return Err(Problems::one(
                "the model has no name",
                Some("give a folder with `config.json` and weights".to_owned()),
            ));
        }
        let mut read = OptionReader::new(map, &Self::NAMES);
        let spec = Self {
            source: source.to_owned(),
            dtype: read.choice("dtype", &Dtype::NAMES, Dtype::from_name),
            device: read
                .choice("device", &DeviceChoice::NAMES, DeviceChoice::from_name)
                .unwrap_or_default(),
        };
        read.finish(spec)
    }
}

impl Dtype {
    /// Every format's name in scripts.
    pub const NAMES: [&str; 3] = ["f32", "f16", "bf16"];

    /// The format with this name in scripts.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "f32" => Some(Self::F32),
            "f16" => Some(Self::F16),
            "bf16" => Some(Self::Bf16),
            _ => None,
        }
    }

    /// The format's name in scripts.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }
}

impl DeviceChoice {
    /// What a script may write; `cuda:0` stands for every ordinal.
    pub const NAMES: [&str; 5] = ["auto", "cpu", "cuda", "cuda:0", "mock"];

    /// The device that a script names with `auto`, `cpu`, `cuda`, `cuda:1` or `mock`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "cpu" => Some(Self::Cpu),
            "cuda" => Some(Self::Cuda(0)),
            "mock" => Some(Self::Mock),
            _ => {
                let ordinal = name.strip_prefix("cuda:")?;
                ordinal.parse().ok().map(Self::Cuda)
            }
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
            Self::Mock => f.write_str("mock"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::OptionValue;

    #[test]
    fn options_of_models() {
        let check =
            |name: &str, value: &str, expect: Result<(Option<Dtype>, DeviceChoice), &str>| {
                let map = [(name.to_owned(), OptionValue::Text(value.to_owned()))].into();
                match (ModelSpec::from_map("a/model", map), expect) {
                    (Ok(spec), Ok(expect)) => assert_eq!((spec.dtype, spec.device), expect),
                    (Err(problems), Err(expect)) => {
                        let text = problems.to_string();
                        assert!(text.contains(expect), "{text}");
                    }
                    (result, _) => panic!("{name} {value}: {result:?}"),
                }
            };
        check("dtype", "bf16", Ok((Some(Dtype::Bf16), DeviceChoice::Auto)));
        check("device", "cuda:3", Ok((None, DeviceChoice::Cuda(3))));
        check("device", "mock", Ok((None, DeviceChoice::Mock)));
        check("dtype", "bf61", Err("did you mean \"bf16\"?"));
        check("device", "gpu", Err("must be one of \"auto\", \"cpu\""));
        check("device", "cuda:x", Err("did you mean \"cuda:0\"?"));
        check("devise", "cpu", Err("did you mean `device`?"));
        assert!(ModelSpec::from_map(" ", OptionMap::new()).is_err());
    }
}
