//! The wiring.

use crate::{
    cancel::CancelToken,
    error::Error,
    event::EventSender,
    job::{Dataset, EmbedOptions},
    model::Model,
    reader::Pool,
    report::RunSummary,
};

/// What the calls of `embed` of one script share.
pub struct Context {
    /// The reader subprocesses, which stay alive between calls.
    pub readers: Pool,
    /// Where the stations tell what happens.
    pub events: EventSender,
    /// Told to stop?
    pub cancel: CancelToken,
}

/// Embeds `dataset` with `model`. Blocks until the output is published.
pub fn embed(
    _context: &mut Context,
    _model: &Model,
    _dataset: &Dataset,
    _options: &EmbedOptions,
) -> Result<RunSummary, Error> {
    todo!()
}
