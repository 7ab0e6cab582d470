//! The one door to outputs: from a plan to the sink of its format.

use super::{OutputPlan, Rejects, Sink, SinkError, null::NullSink, single::SingleSink};

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
    Ok(Opened {
        sink: Box::new(SingleSink::create(plan)?),
        rejects: Rejects::beside(&plan.target.path, plan.overwrite)?,
    })
}
