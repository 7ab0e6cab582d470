//! What a run leaves behind for people.
//!
//! *Input*: the figures of a run, the file that it wrote. *Output*: text, and embeddings to look
//! into. *Owns*: how figures are worded. *Never*: prints.

mod embeddings;
mod memory;
mod summary;
mod table;

pub use embeddings::Embeddings;
pub use memory::peak_memory_bytes;
pub use summary::{GpuSummary, RunSummary};
