//! Which figures of a run a sweep compares, and how.

use super::statistics;
use crate::{
    job::{Problems, nearest},
    report::{self, Better, Figure, RunSummary, Unit},
};
use std::sync::LazyLock;

/// Every figure that is a number, in the order of columns.
pub(super) static FIGURES: LazyLock<Vec<&Figure>> = LazyLock::new(|| {
    let figures = report::FIGURES.iter();
    figures.filter(|figure| figure.unit != Unit::Text).collect()
});

/// The mean of a figure over those of `runs` that have it.
pub(super) fn mean(figure: &Figure, runs: &[&RunSummary]) -> Option<f64> {
    let values: Vec<f64> = runs.iter().filter_map(|run| figure.number(run)).collect();
    statistics::mean(&values)
}

/// Where the column of a figure is.
pub(super) fn column(name: &str) -> Option<usize> {
    FIGURES.iter().position(|figure| figure.name == name)
}

impl Better {
    /// Which values of the figure `name` are better.
    ///
    /// # Errors
    /// There is no such figure, or none of two values is better.
    pub fn of(name: &str) -> Result<Self, Problems> {
        let comparable: Vec<&str> = FIGURES
            .iter()
            .filter(|figure| figure.better.is_some())
            .map(|figure| figure.name)
            .collect();
        let all = format!("choose one of `{}`", comparable.join("`, `"));
        match FIGURES.iter().find(|figure| figure.name == name) {
            Some(figure) if let Some(better) = figure.better => Ok(better),
            Some(_) => Err(Problems::one(
                format!("no value of `{name}` is better than another"),
                Some(all),
            )),
            None => {
                let hint = match nearest(name, &comparable) {
                    Some(near) => format!("did you mean `{near}`? {all}"),
                    None => all,
                };
                Err(Problems::one(
                    format!("runs have no figure `{name}`"),
                    Some(hint),
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Hint;

    #[test]
    fn unknown_figures_name_the_nearest() {
        let check = |name: &str, expect: &str| {
            let problems = Better::of(name).unwrap_err().in_full();
            assert!(problems.contains(expect), "{problems}");
        };
        check("token_per_sec", "did you mean `tokens_per_sec`?");
        check("second", "did you mean `seconds`?");
        check("colour", "(choose one of `tokens_per_sec`, ");
        check("batches", "no value of `batches` is better than another");
        assert_eq!(Better::of("packing_fill"), Ok(Better::Larger));
        assert_eq!(Better::of("gpu_idle"), Ok(Better::Smaller));
    }
}
