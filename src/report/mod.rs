//! What a run leaves behind for people.

mod summary;
pub use summary::RunSummary;
