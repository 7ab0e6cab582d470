//! The points of a sweep beside each other, in words.

use super::{
    Better, Row, Sweep, csv,
    row::SPEED,
    statistics::{Measured, ratio},
};
use crate::report::table::{counted, rate};
use std::collections::BTreeSet;

/// What the points of a sweep are called: by the parameters in which they differ.
pub(super) struct Labels<'a> {
    /// Every parameter of the sweep.
    pub(super) all: BTreeSet<&'a str>,
    /// Those that are not the same for all points.
    pub(super) varying: BTreeSet<&'a str>,
}

impl<'a> Labels<'a> {
    pub(super) fn new(sweep: &'a Sweep) -> Self {
        let rows: Vec<&Row> = sweep.rows().iter().collect();
        let all = csv::params(&rows);
        let mut varying = BTreeSet::new();
        if let Some(first) = sweep.rows().first() {
            let first = first.cells();
            for row in sweep.rows() {
                let cells = row.cells();
                let differs = |name: &&&str| cells.get(**name) != first.get(**name);
                varying.extend(all.iter().filter(differs).copied());
            }
        }
        Self { all, varying }
    }

    /// "prefetch 16, readers 4".
    pub(super) fn of(&self, row: &Row) -> String {
        let names = match self.varying.is_empty() {
            true => &self.all,
            false => &self.varying,
        };
        let cells: Vec<_> = row
            .cells()
            .into_iter()
            .filter(|(name, _)| names.contains(name))
            .map(|(name, cell)| format!("{name} {cell}"))
            .collect();
        match cells.is_empty() {
            true => "no parameters".to_owned(),
            false => cells.join(", "),
        }
    }
}

impl Sweep {
    /// The fastest point, unless no point has a speed.
    pub(super) fn fastest(&self) -> Option<&Row> {
        self.best(SPEED, Better::Larger)
            .filter(|row| row.speed().is_some_and(|speed| speed.mean > 0.0))
    }

    /// How many times as fast as `row` the fastest point is.
    pub(super) fn lead_over(&self, row: &Row) -> Option<Measured> {
        let fastest = self.fastest()?;
        if std::ptr::eq(fastest, row) {
            return Some(Measured {
                mean: 1.0,
                sd: None,
            });
        }
        ratio(fastest.speed()?, row.speed()?)
    }

    /// "12 points, 1 failed, 4 from an earlier run, each measured 3 times".
    pub(super) fn extent(&self) -> String {
        let rows = self.rows();
        let mut text = counted(rows.len() as u64, "point", "points");
        let n_failed = rows.iter().filter(|row| row.error.is_some()).count();
        if n_failed > 0 {
            text += &format!(", {n_failed} failed");
        }
        if self.n_resumed > 0 {
            text += &format!(", {} from an earlier run", self.n_resumed);
        }
        match rows.first() {
            Some(first) if first.repeat > 1 && rows.iter().all(|r| r.repeat == first.repeat) => {
                text += &format!(", each measured {} times", first.repeat);
            }
            _ => {}
        }
        text
    }

    /// "prefetch 16, readers 4 was 1.34 ± 0.02 times faster than prefetch 1, readers 1", which is the
    /// slowest point. `None` if there are no two points to compare.
    pub(super) fn comparison(&self, labels: &Labels<'_>) -> Option<String> {
        let fastest = self.fastest()?;
        let slowest = self.best(SPEED, Better::Smaller)?;
        if std::ptr::eq(fastest, slowest) {
            return None;
        }
        let lead = self.lead_over(slowest)?;
        let mut text = format!(
            "{} was {} times faster than {}",
            labels.of(fastest),
            times(lead),
            labels.of(slowest)
        );
        if lead.sd.is_some_and(|sd| lead.mean - sd <= 1.0) {
            text += ", which is no more than noise";
        }
        Some(text)
    }
}

/// "1.34 ± 0.02", or "1.34" if nothing was measured twice.
pub(super) fn times(lead: Measured) -> String {
    match lead.sd {
        Some(sd) => format!("{:.2} ± {sd:.2}", lead.mean),
        None => format!("{:.2}", lead.mean),
    }
}

/// "20,100 ± 120", or "20,100" if it was measured once.
pub(super) fn speed(speed: Measured) -> String {
    match speed.sd {
        Some(sd) => format!("{} ± {}", rate(speed.mean), rate(sd)),
        None => rate(speed.mean),
    }
}

/// "98.7%".
pub(super) fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}
