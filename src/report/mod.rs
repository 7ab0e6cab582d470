//! What a run leaves behind for people.
//!
//! *Input*: the figures of a run, the file that it wrote. *Output*: text, and embeddings to look
//! into. *Owns*: how figures are worded. *Never*: measures anything, or prints.

mod memory;
mod summary;

pub use memory::peak_memory_bytes;
pub use summary::RunSummary;
