//! What runs leave behind for people.
//!
//! *Input*: the figures of runs. *Output*: text, tables and pages. *Owns*: how figures are worded,
//! compared and drawn. *Never*: prints.

mod details;
mod error;
mod html;
mod memory;
mod page;
mod record;
mod summary;
mod svg;
mod sweep;
mod table;

pub use details::{LengthHistogram, RejectedRecord, RunDetails};
pub use error::ReportError;
pub use memory::{peak_memory_bytes, resident_memory_bytes};
pub use page::{Failure, PageRun, page};
pub use record::RunReport;
pub use summary::{GpuSummary, RunSummary};
pub use sweep::{Better, Row, Sweep};
