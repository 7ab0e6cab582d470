//! What a run leaves behind for people.
//!
//! *Input*: the figures of a run, the file that it wrote. *Output*: text, and embeddings to look
//! into. *Owns*: how figures are worded. *Never*: measures anything, or prints.

mod embeddings;
mod summary;
mod table;

pub use embeddings::Embeddings;
pub use summary::RunSummary;
