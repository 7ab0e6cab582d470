//! The runs of a script as a page: one file, no script, nothing from elsewhere.
//!
//! *Input*: figures and details of runs. *Output*: HTML. *Owns*: what the page says, and how it is laid
//! out, which is in `report.html`. *Never*: measures, judges, writes.

mod lanes;
mod lengths;
mod scores;
mod section;
mod series;
mod stages;
mod timeline;
mod words;

#[cfg(test)]
mod tests;

use super::{
    RunSummary, html,
    table::{counted, cut, rate},
};
use crate::meter::Severity;
use section::Section;
use serde::Serialize;
use words::duration;

/// Runs before the last ones have but a line in the table of contents.
const MOST_SECTIONS: usize = 20;
/// Older runs than this are only counted.
const MOST_LINES: usize = 200;
/// With this many points of all runs together, 20 runs stay below [`MOST_BYTES`].
const MOST_POINTS: usize = 2_400;
/// So many points of a line are as many as the eye can tell apart.
const MOST_POINTS_A_RUN: usize = 300;
/// Whatever runs hold, a page can be sent by mail and opens at once on a phone.
const MOST_BYTES: usize = 980_000;
/// Longer names are cut.
const MOST_NAME: usize = 120;

/// A run as a page shows it.
#[derive(Clone, Debug)]
pub struct PageRun {
    /// What was embedded with which model, for people.
    pub title: String,
    /// Its figures, or why it failed.
    pub outcome: Result<RunSummary, Failure>,
}

/// A run that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Why.
    pub error: String,
    /// Its figures until then, if it had begun.
    pub so_far: Option<Box<RunSummary>>,
}

impl PageRun {
    /// The figures, those of a run that failed as far as it came.
    fn figures(&self) -> Option<&RunSummary> {
        match &self.outcome {
            Ok(summary) => Some(summary),
            Err(failure) => failure.so_far.as_deref(),
        }
    }
}

/// All that the template shows.
#[derive(Serialize)]
struct Page<'a> {
    script: String,
    lead: String,
    /// A line a run, if there are several.
    lines: &'a [Line],
    /// The number of the first run that has a section.
    first_shown: usize,
    sections: &'a [Section],
}

/// A run in the table of contents.
#[derive(Serialize)]
struct Line {
    number: usize,
    title: String,
    verdict: Verdict,
    tokens_per_sec: String,
    time: String,
}

/// How a run went.
#[derive(Serialize)]
struct Verdict {
    /// The class of its colour.
    class: &'static str,
    word: &'static str,
    /// The same at the beginning of a section.
    heading: &'static str,
}

/// The page of the runs of a script, in the order in which they ended.
pub fn page(script: &str, runs: &[PageRun]) -> String {
    let n_sections = runs.len().min(MOST_SECTIONS);
    let most_points = (MOST_POINTS / n_sections.max(1)).min(MOST_POINTS_A_RUN);
    let numbered: Vec<(usize, &PageRun)> = (1..).zip(runs).collect();
    let lines: Vec<Line> = last(&numbered, MOST_LINES)
        .iter()
        .map(|&(number, run)| Line::new(number, run))
        .collect();
    let sections: Vec<Section> = last(&numbered, n_sections)
        .iter()
        .map(|&(number, run)| Section::new(number, run, most_points))
        .collect();
    let mut n_shown = sections.len();
    loop {
        let shown = Page {
            script: cut(script, MOST_NAME),
            lead: lead(runs, n_shown),
            lines: if runs.len() > 1 { &lines } else { &[] },
            first_shown: runs.len() - n_shown + 1,
            sections: last(&sections, n_shown),
        };
        let text = html::render(include_str!("report.html"), &shown);
        if text.len() <= MOST_BYTES || n_shown == 0 {
            return text;
        }
        n_shown -= 1;
    }
}

/// How many runs there were, and how many of them have no room on the page.
fn lead(runs: &[PageRun], n_shown: usize) -> String {
    let mut text = match runs.len() {
        0 => return "No run has ended.".to_owned(),
        n => counted(n as u64, "run", "runs"),
    };
    let n_failed = runs.iter().filter(|run| run.outcome.is_err()).count();
    if n_failed > 0 {
        text += &format!(", {n_failed} failed");
    }
    text += ".";
    if n_shown < runs.len() {
        text += &format!(" The page shows the last {n_shown} in full.");
    }
    if runs.len() > MOST_LINES {
        text += &format!(" The table lists the last {MOST_LINES}.");
    }
    text
}

fn last<T>(all: &[T], most: usize) -> &[T] {
    &all[all.len().saturating_sub(most)..]
}

impl Line {
    fn new(number: usize, run: &PageRun) -> Self {
        let summary = run.outcome.as_ref().ok();
        Self {
            number,
            title: cut(&run.title, MOST_NAME),
            verdict: Verdict::new(&run.outcome),
            tokens_per_sec: summary.map_or(String::new(), |run| rate(run.tokens_per_sec())),
            time: summary.map_or(String::new(), |run| duration(run.seconds)),
        }
    }
}

impl Verdict {
    fn new(outcome: &Result<RunSummary, Failure>) -> Self {
        let severity = match outcome {
            Ok(run) => run.bottleneck.as_ref().map(|found| found.severity),
            Err(_) => return Self::with("critical", "failed", "Failed"),
        };
        match severity {
            Some(Severity::Good) => Self::with("good", "good", "Good"),
            Some(Severity::Mild) => Self::with("mild", "mild", "Mild bottleneck"),
            Some(Severity::Critical) => Self::with("critical", "critical", "Critical bottleneck"),
            None => Self::with("plain", "finished", "Finished"),
        }
    }

    fn with(class: &'static str, word: &'static str, heading: &'static str) -> Self {
        Self {
            class,
            word,
            heading,
        }
    }
}
