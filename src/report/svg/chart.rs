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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn json(chart: &Chart) -> Value {
        serde_json::to_value(chart).unwrap()
    }

    #[test]
    fn a_curve_that_is_alone_has_a_wash_and_lies_on_the_limits() {
        let curve = |ink| Curve {
            ink,
            points: vec![(0.0, Some(0.0)), (5.0, Some(1.0)), (10.0, Some(0.5))],
        };
        let limits = [(Ink::Mild, 0.5)];
        let chart = |curves: &[Curve]| {
            json(&Chart::curves(
                Axis::time(10.0),
                Axis::shares(),
                curves,
                &limits,
            ))
        };
        let alone = chart(&[curve(Ink::First)]);
        let expect = json!([
            {"ink": "mild", "form": "dashes", "path": "M296 350h1544"},
            {"ink": "first", "form": "wash", "path": "M296 664l772-628 772 314v314z"},
            {"ink": "first", "form": "line", "path": "M296 664l772-628 772 314"},
        ]);
        assert_eq!(alone["shapes"], expect);
        assert_eq!(
            alone["below"][5],
            json!({"x": 1_840, "y": 700, "text": "10 s"})
        );
        assert_eq!(
            alone["beside"][4],
            json!({"x": 284, "y": 36, "text": "100%"})
        );
        let both = chart(&[curve(Ink::First), curve(Ink::Second)]);
        let inks: Vec<_> = (0..3).map(|n| both["shapes"][n]["ink"].clone()).collect();
        assert_eq!(inks, ["mild", "second", "first"], "the first is on top");
    }

    #[test]
    fn bands_lie_in_their_rows() {
        let full = || Curve {
            ink: Ink::Working,
            points: vec![(0.0, Some(1.5)), (10.0, Some(1.0))],
        };
        let bands = ["Reading", "Writing"].map(|name| Band {
            name,
            areas: vec![full()],
        });
        let chart = json(&Chart::bands(Axis::time(10.0), &bands));
        assert_eq!(chart["beside"][1]["text"], "Writing");
        // The rows are 314 units high; more than all of one is no more than all of it.
        assert_eq!(chart["shapes"][0]["path"], "M296 309v-232h1544v232z");
        assert_eq!(chart["shapes"][1]["path"], "M296 623v-232h1544v232z");
    }

    #[test]
    fn bars_do_not_touch_and_are_seen() {
        let classes = [(1.0, 10.0, 2.0), (10.0, 10.001, 1.0), (10.001, 100.0, 0.0)];
        let chart = json(&Chart::bars(
            Axis::lengths(1.0, 100.0),
            Axis::counts(2.0),
            &classes,
        ));
        let path = chart["shapes"][0]["path"].as_str().unwrap();
        let bars: Vec<_> = path.split_inclusive('z').collect();
        assert_eq!(bars.len(), 2, "one class is empty: {path}");
        assert!(bars[1].contains("h4v314"), "{path}");
    }
}
