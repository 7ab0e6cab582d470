//! What whoever follows a run is told.

use crate::meter::{Bottleneck, Sample};

/// What whoever follows a run is told.
#[derive(Clone, Debug)]
pub enum Notice {
    /// What happened since the last sample.
    Sample(Box<Sample>),
    /// Something holds the run back.
    Bottleneck(Bottleneck),
}
