//! Charts as SVG that follows the page: colours and sizes of strokes and text are left to its CSS.

use super::axis::Axis;
use plotters::{
    backend::SVGBackend,
    chart::{ChartBuilder, ChartContext},
    coord::{Shift, cartesian::Cartesian2d},
    drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea},
    element::Rectangle,
    series::{AreaSeries, LineSeries},
    style::{Color, IntoFont, RGBColor, TRANSPARENT},
};
use serde::{Serialize, Serializer};
use std::io;

/// The library rounds to whole units, so units are small.
const UNIT: u32 = 4;
const WIDTH: u32 = 480 * UNIT;
const HEIGHT: u32 = 190 * UNIT;
/// Room beside the axes. All charts have the same, so that those above each other line up.
const LEFT: u32 = 74 * UNIT;
const BOTTOM: u32 = 24 * UNIT;
const TOP: u32 = 9 * UNIT;
const RIGHT: u32 = 20 * UNIT;
const LABEL_DISTANCE: u32 = 3 * UNIT;
/// What the library writes as size 1, which the page's CSS overrides.
const LABEL_SIZE: f64 = 1.24;
/// Attributes that are the default, or that CSS sets.
const SUPERFLUOUS: [&str; 6] = [
    " fill=\"none\"",
    " opacity=\"1\"",
    " stroke=\"none\"",
    " stroke-width=\"1\"",
    " font-family=\"sans-serif\"",
    " font-size=\"1\"",
];
/// How much of its row a band takes.
const BAND: f64 = 0.74;

/// What a colour stands for. The page has a class for each.
#[derive(Clone, Copy)]
pub(super) enum Ink {
    Grid,
    Label,
    First,
    Second,
    Third,
    Mild,
    Critical,
    Working,
    Starved,
    Blocked,
}

/// Values over time, with gaps where nothing was measured.
pub(super) struct Curve {
    pub(super) ink: Ink,
    pub(super) points: Vec<(f64, Option<f64>)>,
}

/// Shares from 0 to 1 on top of each other, in a row of their own.
pub(super) struct Band {
    pub(super) name: &'static str,
    /// From the one behind, which is the highest, to the one in front.
    pub(super) areas: Vec<Curve>,
}

type Result = std::result::Result<(), DrawingAreaErrorKind<io::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'b, SVGBackend<'a>, Cartesian2d<Axis, Axis>>;

/// Curves, and dashed lines across all of the chart. A curve that is alone is filled.
pub(super) fn curves(x: Axis, y: Axis, curves: &[Curve], limits: &[(Ink, f64)]) -> String {
    picture(|area| {
        let end = x.end();
        let mut chart = axes(area, x, y, true)?;
        for &(ink, height) in limits {
            chart.draw_series(LineSeries::new(
                [(0.0, height), (end, height)],
                ink.colour(),
            ))?;
        }
        // The first one matters most and lies on top.
        for curve in curves.iter().rev() {
            for points in curve.pieces() {
                if curves.len() == 1 {
                    let style = curve.ink.colour().mix(0.12).filled();
                    chart.draw_series(AreaSeries::new(points.iter().copied(), 0.0, style))?;
                }
                chart.draw_series(LineSeries::new(points, curve.ink.colour()))?;
            }
        }
        Ok(())
    })
}

/// A row a band, from the top down.
pub(super) fn bands(x: Axis, bands: &[Band]) -> String {
    let names: Vec<&str> = bands.iter().map(|band| band.name).collect();
    picture(|area| {
        let mut chart = axes(area, x, Axis::names(&names), false)?;
        for (place, band) in bands.iter().enumerate() {
            let floor = (bands.len() - place) as f64 - 0.5 - BAND / 2.0;
            for curve in &band.areas {
                for points in curve.pieces() {
                    let points = (points.into_iter())
                        .map(|(x, share)| (x, floor + BAND * share.clamp(0.0, 1.0)));
                    let style = curve.ink.colour().filled();
                    chart.draw_series(AreaSeries::new(points, floor, style))?;
                }
            }
        }
        Ok(())
    })
}

/// A bar a class: from where to where it reaches, and how high.
pub(super) fn bars(x: Axis, y: Axis, classes: &[(f64, f64, f64)]) -> String {
    picture(|area| {
        let mut chart = axes(area, x, y, true)?;
        let style = Ink::Working.colour().filled();
        chart.draw_series(classes.iter().map(|&(from, to, height)| {
            // A little less, so that bars do not touch.
            Rectangle::new([(from * 1.01, height), (to / 1.01, 0.0)], style)
        }))?;
        Ok(())
    })
}

fn axes<'a, 'b>(
    area: &'b Area<'a>,
    x: Axis,
    y: Axis,
    has_grid: bool,
) -> std::result::Result<Chart<'a, 'b>, DrawingAreaErrorKind<io::Error>> {
    let mut chart = ChartBuilder::on(area)
        .margin_top(TOP)
        .margin_right(RIGHT)
        .x_label_area_size(BOTTOM)
        .y_label_area_size(LEFT)
        .build_cartesian_2d(x, y)?;
    let mut mesh = chart.configure_mesh();
    mesh.disable_x_mesh()
        .bold_line_style(Ink::Grid.colour())
        .light_line_style(TRANSPARENT)
        .axis_style(TRANSPARENT)
        .set_all_tick_mark_size(LABEL_DISTANCE)
        .label_style(
            ("sans-serif", LABEL_SIZE)
                .into_font()
                .color(&Ink::Label.colour()),
        );
    if !has_grid {
        mesh.disable_y_mesh();
    }
    mesh.draw()?;
    Ok(chart)
}

/// What stands within the `svg` element of a chart.
fn picture(draw: impl FnOnce(&Area<'_>) -> Result) -> String {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        draw(&area)
            .and_then(|()| area.present())
            .expect("writing to a string does not fail");
    }
    // The page writes the element itself, without a size and a namespace.
    let start = svg.find('>').map_or(0, |end| end + 1);
    let end = svg.rfind("</svg>").unwrap_or(svg.len());
    let mut svg = svg[start..end].trim_start().to_owned();
    for attribute in SUPERFLUOUS {
        svg = svg.replace(attribute, "");
    }
    for ink in Ink::ALL {
        let RGBColor(red, green, blue) = ink.colour();
        let colour = format!("\"#{red:02X}{green:02X}{blue:02X}\"");
        let class = format!("class=\"{}\"", ink.class());
        for attribute in ["fill", "stroke"] {
            svg = svg.replace(&format!("{attribute}={colour}"), &class);
        }
    }
    svg
}

impl Curve {
    /// The curve without its gaps.
    fn pieces(&self) -> impl Iterator<Item = Vec<(f64, f64)>> {
        let pieces = self.points.split(|(_, value)| value.is_none());
        pieces.filter(|piece| !piece.is_empty()).map(|piece| {
            let points = piece.iter().filter_map(|(x, value)| Some((*x, (*value)?)));
            bends(&points.collect::<Vec<_>>())
        })
    }
}

/// The points of a line without those within flat stretches, which do not show.
fn bends(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let is_level = |a: usize, b: usize| (points[a].1 - points[b].1).abs() < 1e-6;
    (0..points.len())
        .filter(|&n| {
            let is_end = n == 0 || n + 1 == points.len();
            is_end || !is_level(n - 1, n) || !is_level(n, n + 1)
        })
        .map(|n| points[n])
        .collect()
}

impl Ink {
    const ALL: [Self; 10] = [
        Self::Grid,
        Self::Label,
        Self::First,
        Self::Second,
        Self::Third,
        Self::Mild,
        Self::Critical,
        Self::Working,
        Self::Starved,
        Self::Blocked,
    ];

    /// The class that gives it its colour.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Grid => "grid",
            Self::Label => "label",
            Self::First => "first",
            Self::Second => "second",
            Self::Third => "third",
            Self::Mild => "mild",
            Self::Critical => "critical",
            Self::Working => "working",
            Self::Starved => "starved",
            Self::Blocked => "blocked",
        }
    }

    /// The colour by which it is found again in what the library wrote.
    fn colour(self) -> RGBColor {
        RGBColor(1, 2, self as u8)
    }
}

impl Serialize for Ink {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.class())
    }
}
