//! What runs can write about themselves.

use crate::paths::Role;

/// What runs can write about themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// A page with all runs of the script so far.
    Report,
    /// A line of measurements every few batches.
    Metrics,
    /// What every stage does when.
    Trace,
    /// The latest measurements, for Prometheus.
    Prometheus,
}

impl Recording {
    /// What a file of this kind is for.
    pub fn role(self) -> Role {
        match self {
            Self::Report => Role::Report,
            Self::Metrics => Role::Metrics,
            Self::Trace => Role::Trace,
            Self::Prometheus => Role::Prometheus,
        }
    }
}
