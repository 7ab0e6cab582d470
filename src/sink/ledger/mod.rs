//! The ledger: what of an output is on the disk for good, a line a commit.
//!
//! *Input*: entries, one after the other. *Output*: the [`History`] of an output, whatever ended its
//! makers. *Owns*: the lines and their sums, what is done about torn and damaged ones, which process may
//! write. *Never*: looks into parts, or believes a line that is not whole.

mod claim;
mod entry;
mod error;
mod file;
mod history;
mod line;
mod living;
mod owner;

pub(in crate::sink) use entry::now;
pub use entry::{Chain, Commit, End, Entry, Header, PartFile, ShardHeader, Stretch, VERSION};
pub use error::LedgerError;
pub use file::{Ledger, read, read_header, write};
pub use history::{Done, History};
pub use living::{Beat, LastWords, Living};
pub use owner::{Owner, look};

#[cfg(test)]
mod tests;
