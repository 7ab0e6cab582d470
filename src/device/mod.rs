//! Choosing a device, and what the GPU needs beside computing: memory, streams, copies.
//!
//! *Input*: the device that a script names. *Output*: a burn device that works. *Owns*: the probe,
//! pinned uploads and downloads on streams of their own, and the in-order enqueue on the stream
//! that burn computes on. *Never*: knows ESM-2.

pub mod amx;
mod choose;
mod cores;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
mod error;
mod opened;
mod part;
mod process;
mod shown_gpu;
pub mod spare;
mod survey;
mod timing;

pub use choose::{Chosen, ChosenGpu, choose, free_bytes, label, release_unused};
pub use cores::{Cores, usual_threads};
pub use error::DeviceError;
pub use opened::opened_library;
pub use part::Part;
pub use process::{end_at_once, is_set_here, prepare_process};
pub use shown_gpu::ShownGpu;
pub use survey::{code_cache, driver, gpus, toolkit_is_ready, toolkit_parts};
pub use timing::{BatchMarks, BatchTiming, GpuTiming, Timeline};
