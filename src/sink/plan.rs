//! Where an output goes and what it says about itself.

use super::{Identity, columns::More};
use crate::job::{ExportOptions, OutputTarget, Question, Shard};
use std::time::Duration;

/// Where the output goes and what it says about itself.
#[derive(Clone, Debug)]
pub struct OutputPlan {
    /// A file, or a folder of parts, and its format. Missing parent folders are created.
    pub target: OutputTarget,
    /// Whether what is there and is another output may be replaced.
    pub overwrite: bool,
    /// Whether an output that is there is gone on with.
    pub resume: bool,
    /// How long work may be at stake, at least.
    pub commit_every: Duration,
    /// What is embedded, for people.
    pub inputs: String,
    /// Which columns of answers it has.
    pub question: Question,
    /// Which columns it has besides.
    pub more: More,
    /// Components of an embedding.
    pub hidden_size: usize,
    /// Which embeddings it holds.
    pub identity: Identity,
    /// Which part of the records is written, if it is not all of them.
    pub shard: Option<Shard>,
}

impl OutputPlan {
    /// Whether a sequence has many vectors.
    pub(super) fn has_many(&self) -> bool {
        self.question.has_many(self.hidden_size)
    }

    /// How the rows are put into a file of another format than that of parts.
    pub(super) fn export_options(&self) -> ExportOptions {
        ExportOptions::of(&self.identity.to_map(), self.overwrite)
    }
}
