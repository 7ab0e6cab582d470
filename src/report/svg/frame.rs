//! The room of a chart between its axes.

use super::{
    Axis,
    path::{Path, Point},
};
use serde::Serialize;

/// The size of a chart in its units, of which a wide screen shows four in a pixel.
pub(super) const WIDTH: i32 = 1_920;
pub(super) const HEIGHT: i32 = 760;
/// The room between the axes. All charts have the same, so that those above each other line up.
pub(super) const LEFT: i32 = 296;
pub(super) const RIGHT: i32 = 1_840;
pub(super) const TOP: i32 = 36;
pub(super) const FLOOR: i32 = 664;
/// How long the marks below the lower axis are.
const MARK: i32 = 12;
/// From an axis to its labels. On a phone, those below must not touch the lowest one beside.
const BESIDE: i32 = 12;
const BELOW: i32 = 36;

/// Two axes and the room between them.
pub(super) struct Frame {
    pub(super) x: Axis,
    pub(super) y: Axis,
}

/// A label of an axis.
#[derive(Debug, Serialize)]
pub(super) struct Label {
    x: i32,
    y: i32,
    text: String,
}

impl Frame {
    /// Where a point lies in the picture.
    pub(super) fn point(&self, (x, y): (f64, f64)) -> Point {
        (self.across(x), self.up(y))
    }

    /// Where a value of the lower axis lies.
    pub(super) fn across(&self, value: f64) -> i32 {
        LEFT + (f64::from(RIGHT - LEFT) * self.x.scale.place(value)).round() as i32
    }

    /// At which height a value of the upright axis lies.
    pub(super) fn up(&self, value: f64) -> i32 {
        FLOOR - (f64::from(FLOOR - TOP) * self.y.scale.place(value)).round() as i32
    }

    /// Lines at the ticks: across all of the chart if `has_levels`, and below the lower axis.
    pub(super) fn grid(&self, has_levels: bool) -> Path {
        let mut path = Path::default();
        for (tick, _) in self.y.ticks.iter().filter(|_| has_levels) {
            path.add_level(LEFT, RIGHT, self.up(*tick));
        }
        for (tick, _) in &self.x.ticks {
            path.add_upright(self.across(*tick), FLOOR, FLOOR + MARK);
        }
        path
    }

    /// The labels of the lower axis, the middles of their upper edges.
    pub(super) fn labels_below(&self) -> Vec<Label> {
        let label = |(tick, text): &(f64, String)| Label {
            x: self.across(*tick),
            y: FLOOR + BELOW,
            text: text.clone(),
        };
        self.x.ticks.iter().map(label).collect()
    }

    /// The labels of the upright axis, the middles of their right edges.
    pub(super) fn labels_beside(&self) -> Vec<Label> {
        let label = |(tick, text): &(f64, String)| Label {
            x: LEFT - BESIDE,
            y: self.up(*tick),
            text: text.clone(),
        };
        self.y.ticks.iter().map(label).collect()
    }
}
