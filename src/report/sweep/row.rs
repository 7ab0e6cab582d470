//! A point of a sweep that has been measured, or has failed.

use super::{
    figure::{self, FIGURES},
    statistics::{Measured, sample_sd},
};
use crate::{
    job::{OptionMap, OptionValue},
    report::RunSummary,
};
use std::collections::BTreeMap;

/// The figure that points are ranked by where nobody asks for another one.
pub(super) const SPEED: &str = "tokens_per_sec";

/// A point of a sweep: its parameters, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The parameters.
    pub params: OptionMap,
    /// How often the point was to be measured.
    pub repeat: usize,
    /// How often it was.
    pub n_ok: usize,
    /// Why it was not measured more often.
    pub error: Option<String>,
    /// The means of [`FIGURES`], in their order.
    pub(super) figures: Vec<Option<f64>>,
    /// The sample standard deviation of the speed over repeats.
    pub(super) speed_sd: Option<f64>,
}

impl Row {
    /// The row of a point that was to be measured `repeat` times and gave `runs`.
    pub fn measured(
        params: OptionMap,
        repeat: usize,
        runs: &[&RunSummary],
        error: Option<String>,
    ) -> Self {
        let speeds: Vec<f64> = runs.iter().map(|run| run.tokens_per_sec()).collect();
        Self {
            params,
            repeat,
            n_ok: runs.len(),
            error,
            figures: (FIGURES.iter().map(|figure| figure::mean(figure, runs))).collect(),
            speed_sd: sample_sd(&speeds),
        }
    }

    /// The means of all figures by name; `None` for those that the runs do not have.
    pub fn figures(&self) -> impl Iterator<Item = (&'static str, Option<f64>)> {
        let names = FIGURES.iter().map(|figure| figure.name);
        names.zip(self.figures.iter().copied())
    }

    /// The mean of the figure `name`, if there is such a figure and the runs have it.
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.get(figure::column(name)?).copied().flatten()
    }

    /// The sample standard deviation of `tokens_per_sec` over repeats.
    pub fn tokens_per_sec_sd(&self) -> Option<f64> {
        self.speed_sd
    }

    /// The speed, if the point did not fail.
    pub(super) fn speed(&self) -> Option<Measured> {
        let mean = self.figure(SPEED).filter(|_| self.error.is_none())?;
        Some(Measured {
            mean,
            sd: self.speed_sd,
        })
    }

    /// The parameters as they stand in tables. Two points are the same if these are.
    pub(super) fn cells(&self) -> BTreeMap<&str, String> {
        cells(&self.params)
    }
}

/// Parameters as they stand in tables, without the empty ones.
pub(super) fn cells(params: &OptionMap) -> BTreeMap<&str, String> {
    params
        .iter()
        .map(|(name, value)| (name.as_str(), cell(value)))
        .filter(|(_, cell)| !cell.is_empty())
        .collect()
}

/// A value as it stands in tables.
fn cell(value: &OptionValue) -> String {
    match value {
        OptionValue::Text(text) => text.clone(),
        OptionValue::Nothing => String::new(),
        other => other.describe(),
    }
}

/// The value that stands in a table as `cell`. What would not be written in the same way again is a
/// string.
pub(super) fn value_of(text: &str) -> OptionValue {
    let flag = text.parse().map(OptionValue::Flag).ok();
    let whole = || text.parse().map(OptionValue::Whole).ok();
    let decimal = || text.parse().map(OptionValue::Decimal).ok();
    flag.or_else(whole)
        .or_else(decimal)
        .filter(|value| cell(value) == text)
        .unwrap_or_else(|| OptionValue::Text(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_and_read() {
        let check = |value: OptionValue, expect: &str| {
            assert_eq!(cell(&value), expect);
            assert_eq!(value_of(expect), value);
        };
        check(OptionValue::Flag(true), "true");
        check(OptionValue::Whole(-3), "-3");
        check(OptionValue::Decimal(0.5), "0.5");
        check(OptionValue::Decimal(2.0), "2.0");
        check(OptionValue::Text("007".to_owned()), "007");
        check(OptionValue::Text("mean, \"x\"".to_owned()), "mean, \"x\"");
        let list = OptionValue::List(vec![OptionValue::Whole(0), OptionValue::Whole(-1)]);
        assert_eq!(cell(&list), "[0, -1]");
    }
}
