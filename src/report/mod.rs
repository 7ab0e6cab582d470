//! What a run leaves behind for people.

mod memory;
mod summary;

pub use memory::peak_memory_bytes;
pub use summary::RunSummary;
