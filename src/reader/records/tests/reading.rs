//! A read, and what it gave.

use super::super::*;
use crate::{
    fasta::{Outcome, Share, UnitReader},
    hint::Hint,
    job::{LongSequences, RecordPolicy, Shard},
    meter::{Meters, QueueMeters, StageClock},
};
use std::{num::NonZeroUsize, sync::Arc, thread, time::Instant};

/// How a test reads.
#[derive(Clone)]
pub(super) struct How {
    pub(super) start: Option<Position>,
    pub(super) take: Option<u64>,
    pub(super) shard: Option<Shard>,
    pub(super) unit_bytes: u64,
    pub(super) frame_records: usize,
    pub(super) residues: ResiduePolicy,
}

impl Default for How {
    fn default() -> Self {
        Self {
            start: None,
            take: None,
            shard: None,
            unit_bytes: 50,
            frame_records: 2,
            residues: ResiduePolicy::Unk,
        }
    }
}

/// What a read gave.
pub(super) struct Reading {
    /// What became of each record, and where it stands.
    pub(super) records: Vec<(Outcome, Position)>,
    pub(super) error: Option<String>,
    pub(super) events: Vec<Event>,
    /// Bytes that readers read.
    pub(super) n_bytes: u64,
}

impl Reading {
    pub(super) fn warnings(&self) -> Vec<&str> {
        let events = self.events.iter();
        events
            .filter_map(|event| match event {
                Event::Warning { message } => Some(message.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Bytes that were told to be read, and to be skipped.
    pub(super) fn told_bytes(&self) -> (u64, u64) {
        let mut told = (0, 0);
        for event in &self.events {
            match event {
                Event::UnitRead { input_bytes } => told.0 += input_bytes,
                Event::InputSkipped { input_bytes } => told.1 += input_bytes,
                _ => {}
            }
        }
        told
    }

    pub(super) fn ids(&self) -> Vec<&str> {
        self.records
            .iter()
            .map(|(outcome, _)| outcome.id())
            .collect()
    }
}

fn policy(residues: ResiduePolicy) -> RecordPolicy {
    RecordPolicy {
        min_length: None,
        max_length: None,
        long_sequences: LongSequences::Truncate(1022),
        residues,
        remarks: true,
    }
}

/// Reads units as a reader process does, and gives the bytes that it read.
fn serve(assignments: &flume::Receiver<Assignment>, how: &How) -> u64 {
    let mut n_bytes = 0;
    for assignment in assignments {
        let deliver = |delivery| drop(assignment.deliveries.send(delivery));
        let mut reader = match UnitReader::open(&assignment.unit, policy(how.residues)) {
            Ok(reader) => reader,
            Err(fault) => {
                deliver(Delivery::Fault(fault));
                continue;
            }
        };
        let skipped = loop {
            match reader.skip_some() {
                Ok(true) => {}
                Ok(false) => break None,
                Err(fault) => break Some(fault),
            }
        };
        if let Some(fault) = skipped {
            deliver(Delivery::Fault(fault));
            continue;
        }
        if reader.n_records() > 0 {
            let n_records = reader.n_records();
            deliver(Delivery::Skipped { n_records });
        }
        let last = loop {
            let mut outcomes = Vec::new();
            let last = loop {
                match reader.next_outcome() {
                    Ok(Some(outcome)) => outcomes.push(outcome),
                    Ok(None) => {
                        let n_records = reader.n_records();
                        break Some(Delivery::End { n_records });
                    }
                    Err(fault) => break Some(Delivery::Fault(fault)),
                }
                if outcomes.len() == how.frame_records {
                    break None;
                }
            };
            if !outcomes.is_empty() {
                deliver(Delivery::Records {
                    outcomes,
                    remarks: reader.take_remarks(),
                    disk_bytes: reader.disk_bytes(),
                    _room: assignment.room.clone().try_acquire_many_owned(0).unwrap(),
                });
            }
            if let Some(last) = last {
                break last;
            }
        };
        deliver(last);
        n_bytes += reader.disk_bytes();
    }
    n_bytes
}

pub(super) fn read(inputs: &[Input], how: &How) -> Reading {
    let (events, received) = EventSender::channel();
    let (assignments, receiver) = flume::unbounded();
    let request = ReadRequest {
        inputs: inputs.to_vec(),
        start: how.start.clone(),
        shard: how.shard,
        policy: policy(how.residues),
        take: how.take,
        readers: NonZeroUsize::MIN,
        timeout: Duration::from_secs(60),
        meters: Arc::new(Meters::new(
            Instant::now(),
            1,
            1,
            QueueMeters::default(),
            |_, _| StageClock::default(),
        )),
        events,
        cancel: CancelToken::default(),
        abandonment: Abandonment::default(),
    };
    thread::scope(|scope| {
        let server = scope.spawn(|| serve(&receiver, how));
        let share = Share::of(request.shard, &request.inputs).unwrap();
        let mut records = Records::new(
            request,
            &share,
            how.unit_bytes,
            assignments,
            CancellationToken::new(),
        );
        let (mut read, mut events) = (Vec::new(), Vec::new());
        let mut error = None;
        for item in records.by_ref() {
            events.extend(received.try_iter());
            match item {
                Ok(ReadRecords { outcomes, start }) => {
                    assert!(!outcomes.is_empty());
                    let is_told = |event: &Event| matches!(event, Event::UnitRead { .. });
                    let is_first = start.input == 0 && start.from.disk_bytes() == 0;
                    assert!(
                        !(read.is_empty() && is_first && events.iter().any(is_told)),
                        "nothing has been taken yet"
                    );
                    let places = (0..).map(|n| start.advanced(n));
                    read.extend(outcomes.into_iter().zip(places));
                }
                Err(failure) => error = Some(failure.in_full()),
            }
        }
        drop(records);
        events.extend(received.try_iter());
        Reading {
            records: read,
            error,
            events,
            n_bytes: server.join().unwrap(),
        }
    })
}
