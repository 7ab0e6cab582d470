//! Charts: curves, bands and bars between two axes.

use super::{
    Axis, Curve, Ink,
    frame::{FLOOR, Frame, HEIGHT, LEFT, Label, RIGHT, WIDTH},
    path::{Path, Point},
};
use serde::Serialize;

/// How much of its row a band takes.
const BAND: f64 = 0.74;
/// What is left out beside a bar, so that bars do not touch.
const BAR_MARGIN: i32 = 4;

/// All that is drawn of a chart.
#[derive(Debug, Serialize)]
pub(in crate::report) struct Chart {
    width: i32,
    height: i32,
    grid: Path,
    below: Vec<Label>,
    beside: Vec<Label>,
    shapes: Vec<Shape>,
}

/// A line or an area in one colour.
#[derive(Debug, Serialize)]
pub(super) struct Shape {
    pub(super) ink: Ink,
    pub(super) form: Form,
    pub(super) path: Path,
}

/// How a shape is drawn. The pages have a class for each.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Form {
    Line,
    Dashes,
    Area,
    /// An area that hardly covers what is behind it.
    Wash,
}

/// Shares from 0 to 1 on top of each other, in a row of their own.
pub(in crate::report) struct Band {
    pub(in crate::report) name: &'static str,
    /// From the one behind, which is the highest, to the one in front.
    pub(in crate::report) areas: Vec<Curve>,
}

impl Chart {
    /// Curves, and dashed lines across all of the chart. A curve that is alone has a wash below it.
    pub(in crate::report) fn curves(
        x: Axis,
        y: Axis,
        curves: &[Curve],
        limits: &[(Ink, f64)],
    ) -> Self {
        let frame = Frame { x, y };
        let mut shapes: Vec<Shape> = limits
            .iter()
            .map(|&(ink, height)| {
                let height = frame.up(height);
                let line = Path::line(&[(LEFT, height), (RIGHT, height)]);
                Shape::new(ink, Form::Dashes, line)
            })
            .collect();
        // The first one matters most and lies on top.
        for curve in curves.iter().rev() {
            for piece in curve.pieces() {
                let points: Vec<Point> =
                    piece.into_iter().map(|point| frame.point(point)).collect();
                if curves.len() == 1 {
                    shapes.push(Shape::new(
                        curve.ink,
                        Form::Wash,
                        Path::area(&points, FLOOR),
                    ));
                }
                shapes.push(Shape::new(curve.ink, Form::Line, Path::line(&points)));
            }
        }
        Self::new(&frame, true, shapes)
    }

    /// A row a band, from the top down.
    pub(in crate::report) fn bands(x: Axis, bands: &[Band]) -> Self {
        let names: Vec<&str> = bands.iter().map(|band| band.name).collect();
        let frame = Frame {
            x,
            y: Axis::names(&names),
        };
        let mut shapes = Vec::new();
        for (place, band) in bands.iter().enumerate() {
            let floor = (bands.len() - place) as f64 - 0.5 - BAND / 2.0;
            for curve in &band.areas {
                for piece in curve.pieces() {
                    let height = |share: f64| floor + BAND * share.clamp(0.0, 1.0);
                    let points: Vec<Point> = piece
                        .into_iter()
                        .map(|(x, share)| frame.point((x, height(share))))
                        .collect();
                    let area = Path::area(&points, frame.up(floor));
                    shapes.push(Shape::new(curve.ink, Form::Area, area));
                }
            }
        }
        Self::new(&frame, false, shapes)
    }

    /// A bar a class: from where to where it reaches, and how high.
    pub(in crate::report) fn bars(x: Axis, y: Axis, classes: &[(f64, f64, f64)]) -> Self {
        let frame = Frame { x, y };
        let mut bars = Path::default();
        for &(from, to, height) in classes.iter().filter(|class| class.2 > 0.0) {
            let left = frame.across(from) + BAR_MARGIN;
            // However narrow its class is, a bar is seen.
            let right = (frame.across(to) - BAR_MARGIN).max(left + BAR_MARGIN);
            bars.add_rectangle((left, frame.up(height)), (right, FLOOR));
        }
        let shapes = vec![Shape::new(Ink::Working, Form::Area, bars)];
        Self::new(&frame, true, shapes)
    }

    fn new(frame: &Frame, has_levels: bool, shapes: Vec<Shape>) -> Self {
        Self {
            width: WIDTH,
            height: HEIGHT,
            grid: frame.grid(has_levels),
            below: frame.labels_below(),
            beside: frame.labels_beside(),
            shapes,
        }
    }
}

impl Shape {
    pub(super) fn new(ink: Ink, form: Form, path: Path) -> Self {
        Self { ink, form, path }
    }
}
