//! What runs leave behind for people.
//!
//! *Input*: the figures of runs. *Output*: text, tables and pages. *Owns*: how figures are worded,
//! compared and drawn. *Never*: prints.

mod contact_map;
mod details;
mod error;
mod figure;
mod html;
mod lane;
mod lane_figure;
mod page;
mod record;
mod run_table;
mod scores;
mod summary;
mod svg;
mod sweep;
mod table;
mod unit;

pub use contact_map::draw_contact_map;
pub use details::{LengthHistogram, RejectedRecord, RunDetails, StretchOfWork};
pub use error::ReportError;
pub use figure::{Better, FIGURES, Figure, Get};
pub use lane::LaneSummary;
pub use lane_figure::LANE_FIGURES;
pub use page::{Failure, PageRun, page};
pub use record::RunReport;
pub use scores::ScoreHistogram;
pub use summary::{GpuSummary, RunSummary};
pub use sweep::{Row, Sweep};
pub use unit::Unit;
