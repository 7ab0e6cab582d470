//! Watches runs: the GPU, this process, its readers, and where the time of every stage goes.
//!
//! *Input*: the [`Meters`] of a run, NVML, `/proc`. *Output*: samples, a verdict, files of
//! measurements. *Owns*: what counts as a bottleneck. *Never*: prints, or writes a file on the thread of a
//! stage. Stages hand over what is to be written, and wait only where thousands of writes wait for a slow
//! disk: nothing is left out, and memory stays bounded.

mod background;
mod error;
mod findings;
mod gpu;
mod growth;
mod host;
mod inventory;
mod lane_findings;
mod lane_gpu;
mod lane_mean;
mod lane_watch;
mod metrics;
mod notice;
mod peak;
mod prometheus;
mod recorder;
mod run_facts;
mod run_monitor;
mod sampler;
mod sampling_thread;
mod shared;
mod timeline;
mod trace;
mod track;
mod verdict;

pub use error::MonitorError;
pub use findings::Findings;
pub use host::{peak_memory_bytes, resident_memory_bytes};
pub use inventory::{InstalledGpu, Inventory, inventory};
pub use lane_findings::LaneFindings;
pub use lane_watch::LaneWatch;
pub use metrics::check_ending;
pub use notice::Notice;
pub use peak::peak_flops;
pub use recorder::Recorder;
pub use run_facts::{GpuFacts, LaneFacts, RunFacts};
pub use run_monitor::{Monitor, MonitorPlan};

use crate::file;
use std::{fs::File, path::Path};

#[cfg(doc)]
use crate::meter::Meters;

/// Creates a file for measurements, and the folders that it is in.
fn create(path: &Path) -> Result<File, MonitorError> {
    Ok(file::create(path)?)
}
