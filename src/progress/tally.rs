//! The figures of the run in progress.

use crate::event::Event;
use indicatif::{HumanCount, HumanDuration};
use std::time::{Duration, Instant};

/// Adds up the events of one call of `embed`.
#[derive(Debug)]
pub(super) struct Tally {
    started: Instant,
    /// The model, for people.
    pub(super) model: String,
    /// Bytes of all input files, unknown for standard input.
    pub(super) input_bytes: Option<u64>,
    /// Bytes of the input files that were read.
    pub(super) bytes_read: u64,
    records: u64,
    rejected: u64,
    sequences: u64,
    tokens: u64,
    n_queued: usize,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            model: String::new(),
            input_bytes: None,
            bytes_read: 0,
            records: 0,
            rejected: 0,
            sequences: 0,
            tokens: 0,
            n_queued: 0,
        }
    }
}

impl Tally {
    pub(super) fn add(&mut self, event: &Event) {
        match event {
            Event::RunStarted {
                model, input_bytes, ..
            } => {
                *self = Self {
                    model: model.clone(),
                    input_bytes: *input_bytes,
                    ..Self::default()
                };
            }
            Event::RecordsRead {
                records, rejected, ..
            } => {
                self.records += records;
                self.rejected += rejected;
            }
            Event::UnitRead { input_bytes } => self.bytes_read += input_bytes,
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

    /// Time since the run began.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The figures on one line, the most important first, because narrow terminals cut the end.
    pub(super) fn line(&self, elapsed: Duration) -> String {
        let mut line = format!("{} embedded", HumanCount(self.sequences));
        let per_second = self.tokens as f64 / elapsed.as_secs_f64().max(1e-3);
        line += &format!(", {} tokens/s", HumanCount(per_second as u64));
        line += &format!(", {} read", HumanCount(self.records));
        if self.rejected > 0 {
            line += &format!(", {} rejected", HumanCount(self.rejected));
        }
        line += &format!(", {} queued", self.n_queued);
        if let Some(left) = self.left(elapsed) {
            line += &format!(", {} left", HumanDuration(left));
        }
        line
    }

    /// The time that the rest of the input will take if it goes on as before.
    fn left(&self, elapsed: Duration) -> Option<Duration> {
        let total = self.input_bytes?;
        if self.bytes_read == 0 || total <= self.bytes_read {
            return None;
        }
        let rest = (total - self.bytes_read) as f64 / self.bytes_read as f64;
        Some(elapsed.mul_f64(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started() -> Tally {
        let mut tally = Tally::default();
        tally.add(&Event::RunStarted {
            inputs: "a.fa".to_owned(),
            model: "esm2".to_owned(),
            device: "CPU".to_owned(),
            input_bytes: Some(1000),
            readers: 2,
            token_budget: 4096,
        });
        tally
    }

    #[test]
    fn figures_of_a_run() {
        let mut tally = started();
        for _ in 0..2 {
            tally.add(&Event::RecordsRead {
                records: 600,
                residues: 9000,
                rejected: 1,
            });
        }
        tally.add(&Event::BatchPacked {
            sequences: 500,
            tokens: 4000,
            queued: 3,
        });
        tally.add(&Event::BatchEncoded {
            sequences: 500,
            tokens: 4000,
            seconds: 1.0,
            waited_seconds: 0.0,
        });
        tally.add(&Event::UnitRead { input_bytes: 250 });
        assert_eq!(
            tally.line(Duration::from_secs(2)),
            "500 embedded, 2,000 tokens/s, 1,200 read, 2 rejected, 2 queued, 6 seconds left"
        );
    }

    #[test]
    fn a_run_starts_from_nothing() {
        let mut tally = started();
        tally.add(&Event::UnitRead { input_bytes: 1000 });
        tally.add(&Event::RunStarted {
            inputs: "-".to_owned(),
            model: "esm2".to_owned(),
            device: "CPU".to_owned(),
            input_bytes: None,
            readers: 2,
            token_budget: 4096,
        });
        assert_eq!(
            tally.line(Duration::from_secs(1)),
            "0 embedded, 0 tokens/s, 0 read, 0 queued"
        );
    }
}
