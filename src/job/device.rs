//! Where a model runs.

use super::{OptionValue, Problem};
use std::fmt;

/// Where a model runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first GPU that works, else the CPU.
    #[default]
    Auto,
    /// burn-flex.
    Cpu,
    /// Every GPU that the driver shows.
    AllGpus,
    /// These GPUs, at least one and none twice, as far as their names tell.
    Gpus(Vec<GpuChoice>),
    /// No model at all: embeddings are hashes of the tokens. For testing and for measuring
    /// everything around the model.
    Mock,
}

/// A GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GpuChoice {
    /// The CUDA device with this ordinal.
    Ordinal(usize),
    /// The CUDA device with this UUID, as `nvidia-smi -L` writes it.
    Uuid(String),
}

/// What the name of a GPU by its UUID begins with.
const GPU: &str = "GPU-";

impl DeviceChoice {
    /// What a script may write; `cuda:0` stands for every ordinal, and a UUID begins with `GPU-`.
    pub const NAMES: [&str; 7] = [
        "auto",
        "cpu",
        "cuda",
        "cuda:0",
        "cuda:all",
        "GPU-<uuid>",
        "mock",
    ];

    /// The GPU with this ordinal.
    pub fn cuda(ordinal: usize) -> Self {
        Self::Gpus(vec![GpuChoice::Ordinal(ordinal)])
    }

    /// What a script names with `auto`, `cpu`, `cuda`, `cuda:1`, `cuda:all`, a UUID or `mock`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "cpu" => Some(Self::Cpu),
            "cuda:all" => Some(Self::AllGpus),
            "mock" => Some(Self::Mock),
            _ => GpuChoice::from_name(name).map(|gpu| Self::Gpus(vec![gpu])),
        }
    }

    /// What a script names with one name or several, each of which is one.
    ///
    /// # Errors
    /// Of several names, those that are not the name of one GPU, or of one that was named before.
    pub(super) fn from_names(names: &[&str]) -> Result<Self, Problem> {
        if let [name] = names
            && let Some(choice) = Self::from_name(name)
        {
            return Ok(choice);
        }
        let mut gpus = Vec::new();
        for name in names {
            let gpu = GpuChoice::from_name(name).ok_or_else(|| not_beside_others(name))?;
            if gpus.contains(&gpu) {
                return Err(problem(
                    format!("`device` names \"{gpu}\" twice"),
                    "name each GPU once",
                ));
            }
            gpus.push(gpu);
        }
        Ok(Self::Gpus(gpus))
    }

    /// How to mend what a script gave in place of names.
    pub(super) fn hint(given: &[OptionValue]) -> Option<String> {
        if let [OptionValue::Text(text)] = given {
            if text.starts_with(GPU) {
                let form = "a UUID is `GPU-` and 36 characters, as `nvidia-smi -L` writes it";
                return Some(form.to_owned());
            }
            let names = text
                .split(',')
                .map(|name| GpuChoice::from_name(name.trim()));
            let gpus: Vec<_> = names.collect::<Option<_>>()?;
            return (gpus.len() > 1).then(|| written(gpus));
        }
        let numbers = given.iter().map(|item| match item {
            OptionValue::Whole(number) => usize::try_from(*number).ok(),
            _ => None,
        });
        let ordinals: Vec<usize> = numbers.collect::<Option<_>>()?;
        let gpus = ordinals.into_iter().map(GpuChoice::Ordinal).collect();
        (!given.is_empty()).then(|| written(gpus))
    }

    /// As a script would write it.
    pub fn value(&self) -> OptionValue {
        match self {
            Self::Gpus(gpus) if gpus.len() > 1 => {
                let names = gpus.iter();
                OptionValue::List(names.map(|gpu| gpu.to_string().as_str().into()).collect())
            }
            one => one.to_string().as_str().into(),
        }
    }
}

impl GpuChoice {
    /// The GPU that a script names with `cuda`, `cuda:1` or a UUID.
    fn from_name(name: &str) -> Option<Self> {
        if name == "cuda" {
            return Some(Self::Ordinal(0));
        }
        if let Some(uuid) = name.strip_prefix(GPU) {
            return is_uuid(uuid).then(|| Self::Uuid(name.to_owned()));
        }
        let ordinal = name.strip_prefix("cuda:")?;
        ordinal.parse().ok().map(Self::Ordinal)
    }
}

/// Whether it is 32 hexadecimal digits in groups, as in `8f6d1e5c-0000-1111-2222-333344445555`.
fn is_uuid(text: &str) -> bool {
    let groups = text.split('-').map(|group| {
        let is_hexadecimal = group.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hexadecimal.then_some(group.len())
    });
    groups.eq([8, 4, 4, 4, 12].map(Some))
}

/// How to write the choice of these.
fn written(gpus: Vec<GpuChoice>) -> String {
    let value = DeviceChoice::Gpus(gpus).value();
    format!("write `device: {}`", value.describe())
}

fn not_beside_others(name: &str) -> Problem {
    let hint = match name {
        "cuda:all" => "`device: \"cuda:all\"` is every GPU",
        "mock" => "`mock: #{ lanes: 2 }` makes two of the mock device",
        _ => "name GPUs, such as [\"cuda:0\", \"cuda:1\"], or one device",
    };
    problem(
        format!("`device` names \"{name}\" beside others, but only single GPUs go together"),
        hint,
    )
}

fn problem(message: String, hint: &str) -> Problem {
    Problem {
        message,
        hint: Some(hint.to_owned()),
        option: None,
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::AllGpus => f.write_str("cuda:all"),
            Self::Gpus(gpus) => {
                for (n, gpu) in gpus.iter().enumerate() {
                    let comma = if n > 0 { ", " } else { "" };
                    write!(f, "{comma}{gpu}")?;
                }
                Ok(())
            }
            Self::Mock => f.write_str("mock"),
        }
    }
}

impl fmt::Display for GpuChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ordinal(ordinal) => write!(f, "cuda:{ordinal}"),
            Self::Uuid(uuid) => f.write_str(uuid),
        }
    }
}
