//! The rows of a run on their way into parts.

use super::{
    Circumstances, Frontier, OutputPlan, Published, Pulse, RejectsSpool, SinkError, Spare, Tally,
    ahead::Ahead,
    books::Books,
    chain::chains,
    claim::Claim,
    committer::{Committed, Committer, Job},
    frontier::Mark,
    identity::Closing,
    ledger::{self, Chain, Done, Entry, History, Ledger, Stretch, now},
    marks::Marks,
    open_part::OpenPart,
    place::Place,
    publish::Publication,
    rescue::Rescue,
    shared_stitching::SharedStitching,
    stitching::Stitching,
    verifier,
};
use crate::{
    batch::Rows,
    fasta::{self, Input},
    file::host_name,
    meter::Meters,
};
use std::{
    process,
    sync::{Arc, atomic::Ordering, mpsc::Receiver},
    time::{Duration, Instant},
};

/// A part ends when it has so many bytes, however young it is.
const PART_BYTES: u64 = 1 << 30;
/// The same, where parts are put together while the run goes on: then what is left to be done when it ends is little.
const STITCHED_PART_BYTES: u64 = 256 << 20;
/// The share of the work that may be at stake.
const SHARE_AT_STAKE: f64 = 0.05;

/// Takes the rows of a run, in input order, and makes them durable from time to time.
///
/// Rows that were taken and not committed are lost if it is dropped.
pub struct Output(Kind);

enum Kind {
    /// Rows are dropped: the stages count them.
    Counted,
    /// Nothing comes: a finished output is compared with the inputs.
    Compared(Place),
    /// Rows become parts.
    Kept(Box<Parts>),
}

/// What has been opened and has not begun.
pub(super) struct Opening {
    pub(super) plan: OutputPlan,
    pub(super) place: Place,
    pub(super) claim: Claim,
    pub(super) ledger: Ledger,
    /// What is on the disk.
    pub(super) history: History,
    pub(super) marks: Receiver<Mark>,
    pub(super) rejects: RejectsSpool,
    pub(super) inputs: Vec<Input>,
    /// What the process before had computed and not committed.
    pub(super) lost: Done,
}

/// Rows on their way into parts.
struct Parts {
    plan: OutputPlan,
    place: Place,
    inputs: Vec<Input>,
    /// Known from the start of a part.
    metadata: Vec<(String, String)>,
    committer: Committer,
    /// What puts rows into the output at once, if they need not wait for their parts.
    ahead: Option<Ahead>,
    marks: Marks,
    /// Rows that were taken.
    n_rows: u64,
    /// Where the open part begins.
    from: Frontier,
    /// How far it goes.
    to: Frontier,
    open: Option<OpenPart>,
    /// Memory of rows.
    spare: Spare,
    began: Instant,
    last_commit: Instant,
    /// Seconds of the work that was committed before this run.
    seconds_before: f64,
    /// Whether nothing was committed before the open part.
    is_first: bool,
    /// Whether there is a part with rows, or with none.
    has_part: bool,
    // Last, so that the output is owned until all is durable and nothing temporary is left in its folder.
    claim: Claim,
}

impl Output {
    /// An output that only counts.
    pub(super) fn counted() -> Self {
        Self(Kind::Counted)
    }

    /// A finished output.
    pub(super) fn compared(place: &Place) -> Self {
        Self(Kind::Compared(place.clone()))
    }

    /// Begins to work on an output.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn begin(
        opening: Opening,
        circumstances: &Circumstances,
        meters: &Arc<Meters>,
    ) -> Result<Self, SinkError> {
        let Opening {
            plan,
            place,
            claim,
            mut ledger,
            history,
            marks,
            rejects,
            inputs,
            lost,
        } = opening;
        claim.announce(history.stretches.len());
        ledger.append(&Entry::Stretch(Stretch {
            at: now(),
            host: host_name().to_owned(),
            pid: process::id(),
            device: circumstances.device.clone(),
            settings: circumstances.to_map(),
            lost_rows: lost.rows,
            lost_seconds: lost.seconds,
        }))?;
        claim.begin(meters.clone());
        let mut metadata = plan.identity.entries();
        metadata.extend(circumstances.entries());
        let books = Books::new(
            place.clone(),
            ledger,
            inputs.clone(),
            rejects,
            claim.is_lost(),
        );
        let rescue = Rescue {
            plan: plan.clone(),
            metadata: metadata.clone(),
        };
        let stitching = SharedStitching::new(Stitching::new(&plan, &place, &history));
        let ahead = Ahead::start(&stitching);
        let ahead = ahead.map_err(|error| SinkError::io("write", place.output(), error))?;
        let committer = Committer::start(books, rescue, stitching)?;
        Ok(Self(Kind::Kept(Box::new(Parts {
            plan,
            place,
            inputs,
            metadata,
            committer,
            ahead,
            claim,
            marks: Marks::new(marks),
            n_rows: 0,
            from: Frontier::default(),
            to: Frontier::default(),
            open: None,
            spare: Spare::default(),
            began: Instant::now(),
            last_commit: Instant::now(),
            seconds_before: history.seconds(),
            is_first: history.commits.is_empty(),
            has_part: history.parts().next().is_some(),
        }))))
    }

    /// What is to be told whenever something has been computed, so that what a kill costs is known.
    pub fn pulse(&self) -> Pulse {
        match &self.0 {
            Kind::Counted | Kind::Compared { .. } => Pulse::default(),
            Kind::Kept(parts) => parts.claim.pulse(),
        }
    }

    /// Memory of rows that were taken and are written, for those that come.
    pub fn spare(&self) -> Spare {
        match &self.0 {
            Kind::Counted | Kind::Compared { .. } => Spare::default(),
            Kind::Kept(parts) => parts.spare.clone(),
        }
    }

    /// Takes the next rows.
    ///
    /// # Errors
    /// If they, or those before, cannot be written.
    pub fn write(&mut self, rows: Rows) -> Result<(), SinkError> {
        match &mut self.0 {
            Kind::Counted | Kind::Compared(_) => Ok(()),
            Kind::Kept(parts) => parts.write(rows),
        }
    }

    /// Ends a run that did not come to its end: what it has taken is committed.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(self) -> Result<(), SinkError> {
        match self.0 {
            Kind::Counted | Kind::Compared(_) => Ok(()),
            Kind::Kept(parts) => parts.keep(),
        }
    }

    /// Ends the output and publishes it together with the list of rejections. `end` is the end of the
    /// input.
    ///
    /// # Errors
    /// If records went missing, if something cannot be written, or if an output of that name came into
    /// being meanwhile. Nothing is published then, and nothing that was committed is lost.
    pub fn finish(self, end: &Frontier) -> Result<Published, SinkError> {
        match self.0 {
            Kind::Counted => Ok(Published::default()),
            Kind::Compared(place) => Ok(place.published()),
            Kind::Kept(parts) => parts.finish(end),
        }
    }
}

impl Parts {
    fn write(&mut self, mut rows: Rows) -> Result<(), SinkError> {
        while !rows.is_empty() {
            self.advance()?;
            // A part does not go over a jump.
            let n_rows = self.marks.next_jump().map(|at| at - self.n_rows);
            let piece = match n_rows.and_then(|n| usize::try_from(n).ok()) {
                Some(n) if n < rows.len() => rows.take(n),
                _ => std::mem::take(&mut rows),
            };
            self.n_rows += piece.len() as u64;
            let part = self.part()?;
            let rows = part.write(piece)?;
            let has_failed = part.has_failed();
            if let Some(ahead) = &self.ahead {
                rows.into_iter().for_each(|rows| ahead.take(rows));
            }
            if has_failed {
                self.advance()?;
                // That is an error, when what fits is kept.
                return self.commit(&[]);
            }
        }
        self.advance()?;
        if self.is_due() {
            self.commit_if_free()?;
        }
        Ok(())
    }

    /// Goes to the last mark that the rows have reached.
    fn advance(&mut self) -> Result<(), SinkError> {
        while let Some(Mark { frontier, is_jump }) = self.marks.reached(self.n_rows) {
            if is_jump {
                self.commit(&[])?;
                self.from = frontier.clone();
            }
            if let Some(part) = &mut self.open {
                part.reach(&frontier);
            }
            self.to = frontier;
        }
        Ok(())
    }

    fn part(&mut self) -> Result<&mut OpenPart, SinkError> {
        match &mut self.open {
            Some(part) => Ok(part),
            open @ None => {
                let (from, spare) = (&self.from, &self.spare);
                let part = OpenPart::begin(&self.plan, &self.place, &self.metadata, from, spare)?;
                if let Some(ahead) = &mut self.ahead {
                    ahead.begin(from.record);
                }
                Ok(open.insert(part))
            }
        }
    }

    /// Whether it is time for a commit: a while has passed, the longer the more work has been done, or
    /// the part is large.
    fn is_due(&self) -> bool {
        let worked = self.seconds_before + self.began.elapsed().as_secs_f64();
        let at_stake = Duration::from_secs_f64(SHARE_AT_STAKE * worked);
        let wait = self.plan.commit_every.max(at_stake);
        let n_bytes = self.open.as_ref().map_or(0, |part| part.n_bytes());
        let most_bytes = match self.place.keeps_parts() {
            true => PART_BYTES,
            false => STITCHED_PART_BYTES,
        };
        self.last_commit.elapsed() >= wait || n_bytes >= most_bytes
    }

    /// The part so far, complete. Nothing, if there is none.
    fn job(&mut self, metadata: &[(String, String)]) -> Result<Option<Job>, SinkError> {
        if self.to.record == self.from.record && self.open.is_none() {
            return Ok(None);
        }
        if let Some(ahead) = &mut self.ahead {
            ahead.end(self.to.record, self.open.is_some());
        }
        let part = match self.open.take() {
            None => None,
            Some(part) => Some(part.end(metadata)?),
        };
        let from = std::mem::replace(&mut self.from, self.to.clone());
        self.is_first = false;
        self.last_commit = Instant::now();
        let to = self.to.clone();
        Ok(Some(Job { part, from, to }))
    }

    /// Commits the part so far, unless the one before it is not durable yet.
    fn commit_if_free(&mut self) -> Result<(), SinkError> {
        if self.committer.is_free()? {
            self.commit(&[])?;
        }
        Ok(())
    }

    fn commit(&mut self, metadata: &[(String, String)]) -> Result<(), SinkError> {
        match self.job(metadata)? {
            Some(job) => self.committer.commit(job),
            None => Ok(()),
        }
    }

    fn keep(mut self) -> Result<(), SinkError> {
        self.advance()?;
        self.commit(&[])?;
        self.committer.finish()?;
        Ok(())
    }

    fn finish(mut self, end: &Frontier) -> Result<Published, SinkError> {
        self.advance()?;
        if self.n_rows == 0 && !self.has_part {
            // An output without rows has a file, too.
            self.part()?;
        }
        let path = self.place.ledger();
        let stretches = ledger::read(&path)?.map_or_else(Vec::new, |history| history.stretches);
        let inputs = fasta::inputs_state(&self.inputs, self.inputs.len());
        let Tally { rows, rejected, .. } = self.to.tally;
        let mut closing = Closing::new(end, rows, rejected, inputs, &stretches);
        // What is in one part is published as it is, so the part must say all that is known.
        let is_whole = self.is_first && !self.place.is_shard();
        let metadata = if is_whole {
            closing.entries()?
        } else {
            Vec::new()
        };
        self.commit(&metadata)?;
        if let Some(ahead) = &mut self.ahead {
            ahead.finish();
        }
        let Committed {
            mut ledger,
            stitching,
        } = self.committer.finish()?;
        let history = ledger::read(&path)?.ok_or_else(|| SinkError::LedgerGone(path.clone()))?;
        closing.end.rows = history.rows();
        closing.end.rejected = history.rejected();
        closing.end.set_chains(check_whole(&history, end)?);
        if self.place.is_shard() {
            let before = history.end.as_ref().and_then(|end| end.next.clone());
            let commits = &history.commits;
            closing.end.first = commits.first().and_then(|commit| commit.first.clone());
            closing.end.next = end.next.clone().or(before);
        }
        if self.claim.is_lost().load(Ordering::Acquire) {
            return Err(SinkError::TakenOver(self.place.output().to_owned()));
        }
        let lost = verifier::lost(&history, &self.place)?;
        if !lost.is_empty() {
            return Err(SinkError::PartsLost {
                output: self.place.output().to_owned(),
                n_parts: lost.len(),
            });
        }
        let mut metadata = self.metadata;
        metadata.extend(closing.entries()?);
        ledger.append(&Entry::End(closing.end.clone()))?;
        drop(ledger);
        if self.place.is_shard() {
            // It is not published before all others are there, too.
            return Ok(self.place.published());
        }
        let publication = Publication {
            plan: &self.plan,
            place: &self.place,
            history: &history,
            end: &closing.end,
            metadata: &metadata,
            is_whole,
            stitching,
        };
        let published = publication.publish()?;
        self.claim.clean_up();
        Ok(published)
    }
}

/// Checks that the parts hold all records, each once, and gives the chains of their hashes.
///
/// # Errors
/// If they do not, which is a bug of this program.
fn check_whole(history: &History, end: &Frontier) -> Result<Vec<Chain>, SinkError> {
    let chains = chains(&history.commits).map_err(|record| SinkError::Gap { record })?;
    let record = chains.iter().map(|chain| chain.records).sum();
    let hash = chains.last().map(|chain| chain.hash.as_str());
    if record != end.record || hash.is_some_and(|hash| hash != end.hash.to_hex()) {
        return Err(SinkError::Gap { record });
    }
    Ok(chains)
}
