//! Embeddings read back, to look into them.
//!
//! *Input*: a file or a folder of parts that `embed` wrote. *Output*: its vectors in memory, and who is near to whom. *Owns*:
//! which reader takes which format. *Never*: writes.

mod arrow;
mod column;
mod contacts;
mod embed;
mod error;
mod folder;
mod hdf5;
mod hdf5_file;
mod logits;
mod npy;
mod opened;
mod parquet;
mod read;
mod safetensors;
mod table;

#[cfg(test)]
mod tests;

pub use column::check_columns;
pub use contacts::{ContactPair, ContactRows, SequenceContacts};
pub use error::EmbeddingsError;
pub use logits::LogitRows;
pub use table::Embeddings;
