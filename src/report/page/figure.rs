//! A chart and what is written above it.

use super::chart::Ink;
use serde::Serialize;

/// A chart with what is written above it.
#[derive(Serialize)]
pub(super) struct Figure {
    pub(super) title: &'static str,
    /// What it shows, for those who cannot see it.
    pub(super) label: String,
    pub(super) keys: Vec<Key>,
    pub(super) picture: String,
}

/// A line of a legend.
#[derive(Serialize)]
pub(super) struct Key {
    ink: Option<Ink>,
    pub(super) text: String,
}

impl Key {
    /// A line that says what a colour stands for.
    pub(super) fn new(ink: Ink, text: String) -> Self {
        Self {
            ink: Some(ink),
            text,
        }
    }

    /// A line without a colour.
    pub(super) fn plain(text: String) -> Self {
        Self { ink: None, text }
    }
}
