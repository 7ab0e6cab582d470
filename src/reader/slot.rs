//! A reader's place in the pool: keeps a reader alive and has it read one unit after the other.

use super::{
    error::ReaderError,
    process::{Failure, Process},
    protocol::{Reply, Request},
};
use crate::{
    event::{Event, EventSender},
    fasta::{Fault, Outcome, Remark, Unit},
    job::RecordPolicy,
    meter::{Activity, Meters, StageClock},
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// How often a unit is tried before the run fails.
pub(super) const MOST_TRIES: u32 = 3;
/// Bytes that one permit of a unit's room stands for.
const ROOM_BYTES: usize = 1 << 10;
/// Permits of a unit's room: a whole unit of plain text finds room, so that readers do not wait for
/// each other, and records of megabytes do not pile up.
const ROOM_PERMITS: usize = 8 << 10;

/// A reader's place in the pool.
pub(super) struct Slot {
    /// The reader's number, from 0.
    pub(super) number: usize,
    /// What is started as a reader.
    pub(super) program: PathBuf,
    /// How long a reader may take to start, at least.
    pub(super) handshake_time: Duration,
    /// The reads that this slot takes part in, one after the other.
    pub(super) plans: flume::Receiver<ReadPlan>,
    /// The living reader, if there is one. It starts with the first unit.
    pub(super) process: Option<Process>,
}

/// What a slot needs to know for one read.
#[derive(Clone)]
pub(super) struct ReadPlan {
    /// The units, shared by all slots of the read.
    pub(super) assignments: flume::Receiver<Assignment>,
    pub(super) policy: RecordPolicy,
    pub(super) timeout: Duration,
    pub(super) meters: Arc<Meters>,
    pub(super) events: EventSender,
    /// Nobody wants the records any more.
    pub(super) abandoned: CancellationToken,
}

/// A unit to read, and where its records go.
pub(super) struct Assignment {
    /// The unit's number in this read, from 0.
    pub(super) number: u64,
    pub(super) unit: Unit,
    /// The input's name, for people.
    pub(super) file: String,
    pub(super) deliveries: flume::Sender<Delivery>,
    /// Room for records that wait in the queue, in [`ROOM_BYTES`].
    pub(super) room: Arc<Semaphore>,
}

/// What comes of a unit.
pub(super) enum Delivery {
    /// So many records of the file have been read that come before those of the unit.
    Skipped { n_records: u64 },
    /// Its next outcomes.
    Records {
        outcomes: Vec<Outcome>,
        /// What is odd about them, by their index in the unit.
        remarks: Vec<Remark>,
        /// Bytes of the file that have been read for the unit so far.
        disk_bytes: u64,
        /// Room in memory, which the receiver gives back by dropping it.
        _room: OwnedSemaphorePermit,
    },
    /// The reader failed and is replaced.
    Restarted,
    /// All of it was delivered.
    End {
        /// Records of the unit, as the reader counted them.
        n_records: u64,
    },
    /// It cannot be read any further.
    Fault(Fault),
    /// No reader managed to read it.
    Failed(ReaderError),
}

impl Slot {
    /// Works until the pool is dropped.
    pub(super) async fn run(mut self) {
        while let Ok(plan) = self.plans.recv_async().await {
            let clock = &plan.meters.readers()[self.number];
            clock.switch(Activity::Starved);
            while let Ok(assignment) = plan.assignments.recv_async().await {
                if plan.abandoned.is_cancelled() {
                    continue;
                }
                clock.switch(Activity::Working);
                let served = tokio::select! {
                    // A unit that is done is done, even if nobody wants it any more.
                    biased;
                    () = self.serve(&plan, &assignment) => true,
                    () = plan.abandoned.cancelled() => false,
                };
                if !served {
                    // The reader is in the middle of a unit that nobody wants.
                    self.dismiss().await;
                }
                clock.switch(Activity::Starved);
            }
            clock.stop();
        }
        self.dismiss().await;
    }

    async fn dismiss(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
    }

    /// Has a unit read, with a new reader after each failure.
    async fn serve(&mut self, plan: &ReadPlan, assignment: &Assignment) {
        let mut n_delivered = 0;
        let mut n_tries = 0;
        let error = loop {
            n_tries += 1;
            let failure = match self.attempt(plan, assignment, &mut n_delivered).await {
                Ok(()) => return,
                Err(failure) => failure,
            };
            self.dismiss().await;
            let reason = match failure {
                Failure::Final(error) => break error,
                Failure::Passing(reason) => reason,
            };
            plan.events.send(Event::ReaderFailed {
                reader: self.number,
                reason: format!(
                    "`{}`, {}: {reason}",
                    assignment.file, assignment.unit.extent
                ),
            });
            if assignment.unit.is_stream() || n_tries == MOST_TRIES {
                break ReaderError::Failed {
                    file: assignment.file.clone(),
                    extent: assignment.unit.extent.to_string(),
                    n_tries,
                    reason,
                    hint: if assignment.unit.is_stream() {
                        "a pipe cannot be read again: run again, or name a file"
                    } else {
                        "if the disk is slow, raise `reader_timeout`; else please report it with these bytes"
                    },
                };
            }
            assignment.deliver(Delivery::Restarted).await;
        };
        assignment.deliver(Delivery::Failed(error)).await;
    }

    /// Has a unit read once, from its beginning. What an earlier try delivered is dropped.
    async fn attempt(
        &mut self,
        plan: &ReadPlan,
        assignment: &Assignment,
        n_delivered: &mut u64,
    ) -> Result<(), Failure> {
        let process = match &mut self.process {
            Some(process) => process,
            none => none.insert(
                Process::start(
                    self.number,
                    &self.program,
                    plan.timeout.max(self.handshake_time),
                    &plan.events,
                )
                .await?,
            ),
        };
        process.report_to(&plan.events);
        let clock = &plan.meters.readers()[self.number];
        plan.meters.note_reader(self.number, process.pid());
        process
            .send(&Request::Read {
                number: assignment.number,
                unit: assignment.unit.clone(),
                policy: plan.policy.clone(),
            })
            .await?;
        // Only the writer of a pipe knows when it will write again.
        let patience = (!assignment.unit.is_stream()).then_some(plan.timeout);
        let mut n_received = 0;
        loop {
            // The clock runs only while this side waits for the reader, so a reader that waits for
            // room in the queue is never taken for a hung one.
            let reply = process.receive(patience).await?;
            match reply {
                Reply::Skipped { number, n_records }
                    if number == assignment.number && n_records >= n_received =>
                {
                    n_received = n_records;
                    if n_records > *n_delivered {
                        *n_delivered = n_records;
                        assignment.deliver(Delivery::Skipped { n_records }).await;
                    }
                }
                Reply::Records {
                    number,
                    first_index,
                    disk_bytes,
                    mut outcomes,
                    mut remarks,
                } if number == assignment.number && first_index == n_received => {
                    n_received += outcomes.len() as u64;
                    let n_old = n_delivered.saturating_sub(first_index);
                    if n_old > 0 {
                        outcomes.drain(..(n_old as usize).min(outcomes.len()));
                        remarks.retain(|remark| remark.index >= *n_delivered);
                    }
                    *n_delivered = n_received.max(*n_delivered);
                    if !outcomes.is_empty() {
                        assignment
                            .deliver_records(clock, outcomes, remarks, disk_bytes)
                            .await;
                    }
                }
                Reply::End { number, n_records }
                    if number == assignment.number
                        && n_records == n_received
                        && n_received >= *n_delivered =>
                {
                    assignment.deliver(Delivery::End { n_records }).await;
                    return Ok(());
                }
                Reply::Fault { number, fault } if number == assignment.number => {
                    assignment.deliver(Delivery::Fault(fault)).await;
                    return Ok(());
                }
                _ => return Err(process.misbehaved("sent messages in the wrong order")),
            }
        }
    }
}

impl Assignment {
    /// Waits until the queue has room. If its other end is gone, the read is abandoned, which ends
    /// this task's work elsewhere.
    async fn deliver(&self, delivery: Delivery) {
        let _ = self.deliveries.send_async(delivery).await;
    }

    /// Delivers records when there is room for them, on the clock of the reader, which can do
    /// nothing meanwhile.
    async fn deliver_records(
        &self,
        clock: &StageClock,
        outcomes: Vec<Outcome>,
        remarks: Vec<Remark>,
        disk_bytes: u64,
    ) {
        let n_bytes: usize = outcomes.iter().map(Outcome::size_bytes).sum::<usize>()
            + remarks.iter().map(Remark::size_bytes).sum::<usize>();
        // What is larger than the whole room needs all of it.
        let n_permits = n_bytes.div_ceil(ROOM_BYTES).min(ROOM_PERMITS) as u32;
        let waits = self.room.available_permits() < n_permits as usize || self.deliveries.is_full();
        if waits {
            clock.switch(Activity::Blocked);
        }
        // The room is never closed.
        if let Ok(room) = self.room.clone().acquire_many_owned(n_permits).await {
            self.deliver(Delivery::Records {
                outcomes,
                remarks,
                disk_bytes,
                _room: room,
            })
            .await;
        }
        if waits {
            clock.switch(Activity::Working);
        }
    }

    /// Room for the records of a unit.
    pub(super) fn new_room() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(ROOM_PERMITS))
    }
}
