//! What a call of `score` or `perplexity` came to.

use crate::{
    job::Shard,
    report::RunSummary,
    score::{Done, Extent},
    text::{duration, grouped, in_number},
};
use std::fmt;

/// What a call of `score` or `perplexity` came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// The table. Nothing, if this process made a part of the work only.
    pub done: Option<Done>,
    /// The method.
    pub method: &'static str,
    /// What stands at the other mutated sites of a mutant while one of them is looked at, where there are mutants.
    pub other_sites: Option<&'static str>,
    /// How much there was to score.
    pub extent: Extent,
    /// The figures of the run. Nothing, if there was nothing to compute.
    pub run: Option<RunSummary>,
    /// Wall-clock seconds of all of it.
    pub seconds: f64,
    /// Which part of the sequences was computed, if it is not all of them.
    pub shard: Option<Shard>,
}

/// "1 protein", "1,234 proteins".
fn counted(number: u64, one: &str, more: &str) -> String {
    format!("{} {}", grouped(number), in_number(number, one, more))
}

impl fmt::Display for Scored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extent = &self.extent;
        let mut line = |name: &str, value: String| writeln!(f, "{name:11} {value}");
        let proteins = counted(extent.proteins, "protein", "proteins");
        line(
            "scores",
            match self.other_sites {
                Some(_) => {
                    format!(
                        "{} of {proteins}",
                        counted(extent.scores, "mutant", "mutants")
                    )
                }
                None => proteins,
            },
        )?;
        line(
            "method",
            match self.other_sites {
                Some(others) => format!("{}; other mutated sites: {others}", self.method),
                None => self.method.to_owned(),
            },
        )?;
        let computed = match (&self.run, self.shard) {
            (_, Some(shard)) => format!(", of which this is shard {shard}"),
            (None, None) if extent.sequences == 0 => String::new(),
            (None, None) => ", all of which was there before".to_owned(),
            (Some(_), None) => String::new(),
        };
        line(
            "model sees",
            format!(
                "{}, {}{computed}",
                counted(extent.sequences, "sequence", "sequences"),
                counted(extent.tokens, "token", "tokens")
            ),
        )?;
        if let Some(spearman) = self.done.as_ref().and_then(|done| done.spearman) {
            let measured = self.done.as_ref().map_or(0, |done| done.measured);
            let some = match measured < extent.scores {
                true => format!(
                    ", of {} of {} rows",
                    grouped(measured),
                    grouped(extent.scores)
                ),
                false => String::new(),
            };
            line("spearman", format!("{spearman:.4} with DMS_score{some}"))?;
        }
        if extent.truncated > 0 {
            line(
                "truncated",
                counted(extent.truncated, "protein", "proteins"),
            )?;
        }
        if extent.rejected > 0 {
            line("rejected", counted(extent.rejected, "record", "records"))?;
        }
        let time = match self.seconds {
            ..100.0 => format!("{:.1} s", self.seconds),
            seconds => duration(seconds),
        };
        line("time", time)?;
        let output = match &self.done {
            Some(done) => {
                let columns = done.columns.iter().map(|name| format!("`{name}`"));
                format!(
                    "{}, {} {}",
                    done.output.display(),
                    in_number(done.columns.len() as u64, "column", "columns"),
                    columns.collect::<Vec<_>>().join(", ")
                )
            }
            None => "none before the last shard is there: run the script without a shard then"
                .to_owned(),
        };
        write!(f, "{:11} {output}", "output")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_told() {
        let mut scored = Scored {
            done: Some(Done {
                output: "scores.csv".into(),
                columns: vec!["esm2".to_owned()],
                method: "masked_marginals".to_owned(),
                extent: Extent::ONE,
                spearman: Some(0.41234),
                measured: 2,
                histogram: None,
                rejects: None,
            }),
            method: "masked_marginals",
            other_sites: Some("wild type"),
            extent: Extent {
                scores: 4996,
                sequences: 263,
                tokens: 75_481,
                ..Extent::ONE
            },
            run: None,
            seconds: 2.5,
            shard: None,
        };
        let text = scored.to_string();
        for expect in [
            "scores      4,996 mutants of 1 protein\n",
            "method      masked_marginals; other mutated sites: wild type\n",
            "model sees  263 sequences, 75,481 tokens, all of which was there before\n",
            "spearman    0.4123 with DMS_score, of 2 of 4,996 rows\n",
            "output      scores.csv, column `esm2`",
        ] {
            assert!(text.contains(expect), "{text}");
        }
        scored.extent = Extent {
            proteins: 0,
            scores: 0,
            sequences: 0,
            truncated: 2,
            ..scored.extent
        };
        let text = scored.to_string();
        assert!(!text.contains("there before"), "{text}");
        assert!(text.contains("truncated   2 proteins\n"), "{text}");
        scored.done = None;
        scored.shard = "1/3".parse().ok();
        let text = scored.to_string();
        assert!(
            text.contains("this is shard 1/3") && text.contains("run the script without a shard")
        );
    }
}
