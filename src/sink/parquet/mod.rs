//! Parquet: a row a sequence, a column of vectors a layer.
//!
//! The columns are `id`, `description` (strings), `length` (residues before truncation, u32),
//! `truncated` (bool), and a fixed-size list of `f32` for each layer: `embedding` if there is one layer,
//! else `embedding_<layer>`. The metadata says how the file came about, and has the checksum of its data.

mod check;
mod encoders;
mod entries;
mod file;
mod footer;
mod group;
mod page_header;
mod part;
mod pieces;
mod plain;
mod plain_reader;
mod row_group;
mod rows;
mod rows_writer;
mod shorten;
mod slot;
mod stitch;
mod table;

#[cfg(test)]
pub(super) mod tests;

pub(super) use check::check;
pub(super) use file::read_metadata;
pub(super) use part::part_writer;
pub(super) use rows::{RowsOfFile, schema_of};
pub(super) use stitch::stitcher;
pub(super) use table::begin as begin_table;
