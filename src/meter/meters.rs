//! The meters of a run, which its stages turn and anyone reads.

use super::{FlowMeter, Stage, StageClock, StageTime};
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

/// The meters of a run, shared by its stages and whoever watches them.
pub struct Meters {
    start: Instant,
    /// A clock a reader, then one for each other stage in flow order.
    readers: Vec<StageClock>,
    /// The process id of each reader, 0 before it has started.
    reader_pids: Vec<AtomicU32>,
    stages: [StageClock; 4],
    counts: Mutex<Counts>,
    queues: QueueMeters,
}

/// The queues between stages.
#[derive(Clone, Debug, Default)]
pub struct QueueMeters {
    /// Packed batches.
    pub batches: FlowMeter,
    /// Batches of rows.
    pub rows: FlowMeter,
}

/// What waits between stages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueDepths {
    /// Packed batches.
    pub batches: u64,
    /// Batches that were given to the model and have not come back.
    pub in_flight: u64,
    /// Batches of rows.
    pub rows: u64,
}

/// What went through the stages since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Records read.
    pub records: u64,
    /// Records that a policy rejected.
    pub rejected: u64,
    /// Residues of the records that go on to be embedded.
    pub residues: u64,
    /// Batches given to the model.
    pub submitted: u64,
    /// Batches embedded.
    pub batches: u64,
    /// Sequences embedded.
    pub sequences: u64,
    /// Tokens embedded.
    pub tokens: u64,
    /// Useful floating-point operations.
    pub flops: f64,
    /// Seconds that the encoder computed, by the device's own clock where it has one.
    pub compute_seconds: f64,
    /// Seconds that a GPU had nothing to compute, by its own clock, between the first batch and the
    /// last. 0 on the CPU.
    pub idle_seconds: f64,
    /// Seconds that the encoding stage spent on closures of the script.
    pub closure_seconds: f64,
}

/// All meters at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Seconds since the run began.
    pub seconds: f64,
    /// What went through.
    pub counts: Counts,
    /// Where the time of each stage went, in flow order. Readers are added up.
    pub stages: [StageTime; 5],
    /// What waits.
    pub depths: QueueDepths,
}

impl Meters {
    /// Meters of a run with so many readers, at zero. `clock` makes the clock of a stage; readers
    /// have numbers.
    pub fn new(
        start: Instant,
        n_readers: usize,
        queues: QueueMeters,
        clock: impl Fn(Stage, usize) -> StageClock,
    ) -> Self {
        Self {
            start,
            readers: (0..n_readers)
                .map(|reader| clock(Stage::Reading, reader))
                .collect(),
            reader_pids: (0..n_readers).map(|_| AtomicU32::new(0)).collect(),
            stages: [
                Stage::Packing,
                Stage::Encoding,
                Stage::Collecting,
                Stage::Writing,
            ]
            .map(|stage| clock(stage, 0)),
            counts: Mutex::default(),
            queues,
        }
    }

    /// The clocks of the readers, by number.
    pub fn readers(&self) -> &[StageClock] {
        &self.readers
    }

    /// The reader with this number is the process `pid`.
    pub fn note_reader(&self, reader: usize, pid: u32) {
        if let Some(place) = self.reader_pids.get(reader) {
            place.store(pid, Ordering::Relaxed);
        }
    }

    /// The process ids of the readers that have started.
    pub fn reader_pids(&self) -> Vec<u32> {
        let pids = self.reader_pids.iter();
        let pids = pids.map(|pid| pid.load(Ordering::Relaxed));
        pids.filter(|&pid| pid != 0).collect()
    }

    /// The clock of a stage that is one thread.
    ///
    /// # Panics
    /// For [`Stage::Reading`], which has a clock a reader.
    pub fn clock(&self, stage: Stage) -> &StageClock {
        assert!(stage != Stage::Reading, "each reader has its own clock");
        &self.stages[stage as usize - 1]
    }

    /// Adds what went through a stage.
    pub fn count(&self, add: impl FnOnce(&mut Counts)) {
        add(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All meters at this moment.
    pub fn read(&self) -> Reading {
        let readers = self.readers.iter().map(StageClock::time);
        let readers = readers.fold(StageTime::default(), |sum, time| sum + time);
        let [packing, encoding, collecting, writing] = self.stages.each_ref().map(StageClock::time);
        let counts = *self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        Reading {
            seconds: self.start.elapsed().as_secs_f64(),
            counts,
            stages: [readers, packing, encoding, collecting, writing],
            depths: QueueDepths {
                batches: self.queues.batches.depth(),
                in_flight: counts.submitted.saturating_sub(counts.batches),
                rows: self.queues.rows.depth(),
            },
        }
    }
}

impl Reading {
    /// Where the time of a stage went.
    pub fn stage(&self, stage: Stage) -> StageTime {
        self.stages[stage as usize]
    }

    /// What happened between `earlier` and this reading. Depths are those of this one.
    pub fn since(&self, earlier: &Self) -> Self {
        let (now, then) = (&self.counts, &earlier.counts);
        Self {
            seconds: self.seconds - earlier.seconds,
            counts: Counts {
                records: now.records - then.records,
                rejected: now.rejected - then.rejected,
                residues: now.residues - then.residues,
                submitted: now.submitted - then.submitted,
                batches: now.batches - then.batches,
                sequences: now.sequences - then.sequences,
                tokens: now.tokens - then.tokens,
                flops: now.flops - then.flops,
                compute_seconds: now.compute_seconds - then.compute_seconds,
                idle_seconds: now.idle_seconds - then.idle_seconds,
                closure_seconds: now.closure_seconds - then.closure_seconds,
            },
            stages: std::array::from_fn(|n| self.stages[n] - earlier.stages[n]),
            depths: self.depths,
        }
    }
}
