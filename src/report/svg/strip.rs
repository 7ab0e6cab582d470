//! A level bar that stretches with the page, so that the text beside it keeps its size on a phone.

use super::{
    Ink,
    chart::{Form, Shape},
    path::Path,
};
use serde::Serialize;

/// The size of a strip in its units, however wide it is shown.
const WIDTH: i32 = 10_000;
const HEIGHT: i32 = 8;

/// A level bar of one or more parts.
#[derive(Debug, Serialize)]
pub(in crate::report) struct Strip {
    width: i32,
    height: i32,
    shapes: Vec<Shape>,
}

impl Strip {
    /// Parts of the whole, which is 1: their colours, where they begin and where they end.
    pub(in crate::report) fn new(parts: impl IntoIterator<Item = (Ink, f64, f64)>) -> Self {
        let shapes = parts.into_iter().map(|(ink, from, to)| {
            let mut path = Path::default();
            path.add_rectangle((across(from), 0), (across(to), HEIGHT));
            Shape::new(ink, Form::Area, path)
        });
        Self {
            width: WIDTH,
            height: HEIGHT,
            shapes: shapes.collect(),
        }
    }

    /// The strip with a line along its middle.
    pub(in crate::report) fn with_line(mut self, ink: Ink, from: f64, to: f64) -> Self {
        let path = Path::line(&[(across(from), HEIGHT / 2), (across(to), HEIGHT / 2)]);
        self.shapes.push(Shape::new(ink, Form::Line, path));
        self
    }
}

fn across(share: f64) -> i32 {
    (f64::from(WIDTH) * share.clamp(0.0, 1.0)).round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parts_stay_within_the_whole() {
        let strip = Strip::new([(Ink::Best, 0.0, 0.25)]).with_line(Ink::Mark, -0.5, 1.5);
        let expect = json!([
            {"ink": "good", "form": "area", "path": "M0 8v-8h2500v8z"},
            {"ink": "mark", "form": "line", "path": "M0 4h10000"},
        ]);
        assert_eq!(serde_json::to_value(strip).unwrap()["shapes"], expect);
    }
}
