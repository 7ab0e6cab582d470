//! The validated plan of a job.
//!
//! *Input*: what a script asked for. *Output*: plain data that the stations can rely on.
//! *Owns*: names, defaults and limits of every option. *Never*: opens a file or touches a device.

mod dataset;
mod embed;
mod model;
mod problem;

pub use dataset::{Dataset, LongSequences, RecordPolicy, ResiduePolicy};
pub use embed::{EmbedOptions, Layer, Pooling};
pub use model::{DeviceChoice, Dtype, ModelSpec};
pub use problem::{Problem, Problems};
