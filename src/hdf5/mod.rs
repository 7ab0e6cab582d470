//! HDF5 files: as much of the format as our outputs need, written as they come and read back.
//!
//! *Input*: numbers in their order, then what they are called. *Output*: a file that every HDF5 library reads, and
//! what is in one of ours. *Owns*: the structures of the format, the checksum of a file. *Never*: reads the files of
//! others, holds numbers in memory.
//!
//! It is the oldest form of the format (superblock 0, symbol tables, object headers of version 1), as every library
//! reads it. Numbers come first in a file; what describes them is written behind them at the end, when all names are
//! known, so that a file needs one pass. The sections that comments name are those of the *HDF5 File Format
//! Specification*, version 3.0.

mod btree;
mod chunks;
mod datatype;
mod describe;
mod finish;
mod global_heap;
mod group;
mod links;
mod local_heap;
mod message;
mod object_header;
mod put;
mod reader;
mod stream;
mod superblock;
mod texts;
mod writer;

#[cfg(test)]
mod tests;

pub use chunks::Chunks;
pub use datatype::Datatype;
pub use describe::{Attribute, Dataset, Value};
pub use global_heap::Place;
pub use links::Link;
pub use message::Layout;
pub use reader::{Object, ReadError, Reader};
pub use stream::Stream;
pub use texts::Texts;
pub use writer::Writer;

/// The attribute of the root with the checksum of the file.
pub const CHECKSUM: &str = "runner.content_blake3";

/// The attribute of the root that says what the columns of a file are: their names, and what they hold.
pub const COLUMNS: &str = "runner.layout";
