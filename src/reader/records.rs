//! The records of one read, merged in input order.

use super::{
    error::ReaderError,
    pool::{Pool, ReadRequest},
    slot::{Assignment, Delivery},
};
use crate::{
    cancel::{Abandonment, CancelToken},
    event::{Event, EventSender},
    fasta::{Fault, Outcome, PlanFault, Tally, Units},
    job::ResiduePolicy,
};
use flume::RecvTimeoutError;
use std::{collections::VecDeque, time::Duration};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Frames that wait in a unit's queue at most: those of a whole unit of plain text, so that readers
/// do not wait for each other.
const QUEUE_FRAMES: usize = 16;
/// Units a reader may be ahead, so that it need not wait while an earlier unit is being emptied.
const UNITS_AHEAD: usize = 2;
/// How often a waiting consumer looks whether it was told to stop.
const CANCEL_INTERVAL: Duration = Duration::from_millis(100);

/// The records of one read, in input order, a few hundred at a time. Dropping it early abandons the
/// rest: readers in the middle of a unit are killed, and replaced when they are needed.
pub struct Records<'a> {
    /// Nobody else may use the readers meanwhile.
    _pool: &'a mut Pool,
    units: Units,
    /// Names of the inputs, for people.
    files: Vec<String>,
    /// Units that are being read or will be, in input order.
    pending: VecDeque<Pending>,
    n_pending_at_most: usize,
    next_number: u64,
    assignments: Option<flume::Sender<Assignment>>,
    abandon: Option<DropGuard>,
    input: InputProgress,
    /// Bytes of the current unit that have been reported as read.
    n_reported_bytes: u64,
    n_restarts: u64,
    residues: ResiduePolicy,
    events: EventSender,
    cancel: CancelToken,
    abandonment: Abandonment,
}

/// A unit on its way, or the end of what can be read.
enum Pending {
    Unit {
        input: usize,
        disk_bytes: u64,
        deliveries: flume::Receiver<Delivery>,
    },
    Broken(PlanFault),
}

/// The input that is being read.
#[derive(Default)]
struct InputProgress {
    number: usize,
    /// What the finished units held.
    tally: Tally,
    /// Records of the current unit that have come out.
    n_unit_records: u64,
    /// The id of the last record that came out.
    last_id: Option<String>,
}

impl<'a> Records<'a> {
    pub(super) fn new(
        pool: &'a mut Pool,
        request: ReadRequest,
        assignments: flume::Sender<Assignment>,
        abandoned: CancellationToken,
    ) -> Self {
        let files = request.inputs.iter().map(|input| input.name.clone());
        let mut records = Self {
            _pool: pool,
            files: files.collect(),
            units: Units::new(request.inputs, Units::UNIT_BYTES),
            pending: VecDeque::new(),
            n_pending_at_most: UNITS_AHEAD * request.readers.get(),
            next_number: 0,
            assignments: Some(assignments),
            abandon: Some(abandoned.drop_guard()),
            input: InputProgress::default(),
            n_reported_bytes: 0,
            n_restarts: 0,
            residues: request.policy.residues,
            events: request.events,
            cancel: request.cancel,
            abandonment: request.abandonment,
        };
        records.assign();
        records
    }

    /// Readers that had to be replaced so far.
    pub fn restarts(&self) -> u64 {
        self.n_restarts
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
                        disk_bytes: unit.disk_bytes,
                        deliveries,
                    };
                    let assignment = Assignment {
                        number: self.next_number,
                        file: self.files[unit.input].clone(),
                        unit,
                        deliveries: sender,
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

    /// The next outcomes, or `None` at the end.
    fn advance(&mut self) -> Result<Option<Vec<Outcome>>, ReaderError> {
        loop {
            if let Some(reason) = self.cancel.reason() {
                return Err(ReaderError::Stopped(reason));
            }
            if self.abandonment.is_declared() {
                return Ok(None);
            }
            self.assign();
            let (input, disk_bytes, delivery) = match self.pending.front() {
                None => {
                    self.finish_inputs(self.files.len());
                    return Ok(None);
                }
                Some(Pending::Broken(PlanFault { input, fault })) => {
                    let (input, fault) = (*input, fault.clone());
                    self.finish_inputs(input);
                    return Err(self.locate(fault));
                }
                Some(Pending::Unit {
                    input,
                    disk_bytes,
                    deliveries,
                }) => match deliveries.recv_timeout(CANCEL_INTERVAL) {
                    Ok(delivery) => (*input, *disk_bytes, delivery),
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => return Err(ReaderError::Lost),
                },
            };
            self.finish_inputs(input);
            match delivery {
                Delivery::Records {
                    outcomes,
                    disk_bytes: so_far,
                } => {
                    self.report_bytes(so_far.min(disk_bytes));
                    self.input.n_unit_records += outcomes.len() as u64;
                    self.input.last_id = outcomes.last().map(|last| last.id().to_owned());
                    return Ok(Some(outcomes));
                }
                Delivery::Restarted => self.n_restarts += 1,
                Delivery::End(tally) => {
                    // The slot compares what the reader sent with what it says it sent; this
                    // compares that with what arrived here.
                    if tally.n_records != self.input.n_unit_records {
                        return Err(ReaderError::Lost);
                    }
                    self.input.tally += tally;
                    self.input.n_unit_records = 0;
                    self.pending.pop_front();
                    self.report_bytes(disk_bytes);
                    self.n_reported_bytes = 0;
                }
                Delivery::Fault(fault) => return Err(self.locate(fault)),
                Delivery::Failed(error) => return Err(error),
            }
        }
    }

    /// Tells how much of the current unit has been read.
    fn report_bytes(&mut self, n_bytes: u64) {
        // A unit that is read again comes by the same places.
        if n_bytes > self.n_reported_bytes {
            self.events.send(Event::UnitRead {
                input_bytes: n_bytes - self.n_reported_bytes,
            });
            self.n_reported_bytes = n_bytes;
        }
    }

    /// Tells what is remarkable about the inputs before `input`, which are finished.
    fn finish_inputs(&mut self, input: usize) {
        while self.input.number < input {
            let file = &self.files[self.input.number];
            for message in remarks(file, self.input.tally, self.residues) {
                self.events.warn(message);
            }
            self.input = InputProgress {
                number: self.input.number + 1,
                ..InputProgress::default()
            };
        }
    }

    fn locate(&self, fault: Fault) -> ReaderError {
        let file = &self.files[self.input.number];
        let n_records = self.input.tally.n_records;
        let last_id = self.input.last_id.as_deref();
        ReaderError::Input(fault.locate(file, n_records, last_id))
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Vec<Outcome>, ReaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        // Nothing comes after the end or an error.
        self.assignments.as_ref()?;
        let item = self.advance().transpose();
        if !matches!(item, Some(Ok(_))) {
            self.assignments = None;
            if matches!(item, Some(Err(_))) || self.abandonment.is_declared() {
                self.abandon = None;
            }
        }
        item
    }
}

/// What people should know about an input that was read to its end.
fn remarks(file: &str, tally: Tally, residues: ResiduePolicy) -> Vec<String> {
    let mut remarks = Vec::new();
    if tally.n_records == 0 {
        remarks.push(format!("`{file}` holds no records"));
    }
    if tally.n_nameless_records > 0 {
        remarks.push(format!(
            "`{file}`: {} records have no name; their id is empty",
            tally.n_nameless_records
        ));
    }
    if tally.n_foreign_characters > 0 {
        let change = match residues {
            ResiduePolicy::Strip => "were removed",
            ResiduePolicy::Unk | ResiduePolicy::Error => "became `<unk>`",
        };
        remarks.push(format!(
            "`{file}`: {} characters outside the alphabet in {} records {change}",
            tally.n_foreign_characters, tally.n_foreign_records
        ));
    }
    remarks
}
