//! The packing stage: records in input order become batches.

use super::{batcher::Batcher, feeder::Feeder, plan::Plan, stage::Halt};
use crate::{
    alphabet::N_SPECIAL_TOKENS,
    batch::PackedBatch,
    cancel::{Abandonment, CancelToken, StopReason},
    error::Error,
    event::{Event, EventSender},
    fasta::{Outcome, Position, Record, Rejection},
    job::Window,
    meter::{Activity, Meters},
    reader::{Pool, ReadRecords, ReadRequest},
    report::{LengthHistogram, RejectedRecord},
    sink::{Frontier, Next, Pass, RejectsSpool, Section, SinkError, Tally, Task, Trail, Work},
};
use std::{collections::VecDeque, sync::Arc};

/// Rejected records that a report shows.
const MOST_REJECTIONS: usize = 100;

/// What the packing stage counted.
#[derive(Debug, Default)]
pub(super) struct PackTotals {
    /// Records that were to be embedded.
    pub(super) records: u64,
    /// What became of them. Its rows are the records that went into the packer.
    pub(super) tally: Tally,
    /// Sequences that went into the packer: records, or the pieces of those that are in pieces.
    pub(super) sequences: u64,
    /// Of the records, those that were dropped because the run was told to stop: none comes before one that
    /// was sent to a lane.
    pub(super) dropped: u64,
    /// Why the stage ended before its input did, if it was told to stop.
    pub(super) stopped: Option<StopReason>,
    /// How long the rows are.
    pub(super) lengths: LengthHistogram,
    /// The first records that a policy rejected.
    pub(super) rejections: Vec<RejectedRecord>,
    /// Rows that were there before, and are computed again because their part is damaged.
    pub(super) mended_rows: u64,
    /// Of such parts, records that a policy rejected.
    pub(super) mended_rejected: u64,
    /// Readers that had to be replaced.
    pub(super) reader_restarts: u64,
    /// The end of the input, if it was reached or is known.
    pub(super) end: Option<Frontier>,
}

/// What the packing stage is given.
pub(super) struct PackingPlan {
    pub(super) feeder: Feeder,
    /// Where to say how far the records are done.
    pub(super) trail: Trail,
    /// Where to put what is rejected.
    pub(super) rejects: RejectsSpool,
    /// Records to read at most, from the beginning of the inputs.
    pub(super) take: Option<u64>,
    pub(super) events: EventSender,
    /// Told to take in no more?
    pub(super) cancel: CancelToken,
    pub(super) abandonment: Abandonment,
}

/// The packing stage.
pub(super) struct Packing {
    batcher: Batcher,
    plan: PackingPlan,
    /// The most residues of a record that fits into the device's memory, where that is less than
    /// the dataset lets through.
    longest: Option<usize>,
    /// The windows that long sequences are divided into, if they are.
    window: Option<Window>,
    meters: Arc<Meters>,
    totals: PackTotals,
    /// Records, residues, rejections and truncations that were told of already.
    reported: (u64, u64, u64, u64),
    /// How far the records are.
    at: Frontier,
    /// Behind the last rejection, if no mark has been left since.
    rejected_to: Option<Frontier>,
    /// Whether they are computed again because their part is damaged.
    is_mending: bool,
}

impl Packing {
    pub(super) fn new(plan: &Plan, wanted: PackingPlan) -> Self {
        Self {
            batcher: Batcher::new(plan),
            longest: plan.longest_that_fits,
            window: plan.window,
            meters: wanted.feeder.meters.clone(),
            plan: wanted,
            totals: PackTotals::default(),
            reported: (0, 0, 0, 0),
            at: Frontier::default(),
            rejected_to: None,
            is_mending: false,
        }
    }

    /// Packs the records that `work` is about, as `readers` read them. If it is told to stop it takes in no
    /// more, and sends only what must come back so that rows which were sent before can leave in input order.
    ///
    /// # Errors
    /// If an input or a reader fails, a record is longer than a batch, the input is not the one that it
    /// was, or nobody can tell whether an old part is damaged.
    pub(super) fn run(
        mut self,
        mut work: Work,
        readers: &mut Pool,
        request: impl Fn(Option<Position>, Option<u64>) -> ReadRequest,
    ) -> Result<PackTotals, Halt> {
        let meters = self.meters.clone();
        let clock = meters.packing();
        clock.switch(Activity::Working);
        while self.totals.stopped.is_none() {
            if work.only_waits() {
                // That may take long, and there is no reason why what was read should wait for it.
                let rest = self.batcher.finish();
                self.send(rest)?;
            }
            let give_up = || self.plan.cancel.reason().is_some() || self.is_abandoned();
            match clock.during(Activity::Starved, || work.next(&give_up))? {
                Next::Pass(pass) => self.pass(pass, readers, &request)?,
                Next::Nothing => break,
                Next::GivenUp if self.is_abandoned() => return Err(Halt::Abandoned),
                // All rows are on their way, and what was there before may be damaged.
                Next::GivenUp => self.totals.stopped = self.plan.cancel.reason(),
            }
        }
        self.totals.end = self.totals.end.take().or_else(|| work.end());
        let rest = if self.totals.stopped.is_some() {
            self.leave_rejections();
            let (due, dropped) = self.batcher.due();
            self.totals.dropped += dropped;
            due
        } else {
            self.batcher.finish()
        };
        self.send(rest)?;
        self.totals.tally = self.at.tally;
        clock.stop();
        Ok(self.totals)
    }

    fn is_abandoned(&self) -> bool {
        self.plan.abandonment.is_declared()
    }

    /// Goes over the records of a pass.
    fn pass(
        &mut self,
        pass: Pass,
        readers: &mut Pool,
        request: &impl Fn(Option<Position>, Option<u64>) -> ReadRequest,
    ) -> Result<(), Halt> {
        self.is_mending = pass.is_mending;
        if pass.is_mending {
            let message = "a part of the output is damaged: its records are computed again";
            self.plan.events.warn(message.to_owned());
        }
        let tally = self.at.tally;
        self.at = Frontier {
            tally,
            ..pass.begin.clone()
        };
        let left = self
            .plan
            .take
            .map(|take| take.saturating_sub(self.at.record));
        let take = [left, pass.n_records()].into_iter().flatten().min();
        let mut sections = VecDeque::from(pass.sections);
        // Of an output without records, the first section ends where it begins.
        sections.pop_front_if(|section| section.to == Some(pass.begin.record));
        self.begin_section(sections.front());
        let meters = self.meters.clone();
        let clock = meters.packing();
        let mut records = readers
            .read(request(self.at.next.clone(), take))
            .map_err(Error::from)?;
        while let Some(read) = clock.during(Activity::Starved, || records.next()) {
            self.take_in(read.map_err(Error::from)?, &mut sections)?;
            if self.totals.stopped.is_some() {
                break;
            }
        }
        self.totals.reader_restarts += records.restarts();
        if records.was_stopped() {
            self.totals.stopped = self.plan.cancel.reason();
        }
        drop(records);
        if self.is_abandoned() {
            return Err(Halt::Abandoned);
        }
        match sections.front() {
            _ if self.totals.stopped.is_some() => Ok(()),
            None => Ok(()),
            Some(Section { to: None, task, .. }) => {
                if *task == Task::Compute {
                    self.reach();
                }
                self.totals.end = Some(self.at.clone());
                Ok(())
            }
            Some(Section { to: Some(to), .. }) => Err(Error::from(SinkError::InputChanged(format!(
                "the input ends after record {}, and had {to} records when the output was begun",
                self.at.record
            )))
            .into()),
        }
    }

    /// The records of a section come next.
    fn begin_section(&mut self, section: Option<&Section>) {
        if let Some(hash) = section.and_then(|section| section.begin) {
            self.at.hash = hash;
        }
        if section.is_some_and(|section| section.task == Task::Compute) {
            self.plan.trail.jump(self.at.clone());
        }
    }

    fn take_in(&mut self, read: ReadRecords, sections: &mut VecDeque<Section>) -> Result<(), Halt> {
        if self.at.next.is_none() {
            // Where the first record is shows only when it has been read.
            self.at.next = Some(read.start.clone());
            self.begin_section(sections.front());
        }
        for (n, outcome) in (1..).zip(read.outcomes) {
            // A batch may have waited for long, and what follows it here could become many more.
            self.totals.stopped = self.plan.cancel.reason();
            if self.totals.stopped.is_some() {
                break;
            }
            let Some(section) = sections.front() else {
                break;
            };
            self.at.record += 1;
            self.at.hash = self.at.hash.with(&outcome);
            self.at.next = Some(read.start.advanced(n));
            match section.task {
                Task::Compute => self.compute(outcome)?,
                Task::Verify => {}
                Task::Refuse => return Err(self.one_too_many(&outcome).into()),
            }
            if section.to == Some(self.at.record) {
                if section.hash.is_some_and(|hash| hash != self.at.hash) {
                    return Err(self.not_as_it_was().into());
                }
                if section.task == Task::Compute {
                    self.reach();
                }
                sections.pop_front();
                self.begin_section(sections.front());
            }
        }
        self.report();
        Ok(())
    }

    fn one_too_many(&self, outcome: &Outcome) -> Error {
        SinkError::InputChanged(format!(
            "the input goes on with record {} (`{}`), and had {} records when the output was finished",
            self.at.record,
            outcome.id(),
            self.at.record - 1
        ))
        .into()
    }

    fn not_as_it_was(&self) -> Error {
        SinkError::InputChanged(format!(
            "the input has changed since the output was begun: its first {} records are not those that \
             they were",
            self.at.record
        ))
        .into()
    }

    /// Embeds a record, or rejects it.
    fn compute(&mut self, outcome: Outcome) -> Result<(), Halt> {
        self.totals.records += 1;
        match self.unless_too_long(outcome) {
            Outcome::Kept(record) => self.keep(record),
            Outcome::Rejected(rejection) => self.reject(&rejection),
        }
    }

    /// Tells how many records were read since it last told.
    fn report(&mut self) {
        let records = self.totals.records;
        let Tally {
            residues,
            rejected,
            truncated,
            ..
        } = self.at.tally;
        let now = (records, residues, rejected, truncated);
        let before = std::mem::replace(&mut self.reported, now);
        if records > before.0 {
            self.meters.count(|counts| {
                counts.records = records;
                counts.rejected = rejected;
                counts.residues = residues;
            });
            self.plan.events.send(Event::RecordsRead {
                records: records - before.0,
                residues: residues - before.1,
                rejected: rejected - before.2,
                truncated: truncated - before.3,
            });
        }
    }

    /// The outcome, a rejection where the record does not fit into the device's memory.
    fn unless_too_long(&self, outcome: Outcome) -> Outcome {
        let longest_piece = |record: &Record| match self.window {
            Some(window) => window.residues.min(record.sequence.len()),
            None => record.sequence.len(),
        };
        match (outcome, self.longest) {
            (Outcome::Kept(record), Some(longest)) if longest_piece(&record) > longest => {
                Outcome::Rejected(Rejection {
                    reason: format!(
                        "{} residues, more than the {longest} that the device has memory for",
                        longest_piece(&record)
                    ),
                    id: record.id,
                })
            }
            (outcome, _) => outcome,
        }
    }

    fn keep(&mut self, record: Record) -> Result<(), Halt> {
        // The run may be stopped before this row leaves, and not before those rejections are known.
        self.leave_rejections();
        let residues = record.sequence.len();
        let (n_pieces, residues_of_pieces) = match self.window {
            Some(window) => (window.count(residues), window.residues_of(residues)),
            None => (1, residues),
        };
        self.totals.mended_rows += u64::from(self.is_mending);
        self.totals.lengths.add(residues);
        let tally = &mut self.at.tally;
        tally.rows += 1;
        tally.residues += residues as u64;
        tally.tokens += (residues_of_pieces + n_pieces * N_SPECIAL_TOKENS) as u64;
        tally.truncated += u64::from(record.is_truncated());
        // The row cannot leave before its mark is there.
        self.reach();
        match self.window {
            Some(window) => self.pack_pieces(record, window),
            None => self.pack(record),
        }
    }

    /// Packs the pieces of a record, or itself if it is short. A record may have thousands, so packing stops
    /// between two of them if it is told to: without its last one the record is computed again.
    fn pack_pieces(&mut self, record: Record, window: Window) -> Result<(), Halt> {
        for piece in record.into_pieces(window) {
            if piece.piece.is_some_and(|piece| piece.number > 0) {
                self.totals.stopped = self.plan.cancel.reason();
                if self.totals.stopped.is_some() {
                    self.totals.dropped += 1;
                    break;
                }
            }
            self.pack(piece)?;
        }
        Ok(())
    }

    fn pack(&mut self, record: Record) -> Result<(), Halt> {
        self.totals.sequences += 1;
        let batches = self.batcher.push(record).map_err(Error::from)?;
        self.send(batches)
    }

    fn reject(&mut self, rejection: &Rejection) -> Result<(), Halt> {
        self.totals.mended_rejected += u64::from(self.is_mending);
        if self.totals.rejections.len() < MOST_REJECTIONS {
            let Rejection { id, reason } = rejection;
            let rejected = RejectedRecord::new(self.at.record, id, reason);
            self.totals.rejections.push(rejected);
        }
        let added = self.plan.rejects.add(self.at.record, rejection);
        self.at.tally.rejected += 1;
        self.at.tally.rejects_bytes = added.map_err(Error::from)?;
        self.rejected_to = Some(self.at.clone());
        Ok(())
    }

    /// Leaves a mark at this place.
    fn reach(&mut self) {
        self.rejected_to = None;
        self.plan.trail.reach(self.at.clone());
    }

    /// Leaves a mark behind the rejections since the last one, so that they can be committed without the row
    /// that follows them. One for all of them, as an input may have nothing else.
    fn leave_rejections(&mut self) {
        if let Some(frontier) = self.rejected_to.take() {
            self.plan.trail.reach(frontier);
        }
    }

    fn send(&mut self, batches: Vec<PackedBatch>) -> Result<(), Halt> {
        for batch in batches {
            let (sequences, tokens) = (batch.n_records() as u64, batch.n_tokens() as u64);
            // Handing over may wait for a long time.
            self.report();
            self.plan.feeder.send(batch)?;
            self.plan.events.send(Event::BatchPacked {
                sequences,
                tokens,
                queued: self.plan.feeder.batches.len(),
            });
        }
        Ok(())
    }
}
