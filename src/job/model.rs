//! Which model to load, and where.

use super::{OptionMap, Problems, options::OptionReader};
use std::fmt;

/// A model as a script names it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSpec {
    /// A folder with `config.json` and weights, or an id of the Hugging Face Hub.
    pub source: String,
    /// The number format of weights and activations; the device decides if it is not given.
    pub dtype: Option<Dtype>,
    /// Where the model runs.
    pub device: DeviceChoice,
    /// How GELU is computed.
    pub gelu: Gelu,
    /// How the mock device behaves.
    pub mock: Mock,
}

/// How the mock device behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mock {
    /// How fast it is; as fast as it can be if nothing is given.
    pub tokens_per_sec: Option<f64>,
    /// By how much the time of a batch varies to either side, from 0 to 1.
    pub jitter: f64,
    /// What embeddings, and the variation, depend on beside the tokens.
    pub seed: u64,
    /// Tokens of the largest batch that it has memory for; as many as one likes if nothing is given.
    pub memory_tokens: Option<u64>,
}

/// How GELU is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gelu {
    /// The erf form that ESM-2 was trained with in f32; in half precision on a GPU the tanh form,
    /// which is fused into the product before it and moves embeddings less than rounding does.
    #[default]
    Auto,
    /// The erf form.
    Exact,
}

/// A form of GELU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeluForm {
    /// By the error function, as ESM-2 was trained.
    Erf,
    /// The approximation by tanh.
    Tanh,
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
    /// The first GPU that works, else the CPU.
    #[default]
    Auto,
    /// burn-flex.
    Cpu,
    /// The CUDA device with this ordinal.
    Cuda(usize),
    /// The CUDA device with this UUID, as `nvidia-smi -L` writes it.
    Uuid(String),
    /// No model at all: embeddings are hashes of the tokens. For testing and for measuring
    /// everything around the model.
    Mock,
}

impl ModelSpec {
    /// Every option's name in scripts.
    pub const NAMES: [&str; 4] = ["dtype", "device", "gelu", "mock"];

    /// The model `source` with every option at its default.
    pub fn new(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            dtype: None,
            device: DeviceChoice::default(),
            gelu: Gelu::default(),
            mock: Mock::default(),
        }
    }

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
            dtype: read.choice("dtype", &Dtype::NAMES, Dtype::from_name),
            device: read
                .choice("device", &DeviceChoice::NAMES, DeviceChoice::from_name)
                .unwrap_or_default(),
            gelu: read
                .choice("gelu", &Gelu::NAMES, Gelu::from_name)
                .unwrap_or_default(),
            mock: read.map("mock", Mock::from_map).unwrap_or_default(),
            ..Self::new(source)
        };
        read.finish(spec)
    }
}

impl Mock {
    /// Every option's name in scripts.
    pub const NAMES: [&str; 4] = ["tokens_per_sec", "jitter", "seed", "memory_tokens"];

    /// The behaviour that a script gave; the rest keeps its defaults.
    ///
    /// # Errors
    /// Every option that is unknown, of the wrong type or out of range.
    pub fn from_map(map: OptionMap) -> Result<Self, Problems> {
        let mut read = OptionReader::new(map, &Self::NAMES);
        let mock = Self {
            tokens_per_sec: read.number("tokens_per_sec", 1.0..=1e12),
            jitter: read.number("jitter", 0.0..=1.0).unwrap_or(0.0),
            seed: read.whole("seed", 0..=i64::MAX).unwrap_or(0).unsigned_abs(),
            memory_tokens: read
                .whole("memory_tokens", 1..=i64::MAX)
                .map(i64::unsigned_abs),
        };
        read.finish(mock)
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

impl Gelu {
    /// Every form's name in scripts.
    pub const NAMES: [&str; 2] = ["auto", "exact"];

    /// The form with this name in scripts.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "exact" => Some(Self::Exact),
            _ => None,
        }
    }

    /// The form that is computed in `dtype`.
    pub fn form(self, dtype: Dtype) -> GeluForm {
        match (self, dtype) {
            (Self::Exact, _) | (_, Dtype::F32) => GeluForm::Erf,
            (Self::Auto, _) => GeluForm::Tanh,
        }
    }
}

impl GeluForm {
    /// The form's name in outputs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Erf => "erf",
            Self::Tanh => "tanh",
        }
    }
}

impl DeviceChoice {
    /// What a script may write; `cuda:0` stands for every ordinal, and a UUID begins with `GPU-`.
    pub const NAMES: [&str; 6] = ["auto", "cpu", "cuda", "cuda:0", "GPU-<uuid>", "mock"];

    /// The device that a script names with `auto`, `cpu`, `cuda`, `cuda:1`, a UUID or `mock`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "cpu" => Some(Self::Cpu),
            "cuda" => Some(Self::Cuda(0)),
            "mock" => Some(Self::Mock),
            _ if name.starts_with("GPU-") => Some(Self::Uuid(name.to_owned())),
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
            Self::Uuid(uuid) => f.write_str(uuid),
            Self::Mock => f.write_str("mock"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Hint;
    use crate::job::OptionValue;

    #[test]
    fn options_of_models() {
        let check =
            |name: &str, value: &str, expect: Result<(Option<Dtype>, DeviceChoice), &str>| {
                let map = [(name.to_owned(), OptionValue::Text(value.to_owned()))].into();
                match (ModelSpec::from_map("a/model", map), expect) {
                    (Ok(spec), Ok(expect)) => assert_eq!((spec.dtype, spec.device), expect),
                    (Err(problems), Err(expect)) => {
                        let text = problems.in_full();
                        assert!(text.contains(expect), "{text}");
                    }
                    (result, _) => panic!("{name} {value}: {result:?}"),
                }
            };
        check("dtype", "bf16", Ok((Some(Dtype::Bf16), DeviceChoice::Auto)));
        check("device", "cuda:3", Ok((None, DeviceChoice::Cuda(3))));
        check("device", "mock", Ok((None, DeviceChoice::Mock)));
        let uuid = "GPU-8f6d1e5c-0000-1111-2222-333344445555";
        check(
            "device",
            uuid,
            Ok((None, DeviceChoice::Uuid(uuid.to_owned()))),
        );
        check("gelu", "exact", Ok((None, DeviceChoice::Auto)));
        check("gelu", "exakt", Err("did you mean \"exact\"?"));
        check("dtype", "bf61", Err("did you mean \"bf16\"?"));
        check("device", "gpu", Err("must be one of \"auto\", \"cpu\""));
        check("device", "gpu", Err("did you mean \"cuda\"?"));
        check("dtype", "float32", Err("did you mean \"f32\"?"));
        check("dtype", "Float16", Err("did you mean \"f16\"?"));
        check("device", "cuda:x", Err("did you mean \"cuda:0\"?"));
        check("devise", "cpu", Err("did you mean `device`?"));
        check("mock", "fast", Err("`mock` is \"fast\", but must be a map"));
        assert!(ModelSpec::from_map(" ", OptionMap::new()).is_err());
    }

    #[test]
    fn only_half_precision_approximates_gelu() {
        let check = |gelu: Gelu, dtype: Dtype, expect: &str| {
            assert_eq!(gelu.form(dtype).name(), expect, "{gelu:?} {dtype:?}");
        };
        check(Gelu::Auto, Dtype::Bf16, "tanh");
        check(Gelu::Auto, Dtype::F16, "tanh");
        check(Gelu::Auto, Dtype::F32, "erf");
        check(Gelu::Exact, Dtype::Bf16, "erf");
    }
}
