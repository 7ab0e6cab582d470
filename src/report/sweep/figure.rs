//! The figures of a run that a sweep compares.

use crate::{
    job::{Problems, nearest},
    report::RunSummary,
};

/// A figure of a run, by the name that it has in scripts.
pub(super) struct Figure {
    pub(super) name: &'static str,
    /// Which of two values is better.
    pub(super) better: Option<Better>,
    /// The figure of a run, if the run has it.
    of: fn(&RunSummary) -> Option<f64>,
}

/// Which of two values of a figure is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// The larger one.
    Larger,
    /// The smaller one.
    Smaller,
}

const LARGER: Option<Better> = Some(Better::Larger);
const SMALLER: Option<Better> = Some(Better::Smaller);

/// Every figure that is a number, in the order of columns.
pub(super) static FIGURES: &[Figure] = &[
    figure("tokens_per_sec", LARGER, |run| Some(run.tokens_per_sec())),
    figure("sequences_per_sec", LARGER, |run| {
        Some(run.sequences_per_sec())
    }),
    figure("residues_per_sec", LARGER, |run| {
        Some(run.residues_per_sec())
    }),
    figure("encoder_tokens_per_sec", LARGER, |run| {
        Some(run.encoder_tokens_per_sec())
    }),
    figure("packing_fill", LARGER, |run| Some(run.packing_fill)),
    figure("seconds", SMALLER, |run| Some(run.seconds)),
    figure("encoder_seconds", SMALLER, |run| Some(run.encoder_seconds)),
    figure("wait_seconds", SMALLER, |run| Some(run.wait_seconds)),
    figure("tflops", LARGER, |run| run.tflops),
    figure("mfu", LARGER, |run| run.mfu),
    figure("gpu_utilization", LARGER, |run| run.gpu_utilization),
    figure("gpu_idle", SMALLER, RunSummary::gpu_idle),
    figure("upload_hidden", LARGER, RunSummary::upload_hidden),
    figure("gpu_memory_bytes", SMALLER, |run| {
        run.gpu.map(|gpu| gpu.memory_bytes as f64)
    }),
    figure("peak_memory_bytes", SMALLER, |run| {
        Some(run.peak_memory_bytes as f64)
    }),
    figure("reader_restarts", SMALLER, |run| {
        Some(run.reader_restarts as f64)
    }),
    figure("records", None, |run| Some(run.records as f64)),
    figure("sequences", None, |run| Some(run.sequences as f64)),
    figure("rejected", None, |run| Some(run.rejected as f64)),
    figure("truncated", None, |run| Some(run.truncated as f64)),
    figure("residues", None, |run| Some(run.residues as f64)),
    figure("tokens", None, |run| Some(run.tokens as f64)),
    figure("batches", None, |run| Some(run.batches as f64)),
    figure("hidden_size", None, |run| Some(run.hidden_size as f64)),
    figure("readers", None, |run| Some(run.readers as f64)),
    figure("prefetch", None, |run| Some(run.prefetch as f64)),
    figure("token_budget", None, |run| Some(run.token_budget as f64)),
];

const fn figure(
    name: &'static str,
    better: Option<Better>,
    of: fn(&RunSummary) -> Option<f64>,
) -> Figure {
    Figure { name, better, of }
}

impl Figure {
    /// The mean over those of `runs` that have the figure.
    pub(super) fn mean(&self, runs: &[&RunSummary]) -> Option<f64> {
        let values: Vec<f64> = runs.iter().filter_map(|run| (self.of)(run)).collect();
        super::statistics::mean(&values)
    }
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
            Some(Figure {
                better: Some(better),
                ..
            }) => Ok(*better),
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
    use super::super::tests::summary;
    use super::*;
    use crate::hint::Hint;

    #[test]
    fn every_number_of_a_run_is_a_figure() {
        let json = serde_json::to_value(summary(1.0)).unwrap();
        let lost: Vec<_> = json
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, value)| value.is_number())
            .map(|(name, _)| name.as_str())
            .filter(|name| column(name).is_none())
            .collect();
        assert_eq!(lost, [""; 0], "FIGURES lacks these");
    }

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
