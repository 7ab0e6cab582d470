//! Reader subprocesses: they read FASTA, so that this process can compute.
//!
//! *Input*: files and a record policy. *Output*: outcomes in input order, whatever the number of
//! readers. *Owns*: the subprocesses, what is said between them and this process, supervision.
//! *Never*: loads a model, a tokeniser or CUDA.
//!
//! A read ends early in one of two ways. The run asks: its `CancelToken` tells that the user stopped it,
//! which is an error, and its `Abandonment` that another stage failed, which is an end like that of the
//! input. [`Records`] looks at both whenever it waits. Then, or when it is dropped, it tells the slots
//! what it was told: its `abandon` guard cancels the `abandoned` token of this one read, and each slot
//! kills the reader that is in the middle of a unit.
//!
//! [`run`] is the subprocess. [`Pool`] is its counterpart: it hands out work units one by one, each
//! with a bounded queue of its own for the answers, and [`Records`] empties the queues in order.

mod child;
mod complaints;
mod driver;
mod error;
mod frame;
mod gpu;
mod input_progress;
mod pool;
mod process;
mod protocol;
mod read_records;
mod records;
mod request;
mod slot;

pub use child::run;
pub use error::ReaderError;
pub use gpu::GpuView;
pub use pool::Pool;
pub use read_records::ReadRecords;
pub use records::Records;
pub use request::ReadRequest;

/// The hidden subcommand that makes this program a reader.
pub const SUBCOMMAND: &str = "__reader";

/// Names the program that is started as a reader, instead of this one. It gets the same arguments,
/// and usually ends with executing the real one: `exec valgrind runner "$@"`.
pub const PROGRAM_VARIABLE: &str = "RUNNER_READER";
