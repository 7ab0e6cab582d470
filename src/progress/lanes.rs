//! The lanes of the run in progress, in a few short lines.

use crate::meter::{Measured, Metric};

/// Lanes that stand on a line, which is no longer than the narrowest usual terminal, 80 columns.
const A_LINE: usize = 4;
/// More lanes than this are folded into one line.
const MOST_SHOWN: usize = 2 * A_LINE;

/// How many lines the lanes take: none if there is but one, of which all else is said.
pub(super) fn n_lines(n_lanes: usize) -> usize {
    match n_lanes {
        0 | 1 => 0,
        several if several <= MOST_SHOWN => several.div_ceil(A_LINE),
        _ => 1,
    }
}

/// What each lane does: its device, how busy it is and its tokens per second. `names` are the devices.
pub(super) fn lines(names: &[String], lanes: &[Measured]) -> Vec<String> {
    let n_lines = n_lines(names.len());
    if lanes.len() < names.len() || n_lines == 0 {
        return vec![String::new(); n_lines];
    }
    let lanes = names.iter().zip(lanes).map(Lane::new).collect::<Vec<_>>();
    if lanes.len() > MOST_SHOWN {
        return vec![folded(&lanes)];
    }
    let lines = lanes.chunks(A_LINE).map(|lanes| {
        let lanes: Vec<String> = lanes.iter().map(Lane::text).collect();
        lanes.join("  ")
    });
    lines.collect()
}

/// A lane in the last interval.
struct Lane<'a> {
    name: &'a str,
    /// Whether it is still there.
    is_there: bool,
    busy: Option<f64>,
    tokens_per_sec: Option<f64>,
}

impl<'a> Lane<'a> {
    fn new((name, measured): (&'a String, &Measured)) -> Self {
        Self {
            name,
            // Of a lane that failed nothing is measured.
            is_there: measured.get(Metric::Seconds).is_some(),
            busy: measured.get(Metric::EncoderIdle).map(|idle| 1.0 - idle),
            tokens_per_sec: measured.get(Metric::TokensPerSec),
        }
    }

    fn text(&self) -> String {
        if !self.is_there {
            return format!("{} failed", self.name);
        }
        let busy = self.busy.map_or_else(|| "–".to_owned(), percent);
        let rate = self.tokens_per_sec.map_or_else(|| "–".to_owned(), rate);
        format!("{} {busy} {rate}/s", self.name)
    }
}

/// Many lanes, by the best and the worst of them.
fn folded(lanes: &[Lane]) -> String {
    let mut line = format!("{} devices", lanes.len());
    let n_failed = lanes.iter().filter(|lane| !lane.is_there).count();
    if n_failed > 0 {
        line += &format!(", {n_failed} failed");
    }
    if let Some((least, most)) = extremes(lanes.iter().filter_map(|lane| lane.busy)) {
        line += &format!(", {} busy", range(least, most, percent));
    }
    let rates = || lanes.iter().filter_map(|lane| lane.tokens_per_sec);
    if let Some((least, most)) = extremes(rates()) {
        line += &format!(", {} tokens/s", range(least, most, rate));
        let slowest = lanes.iter().find(|lane| lane.tokens_per_sec == Some(least));
        if let Some(slowest) = slowest.filter(|_| least < most) {
            line += &format!(", slowest {}", slowest.name);
        }
    }
    line
}

/// Two values in words, or one if nobody would see a difference.
fn range(least: f64, most: f64, word: fn(f64) -> String) -> String {
    let (least, most) = (word(least), word(most));
    match least == most {
        true => most,
        false => format!("{least} to {most}"),
    }
}

/// The least and the largest of them.
fn extremes(values: impl Iterator<Item = f64> + Clone) -> Option<(f64, f64)> {
    let least = values.clone().reduce(f64::min)?;
    Some((least, values.reduce(f64::max)?))
}

fn percent(share: f64) -> String {
    format!("{:.0}%", 100.0 * share)
}

/// A rate in three or four characters.
fn rate(per_second: f64) -> String {
    match per_second {
        large if large >= 999_500.0 => format!("{:.1}M", large / 1e6),
        middle if middle >= 9_995.0 => format!("{:.0}k", middle / 1e3),
        small if small >= 999.5 => format!("{:.1}k", small / 1e3),
        few => format!("{few:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(rates: &[Option<f64>]) -> (Vec<String>, Vec<Measured>) {
        let names = (0..rates.len())
            .map(|lane| format!("cuda:{lane}"))
            .collect();
        let measured = rates.iter().map(|rate| {
            let mut measured = Measured::default();
            if let Some(rate) = rate {
                measured.set(Metric::Seconds, 1.0);
                measured.set(Metric::EncoderIdle, 0.02);
                measured.set(Metric::TokensPerSec, *rate);
            }
            measured
        });
        (names, measured.collect())
    }

    #[test]
    fn lanes_are_short_and_many_are_folded() {
        let check = |rates: &[Option<f64>], expect: &[&str]| {
            let (names, measured) = lanes(rates);
            assert_eq!(lines(&names, &measured), expect);
            assert_eq!(n_lines(rates.len()), expect.len());
        };
        check(&[Some(1.0)], &[]);
        check(
            &[Some(402_123.0), None, Some(1_234_567.0)],
            &["cuda:0 98% 402k/s  cuda:1 failed  cuda:2 98% 1.2M/s"],
        );
        check(
            &[Some(9_876.0); 5],
            &[
                "cuda:0 98% 9.9k/s  cuda:1 98% 9.9k/s  cuda:2 98% 9.9k/s  cuda:3 98% 9.9k/s",
                "cuda:4 98% 9.9k/s",
            ],
        );
        let mut many = vec![Some(400_000.0); 16];
        (many[3], many[7]) = (Some(301_000.0), None);
        let expect = "16 devices, 1 failed, 98% busy, 301k to 400k tokens/s, slowest cuda:3";
        check(&many, &[expect]);
        let (names, _) = lanes(&[None; 3]);
        assert_eq!(lines(&names, &[]), [""], "nothing is measured yet");
    }

    #[test]
    fn a_full_line_fits_into_eighty_columns() {
        let (names, mut measured) = lanes(&[Some(1_234_567.0); 8]);
        for lane in &mut measured {
            lane.set(Metric::EncoderIdle, 0.0);
        }
        for line in lines(&names, &measured) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
