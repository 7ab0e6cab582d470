//! Lines and outlines as the `d` of an SVG path, in few bytes.

use serde::Serialize;
use std::fmt::Write as _;

/// A point of a picture in its units, from the top left corner.
pub(super) type Point = (i32, i32);

/// What the `d` of an SVG path holds. Steps are relative and whole, which takes half the bytes of points.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct Path {
    data: String,
}

impl Path {
    /// A line through points.
    pub(super) fn line(points: &[Point]) -> Self {
        let mut path = Self::default();
        path.add_line(points);
        path
    }

    /// What is between a line and the height `floor`.
    pub(super) fn area(points: &[Point], floor: i32) -> Self {
        let mut path = Self::default();
        if let (Some(first), Some(last)) = (points.first(), points.last()) {
            let mut outline = vec![(first.0, floor)];
            outline.extend_from_slice(points);
            outline.push((last.0, floor));
            path.add_line(&outline);
            path.data.push('z');
        }
        path
    }

    /// A level line, apart from what is there already.
    pub(super) fn add_level(&mut self, from: i32, to: i32, height: i32) {
        self.add_line(&[(from, height), (to, height)]);
    }

    /// An upright line, apart from what is there already.
    pub(super) fn add_upright(&mut self, place: i32, from: i32, to: i32) {
        self.add_line(&[(place, from), (place, to)]);
    }

    /// A rectangle, apart from what is there already.
    pub(super) fn add_rectangle(&mut self, (left, top): Point, (right, bottom): Point) {
        self.add_line(&[(left, bottom), (left, top), (right, top), (right, bottom)]);
        self.data.push('z');
    }

    fn add_line(&mut self, points: &[Point]) {
        let Some((first, rest)) = points.split_first() else {
            return;
        };
        // Without a step there is nothing to see, not even a dot.
        let start = *first;
        self.add(format_args!("M{} {}", start.0, start.1));
        let mut corners = vec![start];
        for &point in rest {
            if let &[.., before, last] = corners.as_slice()
                && goes_on(before, last, point)
            {
                corners.pop();
            }
            if corners.last() != Some(&point) {
                corners.push(point);
            }
        }
        if corners.len() == 1 {
            self.add(format_args!("h0"));
        }
        let mut is_sloping = false;
        for pair in corners.windows(2) {
            let step = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
            match step {
                (across, 0) => self.add(format_args!("h{across}")),
                (0, down) => self.add(format_args!("v{down}")),
                (across, down) => {
                    // A minus sign, and a letter, keep numbers apart.
                    let before = match (is_sloping, across < 0) {
                        (false, _) => "l",
                        (true, true) => "",
                        (true, false) => " ",
                    };
                    let between = if down < 0 { "" } else { " " };
                    self.add(format_args!("{before}{across}{between}{down}"));
                }
            }
            is_sloping = step.0 != 0 && step.1 != 0;
        }
    }

    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        self.data
            .write_fmt(text)
            .expect("writing to a string does not fail");
    }
}

/// Whether a level or upright line from `before` over `last` goes straight on to `next`.
fn goes_on(before: Point, last: Point, next: Point) -> bool {
    let is_onward = |a: i32, b: i32, c: i32| (a <= b && b <= c) || (a >= b && b >= c);
    (before.1 == last.1 && last.1 == next.1 && is_onward(before.0, last.0, next.0))
        || (before.0 == last.0 && last.0 == next.0 && is_onward(before.1, last.1, next.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_short() {
        let check = |points: &[Point], expect: &str| {
            assert_eq!(Path::line(points).data, expect, "{points:?}");
        };
        check(&[], "");
        check(&[(3, 4)], "M3 4h0");
        check(&[(3, 4), (3, 4)], "M3 4h0");
        check(&[(0, 0), (5, 0), (9, 0), (9, 2)], "M0 0h9v2");
        check(&[(0, 0), (5, 0), (2, 0)], "M0 0h5h-3");
        check(&[(0, 9), (5, 4), (9, 5), (8, 9)], "M0 9l5-5 4 1-1 4");
        check(&[(0, 0), (1, 1), (2, 1), (3, 3)], "M0 0l1 1h1l1 2");
    }

    #[test]
    fn areas_reach_down_to_their_floor() {
        let area = Path::area(&[(1, 5), (4, 5), (6, 2)], 9);
        assert_eq!(area.data, "M1 9v-4h3l2-3v7z");
        assert_eq!(Path::area(&[], 9).data, "");
        let mut bars = Path::default();
        bars.add_rectangle((1, 2), (3, 9));
        bars.add_rectangle((4, 9), (6, 9));
        assert_eq!(bars.data, "M1 9v-7h2v7zM4 9h2z");
    }
}
