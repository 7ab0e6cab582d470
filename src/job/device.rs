//! Where a model runs.

use std::fmt;

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
