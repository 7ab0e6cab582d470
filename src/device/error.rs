//! What can be wrong with a device.

use crate::{
    hint::Hint,
    job::{DeviceChoice, GpuChoice},
};
use std::env;

/// What can be wrong with a device.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeviceError {
    /// The program was built without CUDA.
    #[error("device \"{0}\" needs a program that was built with CUDA")]
    NotBuilt(DeviceChoice),
    /// The system gives no threads for the CPU: why.
    #[error("no threads to compute with: {0}")]
    NoThreads(String),
    /// A variable of the environment that says how many threads to compute with says none.
    #[error("{name} is {value:?}, which is no number of threads")]
    NoNumberOfThreads {
        /// The variable.
        name: &'static str,
        /// What it is.
        value: String,
    },
    /// There is no NVIDIA driver.
    #[error("no NVIDIA driver on this machine: libcuda.so.1 is not found")]
    NoDriver,
    /// There is a driver that cannot be opened: its file, and why.
    #[error("the NVIDIA driver cannot be opened: {0}")]
    BrokenDriver(String),
    /// The driver does not start.
    #[error("the NVIDIA driver does not start: {0}")]
    Driver(String),
    /// The driver shows no GPU.
    #[error("the NVIDIA driver shows no GPU")]
    NoGpu,
    /// There are GPUs, but not the one that was asked for.
    #[error("there is no device \"{asked}\" here")]
    NoSuchGpu {
        /// What was asked for.
        asked: GpuChoice,
        /// What there is, for people.
        present: Vec<String>,
    },
    /// Two names mean one GPU.
    #[error("\"{first}\" and \"{second}\" are one GPU")]
    SameGpu {
        /// The name that came first.
        first: GpuChoice,
        /// The other one.
        second: GpuChoice,
    },
    /// The GPUs do not compute alike: the name of each kind, with the ordinals.
    #[error(
        "GPUs of several kinds do not compute the same bits, so they do not work on one output: {}",
        .0.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" and ")
    )]
    SeveralKinds(Vec<(String, Vec<usize>)>),
    /// The GPU is too old for the kernels.
    #[error(
        "{name} has compute capability {}.{}, and 8.0 (Ampere) is the oldest that the kernels are \
         written for", .capability.0, .capability.1
    )]
    TooOld {
        /// The GPU.
        name: String,
        /// Its compute capability.
        capability: (u32, u32),
    },
    /// A library of the CUDA toolkit is missing, or does not open.
    #[error("{name} {}", missing(.refused))]
    NoLibrary {
        /// Its name.
        name: String,
        /// Files that do not open, and why, for people.
        refused: Vec<String>,
    },
    /// What the compiler makes is too new for the driver.
    #[error(
        "NVRTC is of CUDA {}.{}, and the driver is made for CUDA {}.{}, so it does not load what NVRTC compiles",
        .compiler.0, .compiler.1, .driver / 1000, .driver % 1000 / 10
    )]
    DriverTooOld {
        /// The version of CUDA that the driver is made for, such as 12080.
        driver: i32,
        /// The version of the compiler.
        compiler: (i32, i32),
    },
    /// The headers of the CUDA toolkit are missing.
    #[error("the headers of the CUDA toolkit are not found: include/cuda_fp16.h")]
    NoHeaders,
    /// A call of CUDA failed.
    #[error("cannot {doing} on the GPU: {reason}")]
    Cuda {
        /// What was tried.
        doing: &'static str,
        /// What CUDA said.
        reason: String,
    },
    /// The memory of the device is too small.
    #[error("the GPU is out of memory: {reason}")]
    OutOfMemory {
        /// What CUDA said.
        reason: String,
    },
    /// A kernel does not compile on this machine.
    #[error("the kernel `{name}` does not compile for {architecture}: {log}")]
    Kernel {
        /// Its name.
        name: &'static str,
        /// What it is compiled for.
        architecture: String,
        /// What the compiler said.
        log: String,
    },
    /// The model's shape is not one that the kernels take.
    #[error("{0}")]
    Shape(String),
    /// The driver gave ordinary memory where pinned memory was asked for.
    #[error(
        "the driver gave memory that is not pinned, so uploads would not overlap with computing"
    )]
    NotPinned,
    /// Every device of a model failed in an earlier run.
    #[error("no device of the model works any more: {}", .0.join("; "))]
    AllLost(Vec<String>),
    /// Nobody wants what was to be computed any more. It ends a stage and is never shown.
    #[error("the run was abandoned")]
    Abandoned,
}

impl DeviceError {
    /// The error with the GPU that it is about, which it does not name by itself.
    #[cfg(feature = "cuda")]
    pub(super) fn of(self, gpu: &str) -> Self {
        match self {
            Self::Cuda { doing, reason } => Self::Cuda {
                doing,
                reason: format!("{reason}, says {gpu}"),
            },
            Self::OutOfMemory { reason } => Self::OutOfMemory {
                reason: format!("{reason}, says {gpu}"),
            },
            other => other,
        }
    }
}

impl Hint for DeviceError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotBuilt(_) => {
                "build it without `--no-default-features`, or set `device` to \"cpu\""
            }
            Self::NoDriver => {
                "install the driver, start a container with `--gpus all`, or set `device` to \"cpu\""
            }
            Self::NoThreads(_) => {
                "give `threads` a smaller number, or raise the limit (`ulimit -u`)"
            }
            Self::NoNumberOfThreads { .. } => {
                "unset it, set it to a whole number, or give `threads`"
            }
            Self::BrokenDriver(_) => {
                "install the driver anew, or leave its folder out of LD_LIBRARY_PATH; or set `device` to \"cpu\""
            }
            Self::Driver(_) => "does `nvidia-smi` work here?",
            Self::NoGpu => {
                return Some(format!(
                    "check `nvidia-smi`{}, or set `device` to \"cpu\"",
                    visible_devices().map_or_else(String::new, |listed| format!(" and {listed}"))
                ));
            }
            Self::NoSuchGpu { present, .. } => {
                let listed = visible_devices().map(|listed| format!("; {listed}"));
                let listed = listed.unwrap_or_default();
                return Some(format!("there are {}{listed}", present.join(", ")));
            }
            Self::SameGpu { .. } => "name each GPU once",
            Self::SeveralKinds(kinds) => {
                let lists = kinds
                    .iter()
                    .map(|(name, ordinals)| format!("`device: {}` ({name})", list(ordinals)));
                return Some(format!("take {}", lists.collect::<Vec<_>>().join(" or ")));
            }
            Self::TooOld { .. } => "choose another GPU, or set `device` to \"cpu\"",
            Self::NoLibrary { .. } | Self::NoHeaders => {
                return Some(format!(
                    "{WHEELS}, or install CUDA 13, or name its folder in CUDA_PATH and that of its libraries in \
                     LD_LIBRARY_PATH; or set `device` to \"cpu\""
                ));
            }
            Self::DriverTooOld { compiler, .. } => {
                return Some(format!(
                    "install a driver for CUDA {} (580 or newer for 13), or a toolkit that is not newer than the driver",
                    compiler.0
                ));
            }
            Self::OutOfMemory { .. } => {
                "lower `token_budget`, take a smaller model or a smaller `dtype`, or free memory \
                 that other programs hold"
            }
            Self::Shape(_) => "set `device` to \"cpu\"",
            Self::NotPinned => "raise the limit of locked memory (`ulimit -l unlimited`)",
            Self::AllLost(_) => "run the same command again to go on",
            Self::Cuda { .. } | Self::Kernel { .. } | Self::Abandoned => return None,
        };
        Some(hint.to_owned())
    }
}

/// How to get what is needed of the toolkit where Python is.
const WHEELS: &str = "`pip install nvidia-cuda-nvrtc==13.0.* nvidia-cublas==13.0.* nvidia-cuda-runtime==13.0.*` in the \
     environment that the program is in";

/// What is wrong with a library, of which these files do not open.
fn missing(refused: &[String]) -> String {
    match refused {
        [] => "is not found, which comes with the CUDA toolkit".to_owned(),
        refused => format!("does not open: {}", refused.join("; ")),
    }
}

/// What hides GPUs from the driver, where it is set.
fn visible_devices() -> Option<String> {
    let listed = env::var_os("CUDA_VISIBLE_DEVICES")?;
    Some(format!(
        "CUDA_VISIBLE_DEVICES, which is \"{}\": the driver shows what it lists, up to the first that is not \
         there, and counts from 0",
        listed.display()
    ))
}

/// GPUs with these ordinals, as a script names them.
fn list(ordinals: &[usize]) -> String {
    let names: Vec<_> = ordinals.iter().map(|n| format!("\"cuda:{n}\"")).collect();
    match names.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}
