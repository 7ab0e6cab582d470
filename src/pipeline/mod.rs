//! The wiring: threads and queues that join the stations.
//!
//! *Input*: a model, a dataset, options. *Output*: the published files and a [`RunSummary`].
//! *Owns*: threads, queues, cancellation, and the check that nothing was lost. *Never*: does
//! arithmetic.
//!
//! ```text
//!                                    lane: encoding ═in flight═▶ collecting ╗
//! readers ─▶ packing ═batches═▶      …                                      ╠═rows═▶ writing
//!            (thread)                lane: encoding ═in flight═▶ collecting ╝        (thread)
//!                                          (thread)              (thread)
//! ```
//!
//! The thread of the caller, which is that of the script, only watches.

mod batcher;
mod conservation;
mod contact_overlay;
mod failure;
mod fault;
mod feeder;
mod fleet;
mod join;
mod lane;
mod left;
mod output;
mod overlay;
mod pack;
mod plan;
mod run;
mod stage;
mod summary;
mod watch;
mod watched;
mod watcher;
mod write;

use crate::{
    cancel::CancelToken,
    error::Error,
    event::{Event, EventSender},
    hint::Hint,
    job::{Dataset, EmbedPlan, LongSequences, Shard},
    model::Model,
    monitor::Recorder,
    reader::Pool,
    report::RunSummary,
    text::counted,
};
use std::time::{Duration, Instant};

pub use crate::monitor::Notice;
pub use failure::RunFailure;
pub use watcher::Watcher;

/// How long a script waits at most until what its run came to is shown.
const PATIENCE: Duration = Duration::from_millis(300);

/// What the calls of `embed` of one script share.
pub struct Context {
    /// The reader subprocesses, which stay alive between calls.
    pub readers: Pool,
    /// Calls of `embed` so far.
    pub n_runs: u64,
    /// Whether one of them has said what else can be done with sequences that are truncated: nobody needs it twice.
    pub has_told_of_truncation: bool,
    /// Which part of the records each of them embeds, if it is not all of them.
    pub shard: Option<Shard>,
    /// Where measurements go.
    pub recorder: Recorder,
    /// Where the stations tell what happens.
    pub events: EventSender,
    /// Told to stop?
    pub cancel: CancelToken,
}

/// What is to be said about sequences that were truncated, though nobody asked for that.
fn truncation(summary: &RunSummary, wanted: &EmbedPlan) -> Option<String> {
    let rule = wanted.dataset().policy.long_sequences;
    let is_default = rule == Dataset::new(Vec::new()).policy.long_sequences;
    match rule {
        LongSequences::Truncate(most) if is_default && summary.truncated > 0 => Some(format!(
            "{} had more than {most} residues, of which only the first were embedded; \
             `.long_sequences(\"window\")` embeds all of them",
            counted(summary.truncated, "sequence", "sequences")
        )),
        _ => None,
    }
}

/// Does what `wanted` says, which was made for the layers of `model`. Blocks until the output is
/// published. `watcher` is called on this thread, while others do the work.
///
/// # Errors
/// If an input or a reader fails, the model or the output fails, the
/// run is told to stop, or the counts of records do not agree. Nothing is published then, and what was
/// computed is kept for a run that goes on with it.
pub fn embed(
    context: &mut Context,
    model: &Model,
    wanted: &EmbedPlan,
    watcher: &mut dyn Watcher,
) -> Result<RunSummary, RunFailure> {
    let start = Instant::now();
    context.n_runs += 1;
    let events = context.events.clone();
    let result = run::run(context, model, wanted, watcher, start);
    let summary = match &result {
        Ok(summary) => Some(summary),
        Err(failure) => failure.so_far.as_deref(),
    };
    let failure = result.as_ref().err();
    if !context.has_told_of_truncation
        && let Some(message) = summary.and_then(|summary| truncation(summary, wanted))
    {
        context.has_told_of_truncation = true;
        events.send(Event::Warning { message });
    }
    events.send(Event::RunFinished {
        sequences: summary.map_or(0, |summary| summary.sequences),
        tokens: summary.map_or(0, |summary| summary.tokens),
        seconds: start.elapsed().as_secs_f64(),
        output: summary.and_then(|summary| summary.output.clone()),
        error: failure.map(|failure| failure.error.in_full()),
        stopped: failure.is_some_and(|failure| matches!(failure.error, Error::Stopped(_))),
        kept: failure.and_then(|failure| failure.kept.as_deref().cloned()),
    });
    // What the script prints next stands below.
    events.settle_within(PATIENCE);
    result
}
