//! The figures of the run in progress.

use super::{download::Download, lanes};
use crate::{
    event::Event,
    meter::{Metric, Sample},
    text::bytes,
};
use indicatif::{HumanCount, HumanDuration};
use std::time::{Duration, Instant};

/// Adds up the events of one call of `embed`, or of a download before it.
#[derive(Debug)]
pub(super) struct Tally {
    started: Instant,
    /// The model, for people.
    pub(super) model: String,
    /// The device of each lane.
    lanes: Vec<String>,
    /// Bytes of all input files, unknown for standard input.
    input_bytes: Option<u64>,
    /// Bytes of the input files that were read.
    bytes_read: u64,
    /// Bytes of the input files that were embedded before this run, and how long it took to come by.
    bytes_skipped: u64,
    skipped_for: Duration,
    /// Records that are read at most.
    take: Option<u64>,
    /// Sequences that the model is to see and their tokens, where they were counted before.
    expected: Option<(u64, u64)>,
    /// Whether that is what a shard has to do, about.
    is_shard: bool,
    /// Rows that were there before.
    rows_before: u64,
    records: u64,
    rejected: u64,
    truncated: u64,
    sequences: u64,
    tokens: u64,
    n_queued: usize,
    sample: Option<Sample>,
    /// The last download.
    download: Option<Download>,
}

/// A part of the whole, from 0 to 1.
struct Progress {
    /// What is done, by this run or before it.
    done: f64,
    /// What was done before.
    skipped: f64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            model: String::new(),
            lanes: Vec::new(),
            input_bytes: None,
            bytes_read: 0,
            bytes_skipped: 0,
            skipped_for: Duration::ZERO,
            take: None,
            expected: None,
            is_shard: false,
            rows_before: 0,
            records: 0,
            rejected: 0,
            truncated: 0,
            sequences: 0,
            tokens: 0,
            n_queued: 0,
            sample: None,
            download: None,
        }
    }
}

impl Tally {
    pub(super) fn add(&mut self, event: &Event) {
        match event {
            Event::DownloadStarted { .. } => self.download = Download::started(event),
            Event::Download { .. }
            | Event::DownloadWaiting { .. }
            | Event::DownloadFinished { .. } => {
                if let Some(download) = &mut self.download {
                    download.add(event);
                }
            }
            Event::RunStarted {
                model,
                lanes,
                input_bytes,
                take,
                sequences,
                tokens,
                shard,
                ..
            } => {
                *self = Self {
                    model: model.clone(),
                    lanes: lanes.clone(),
                    input_bytes: *input_bytes,
                    take: *take,
                    expected: sequences.zip(*tokens),
                    is_shard: shard.is_some(),
                    ..Self::default()
                };
            }
            Event::RecordsRead {
                records,
                rejected,
                truncated,
                ..
            } => {
                self.records += records;
                self.rejected += rejected;
                self.truncated += truncated;
            }
            Event::Resumed { rows, .. } => self.rows_before = *rows,
            Event::UnitRead { input_bytes } => self.bytes_read += input_bytes,
            Event::InputSkipped { input_bytes } => {
                self.bytes_skipped += input_bytes;
                self.skipped_for = self.started.elapsed();
            }
            Event::Sample { sample } => self.sample = Some((**sample).clone()),
            Event::BatchPacked { queued, .. } => self.n_queued = *queued,
            Event::BatchEncoded {
                sequences, tokens, ..
            } => {
                self.sequences += sequences;
                self.tokens += tokens;
                self.n_queued = self.n_queued.saturating_sub(1);
            }
            _ => {}
        }
    }

    /// The download in progress, or the last one.
    pub(super) fn download(&self) -> Option<&Download> {
        self.download.as_ref()
    }

    /// Time since the run began.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The figures of a run that goes on, on one line, the most important first, because narrow
    /// terminals cut the end.
    pub(super) fn line(&self, elapsed: Duration) -> String {
        let left = self.left(elapsed).map(HumanDuration);
        let left = left.map_or_else(String::new, |left| format!("{left:#} left, "));
        let embedded = match self.expected {
            Some((sequences, _)) if !self.is_shard => format!(
                "{} of {}",
                HumanCount(self.rows_before + self.sequences),
                HumanCount(sequences)
            ),
            _ => HumanCount(self.sequences).to_string(),
        };
        let figures = self.figures_of(&embedded, elapsed);
        format!("{left}{figures}, {} queued", self.n_queued)
    }

    /// The figures so far, after this time.
    fn figures(&self, elapsed: Duration) -> String {
        self.figures_of(&HumanCount(self.sequences).to_string(), elapsed)
    }

    /// What a run came to that ended after so many seconds.
    pub(super) fn ending(&self, is_well: bool, is_stopped: bool, seconds: f64) -> String {
        let figures = self.figures(Duration::from_secs_f64(seconds.max(0.0)));
        let end = match (is_well, is_stopped) {
            (true, _) => "finished",
            (false, true) => "stopped",
            (false, false) => "failed",
        };
        format!("{end} after {seconds:.1} s: {figures}")
    }

    fn figures_of(&self, embedded: &str, elapsed: Duration) -> String {
        let mut line = format!("{embedded} embedded");
        let per_second = self.tokens as f64 / elapsed.as_secs_f64().max(1e-3);
        line += &format!(", {} tokens/s", HumanCount(per_second as u64));
        line += &format!(", {} read", HumanCount(self.records));
        if self.rejected > 0 {
            line += &format!(", {} rejected", HumanCount(self.rejected));
        }
        if self.truncated > 0 {
            line += &format!(", {} truncated", HumanCount(self.truncated));
        }
        line
    }

    /// How busy each stage is and what waits between them, on one line.
    pub(super) fn stages(&self) -> String {
        let Some(sample) = &self.sample else {
            return String::new();
        };
        let share = |metric: Metric| 100.0 * sample.get(metric).unwrap_or(0.0);
        let count = |metric: Metric| sample.get(metric).unwrap_or(0.0);
        format!(
            "reading {:.0}% > packing {:.0}% > {:.0} queued > encoding {:.0}% > {:.0} in flight > \
             writing {:.0}%",
            share(Metric::ReadingWorking),
            share(Metric::PackingWorking),
            count(Metric::BatchesQueued),
            // On a GPU the stage itself only hands work over.
            100.0 - share(Metric::EncoderIdle),
            count(Metric::BatchesInFlight),
            share(Metric::WritingWorking),
        )
    }

    /// What the GPU does, or the processes where there is none, on one line.
    pub(super) fn machine(&self) -> String {
        let Some(sample) = &self.sample else {
            return String::new();
        };
        let get = |metric| sample.get(metric);
        let bytes = |n_bytes: f64| bytes(n_bytes as u64);
        let gpu = [
            get(Metric::GpuUtilization).map(|share| format!("{:.0}%", 100.0 * share)),
            get(Metric::GpuMemoryBytes).map(bytes),
            get(Metric::GpuPowerWatts).map(|watts| format!("{watts:.0} W")),
            get(Metric::GpuTemperatureCelsius).map(|celsius| format!("{celsius:.0} °C")),
            get(Metric::GpuSmClockMhz).map(|clock| format!("{clock:.0} MHz")),
            get(Metric::Mfu).map(|share| format!("MFU {:.0}%", 100.0 * share)),
            sample
                .throttle()
                .is_held_down()
                .then(|| format!("held down by {}", sample.throttle())),
        ];
        let gpu: Vec<String> = gpu.into_iter().flatten().collect();
        let host = [
            get(Metric::CpuCores).map(|cores| format!("{cores:.1} cores")),
            get(Metric::MemoryBytes).map(bytes),
            get(Metric::ReadersCpuCores).map(|cores| format!("readers {cores:.1} cores")),
            get(Metric::ReadersMemoryBytes).map(bytes),
        ];
        let host: Vec<String> = host.into_iter().flatten().collect();
        match (gpu.is_empty(), host.is_empty()) {
            (false, _) => format!("GPU {}", gpu.join(", ")),
            (true, false) => format!("CPU {}", host.join(", ")),
            (true, true) => String::new(),
        }
    }

    /// How many lines the lanes take, if there are several.
    pub(super) fn n_lane_lines(&self) -> usize {
        lanes::n_lines(self.lanes.len())
    }

    /// What each lane does, if there are several.
    pub(super) fn lanes(&self) -> Vec<String> {
        let measured = self.sample.as_ref().map_or(&[][..], Sample::lanes);
        lanes::lines(&self.lanes, measured)
    }

    /// The time that the rest of the input will take if it goes on as before.
    fn left(&self, elapsed: Duration) -> Option<Duration> {
        let worked = elapsed.saturating_sub(self.skipped_for);
        let left = |progress: Progress| {
            let Progress { done, skipped } = progress;
            (done > skipped).then(|| worked.mul_f64((1.0 - done).max(0.0) / (done - skipped)))
        };
        let left = self.progress().into_iter().flatten().filter_map(left);
        // Whichever comes first ends the run.
        left.min().filter(|left| !left.is_zero())
    }

    /// How much of the input is embedded, from 0 to 1, if its end is known.
    pub(super) fn done(&self) -> Option<f64> {
        let progress = self.progress().into_iter().flatten();
        progress.map(|progress| progress.done).reduce(f64::max)
    }

    /// How far the run is, by bytes and by records, as far as their ends are known. What is read is done when it is
    /// embedded, and a small input is read at once.
    fn progress(&self) -> [Option<Progress>; 2] {
        let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        if let Some((sequences, tokens)) = self.expected {
            // How far a file is read says little where it is small and read ahead.
            let skipped = share(self.rows_before, sequences).min(1.0);
            let done = skipped + share(self.tokens, tokens);
            let done = done.min(1.0);
            return [Some(Progress { done, skipped }), None];
        }
        let embedded = match self.records - self.rejected {
            0 => 1.0,
            kept => share(self.sequences, kept).min(1.0),
        };
        let by_bytes = self.input_bytes.map(|total| {
            let skipped = share(self.bytes_skipped, total);
            Progress {
                done: skipped + embedded * share(self.bytes_read, total),
                skipped,
            }
        });
        let by_records = self.take.map(|take| Progress {
            done: embedded * share(self.records, take),
            skipped: 0.0,
        });
        [by_bytes, by_records]
    }
}

#[cfg(test)]
mod tests;
