//! What is measured while a run goes on: plain numbers that all threads share.
//!
//! *Input*: stages say what they do and what went through them. *Output*: [`Reading`]s of all of it
//! at a moment, [`Sample`]s of what happened between two of them, a [`Bottleneck`]. *Owns*: names and
//! units of everything measured. *Never*: judges, prints, or holds a stage up.

mod bottleneck;
mod clock;
mod counts;
mod flow;
mod lane;
mod measured;
mod meters;
mod metric;
mod reading;
mod sample;
mod throttle;

pub use bottleneck::{Bottleneck, Severity, Stage};
pub use clock::{Activity, Span, SpanListener, StageClock, StageTime};
pub use counts::Counts;
pub use flow::{Flow, FlowMeter};
pub use lane::{BatchDone, Begun, LaneMeters, LaneReading};
pub use measured::Measured;
pub use meters::{Meters, QueueMeters};
pub use metric::{Merge, Metric, Scope, Together, Unit};
pub use reading::{QueueDepths, Reading};
pub use sample::Sample;
pub use throttle::Throttle;
