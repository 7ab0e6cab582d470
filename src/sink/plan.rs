//! Where an output goes and what it says about itself.

use super::{Circumstances, Identity};
use crate::job::OutputTarget;

/// Where the output goes and what it says about itself.
#[derive(Clone, Debug)]
pub struct OutputPlan {
    /// The output. Missing folders are created.
    pub target: OutputTarget,
    /// Whether an output file of that name, and its list of rejections, may be replaced.
    pub overwrite: bool,
    /// Components of an embedding.
    pub hidden_size: usize,
    /// Which embeddings it holds, and of which layers.
    pub identity: Identity,
    /// How they are computed.
    pub circumstances: Circumstances,
}

impl OutputPlan {
    /// The metadata known from the start.
    pub(super) fn entries(&self) -> Vec<(String, String)> {
        let mut entries = self.identity.entries();
        entries.extend(self.circumstances.entries());
        entries
    }
}
