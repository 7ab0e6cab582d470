//! An axis of a chart: where its ticks are and how they read.

use super::scale::{Scale, round_step};
use crate::report::table::grouped;

/// How much of a lower axis a character of a label takes on a phone, where text is largest.
const CHARACTER: f64 = 0.022;

/// An axis with ticks at round numbers.
pub(in crate::report) struct Axis {
    pub(super) scale: Scale,
    pub(super) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From 0 to a round number that is not below `most`.
    pub(in crate::report) fn amounts(most: f64) -> Self {
        // What was never more than 0 still has an axis.
        let most = if most > 0.0 { most } else { 1.0 };
        Self::to_a_round_number(most, round_step(most / 5.0))
    }

    /// From 0 to a round number that is not below `most`, with whole numbers only.
    pub(in crate::report) fn counts(most: f64) -> Self {
        let most = most.max(1.0);
        Self::to_a_round_number(most, round_step(most / 5.0).max(1.0))
    }

    fn to_a_round_number(most: f64, step: f64) -> Self {
        // A number may come out a little above the multiple that it is.
        let n_steps = (most / step - 1e-9).ceil().max(1.0) as usize;
        let to = n_steps as f64 * step;
        let ticks = (0..=n_steps).map(|n| n as f64 * step);
        Self::linear(
            to,
            ticks.map(|tick| (tick, short(tick, step, to))).collect(),
        )
    }

    /// Shares from 0 to 1.
    pub(in crate::report) fn shares() -> Self {
        let ticks = (0..=4).map(|n| f64::from(n) / 4.0);
        let label = |share: f64| format!("{:.0}%", share * 100.0);
        Self::linear(1.0, ticks.map(|tick| (tick, label(tick))).collect())
    }

    /// The seconds of a run, in the unit that suits them.
    pub(in crate::report) fn time(seconds: f64) -> Self {
        let (unit, name) = match seconds {
            ..300.0 => (1.0, "s"),
            ..10_800.0 => (60.0, "min"),
            _ => (3_600.0, "h"),
        };
        let step = round_step(seconds.max(1e-3) / unit / 5.0);
        let ticks = (0..)
            .map(|n| f64::from(n) * step)
            .take_while(|tick| tick * unit <= seconds * (1.0 + 1e-9))
            .map(|tick| {
                (
                    tick * unit,
                    format!("{} {name}", short(tick, step, seconds / unit)),
                )
            });
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
    pub(in crate::report) fn lengths(from: f64, to: f64) -> Self {
        // Over a factor of 7 there are at least two ticks.
        let missing = (7.0 / (to / from)).sqrt().max(1.1);
        let (from, to) = (from / missing, to * missing);
        let scale = Scale::logarithmic(from, to);
        let ticks_at = |digits: &[f64]| -> Vec<(f64, String)> {
            (0..12)
                .map(|power| 10f64.powi(power))
                .flat_map(|power| digits.iter().map(move |digit| digit * power))
                .filter(|tick| (from..=to).contains(tick))
                .map(|tick| (tick, grouped(tick as u64)))
                .collect()
        };
        let choices: [&[f64]; 3] = [&[1.0, 2.0, 5.0], &[1.0, 3.0], &[1.0]];
        let mut choices = choices.into_iter().map(ticks_at);
        let fitting = choices.find(|ticks| have_room(ticks, &scale));
        Self {
            ticks: fitting.unwrap_or_else(|| ticks_at(&[1.0])),
            scale,
        }
    }

    /// Scores, which may be on either side of 0.
    pub(in crate::report) fn scores(from: f64, to: f64) -> Self {
        let step = round_step((to - from).max(1e-9) / 5.0);
        let (first, last) = ((from / step).ceil() as i64, (to / step).floor() as i64);
        let tick = |n: i64| {
            let tick = n as f64 * step;
            let label = short(tick.abs(), step, from.abs().max(to.abs()));
            let sign = if n < 0 { "−" } else { "" };
            (tick, format!("{sign}{label}"))
        };
        Self {
            scale: Scale::between(from, to),
            ticks: (first..=last).map(tick).collect(),
        }
    }

    fn linear(to: f64, ticks: Vec<(f64, String)>) -> Self {
        Self {
            scale: Scale::linear(to),
            ticks,
        }
    }
}

/// Whether no label of a lower axis reaches into another one.
fn have_room(ticks: &[(f64, String)], scale: &Scale) -> bool {
    ticks.windows(2).all(|pair| {
        let [(left, left_text), (right, right_text)] = pair else {
            return true;
        };
        let n_characters = (left_text.len() + right_text.len()) as f64 / 2.0 + 1.0;
        scale.place(*right) - scale.place(*left) >= n_characters * CHARACTER
    })
}

/// A tick of an axis up to `largest`, so short that it fits beside it, with the digits in which it differs
/// from its neighbours, which are `step` away.
fn short(tick: f64, step: f64, largest: f64) -> String {
    let (size, unit) = match largest {
        1e9.. => (1e9, "G"),
        1e6.. => (1e6, "M"),
        1e4.. => (1e3, "k"),
        _ => (1.0, ""),
    };
    let (tick, step) = (tick / size, step / size);
    if tick == 0.0 {
        return "0".to_owned();
    }
    // Steps are 1, 2 or 5 times a power of ten.
    let n_decimals = (-step.log10() - 1e-9).ceil().max(0.0) as usize;
    if n_decimals == 0 {
        return grouped(tick.round() as u64) + unit;
    }
    let text = format!("{tick:.n_decimals$}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
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
        check(
            Axis::lengths(30.0, 5_000.0),
            &["30", "100", "300", "1,000", "3,000"],
        );
        check(Axis::scores(-12.5, 4.0), &["−10", "−5", "0"]);
        check(Axis::scores(0.125, 0.5), &["0.2", "0.3", "0.4", "0.5"]);
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
    #[test]
    fn ticks_are_short_and_differ() {
        let check = |tick: f64, step: f64, largest: f64, expect: &str| {
            assert_eq!(short(tick, step, largest), expect);
        };
        check(0.0, 1e5, 4e5, "0");
        check(50_000.0, 10_000.0, 50_000.0, "50k");
        check(1_500_000.0, 500_000.0, 2e6, "1.5M");
        check(0.25, 0.05, 0.25, "0.25");
        check(0.0005, 0.0005, 0.002, "0.0005");
        check(2_000.0, 500.0, 2_000.0, "2,000");
        check(100.0, 20.0, 100.0, "100");
    }

    #[test]
    fn labels_below_do_not_touch() {
        let check = |axis: &Axis, what: f64| {
            assert!(have_room(&axis.ticks, &axis.scale), "{what}");
            assert!(axis.ticks.len() > 1, "{what}");
        };
        for n in 0..400 {
            let seconds = 0.01 * 1.05f64.powi(n);
            check(&Axis::time(seconds), seconds);
            let length = 1.03f64.powi(n);
            check(&Axis::lengths(1.0, length), length);
            check(&Axis::lengths(length, 35_213.0_f64.max(length)), length);
        }
    }
}
