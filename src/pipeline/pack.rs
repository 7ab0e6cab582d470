//! The packing stage: records in input order become batches.

use super::{fingerprint::Fingerprint, lane::NumberedBatch, plan::Plan, stage::Halt};
use crate::{
    batch::{PackedBatch, Packer, Padder},
    cancel::{CancelToken, StopReason},
    error::Error,
    event::{Event, EventSender},
    fasta::{Outcome, Record, Rejection},
    meter::{Activity, Meters},
    queue::QueueSender,
    reader::Records,
    report::{LengthHistogram, RejectedRecord},
    sink::Rejects,
};
use std::{sync::Arc, thread, time::Duration};

/// Rejected records that a report shows.
const MOST_REJECTIONS: usize = 100;

/// What the packing stage counted.
#[derive(Debug, Default)]
pub(super) struct PackTotals {
    /// Records that came out of the readers and were wanted.
    pub(super) records: u64,
    /// Records that a policy rejected.
    pub(super) rejected: u64,
    /// Records that went into the packer.
    pub(super) kept: u64,
    /// Of these, records that were dropped because the run was told to stop: none comes before one that
    /// was sent to a lane.
    pub(super) dropped: u64,
    /// Why the stage ended before its input did, if it was told to stop.
    pub(super) stopped: Option<StopReason>,
    /// Of these, records of which only the first residues are embedded.
    pub(super) truncated: u64,
    /// Residues of the records that went into the packer.
    pub(super) residues: u64,
    /// How long they are.
    pub(super) lengths: LengthHistogram,
    /// The first records that a policy rejected.
    pub(super) rejections: Vec<RejectedRecord>,
    /// A hash of all that came out of the readers and was wanted, see [`Fingerprint`].
    pub(super) input_fingerprint: String,
}

/// Hands batches to the lanes.
pub(super) struct Feeder {
    pub(super) batches: QueueSender<NumberedBatch>,
    /// Batches so far.
    pub(super) n_batches: u64,
    pub(super) meters: Arc<Meters>,
    /// Beside the work, for each batch.
    pub(super) delay: Duration,
}

impl Feeder {
    fn send(&mut self, batch: PackedBatch) -> Result<(), Halt> {
        thread::sleep(self.delay);
        let sequences = batch.n_sequences() as u64;
        let number = self.n_batches;
        self.n_batches += 1;
        // The lanes are gone if they failed; their own errors say why.
        self.batches
            .send(
                self.meters.packing(),
                sequences,
                NumberedBatch { number, batch },
            )
            .map_err(|_| Halt::Abandoned)
    }
}

/// How records become batches.
enum Batcher {
    Packing(Packer),
    Padding(Padder),
}

impl Batcher {
    /// The batches of the records that still wait.
    fn finish(&mut self) -> Vec<PackedBatch> {
        match self {
            Self::Packing(packer) => packer.finish(),
            Self::Padding(padder) => padder.finish().into_iter().collect(),
        }
    }

    /// The batches without which rows that are computed could not leave in input order, and how many of the
    /// records that still wait are not in them.
    fn due(&mut self) -> (Vec<PackedBatch>, u64) {
        match self {
            Self::Packing(packer) => {
                let n_waiting = packer.n_waiting();
                let due = packer.due();
                let n_due = due.iter().map(PackedBatch::n_sequences).sum::<usize>();
                (due, (n_waiting - n_due) as u64)
            }
            Self::Padding(padder) => (Vec::new(), padder.n_waiting() as u64),
        }
    }
}

/// The packing stage.
pub(super) struct Packing<'a> {
    batcher: Batcher,
    feeder: Feeder,
    /// The most residues of a record that fits into the device's memory, where that is less than
    /// the dataset lets through.
    longest: Option<usize>,
    rejects: &'a mut Rejects,
    events: EventSender,
    /// Told to take in no more?
    cancel: CancelToken,
    totals: PackTotals,
    /// Records, residues and rejections that were told of already.
    reported: (u64, u64, u64),
    fingerprint: Fingerprint,
}

impl<'a> Packing<'a> {
    pub(super) fn new(
        plan: &Plan,
        feeder: Feeder,
        rejects: &'a mut Rejects,
        events: EventSender,
        cancel: CancelToken,
    ) -> Self {
        Self {
            batcher: if plan.packing {
                Batcher::Packing(Packer::new(plan.token_budget))
            } else {
                Batcher::Padding(Padder::new(plan.token_budget))
            },
            feeder,
            longest: plan.longest_that_fits,
            rejects,
            events,
            cancel,
            totals: PackTotals::default(),
            reported: (0, 0, 0),
            fingerprint: Fingerprint::new(),
        }
    }

    /// Packs `records`. If it is told to stop it takes in no more, and sends only what must come back so that
    /// rows which were sent before can leave in input order.
    ///
    /// # Errors
    /// If an input or a reader fails, or a record is longer than a batch.
    pub(super) fn run(mut self, records: &mut Records<'_>) -> Result<PackTotals, Halt> {
        let meters = self.feeder.meters.clone();
        let clock = meters.packing();
        clock.switch(Activity::Working);
        while let Some(outcomes) = clock.during(Activity::Starved, || records.next()) {
            self.take_in(outcomes.map_err(Error::from)?)?;
            if self.totals.stopped.is_some() {
                break;
            }
        }
        if records.was_stopped() {
            self.totals.stopped = self.cancel.reason();
        }
        let rest = if self.totals.stopped.is_some() {
            let (due, dropped) = self.batcher.due();
            self.totals.dropped = dropped;
            due
        } else {
            self.batcher.finish()
        };
        self.send(rest)?;
        clock.stop();
        self.totals.input_fingerprint = self.fingerprint.finish();
        Ok(self.totals)
    }

    fn take_in(&mut self, outcomes: Vec<Outcome>) -> Result<(), Halt> {
        for outcome in outcomes {
            // A batch may have waited for long, and what follows it here could become many more.
            self.totals.stopped = self.cancel.reason();
            if self.totals.stopped.is_some() {
                break;
            }
            self.totals.records += 1;
            let outcome = self.unless_too_long(outcome);
            self.fingerprint.add(&outcome);
            match outcome {
                Outcome::Kept(record) => self.keep(record)?,
                Outcome::Rejected(rejection) => self.reject(&rejection)?,
            }
        }
        self.report();
        Ok(())
    }

    /// Tells how many records were read since it last told.
    fn report(&mut self) {
        let PackTotals {
            records,
            residues,
            rejected,
            ..
        } = self.totals;
        let before = std::mem::replace(&mut self.reported, (records, residues, rejected));
        if records > before.0 {
            self.feeder.meters.count(|counts| {
                counts.records = records;
                counts.rejected = rejected;
                counts.residues = residues;
            });
            self.events.send(Event::RecordsRead {
                records: records - before.0,
                residues: residues - before.1,
                rejected: rejected - before.2,
            });
        }
    }

    /// The outcome, a rejection where the record does not fit into the device's memory.
    fn unless_too_long(&self, outcome: Outcome) -> Outcome {
        match (outcome, self.longest) {
            (Outcome::Kept(record), Some(longest)) if record.sequence.len() > longest => {
                Outcome::Rejected(Rejection {
                    reason: format!(
                        "{} residues, more than the {longest} that the device has memory for",
                        record.sequence.len()
                    ),
                    id: record.id,
                })
            }
            (outcome, _) => outcome,
        }
    }

    fn keep(&mut self, record: Record) -> Result<(), Halt> {
        self.totals.kept += 1;
        self.totals.residues += record.sequence.len() as u64;
        self.totals.lengths.add(record.sequence.len());
        self.totals.truncated += u64::from(record.is_truncated());
        let batches = match &mut self.batcher {
            Batcher::Packing(packer) => packer.push(record),
            Batcher::Padding(padder) => {
                padder.push(record).map(|batch| batch.into_iter().collect())
            }
        };
        let batches = batches.map_err(Error::from)?;
        self.send(batches)
    }

    fn reject(&mut self, rejection: &Rejection) -> Result<(), Halt> {
        self.totals.rejected += 1;
        if self.totals.rejections.len() < MOST_REJECTIONS {
            let Rejection { id, reason } = rejection;
            let rejected = RejectedRecord::new(self.totals.records, id, reason);
            self.totals.rejections.push(rejected);
        }
        let added = self.rejects.add(self.totals.records, rejection);
        Ok(added.map_err(Error::from)?)
    }

    fn send(&mut self, batches: Vec<PackedBatch>) -> Result<(), Halt> {
        for batch in batches {
            let (sequences, tokens) = (batch.n_sequences() as u64, batch.n_tokens() as u64);
            // Handing over may wait for a long time.
            self.report();
            self.feeder.send(batch)?;
            self.events.send(Event::BatchPacked {
                sequences,
                tokens,
                queued: self.feeder.batches.len(),
            });
        }
        Ok(())
    }
}
