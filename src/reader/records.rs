//! The records of one read, merged in input order.

use super::{
    error::ReaderError,
    input_progress::InputProgress,
    read_records::ReadRecords,
    request::ReadRequest,
    slot::{Assignment, Delivery},
};
use crate::{
    cancel::{Abandonment, CancelToken},
    event::{Event, EventSender},
    fasta::{Fault, Input, InputError, Offset, PlanFault, Position, Share, Units},
    job::ResiduePolicy,
};
use flume::RecvTimeoutError;
use std::{collections::VecDeque, marker::PhantomData, time::Duration};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Frames that wait in a unit's queue at most: those of a whole unit of plain text, so that readers
/// do not wait for each other.
const QUEUE_FRAMES: usize = 16;
/// Units a reader may be ahead, so that it need not wait while an earlier unit is being emptied.
const UNITS_AHEAD: usize = 2;
/// How often a waiting consumer looks whether it is to go on.
const CANCEL_INTERVAL: Duration = Duration::from_millis(100);

/// The records of one read, in input order, a few hundred at a time. Dropping it early abandons the
/// rest: readers in the middle of a unit are killed, and replaced when they are needed.
pub struct Records<'a> {
    /// Nobody else may use the readers meanwhile.
    readers: PhantomData<&'a mut ()>,
    units: Units,
    inputs: Vec<Input>,
    /// What of them is read.
    share: Share,
    /// Records that are still wanted.
    n_wanted: u64,
    /// Units that are being read or will be, in input order.
    pending: VecDeque<Pending>,
    n_pending_at_most: usize,
    next_number: u64,
    assignments: Option<flume::Sender<Assignment>>,
    abandon: Option<DropGuard>,
    input: InputProgress,
    /// Bytes of the current unit that have been reported as read.
    n_reported_bytes: u64,
    /// How much of it is read when what was given last is taken.
    to_report: Option<u64>,
    n_restarts: u64,
    was_stopped: bool,
    residues: ResiduePolicy,
    events: EventSender,
    cancel: CancelToken,
    abandonment: Abandonment,
}

/// A unit on its way, or the end of what can be read.
enum Pending {
    Unit {
        input: usize,
        from: Offset,
        disk_bytes: u64,
        deliveries: flume::Receiver<Delivery>,
    },
    Broken(PlanFault),
}

impl Records<'_> {
    pub(super) fn new(
        request: ReadRequest,
        share: &Share,
        unit_bytes: u64,
        assignments: flume::Sender<Assignment>,
        abandoned: CancellationToken,
    ) -> Self {
        let first = || Position::beginning_of(share.first_input());
        let start = request.start.clone().unwrap_or_else(first);
        let units = Units::new(request.inputs.clone(), unit_bytes).within(share);
        let mut records = Self {
            readers: PhantomData,
            inputs: request.inputs,
            share: share.clone(),
            n_wanted: request.take.unwrap_or(u64::MAX),
            units: units.starting_at(&start),
            pending: VecDeque::new(),
            n_pending_at_most: UNITS_AHEAD * request.readers.get(),
            next_number: 0,
            assignments: Some(assignments),
            abandon: Some(abandoned.drop_guard()),
            input: InputProgress::starting_at(&start),
            n_reported_bytes: 0,
            to_report: None,
            n_restarts: 0,
            was_stopped: false,
            residues: request.policy.residues,
            events: request.events,
            cancel: request.cancel,
            abandonment: request.abandonment,
        };
        if records.n_wanted > 0 {
            records.tell_skipped(&start);
            records.assign();
        }
        records
    }

    /// Tells what is not read because it comes before the start, and what is read all the same.
    fn tell_skipped(&self, start: &Position) {
        let first = self.share.first_input();
        let before = self.inputs.iter().take(start.input).skip(first);
        let n_bytes = before.filter_map(Input::size_bytes).sum::<u64>() + start.from.disk_bytes();
        // What comes before the share is nobody's business.
        let n_bytes = n_bytes.saturating_sub(self.share.begins_at(first));
        if n_bytes > 0 {
            self.events.send(Event::InputSkipped {
                input_bytes: n_bytes,
            });
        }
        let input = self.inputs.get(start.input);
        let Some(input) = input.filter(|input| !input.is_shareable()) else {
            return;
        };
        let begins_at = self.share.begins_at(start.input);
        if start.n_records > 0 {
            self.events.send(Event::SkippingRecords {
                input: input.name.clone(),
                records: start.n_records,
            });
        } else if begins_at > 0 {
            self.events.send(Event::SkippingBytes {
                input: input.name.clone(),
                input_bytes: begins_at,
            });
        }
    }

    /// Readers that had to be replaced so far.
    pub fn restarts(&self) -> u64 {
        self.n_restarts
    }

    /// Whether it ended before its input did because it was told to stop.
    pub fn was_stopped(&self) -> bool {
        self.was_stopped
    }

    /// Hands out units until enough are on their way.
    fn assign(&mut self) {
        let Some(assignments) = &self.assignments else {
            return;
        };
        while self.pending.len() < self.n_pending_at_most {
            let pending = match self.units.next() {
                None => return,
                Some(Err(fault)) => Pending::Broken(fault),
                Some(Ok(unit)) => {
                    let (sender, deliveries) = flume::bounded(QUEUE_FRAMES);
                    let pending = Pending::Unit {
                        input: unit.input,
                        from: Offset::of(&unit.extent),
                        disk_bytes: unit.disk_bytes,
                        deliveries,
                    };
                    let assignment = Assignment {
                        number: self.next_number,
                        file: self.inputs[unit.input].name.clone(),
                        unit,
                        deliveries: sender,
                        room: Assignment::new_room(),
                    };
                    self.next_number += 1;
                    // If all readers are lost, the unit's queue is closed and says so.
                    let _ = assignments.send(assignment);
                    pending
                }
            };
            self.pending.push_back(pending);
        }
    }

    /// The next records, or `None` at the end.
    fn advance(&mut self) -> Result<Option<ReadRecords>, ReaderError> {
        // Whoever asks for more has taken what was given before. A small input is in one piece: it would be read
        // as a whole before its first record is anywhere.
        if let Some(n_bytes) = self.to_report.take() {
            self.report_bytes(n_bytes, false);
        }
        loop {
            if self.abandonment.is_declared() {
                return Ok(None);
            }
            if self.n_wanted == 0 {
                return self.leave().map(|()| None);
            }
            if self.cancel.reason().is_some() {
                self.was_stopped = true;
                return Ok(None);
            }
            self.assign();
            let (input, from, disk_bytes, delivery) = match self.pending.front() {
                None => {
                    return self.finish_inputs(self.share.end_input()).map(|()| None);
                }
                Some(Pending::Broken(PlanFault { input, fault })) => {
                    let (input, fault) = (*input, fault.clone());
                    self.finish_inputs(input)?;
                    return Err(self.fail(fault));
                }
                Some(Pending::Unit {
                    input,
                    from,
                    disk_bytes,
                    deliveries,
                }) => match deliveries.recv_timeout(CANCEL_INTERVAL) {
                    Ok(delivery) => (*input, from.clone(), *disk_bytes, delivery),
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => return Err(ReaderError::Lost),
                },
            };
            self.finish_inputs(input)?;
            match delivery {
                Delivery::Records {
                    mut outcomes,
                    remarks,
                    disk_bytes: so_far,
                    _room: _,
                } => {
                    self.input.drop_unwanted(&mut outcomes);
                    let so_far = so_far.min(disk_bytes);
                    if outcomes.is_empty() {
                        self.report_bytes(so_far, true);
                        continue;
                    }
                    self.to_report = Some(so_far);
                    outcomes.truncate(usize::try_from(self.n_wanted).unwrap_or(usize::MAX));
                    self.n_wanted -= outcomes.len() as u64;
                    let start = Position {
                        input,
                        from,
                        before: self.input.n_records,
                        n_records: self.input.n_unit_records,
                    };
                    self.input.add(&outcomes, &remarks);
                    return Ok(Some(ReadRecords { outcomes, start }));
                }
                Delivery::Skipped { n_records } => self.input.skip_to(n_records),
                Delivery::Restarted => self.n_restarts += 1,
                Delivery::End { n_records } => {
                    // The slot compares what the reader sent with what it says it sent; this
                    // compares that with what arrived here.
                    if n_records != self.input.n_unit_records {
                        return Err(ReaderError::Miscounted {
                            file: self.inputs[input].name.clone(),
                            n_arrived: self.input.n_unit_records,
                            n_sent: n_records,
                        });
                    }
                    self.input.n_records += n_records;
                    self.input.n_unit_records = 0;
                    self.pending.pop_front();
                    self.report_bytes(disk_bytes, self.input.n_unwanted > 0);
                    self.n_reported_bytes = 0;
                }
                Delivery::Fault(fault) => return Err(self.fail(fault)),
                Delivery::Failed(error) => {
                    self.warn();
                    return Err(error);
                }
            }
        }
    }

    /// Tells how much of the current unit has been read, and whether what came of it since it last told
    /// was dropped.
    fn report_bytes(&mut self, n_bytes: u64, is_dropped: bool) {
        // A unit that is read again comes by the same places.
        if n_bytes > self.n_reported_bytes {
            let input_bytes = n_bytes - self.n_reported_bytes;
            self.events.send(if is_dropped {
                Event::InputSkipped { input_bytes }
            } else {
                Event::UnitRead { input_bytes }
            });
            self.n_reported_bytes = n_bytes;
        }
    }

    /// Tells what is odd about the inputs before `input`, which are finished.
    fn finish_inputs(&mut self, input: usize) -> Result<(), ReaderError> {
        while self.input.number < input {
            if self.input.n_unwanted > 0 {
                return Err(self.too_short());
            }
            if self.input.n_records == 0 && self.share.covers(self.input.number) {
                let file = &self.inputs[self.input.number].name;
                self.events.warn(format!("`{file}` holds no records"));
            }
            self.warn();
            self.input = InputProgress {
                number: self.input.number + 1,
                ..InputProgress::default()
            };
        }
        Ok(())
    }

    /// The error for an input that has fewer records than come before the start.
    fn too_short(&self) -> ReaderError {
        let n_records = self.input.n_records;
        ReaderError::Input(InputError::new(
            &self.inputs[self.input.number].name,
            format!(
                "is not the file of which a part was read before: it has {n_records} records, and \
                 reading was to go on behind record {}",
                n_records + self.input.n_unwanted
            ),
            "put that file in its place, or begin anew",
        ))
    }

    /// Tells what is odd about the records of the current input that came out.
    fn warn(&mut self) {
        let remarks = std::mem::take(&mut self.input.remarks);
        let file = &self.inputs[self.input.number].name;
        let n_records = self.input.n_told_of();
        let counts_from = self.counts_from();
        for message in remarks.warnings(file, n_records, self.residues, &counts_from) {
            self.events.warn(message);
        }
    }

    /// What is said behind the number of a record of the current input.
    fn counts_from(&self) -> String {
        let number = self.input.number;
        self.share
            .counts_from(number, &self.inputs[number])
            .behind()
    }

    /// Leaves the current input, in the middle of a unit or not. Its reader does not come to the
    /// end of the unit, where it would have looked whether the file changed.
    fn leave(&mut self) -> Result<(), ReaderError> {
        let Some(input) = self.inputs.get(self.input.number) else {
            return Ok(());
        };
        let unchanged = match input.identity() {
            // A take of nothing reads nothing.
            Some(identity) if self.input.last_id.is_some() => identity.check_path(&input.path),
            _ => Ok(()),
        };
        if let Err(fault) = unchanged {
            return Err(self.fail(fault));
        }
        self.warn();
        Ok(())
    }

    /// The error of a fault in the current input, of which nothing else will come.
    fn fail(&mut self, fault: Fault) -> ReaderError {
        self.warn();
        let file = &self.inputs[self.input.number].name;
        let last_id = self.input.last_id.as_deref();
        ReaderError::Input(fault.locate(file, self.input.n_records, last_id, &self.counts_from()))
    }
}

impl Iterator for Records<'_> {
    type Item = Result<ReadRecords, ReaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        // Nothing comes after the end or an error.
        self.assignments.as_ref()?;
        let item = self.advance().transpose();
        if !matches!(item, Some(Ok(_))) {
            self.assignments = None;
            let is_cut_off = self.was_stopped || self.abandonment.is_declared();
            if matches!(item, Some(Err(_))) || is_cut_off || self.n_wanted == 0 {
                self.abandon = None;
            }
        }
        item
    }
}

#[cfg(test)]
mod tests;
