//! Reader subprocesses that stay alive between reads.

use super::{
    driver::Driver,
    error::ReaderError,
    records::Records,
    request::ReadRequest,
    slot::{ReadPlan, Slot},
};
use crate::fasta::{Input, InputError, Share, Units};
use std::{collections::HashSet, env, path::PathBuf, time::Duration};
use tokio_util::sync::CancellationToken;

/// Starting a program can take longer than reading a frame, on a network file system for example.
const LEAST_HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// Reader subprocesses that stay alive between reads. Dropping it ends them.
pub struct Pool {
    /// What is started as a reader; this program if none is given.
    program: Option<PathBuf>,
    /// How long a reader may take to start, at least.
    handshake_time: Duration,
    /// Where each slot gets its reads from. It stands before the driver because it must be dropped
    /// first: the driver's drop waits for the slots, which wait for reads.
    plans: Vec<flume::Sender<ReadPlan>>,
    driver: Option<Driver>,
    /// Pipes that have been read, which is possible only once.
    read_streams: HashSet<PathBuf>,
}

impl Pool {
    /// A pool without readers yet: each starts with its first work unit.
    pub fn new() -> Self {
        Self {
            program: None,
            handshake_time: LEAST_HANDSHAKE_TIME,
            plans: Vec::new(),
            driver: None,
            read_streams: HashSet::new(),
        }
    }

    /// A pool whose readers run `program`, which is given the subcommand
    /// [`SUBCOMMAND`](super::SUBCOMMAND) and must act as [`run`](super::run) does.
    pub fn with_program(program: PathBuf) -> Self {
        Self {
            program: Some(program),
            ..Self::new()
        }
    }

    /// The same pool with another time that a reader may take to start, at least. Whoever tries readers
    /// that never start need not wait that long.
    pub fn with_handshake_time(mut self, time: Duration) -> Self {
        self.handshake_time = time;
        self
    }

    /// Starts reading. The records come in input order whatever the number of readers.
    ///
    /// # Errors
    /// An error is returned if inputs are to be divided of which one is a pipe, if a pipe was read before, or if the thread for the readers cannot be
    /// started.
    pub fn read(&mut self, request: ReadRequest) -> Result<Records<'_>, ReaderError> {
        let share = Share::of(request.shard, &request.inputs).map_err(ReaderError::Input)?;
        let first = request.start.as_ref().map_or(0, |start| start.input);
        self.take_streams(request.inputs.get(first..).unwrap_or_default())?;
        let (assignments, receiver) = flume::unbounded();
        let abandoned = CancellationToken::new();
        let plan = ReadPlan {
            assignments: receiver,
            policy: request.policy.clone(),
            timeout: request.timeout,
            meters: request.meters.clone(),
            events: request.events.clone(),
            abandoned: abandoned.clone(),
        };
        self.grow(request.readers.get())?;
        for slot in &self.plans[..request.readers.get()] {
            slot.send(plan.clone()).map_err(|_| ReaderError::Lost)?;
        }
        Ok(Records::new(
            request,
            &share,
            Units::UNIT_BYTES,
            assignments,
            abandoned,
        ))
    }

    /// Makes sure that there are at least `n_readers` slots.
    fn grow(&mut self, n_readers: usize) -> Result<(), ReaderError> {
        let driver = match &mut self.driver {
            Some(driver) => driver,
            none => none.insert(Driver::start().map_err(ReaderError::Driver)?),
        };
        for number in self.plans.len()..n_readers {
            let program = match &self.program {
                Some(program) => program.clone(),
                None => env::current_exe().map_err(ReaderError::Program)?,
            };
            let (sender, plans) = flume::unbounded();
            driver.add(Slot {
                number,
                program,
                handshake_time: self.handshake_time,
                plans,
                process: None,
            });
            self.plans.push(sender);
        }
        Ok(())
    }

    /// Refuses to read a pipe for a second time, when it would be empty.
    fn take_streams(&mut self, inputs: &[Input]) -> Result<(), ReaderError> {
        for input in inputs.iter().filter(|input| input.is_stream()) {
            if !self.read_streams.insert(input.path.clone()) {
                return Err(ReaderError::Input(InputError::new(
                    &input.name,
                    "a pipe can be read only once, and it has been",
                    "save its content to a file and name that",
                )));
            }
        }
        Ok(())
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new()
    }
}
