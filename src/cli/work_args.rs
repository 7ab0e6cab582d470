//! How a script is run, whichever it is.

use crate::{host::Recording, job::Shard};
use clap::Args;
use std::path::PathBuf;

/// How a script is run, whichever it is.
#[derive(Debug, Args)]
pub(super) struct Work {
    /// Which part of the records this process embeds, if several share the work: `3/16` is number 3 of
    /// 16, from 0
    ///
    /// Without it, the variable RUNNER_SHARD says so, and within Slurm the task of the array and the process of
    /// the step. `0/1` is all of the work.
    #[arg(long, value_name = "I/N")]
    pub(super) shard: Option<Shard>,
    #[command(flatten)]
    pub(super) recordings: Recordings,
}

/// Files that runs write about themselves. Scripts can ask for the same.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Measurements")]
pub(super) struct Recordings {
    /// Keep a page about all runs, with charts and what held each of them back
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Write a line of measurements every ten batches, as CSV or JSON lines
    #[arg(long, value_name = "FILE.csv|FILE.jsonl")]
    metrics: Option<PathBuf>,
    /// Write what every stage does when, for Perfetto or Chrome
    #[arg(long, value_name = "FILE.json")]
    trace: Option<PathBuf>,
    /// Keep the latest measurements for Prometheus's textfile collector
    #[arg(long, value_name = "FILE.prom")]
    prometheus: Option<PathBuf>,
}

impl Recordings {
    /// What to write, and where.
    pub(super) fn files(&self) -> Vec<(Recording, PathBuf)> {
        let files = [
            (Recording::Report, &self.report),
            (Recording::Metrics, &self.metrics),
            (Recording::Trace, &self.trace),
            (Recording::Prometheus, &self.prometheus),
        ];
        files
            .into_iter()
            .filter_map(|(record, path)| Some((record, path.clone()?)))
            .collect()
    }
}
