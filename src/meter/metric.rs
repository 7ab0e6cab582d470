//! Everything that is measured while a run goes on, by name.

use super::Stage;

/// A number that is measured while a run goes on. Rates and shares are those of an interval, counts
/// are those since the run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table below says what each one is")]
pub enum Metric {
    Seconds,
    Records,
    Rejected,
    Residues,
    Batches,
    Sequences,
    Tokens,
    RecordsPerSec,
    SequencesPerSec,
    TokensPerSec,
    PackingFill,
    Tflops,
    Mfu,
    EncoderIdle,
    WaitMs,
    ReadingWorking,
    ReadingStarved,
    ReadingBlocked,
    PackingWorking,
    PackingStarved,
    PackingBlocked,
    EncodingWorking,
    EncodingStarved,
    EncodingBlocked,
    CollectingWorking,
    CollectingStarved,
    CollectingBlocked,
    WritingWorking,
    WritingStarved,
    WritingBlocked,
    BatchesQueued,
    BatchesInFlight,
    RowsQueued,
    GpuUtilization,
    GpuMemoryBytes,
    GpuPowerWatts,
    GpuPowerLimitWatts,
    GpuEnergyJoules,
    GpuTemperatureCelsius,
    GpuSmClockMhz,
    GpuMemoryClockMhz,
    GpuPcieRxBytesPerSec,
    GpuPcieTxBytesPerSec,
    GpuThrottled,
    MemoryBytes,
    ReadersMemoryBytes,
    LargestReaderMemoryBytes,
    CpuCores,
    ReadersCpuCores,
    OpenFiles,
}

/// What a metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Whole things.
    Count,
    /// From 0 to 1.
    Share,
    /// Anything else, as its name says.
    Number,
}

/// What becomes of a metric when two intervals are seen as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// The later value: counts since the run began.
    Last,
    /// The mean over time.
    Mean,
    /// The larger value.
    Max,
}

/// Whose a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The run's alone.
    Run,
    /// The run's, and of each lane as far as the lane is concerned.
    Lane,
    /// Of the GPU of each lane. The run's is made of these.
    Gpu(Together),
    /// The run's, of processes rather than of the pipeline.
    Host,
}

/// How the figures of several GPUs become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Together {
    /// The sum, if all of them are known: the sum of some is not the sum.
    Sum,
    /// The mean of those that are known.
    Mean,
    /// The largest one.
    Most,
}

/// A metric's name, unit, merge, scope and meaning.
type Definition = (Metric, &'static str, Unit, Merge, Scope, &'static str);

use Merge::{Last, Max, Mean};
use Scope::{Gpu, Host, Lane, Run};
use Unit::{Count, Number, Share};

const ADDED: Scope = Gpu(Together::Sum);
const AVERAGED: Scope = Gpu(Together::Mean);
const LARGEST: Scope = Gpu(Together::Most);

#[rustfmt::skip]
const TABLE: [Definition; Metric::COUNT] = [
    (Metric::Seconds, "seconds", Number, Last, Lane, "since the run began"),
    (Metric::Records, "records", Count, Last, Run, "records read"),
    (Metric::Rejected, "rejected", Count, Last, Run, "records that a policy rejected"),
    (Metric::Residues, "residues", Count, Last, Run, "residues of the records that go on to be embedded"),
    (Metric::Batches, "batches", Count, Last, Lane, "batches embedded"),
    (Metric::Sequences, "sequences", Count, Last, Lane, "sequences embedded"),
    (Metric::Tokens, "tokens", Count, Last, Lane, "tokens embedded, BOS and EOS included"),
    (Metric::RecordsPerSec, "records_per_sec", Number, Mean, Run, "records read per second"),
    (Metric::SequencesPerSec, "sequences_per_sec", Number, Mean, Lane, "sequences embedded per second"),
    (Metric::TokensPerSec, "tokens_per_sec", Number, Mean, Lane, "tokens embedded per second"),
    (Metric::PackingFill, "packing_fill", Share, Last, Lane, "tokens over token budget, over all batches so far"),
    (Metric::Tflops, "tflops", Number, Mean, Lane, "useful TFLOP per second, on a GPU by its own clock"),
    (Metric::Mfu, "mfu", Share, Mean, Lane, "useful FLOP over what the GPU's dense peak in the number format would do"),
    (Metric::EncoderIdle, "encoder_idle", Share, Mean, Lane, "time without anything to compute; on a GPU by its own clock, between batches"),
    (Metric::WaitMs, "wait_ms", Number, Mean, Lane, "mean wait of the encoding stage for a batch, in milliseconds"),
    (Metric::ReadingWorking, "reading_working", Share, Mean, Run, "of the readers' time: they read"),
    (Metric::ReadingStarved, "reading_starved", Share, Mean, Run, "they have no work unit"),
    (Metric::ReadingBlocked, "reading_blocked", Share, Mean, Run, "they wait for packing to take their records"),
    (Metric::PackingWorking, "packing_working", Share, Mean, Run, "of the packing stage's time: it tokenises and packs"),
    (Metric::PackingStarved, "packing_starved", Share, Mean, Run, "it waits for records"),
    (Metric::PackingBlocked, "packing_blocked", Share, Mean, Run, "it waits for room in the queue of batches"),
    (Metric::EncodingWorking, "encoding_working", Share, Mean, Lane, "of the encoding stage's time: it gives work to the GPU, or computes on the CPU"),
    (Metric::EncodingStarved, "encoding_starved", Share, Mean, Lane, "it waits for batches"),
    (Metric::EncodingBlocked, "encoding_blocked", Share, Mean, Lane, "it waits for batches in flight to come back"),
    (Metric::CollectingWorking, "collecting_working", Share, Mean, Lane, "of the collecting stage's time: it checks embeddings"),
    (Metric::CollectingStarved, "collecting_starved", Share, Mean, Lane, "it waits for embeddings"),
    (Metric::CollectingBlocked, "collecting_blocked", Share, Mean, Lane, "it waits for the writing stage"),
    (Metric::WritingWorking, "writing_working", Share, Mean, Run, "of the writing stage's time: it sorts and writes rows"),
    (Metric::WritingStarved, "writing_starved", Share, Mean, Run, "it waits for rows"),
    (Metric::WritingBlocked, "writing_blocked", Share, Mean, Run, "always 0: nothing comes after it"),
    (Metric::BatchesQueued, "batches_queued", Number, Mean, Run, "packed batches that wait for the encoding stage"),
    (Metric::BatchesInFlight, "batches_in_flight", Number, Mean, Lane, "batches given to the encoder that have not come back"),
    (Metric::RowsQueued, "rows_queued", Number, Mean, Run, "batches of rows that wait for the writing stage"),
    (Metric::GpuUtilization, "gpu_utilization", Share, Mean, AVERAGED, "NVML: time during which any kernel ran"),
    (Metric::GpuMemoryBytes, "gpu_memory_bytes", Count, Max, LARGEST, "NVML: memory in use on the GPU, by all programs"),
    (Metric::GpuPowerWatts, "gpu_power_watts", Number, Mean, ADDED, "NVML"),
    (Metric::GpuPowerLimitWatts, "gpu_power_limit_watts", Number, Last, ADDED, "NVML: the power that the GPU may take at most"),
    (Metric::GpuEnergyJoules, "gpu_energy_joules", Number, Last, ADDED, "NVML: energy since the run began, by the GPU's own counter or else added up from its power"),
    (Metric::GpuTemperatureCelsius, "gpu_temperature_celsius", Number, Max, LARGEST, "NVML"),
    (Metric::GpuSmClockMhz, "gpu_sm_clock_mhz", Number, Mean, AVERAGED, "NVML: clock of the multiprocessors"),
    (Metric::GpuMemoryClockMhz, "gpu_memory_clock_mhz", Number, Mean, AVERAGED, "NVML: clock of the memory"),
    (Metric::GpuPcieRxBytesPerSec, "gpu_pcie_rx_bytes_per_sec", Number, Mean, ADDED, "NVML: bytes per second to the GPU"),
    (Metric::GpuPcieTxBytesPerSec, "gpu_pcie_tx_bytes_per_sec", Number, Mean, ADDED, "NVML: bytes per second from the GPU"),
    (Metric::GpuThrottled, "gpu_throttled", Share, Mean, AVERAGED, "NVML: 1 while a limit (power, heat) holds the clock down"),
    (Metric::MemoryBytes, "memory_bytes", Count, Max, Host, "resident memory of the program, without readers"),
    (Metric::ReadersMemoryBytes, "readers_memory_bytes", Count, Max, Host, "resident memory of all readers"),
    (Metric::LargestReaderMemoryBytes, "largest_reader_memory_bytes", Count, Max, Host, "resident memory of the reader that has most"),
    (Metric::CpuCores, "cpu_cores", Number, Mean, Host, "CPU seconds per second of the program, without readers"),
    (Metric::ReadersCpuCores, "readers_cpu_cores", Number, Mean, Host, "CPU seconds per second of all readers"),
    (Metric::OpenFiles, "open_files", Count, Max, Host, "open files of the program"),
];

impl Metric {
    /// How many there are.
    pub const COUNT: usize = Self::OpenFiles as usize + 1;

    /// All of them, in the order of columns.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        TABLE.iter().map(|definition| definition.0)
    }

    /// Its name in scripts and files.
    pub fn name(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// What it counts.
    pub fn unit(self) -> Unit {
        TABLE[self as usize].2
    }

    /// What becomes of it when two intervals are seen as one.
    pub fn merge(self) -> Merge {
        TABLE[self as usize].3
    }

    /// Whose it is.
    pub fn scope(self) -> Scope {
        TABLE[self as usize].4
    }

    /// What it means, in a few words.
    pub fn meaning(self) -> &'static str {
        TABLE[self as usize].5
    }

    /// The shares of a stage's time: it works, it waits for input, it waits for room.
    pub fn shares_of(stage: Stage) -> [Self; 3] {
        use Metric::*;
        match stage {
            Stage::Reading => [ReadingWorking, ReadingStarved, ReadingBlocked],
            Stage::Packing => [PackingWorking, PackingStarved, PackingBlocked],
            Stage::Encoding => [EncodingWorking, EncodingStarved, EncodingBlocked],
            Stage::Collecting => [CollectingWorking, CollectingStarved, CollectingBlocked],
            Stage::Writing => [WritingWorking, WritingStarved, WritingBlocked],
        }
    }

    /// Whether each lane has one of its own.
    pub fn is_of_lane(self) -> bool {
        matches!(self.scope(), Lane | Gpu(_))
    }

    /// Whether it is of GPUs or of processes, rather than of the pipeline.
    pub fn is_of_machine(self) -> bool {
        matches!(self.scope(), Gpu(_) | Host)
    }

    /// A value as it stands in files.
    pub fn text(self, value: f64) -> String {
        match self.unit() {
            Unit::Count => format!("{value:.0}"),
            Unit::Share => format!("{value:.4}"),
            Unit::Number => format!("{value:.3}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_is_in_the_order_of_the_metrics() {
        let mut names = BTreeSet::new();
        for (place, (metric, name, ..)) in TABLE.iter().enumerate() {
            assert_eq!(*metric as usize, place, "{name}");
            assert!(names.insert(name), "{name} stands twice");
        }
    }
}
