//! Charts as SVG that follows its page.
//!
//! *Input*: numbers. *Output*: plain data that `html/chart.html` writes down. *Owns*: where everything
//! in a chart lies. *Never*: knows colours, widths of strokes and sizes of text, which are the page's CSS.

mod axis;
mod chart;
mod curve;
mod figure;
mod frame;
mod ink;
mod path;
mod scale;
mod strip;

pub(super) use axis::Axis;
pub(super) use chart::{Band, Chart};
pub(super) use curve::Curve;
pub(super) use figure::{Figure, Key};
pub(super) use ink::Ink;
pub(super) use scale::round_step;
pub(super) use strip::Strip;
