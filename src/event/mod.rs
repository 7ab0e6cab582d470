//! What the stations tell the outside: one event type, one consumer.
//!
//! Stations never print. They send events; `progress` shows them as bars, as plain lines or as
//! JSON lines.

mod channel;

use crate::meter::{Bottleneck, Sample};
use serde::Serialize;
use std::path::PathBuf;

pub use channel::{EventReceiver, EventSender, Heard};

/// Something that happened during a run.
///
/// Counts are increments since the last event of the same kind, so that a consumer only adds: one that is
/// slow gets fewer events with larger increments.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The process is one of several that share the work. It is told before all else.
    Shard {
        /// Which one, as `3/16`.
        shard: String,
        /// What says so, for people.
        by: String,
    },
    /// Files of a model of the Hugging Face Hub are downloaded, or looked for in the cache.
    DownloadStarted {
        /// The model: its id, and the revision that was asked for.
        model: String,
        /// The commit.
        commit: String,
        /// Files that are to come.
        files: usize,
        /// Bytes of them.
        bytes: u64,
    },
    /// How far a download is by now: no increment.
    Download {
        /// The model.
        model: String,
        /// The file at hand.
        file: String,
        /// How much of it is there.
        file_bytes: u64,
        /// Its size.
        file_of: u64,
        /// How much of all files of the model that are needed is there.
        bytes: u64,
        /// Their size.
        of: u64,
    },
    /// Nothing comes for now: another process downloads the same file, or it is tried again in a moment.
    DownloadWaiting {
        /// The model.
        model: String,
        /// The file at hand.
        file: String,
        /// Why.
        reason: String,
    },
    /// The download ended, well or not. What has come stays, for the next one.
    DownloadFinished {
        /// The model.
        model: String,
        /// The folder with its files, if all are there.
        folder: Option<PathBuf>,
        /// Wall-clock seconds.
        seconds: f64,
        /// The error, for a download that failed.
        error: Option<String>,
        /// Whether it failed because it was told to stop.
        stopped: bool,
    },
    /// How far a model is that is compared with itself by now: no increment.
    Comparing {
        /// Which of the two: its number format and its device, for people.
        model: String,
        /// Sequences that it has seen: proteins, and copies of them with a mask.
        sequences: usize,
        /// How many there are.
        of: usize,
    },
    /// A call of `embed` begins.
    RunStarted {
        /// What is embedded, for people: the sources as the script wrote them.
        inputs: String,
        /// The model, for people.
        model: String,
        /// Where the model runs, for people.
        device: String,
        /// The device of each lane, in a word.
        lanes: Vec<String>,
        /// Bytes of all input files as they are on disk, or of the shard of them, unknown for standard input.
        input_bytes: Option<u64>,
        /// Which part of the records is embedded, as `3/16`, if it is not all of them.
        shard: Option<String>,
        /// Reader subprocesses in use.
        readers: usize,
        /// Tokens that a batch may hold.
        token_budget: usize,
        /// Records that are read at most, where the script says so.
        take: Option<u64>,
        /// Sequences that the model is to see, where they were counted before; of a shard about so many.
        sequences: Option<u64>,
        /// Tokens of them.
        tokens: Option<u64>,
    },
    /// The run goes on with an output that was begun before.
    Resumed {
        /// Records that are done.
        records: u64,
        /// Rows of them.
        rows: u64,
        /// Whether the output is finished, so that nothing is computed.
        finished: bool,
    },
    /// A reader subprocess passed its handshake.
    ReaderStarted {
        /// The reader's number, from 0.
        reader: usize,
        /// Its process id.
        pid: u32,
    },
    /// A reader died, hung or sent garbage; it is replaced and its unit is read again.
    ReaderFailed {
        /// The reader's number, from 0.
        reader: usize,
        /// What went wrong, and with which unit.
        reason: String,
    },
    /// Records came out of the readers, in input order.
    RecordsRead {
        /// Records, the rejected ones included.
        records: u64,
        /// Residues of the records that go on to be embedded.
        residues: u64,
        /// Records that a policy rejected.
        rejected: u64,
        /// Records of which only the first residues go on to be embedded.
        truncated: u64,
    },
    /// A part of a work unit was read, in input order.
    UnitRead {
        /// Bytes of the input file on disk that the part took.
        input_bytes: u64,
    },
    /// A part of the input is not embedded, because it was before: it is not read, or it is read again only to
    /// come to what follows.
    InputSkipped {
        /// Bytes of the input files on disk that the part takes.
        input_bytes: u64,
    },
    /// An input that can be entered only at its beginning is read again, to come to what follows.
    SkippingRecords {
        /// The input, for people.
        input: String,
        /// Its first records, which are not embedded.
        records: u64,
    },
    /// An input that can be entered only at its beginning is read from there, to come to the shard.
    SkippingBytes {
        /// The input, for people.
        input: String,
        /// Its first bytes on disk, whose records other shards embed.
        input_bytes: u64,
    },
    /// The packer closed a batch.
    BatchPacked {
        /// Sequences in the batch.
        sequences: u64,
        /// Tokens in the batch.
        tokens: u64,
        /// Batches waiting for the encoder, this one included.
        queued: usize,
    },
    /// The encoder finished a batch.
    BatchEncoded {
        /// Sequences in the batch.
        sequences: u64,
        /// Tokens in the batch.
        tokens: u64,
        /// Seconds that the encoder worked on it.
        seconds: f64,
        /// Seconds that the encoder had waited for it.
        waited_seconds: f64,
    },
    /// Embeddings were handed to the output, or counted where there is none.
    RowsWritten {
        /// Rows.
        rows: u64,
    },
    /// What happened since the sample before, and what the GPU and the processes do.
    Sample {
        /// Every metric by name.
        #[serde(flatten)]
        sample: Box<Sample>,
    },
    /// The device of a lane failed. Where others are left, a warning says how the run goes on.
    LaneFailed {
        /// The lane's number: that of its device among those of the model, from 0.
        lane: usize,
        /// Its device, in a word.
        device: String,
        /// Batches that it had, which go to the others if there are any left.
        batches: u64,
        /// Why it failed.
        reason: String,
    },
    /// Something holds the run back.
    Bottleneck {
        /// What it is.
        #[serde(flatten)]
        bottleneck: Bottleneck,
    },
    /// Something that the user should know and that does not stop the run.
    Warning {
        /// One sentence without a final dot.
        message: String,
    },
    /// The call of `embed` ended, well or not.
    RunFinished {
        /// Sequences embedded.
        sequences: u64,
        /// Tokens embedded.
        tokens: u64,
        /// Wall-clock seconds.
        seconds: f64,
        /// The output file, if the run has one and published it.
        output: Option<PathBuf>,
        /// The error, for a run that failed.
        error: Option<String>,
        /// Whether the run failed because it was told to stop.
        stopped: bool,
        /// What is kept of an output that is not finished.
        kept: Option<Kept>,
    },
}

/// What is kept of an output that is not finished, for a run that goes on with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Its rows.
    pub rows: u64,
    /// The folder in which they lie.
    pub folder: PathBuf,
}
