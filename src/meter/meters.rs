//! The meters of a run, which its stages turn and anyone reads.

use super::{
    Counts, FlowMeter, LaneMeters, LaneReading, QueueDepths, Reading, Stage, StageClock, StageTime,
};
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
    /// A clock a reader.
    readers: Vec<StageClock>,
    /// The process id of each reader, 0 before it has started.
    reader_pids: Vec<AtomicU32>,
    packing: StageClock,
    lanes: Vec<LaneMeters>,
    writing: StageClock,
    /// What the lanes share.
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

impl Meters {
    /// Meters of a run with so many readers and lanes, at zero. `clock` makes the clock of a stage;
    /// readers and lanes have numbers.
    pub fn new(
        start: Instant,
        n_readers: usize,
        n_lanes: usize,
        queues: QueueMeters,
        clock: impl Fn(Stage, usize) -> StageClock,
    ) -> Self {
        let lane =
            |lane| LaneMeters::new(clock(Stage::Encoding, lane), clock(Stage::Collecting, lane));
        Self {
            start,
            readers: (0..n_readers)
                .map(|reader| clock(Stage::Reading, reader))
                .collect(),
            reader_pids: (0..n_readers).map(|_| AtomicU32::new(0)).collect(),
            packing: clock(Stage::Packing, 0),
            lanes: (0..n_lanes).map(lane).collect(),
            writing: clock(Stage::Writing, 0),
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

    /// The clock of the packing stage.
    pub fn packing(&self) -> &StageClock {
        &self.packing
    }

    /// The meters of the lane with this number.
    ///
    /// # Panics
    /// If there are not so many lanes.
    pub fn lane(&self, lane: usize) -> &LaneMeters {
        &self.lanes[lane]
    }

    /// The clock of the writing stage.
    pub fn writing(&self) -> &StageClock {
        &self.writing
    }

    /// Adds what went through the stages that lanes share.
    pub fn count(&self, add: impl FnOnce(&mut Counts)) {
        add(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All meters at this moment.
    pub fn read(&self) -> Reading {
        let now = Instant::now();
        let lanes: Vec<LaneReading> = self.lanes.iter().map(|lane| lane.read(now)).collect();
        let all = (lanes.iter()).fold(LaneReading::default(), |sum, lane| sum + *lane);
        let shared = *self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        Reading {
            seconds: now.saturating_duration_since(self.start).as_secs_f64(),
            counts: shared + all.counts,
            begun: all.begun,
            stages: [
                self.readers
                    .iter()
                    .map(StageClock::time)
                    .fold(StageTime::default(), |a, b| a + b),
                self.packing.time(),
                all.encoding,
                all.collecting,
                self.writing.time(),
            ],
            depths: QueueDepths {
                batches: self.queues.batches.depth(),
                in_flight: all.in_flight,
                rows: self.queues.rows.depth(),
            },
            lanes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::{Activity, BatchDone};
    use std::time::Duration;

    #[test]
    fn lanes_and_what_they_share_add_up() {
        let start = Instant::now();
        let meters = Meters::new(start, 1, 2, QueueMeters::default(), |_, _| {
            StageClock::default()
        });
        let before = meters.read();
        meters.count(|counts| counts.records = 30);
        for (lane, n_batches) in [(0, 1), (1, 3)] {
            let lane = meters.lane(lane);
            lane.encoding.switch(Activity::Working);
            lane.note_submitted(5, 100, start);
            for _ in 0..n_batches {
                lane.note_submitted(5, 100, start);
                let end = start + Duration::from_millis(10);
                let batch = BatchDone {
                    sequences: 5,
                    tokens: 100,
                    flops: 1.0,
                    idle_seconds: 0.0,
                    start,
                    end,
                };
                lane.note_done(&batch, end);
            }
            std::thread::sleep(Duration::from_millis(2));
            lane.encoding.stop();
        }
        let reading = meters.read();
        let since = reading.since(&before);
        assert_eq!((since.counts.records, since.counts.tokens), (30, 400));
        assert_eq!(since.depths.in_flight, 2);
        let tokens: Vec<_> = since.lanes.iter().map(|lane| lane.counts.tokens).collect();
        assert_eq!(tokens, [100, 300]);
        let encoding: f64 = since.lanes.iter().map(|lane| lane.encoding.working).sum();
        assert!(encoding >= 0.004);
        assert_eq!(since.stage(Stage::Encoding).working, encoding);
    }
}
