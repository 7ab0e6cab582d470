//! What a table of scores came to.

use super::Extent;
use crate::report::ScoreHistogram;
use std::path::PathBuf;

/// A table of scores that is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// The table.
    pub output: PathBuf,
    /// The columns with the scores.
    pub columns: Vec<String>,
    /// The method that was asked for.
    pub method: String,
    /// How much was scored.
    pub extent: Extent,
    /// Spearman's rank correlation of the scores with what was measured, where the table of mutants says so.
    pub spearman: Option<f64>,
    /// Rows of which it was measured.
    pub measured: u64,
    /// How the scores are distributed. Nothing, if the table was there before.
    pub histogram: Option<ScoreHistogram>,
    /// The list of records that a rule rejected, if there are any.
    pub rejects: Option<PathBuf>,
}
