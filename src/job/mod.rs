//! The validated plan of a job.
//!
//! *Input*: what a script asked for. *Output*: plain data that the stations can rely on.
//! *Owns*: names, defaults and limits of every option. *Never*: opens a file or touches a device.

mod dataset;
mod dtype;
mod embed;
mod model;
mod options;
mod output;
mod pooling;
mod problem;
mod settings;
mod sweep;
mod thresholds;
mod value;

pub use dataset::{Dataset, LongSequences, RecordPolicy, ResiduePolicy};
pub use dtype::Dtype;
pub use embed::{Delays, EmbedOptions, Layer};
pub use model::{DeviceChoice, Gelu, GeluForm, Mock, ModelSpec};
pub use options::nearest;
pub use output::{OutputFormat, check_file_name, check_name, rejects_beside};
pub use pooling::Pooling;
pub use problem::{Problem, Problems};
pub use sweep::SweepPlan;
pub use thresholds::Thresholds;
pub use value::{OptionMap, OptionValue};
