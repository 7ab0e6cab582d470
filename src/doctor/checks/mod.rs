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
mod size;
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

/// Every check.
#[rustfmt::skip]
pub(super) const ALL: &[Check] = &[
    Check { section: "program", name: "runner", limit: SOON, asks_driver: false, look: program::look },
    Check { section: "machine", name: "system", limit: SOON, asks_driver: false, look: system::look },
    Check { section: "machine", name: "cores", limit: SOON, asks_driver: false, look: cores::look },
    Check { section: "machine", name: "memory", limit: SOON, asks_driver: false, look: memory::look },
    Check { section: "machine", name: "room", limit: SOON, asks_driver: false, look: room::look },
    Check { section: "machine", name: "open files", limit: SOON, asks_driver: false, look: open_files::look },
    Check { section: "GPU", name: "driver", limit: DRIVER, asks_driver: true, look: driver::look },
    Check { section: "GPU", name: "GPUs", limit: DRIVER, asks_driver: true, look: gpus::look },
    Check { section: "GPU", name: "CUDA toolkit", limit: DRIVER, asks_driver: true, look: toolkit::look },
    Check { section: "caches", name: "caches", limit: SOON, asks_driver: false, look: caches::look },
    Check { section: "environment", name: "variables", limit: SOON, asks_driver: false, look: environment::look },
    Check { section: "self-test", name: "CPU", limit: COMPILING, asks_driver: false, look: numbers::on_cpu },
    Check { section: "self-test", name: "GPUs", limit: COMPILING, asks_driver: true, look: numbers::on_gpus },
];
