//! A chart and what is written above it.

use super::{Chart, Ink};
use serde::Serialize;

/// A chart with what is written above it.
#[derive(Serialize)]
pub(in crate::report) struct Figure {
    pub(in crate::report) title: &'static str,
    /// What it shows, for those who cannot see it.
    pub(in crate::report) label: String,
    pub(in crate::report) keys: Vec<Key>,
    pub(in crate::report) chart: Chart,
}

/// A line of a legend.
#[derive(Serialize)]
pub(in crate::report) struct Key {
    ink: Option<Ink>,
    pub(in crate::report) text: String,
}

impl Key {
    /// A line that says what a colour stands for.
    pub(in crate::report) fn new(ink: Ink, text: String) -> Self {
        Self {
            ink: Some(ink),
            text,
        }
    }

    /// A line without a colour.
    pub(in crate::report) fn plain(text: String) -> Self {
        Self { ink: None, text }
    }
}
