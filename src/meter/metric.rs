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

/// A metric's name, unit, merge and meaning.
type Definition = (Metric, &'static str, Unit, Merge, &'static str);

use Merge::{Last, Max, Mean};
use Unit::{Count, Number, Share};

#[rustfmt::skip]
const TABLE: [Definition; Metric::COUNT] = [
    (Metric::Seconds, "seconds", Number, Last, "since the run began"),
    (Metric::Records, "records", Count, Last, "records read"),
    (Metric::Rejected, "rejected", Count, Last, "records that a policy rejected"),
    (Metric::Residues, "residues", Count, Last, "residues of the records that go on to be embedded"),
    (Metric::Batches, "batches", Count, Last, "batches embedded"),
    (Metric::Sequences, "sequences", Count, Last, "sequences embedded"),
    (Metric::Tokens, "tokens", Count, Last, "tokens embedded, BOS and EOS included"),
    (Metric::RecordsPerSec, "records_per_sec", Number, Mean, "records read per second"),
    (Metric::SequencesPerSec, "sequences_per_sec", Number, Mean, "sequences embedded per second"),
    (Metric::TokensPerSec, "tokens_per_sec", Number, Mean, "tokens embedded per second"),
    (Metric::PackingFill, "packing_fill", Share, Last, "tokens over token budget, over all batches so far"),
    (Metric::Tflops, "tflops", Number, Mean, "useful TFLOP per second, on a GPU by its own clock"),
    (Metric::Mfu, "mfu", Share, Mean, "useful FLOP over what the GPU's dense peak in the number format would do"),
    (Metric::EncoderIdle, "encoder_idle", Share, Mean, "time without anything to compute; on a GPU by its own clock, between batches"),
    (Metric::WaitMs, "wait_ms", Number, Mean, "mean wait of the encoding stage for a batch, in milliseconds"),
    (Metric::ReadingWorking, "reading_working", Share, Mean, "of the readers' time: they read"),
    (Metric::ReadingStarved, "reading_starved", Share, Mean, "they have no work unit"),
    (Metric::ReadingBlocked, "reading_blocked", Share, Mean, "they wait for packing to take their records"),
    (Metric::PackingWorking, "packing_working", Share, Mean, "of the packing stage's time: it tokenises and packs"),
    (Metric::PackingStarved, "packing_starved", Share, Mean, "it waits for records"),
    (Metric::PackingBlocked, "packing_blocked", Share, Mean, "it waits for room in the queue of batches"),
    (Metric::EncodingWorking, "encoding_working", Share, Mean, "of the encoding stage's time: it gives work to the GPU, or computes on the CPU"),
    (Metric::EncodingStarved, "encoding_starved", Share, Mean, "it waits for batches"),
    (Metric::EncodingBlocked, "encoding_blocked", Share, Mean, "it waits for batches in flight to come back"),
    (Metric::CollectingWorking, "collecting_working", Share, Mean, "of the collecting stage's time: it checks embeddings"),
    (Metric::CollectingStarved, "collecting_starved", Share, Mean, "it waits for embeddings"),
    (Metric::CollectingBlocked, "collecting_blocked", Share, Mean, "it waits for the writing stage"),
    (Metric::WritingWorking, "writing_working", Share, Mean, "of the writing stage's time: it sorts and writes rows"),
    (Metric::WritingStarved, "writing_starved", Share, Mean, "it waits for rows"),
    (Metric::WritingBlocked, "writing_blocked", Share, Mean, "always 0: nothing comes after it"),
    (Metric::BatchesQueued, "batches_queued", Number, Mean, "packed batches that wait for the encoding stage"),
    (Metric::BatchesInFlight, "batches_in_flight", Number, Mean, "batches given to the encoder that have not come back"),
    (Metric::RowsQueued, "rows_queued", Number, Mean, "batches of rows that wait for the writing stage"),
    (Metric::GpuUtilization, "gpu_utilization", Share, Mean, "NVML: time during which any kernel ran"),
    (Metric::GpuMemoryBytes, "gpu_memory_bytes", Count, Max, "NVML: memory in use on the GPU, by all programs"),
    (Metric::GpuPowerWatts, "gpu_power_watts", Number, Mean, "NVML"),
    (Metric::GpuTemperatureCelsius, "gpu_temperature_celsius", Number, Max, "NVML"),
    (Metric::GpuSmClockMhz, "gpu_sm_clock_mhz", Number, Mean, "NVML: clock of the multiprocessors"),
    (Metric::GpuMemoryClockMhz, "gpu_memory_clock_mhz", Number, Mean, "NVML: clock of the memory"),
    (Metric::GpuPcieRxBytesPerSec, "gpu_pcie_rx_bytes_per_sec", Number, Mean, "NVML: bytes per second to the GPU"),
    (Metric::GpuPcieTxBytesPerSec, "gpu_pcie_tx_bytes_per_sec", Number, Mean, "NVML: bytes per second from the GPU"),
    (Metric::GpuThrottled, "gpu_throttled", Share, Mean, "NVML: 1 while a limit (power, heat) holds the clock down"),
    (Metric::MemoryBytes, "memory_bytes", Count, Max, "resident memory of the program, without readers"),
    (Metric::ReadersMemoryBytes, "readers_memory_bytes", Count, Max, "resident memory of all readers"),
    (Metric::LargestReaderMemoryBytes, "largest_reader_memory_bytes", Count, Max, "resident memory of the reader that has most"),
    (Metric::CpuCores, "cpu_cores", Number, Mean, "CPU seconds per second of the program, without readers"),
    (Metric::ReadersCpuCores, "readers_cpu_cores", Number, Mean, "CPU seconds per second of all readers"),
    (Metric::OpenFiles, "open_files", Count, Max, "open files of the program"),
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

    /// What it means, in a few words.
    pub fn meaning(self) -> &'static str {
        TABLE[self as usize].4
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

    /// Those of a GPU, which each lane has its own of.
    pub fn of_gpu() -> impl Iterator<Item = Self> {
        let of_gpu = Self::GpuUtilization as usize..=Self::GpuThrottled as usize;
        Self::all().filter(move |metric| of_gpu.contains(&(*metric as usize)))
    }

    /// Whether it is of the GPU or of processes, rather than of the pipeline.
    pub fn is_of_machine(self) -> bool {
        self as usize >= Self::GpuUtilization as usize
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
