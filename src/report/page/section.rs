//! A run as a section of the page.

use super::{
    PageRun, Verdict,
    lanes::{Lanes, Shown},
    lengths, scores,
    stages::StageRow,
    timeline,
    words::{duration, sentence},
};
use crate::{
    job::Thresholds,
    meter::Stage,
    report::{
        FIGURES, Figure as RunFigure, RunDetails, RunSummary, StretchOfWork, Unit,
        svg::Figure,
        table::{counted, cut, grouped},
    },
};
use serde::Serialize;

/// Longer texts are cut.
const MOST_TITLE: usize = 160;
const MOST_SENTENCE: usize = 500;
const MOST_ERROR: usize = 2_000;
const MOST_VALUE: usize = 160;
const MOST_ID: usize = 60;
const MOST_REASON: usize = 160;
/// More than this of anything get lost.
const MOST_REMARKS: usize = 12;
const MOST_SETTINGS: usize = 60;
const MOST_REJECTIONS: usize = 20;
/// Of more stretches of work the last ones are shown.
pub(super) const MOST_STRETCHES: usize = 20;

/// A run as a section of the page.
#[derive(Serialize)]
pub(super) struct Section {
    number: usize,
    title: String,
    verdict: Verdict,
    /// What the verdict means, and what would help.
    sentences: Vec<String>,
    error: Option<String>,
    figures: Option<Figures>,
}

/// What there is to see of a run that succeeded.
#[derive(Serialize)]
struct Figures {
    lead: String,
    remarks: Vec<String>,
    tiles: Vec<Tile>,
    /// So many tiles a line make two lines of equal length.
    tiles_a_line: usize,
    timeline: Vec<Figure>,
    lanes: Option<Lanes>,
    stages: Vec<StageRow>,
    stages_note: Option<String>,
    lengths: Option<Figure>,
    scores: Option<Figure>,
    settings: Vec<Pair>,
    thresholds: Vec<Pair>,
    circumstances: Vec<Pair>,
    stretches: Option<Stretches>,
    rejected: Option<Rejected>,
}

/// A name and what it stands for.
#[derive(Serialize)]
struct Pair {
    name: &'static str,
    value: String,
}

/// A figure that is shown large.
#[derive(Serialize)]
struct Tile {
    name: String,
    value: String,
}

/// Who worked on the output.
#[derive(Serialize)]
struct Stretches {
    lead: String,
    rows: Vec<Stretch>,
}

/// The work of one process, as it is shown.
#[derive(Serialize)]
struct Stretch {
    started: String,
    process: String,
    device: String,
    rows: String,
    time: String,
    lost: String,
}

/// The records that were not embedded.
#[derive(Serialize)]
struct Rejected {
    lead: String,
    /// Number, id and reason of the first ones.
    rows: Vec<[String; 3]>,
}

impl Section {
    pub(super) fn new(number: usize, run: &PageRun, most_points: usize) -> Self {
        let summary = run.outcome.as_ref().ok();
        let mut sentences = Vec::new();
        if let Some(bottleneck) = summary.and_then(|run| run.bottleneck.as_ref()) {
            sentences.push(sentence(&bottleneck.message, MOST_SENTENCE));
            if let Some(remedy) = &bottleneck.remedy {
                sentences.push(sentence(remedy, MOST_SENTENCE));
            }
        }
        Self {
            number,
            title: cut(&run.title, MOST_TITLE),
            verdict: Verdict::new(&run.outcome),
            sentences,
            error: run
                .outcome
                .as_ref()
                .err()
                .map(|failure| cut(&failure.error, MOST_ERROR)),
            figures: run
                .figures()
                .map(|figures| Figures::new(figures, summary.is_some(), most_points)),
        }
    }
}

impl Figures {
    fn new(run: &RunSummary, is_complete: bool, most_points: usize) -> Self {
        let details = &*run.details;
        let tiles = tiles(run);
        let lanes = Shown::of(&run.lanes);
        let embedded = if is_complete {
            "Embedded"
        } else {
            "Nothing was published. Until it failed, the run had embedded"
        };
        let scores = details.scores.as_ref();
        let scored = scores.map(|scores| format!(" to score {}", scores.count()));
        Self {
            lead: format!(
                "{embedded} {}{} with {}, {} on {}.",
                counted(run.sequences, "sequence", "sequences"),
                scored.unwrap_or_default(),
                cut(&run.model, MOST_VALUE),
                cut(&run.dtype, MOST_VALUE),
                cut(&run.device, MOST_VALUE)
            ),
            remarks: (details.remarks.iter().take(MOST_REMARKS))
                .map(|remark| sentence(remark, MOST_SENTENCE))
                .collect(),
            tiles_a_line: tiles.len().div_ceil(2),
            tiles,
            timeline: timeline::figures(
                &details.timeline,
                &details.thresholds,
                &lanes,
                most_points,
            ),
            lanes: lanes.table(),
            stages: (Stage::ALL.iter().zip(details.stages))
                .map(|(stage, time)| StageRow::new(*stage, time))
                .collect(),
            stages_note: stages_note(run),
            lengths: lengths::figure(&details.lengths),
            scores: details.scores.as_ref().and_then(scores::figure),
            settings: settings(details),
            thresholds: thresholds(details),
            circumstances: circumstances(run),
            stretches: Stretches::new(&details.stretches),
            rejected: Rejected::new(run),
        }
    }
}

/// Which stages are several threads or processes, if any are.
fn stages_note(run: &RunSummary) -> Option<String> {
    let mut notes = Vec::new();
    if run.readers > 1 {
        let readers = counted(run.readers as u64, "reader", "readers");
        notes.push(format!("Reading is the sum of {readers}."));
    }
    if run.lanes.len() > 1 {
        let devices = counted(run.lanes.len() as u64, "device", "devices");
        notes.push(format!(
            "Encoding and collecting are the sums of {devices}."
        ));
    }
    (!notes.is_empty()).then(|| notes.join(" "))
}

/// The figures that tell most.
fn tiles(run: &RunSummary) -> Vec<Tile> {
    let tile = |figure: &RunFigure| {
        let name = figure.tile?;
        let (value, unit) = figure.shown(run)?;
        let value = match figure.unit {
            Unit::Seconds => duration(figure.number(run)?),
            _ => value,
        };
        let name = name.replace("{unit}", unit);
        Some(Tile { name, value })
    };
    FIGURES.iter().filter_map(tile).collect()
}

fn settings(details: &RunDetails) -> Vec<Pair> {
    let settings = details.settings.iter().take(MOST_SETTINGS);
    settings
        .map(|(name, value)| Pair::new(name, value))
        .collect()
}

fn thresholds(details: &RunDetails) -> Vec<Pair> {
    let settings = Thresholds::OPTIONS.settings(&details.thresholds);
    settings
        .map(|(name, value)| Pair::new(name, &value))
        .collect()
}

/// What else a reader needs to do the same again.
fn circumstances(run: &RunSummary) -> Vec<Pair> {
    let mut pairs = vec![
        Pair::new("inputs", &run.details.inputs),
        Pair::new("model", &run.model),
        Pair::new("number format", &run.dtype),
        Pair::new("device", &run.device),
        Pair::new("started (UTC)", &run.details.started),
        Pair::new("program", concat!("runner ", env!("CARGO_PKG_VERSION"))),
        Pair::new("readers restarted", &grouped(run.reader_restarts)),
        Pair::new(
            "memory at most",
            &format!("{} MB", grouped(run.peak_memory_bytes / 1_000_000)),
        ),
    ];
    for (name, file) in [("output", &run.output), ("rejects", &run.rejects)] {
        if let Some(file) = file {
            pairs.push(Pair::new(name, &file.display().to_string()));
        }
    }
    pairs
}

impl Pair {
    fn new(name: &'static str, value: &str) -> Self {
        Self {
            name,
            value: cut(value, MOST_VALUE),
        }
    }
}

impl Stretches {
    fn new(all: &[StretchOfWork]) -> Option<Self> {
        if all.is_empty() {
            return None;
        }
        let n_left_out = all.len().saturating_sub(MOST_STRETCHES);
        let mut lead = counted(all.len() as u64, "process", "processes");
        lead += " worked on the output.";
        if n_left_out > 0 {
            lead += &format!(" The last {MOST_STRETCHES}:");
        }
        Some(Self {
            lead,
            rows: all[n_left_out..].iter().map(Stretch::new).collect(),
        })
    }
}

impl Stretch {
    fn new(stretch: &StretchOfWork) -> Self {
        let unknown = || "–".to_owned();
        Self {
            started: cut(&stretch.started, MOST_ID),
            process: format!("{} on {}", stretch.pid, cut(&stretch.host, MOST_ID)),
            device: cut(&stretch.device, MOST_ID),
            rows: stretch.rows.map_or_else(unknown, grouped),
            time: stretch.seconds.map_or_else(unknown, duration),
            lost: grouped(stretch.lost_rows),
        }
    }
}

impl Rejected {
    fn new(run: &RunSummary) -> Option<Self> {
        if run.rejected == 0 {
            return None;
        }
        let rows: Vec<[String; 3]> = (run.details.rejections.iter().take(MOST_REJECTIONS))
            .map(|record| {
                [
                    grouped(record.ordinal),
                    cut(&record.id, MOST_ID),
                    cut(&record.reason, MOST_REASON),
                ]
            })
            .collect();
        let mut lead = counted(run.rejected, "record", "records");
        lead += if run.rejected == 1 { " was" } else { " were" };
        lead += " not embedded";
        if let Some(file) = &run.rejects {
            let file = cut(&file.display().to_string(), MOST_VALUE);
            lead += &format!("; {file} lists all of them");
        }
        lead += ".";
        if (rows.len() as u64) < run.rejected && !rows.is_empty() {
            lead += &format!(" The first {}:", rows.len());
        }
        Some(Self { lead, rows })
    }
}
