//! What is measured while a run goes on: plain numbers that all threads share.
//!
//! *Input*: stages say what they do and what went through them. *Output*: [`Reading`]s of all of it
//! at a moment, [`Sample`]s of what happened between two of them, a [`Bottleneck`]. *Owns*: names and
//! units of everything measured. *Never*: judges, prints, or holds a stage up.

mod bottleneck;
mod clock;
mod flow;
mod meters;
mod metric;
mod sample;

pub use bottleneck::{Bottleneck, Severity, Stage};
pub use clock::{Activity, Span, SpanListener, StageClock, StageTime};
pub use flow::{Flow, FlowMeter};
pub use meters::{Counts, Meters, QueueDepths, QueueMeters, Reading};
pub use metric::{Merge, Metric, Unit};
pub use sample::{Sample, Throttle};
