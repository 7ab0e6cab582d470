//! The one door to outputs: from a plan to the sink of its format.

use super::{
    Circumstances, Identity, Rejects, Sink, SinkError, null::NullSink, parquet::ParquetSink,
};
use crate::job::OutputFormat;
use std::path::PathBuf;

/// Where the output goes and what it says about itself.
#[derive(Clone, Debug)]
pub struct OutputPlan {
    /// The output file. Missing parent folders are created.
    pub path: PathBuf,
    /// What is written into it.
    pub format: OutputFormat,
    /// Whether an output file of that name, and its list of rejections, may be replaced.
    pub overwrite: bool,
    /// Components of an embedding.
    pub hidden_size: usize,
    /// Which embeddings it holds, and of which layers.
    pub identity: Identity,
    /// How they are computed.
    pub circumstances: Circumstances,
}

/// Where a run puts its rows and its rejections.
pub struct Opened {
    /// Takes the rows.
    pub sink: Box<dyn Sink>,
    /// Takes the rejections.
    pub rejects: Rejects,
}

/// Opens an output under a temporary name, or, without a plan, one that only counts.
///
/// # Errors
/// - If the output or its list of rejections exists and may not be replaced, or is not a file.
/// - If the file system refuses.
pub fn open(plan: Option<&OutputPlan>) -> Result<Opened, SinkError> {
    let Some(plan) = plan else {
        return Ok(Opened {
            sink: Box::<NullSink>::default(),
            rejects: Rejects::uncollected(),
        });
    };
    let sink: Box<dyn Sink> = match plan.format {
        OutputFormat::Parquet => Box::new(ParquetSink::create(plan)?),
    };
    Ok(Opened {
        sink,
        rejects: Rejects::beside(&plan.path, plan.overwrite)?,
    })
}

impl OutputPlan {
    /// The metadata known from the start.
    pub(super) fn entries(&self) -> Vec<(String, String)> {
        let mut entries = self.identity.entries();
        entries.extend(self.circumstances.entries());
        entries
    }
}
