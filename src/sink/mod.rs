//! Outputs.

/// What can go wrong with an output file.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {}
