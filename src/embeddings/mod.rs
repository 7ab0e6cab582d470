//! Embeddings read back, to look into them.
//!
//! *Input*: a file that `embed` wrote. *Output*: its vectors in memory, and who is near to whom. *Owns*:
//! which reader takes which format. *Never*: writes.

mod error;
mod parquet;
mod read;
mod table;

#[cfg(test)]
mod tests;

pub use error::EmbeddingsError;
pub use table::Embeddings;
