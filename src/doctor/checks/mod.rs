//! The table of checks, in the order in which they are made.

mod caches;
mod cores;
mod driver;
mod environment;
mod gpus;
mod memory;
mod numbers;
mod open_files;
mod program;
mod room;
mod system;
mod toolkit;

use super::check::Check;
use std::time::Duration;

/// Files of the kernel and of the system answer at once, unless a file system of the network is away.
const SOON: Duration = Duration::from_secs(10);
/// A driver that has been unloaded takes seconds to start.
const DRIVER: Duration = Duration::from_secs(60);
/// Kernels are compiled in the first self-test of a machine.
const COMPILING: Duration = Duration::from_secs(180);

/// What to do where the libraries hang or end their process that a check opens.
const DRIVER_LIBRARY: &str = "does `nvidia-smi` answer? If not, the driver has to be started again, or the machine; if so, is `libcuda.so.1` the driver's own?";
const TOOLKIT: &str = "a library of the toolkit is broken: where it is looked for is said in docs/doctor.md, and what `LD_LIBRARY_PATH` names comes first";
const LIBRARIES: &str =
    "a library of the driver or of the toolkit, or the GPU, is broken: does `nvidia-smi` answer?";

/// Every check.
#[rustfmt::skip]
pub(super) const ALL: &[Check] = &[
    Check { section: "program", name: "runner", limit: SOON, apart: None, look: program::look },
    Check { section: "machine", name: "system", limit: SOON, apart: None, look: system::look },
    Check { section: "machine", name: "cores", limit: SOON, apart: None, look: cores::look },
    Check { section: "machine", name: "memory", limit: SOON, apart: None, look: memory::look },
    Check { section: "machine", name: "room", limit: SOON, apart: None, look: room::look },
    Check { section: "machine", name: "open files", limit: SOON, apart: None, look: open_files::look },
    Check { section: "GPU", name: "driver", limit: DRIVER, apart: Some(DRIVER_LIBRARY), look: driver::look },
    Check { section: "GPU", name: "GPUs", limit: DRIVER, apart: Some(DRIVER_LIBRARY), look: gpus::look },
    Check { section: "GPU", name: "CUDA toolkit", limit: DRIVER, apart: Some(TOOLKIT), look: toolkit::look },
    Check { section: "caches", name: "caches", limit: SOON, apart: None, look: caches::look },
    Check { section: "environment", name: "variables", limit: SOON, apart: None, look: environment::look },
    Check { section: "self-test", name: "CPU", limit: COMPILING, apart: None, look: numbers::on_cpu },
    Check { section: "self-test", name: "GPUs", limit: COMPILING, apart: Some(LIBRARIES), look: numbers::on_gpus },
];
