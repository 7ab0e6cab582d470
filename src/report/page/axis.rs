//! An axis of a chart: where its ticks are and how they read.

use super::words::short;
use crate::report::table::grouped;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use std::ops::Range;

/// An axis whose ticks are at round numbers, which the charting library would not do for times and
/// logarithms.
pub(super) struct Axis {
    from: f64,
    to: f64,
    is_logarithmic: bool,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From 0 to a round number that is not below `most`.
    pub(super) fn amounts(most: f64) -> Self {
        // What was never more than 0 still has an axis.
        let most = if most > 0.0 { most } else { 1.0 };
        Self::to_a_round_number(most, round_step(most / 5.0))
    }

    /// From 0 to a round number that is not below `most`, with whole numbers only.
    pub(super) fn counts(most: f64) -> Self {
        let most = most.max(1.0);
        Self::to_a_round_number(most, round_step(most / 5.0).max(1.0))
    }

    fn to_a_round_number(most: f64, step: f64) -> Self {
        // A number may come out a little above the multiple that it is.
        let n_steps = (most / step - 1e-9).ceil().max(1.0) as usize;
        let to = n_steps as f64 * step;
        let ticks = (0..=n_steps).map(|n| n as f64 * step);
        Self::linear(to, ticks.map(|tick| (tick, short(tick, to))).collect())
    }

    /// Shares from 0 to 1.
    pub(super) fn shares() -> Self {
        let ticks = (0..=4).map(|n| f64::from(n) / 4.0);
        let label = |share: f64| format!("{:.0}%", share * 100.0);
        Self::linear(1.0, ticks.map(|tick| (tick, label(tick))).collect())
    }

    /// The seconds of a run, in the unit that suits them.
    pub(super) fn time(seconds: f64) -> Self {
        let (unit, name) = match seconds {
            ..300.0 => (1.0, "s"),
            ..10_800.0 => (60.0, "min"),
            _ => (3_600.0, "h"),
        };
        let step = round_step(seconds.max(1e-3) / unit / 5.0);
        let ticks = (0..)
            .map(|n| f64::from(n) * step)
            .take_while(|tick| tick * unit <= seconds * (1.0 + 1e-9))
            .map(|tick| (tick * unit, format!("{} {name}", short(tick, 1.0))));
        Self::linear(seconds, ticks.collect())
    }

    /// A name at the middle of each whole step, from the top down.
    pub(super) fn names(names: &[&str]) -> Self {
        let n_names = names.len() as f64;
        let ticks = (names.iter().enumerate())
            .map(|(place, name)| (n_names - place as f64 - 0.5, (*name).to_owned()));
        Self::linear(n_names, ticks.collect())
    }

    /// Lengths, as far apart as their ratios say.
    pub(super) fn lengths(from: f64, to: f64) -> Self {
        // Over a factor of 7 there are at least two ticks.
        let missing = (7.0 / (to / from)).sqrt().max(1.1);
        let (from, to) = (from / missing, to * missing);
        let ticks_at = |digits: &[f64]| -> Vec<f64> {
            (0..12)
                .map(|power| 10f64.powi(power))
                .flat_map(|power| digits.iter().map(move |digit| digit * power))
                .filter(|tick| (from..=to).contains(tick))
                .collect()
        };
        let mut ticks = ticks_at(&[1.0, 2.0, 5.0]);
        if ticks.len() > 8 {
            ticks = ticks_at(&[1.0]);
        }
        let labelled = ticks.into_iter().map(|tick| (tick, grouped(tick as u64)));
        Self {
            from,
            to,
            is_logarithmic: true,
            ticks: labelled.collect(),
        }
    }

    fn linear(to: f64, ticks: Vec<(f64, String)>) -> Self {
        Self {
            from: 0.0,
            to,
            is_logarithmic: false,
            ticks,
        }
    }

    /// Its last value.
    pub(super) fn end(&self) -> f64 {
        self.to
    }

    /// How far along the axis a value is, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let place = match self.is_logarithmic {
            true => (value / self.from).ln() / (self.to / self.from).ln(),
            false => (value - self.from) / (self.to - self.from),
        };
        place.clamp(0.0, 1.0)
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (start, end): (i32, i32)) -> i32 {
        start + (f64::from(end - start) * self.place(*value)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // Finer lines between the ticks are not wanted.
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks.iter().map(|(tick, _)| *tick).collect()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let tick = self.ticks.iter().find(|(tick, _)| tick == value);
        tick.map_or(String::new(), |(_, label)| label.clone())
    }
}

/// The first of …, 0.5, 1, 2, 5, 10, 20, … that is not below `least`.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let steps = [power, 2.0 * power, 5.0 * power];
    let step = steps.into_iter().find(|step| *step >= least * (1.0 - 1e-9));
    step.unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_at_round_numbers() {
        let check = |axis: Axis, expect: &[&str]| assert_eq!(labels(&axis), expect);
        check(
            Axis::amounts(412_000.0),
            &["0", "100k", "200k", "300k", "400k", "500k"],
        );
        check(Axis::amounts(1.0), &["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        check(Axis::amounts(0.0), &["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        check(
            Axis::amounts(2_000.0),
            &["0", "500", "1,000", "1,500", "2,000"],
        );
        check(
            Axis::lengths(64.0, 1_218.0),
            &["100", "200", "500", "1,000"],
        );
        check(Axis::lengths(95.0, 113.0), &["50", "100", "200"]);
        check(
            Axis::lengths(1.0, 40_000.0),
            &["1", "10", "100", "1,000", "10,000"],
        );
        check(Axis::counts(2.0), &["0", "1", "2"]);
        check(Axis::counts(0.0), &["0", "1"]);
        check(Axis::time(95.0), &["0 s", "20 s", "40 s", "60 s", "80 s"]);
        check(
            Axis::time(600.0),
            &["0 min", "2 min", "4 min", "6 min", "8 min", "10 min"],
        );
        check(
            Axis::time(36_000.0),
            &["0 h", "2 h", "4 h", "6 h", "8 h", "10 h"],
        );
    }
}
