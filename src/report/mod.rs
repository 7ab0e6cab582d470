//! What runs leave behind for people.
//!
//! *Input*: the figures of runs, the files that they wrote. *Output*: text, tables, pages, and
//! embeddings to look into. *Owns*: how figures are worded and compared. *Never*: prints.

mod details;
mod embeddings;
mod error;
mod figure;
mod page;
mod record;
mod run_table;
mod summary;
mod sweep;
mod table;

pub use details::{LengthHistogram, RejectedRecord, RunDetails};
pub use embeddings::Embeddings;
pub use error::ReportError;
pub use figure::{Better, FIGURES, Figure, Get, Unit};
pub use page::{Failure, PageRun, page};
pub use record::RunReport;
pub use summary::{GpuSummary, RunSummary};
pub use sweep::{Row, Sweep};
