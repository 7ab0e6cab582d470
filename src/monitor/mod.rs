//! Watches runs: the GPU, this process, its readers, and where the time of every stage goes.
//!
//! *Input*: the [`Meters`] of a run, NVML, `/proc`. *Output*: samples, a verdict, files of
//! measurements. *Owns*: what counts as a bottleneck. *Never*: prints, or holds a run up.

mod batches;
mod error;
mod gpu;
mod growth;
mod host;
mod look;
mod metrics;
mod peak;
mod prometheus;
mod recorder;
mod sampler;
mod tiers;
mod timeline;
mod trace;
mod watch;

pub use batches::BatchWatch;
pub use error::MonitorError;
pub use metrics::check_ending;
pub use peak::peak_flops;
pub use recorder::Recorder;
pub use tiers::RunFacts;
pub use watch::{Findings, Monitor, MonitorPlan, Notice};

use crate::file;
use std::{fs::File, path::Path};

#[cfg(doc)]
use crate::meter::Meters;

/// Creates a file for measurements, and the folders that it is in.
fn create(path: &Path) -> Result<File, MonitorError> {
    Ok(file::create(path)?)
}
