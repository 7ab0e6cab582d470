//! The rows of an array of ours, with the ids beside it.

use super::{
    super::{
        card::{NPY_HEADER_BYTES, card_of},
        damaged,
        flat::{Ends, Flat, FlatRows, Ids, exactly},
        spool::BUFFER_BYTES,
        stored::{StoredColumn, StoredTable},
    },
    IDS, OFFSETS,
};
use crate::{
    file::{self, Card},
    job::{Form, OutputDtype, OutputFormat},
    sink::SinkError,
};
use std::{
    fs::File,
    io::{BufReader, Seek as _, SeekFrom},
    os::unix::fs::FileExt as _,
    path::Path,
};

/// As [`OpenStored`](super::super::stored::OpenStored).
pub(in super::super) fn open(path: &Path) -> Result<StoredTable, SinkError> {
    let card = card_of(path)?.ok_or_else(|| damaged(path, "what lay beside it is missing"))?;
    let opened = |path: &Path| {
        let file = file::open(path).map_err(|error| SinkError::io("read", path, error))?;
        Ok::<_, SinkError>(BufReader::with_capacity(BUFFER_BYTES, file))
    };
    let mut numbers = opened(path)?;
    let header = header(numbers.get_ref()).filter(|_| card.columns.len() == 1);
    let (dtype, width) = header.ok_or_else(|| damaged(path, "it is no array of ours"))?;
    let behind_header = |file: &mut BufReader<File>| {
        let sought = file.seek(SeekFrom::Start(NPY_HEADER_BYTES as u64));
        sought.map_err(|error| SinkError::io("read", path, error))
    };
    behind_header(&mut numbers)?;
    let beside = |ending: &str| -> Result<_, SinkError> {
        let mut sidecars = OutputFormat::Npy.sidecars(path, true).into_iter();
        let is_it = |path: &Path| path.to_string_lossy().ends_with(ending);
        let found = sidecars.find(|path| is_it(path) && card.of_beside(path).is_some());
        found.map(|path| opened(&path)).transpose()
    };
    let ids = beside(IDS)?.ok_or_else(|| damaged(path, "it has no ids"))?;
    let offsets = beside(OFFSETS)?;
    let form = match (&offsets, width) {
        (None, Some(width)) => Form::Vector(width),
        (Some(_), Some(width)) => Form::Vectors(width),
        (_, None) => Form::Square,
    };
    let ends = offsets.map(|mut offsets| {
        behind_header(&mut offsets)?;
        // The first row begins at 0.
        let zero: Result<[u8; 8], _> = exactly(&mut offsets);
        zero.map_err(|error| damaged(path, error))?;
        Ok::<_, SinkError>(Ends::new(Box::new(offsets), false))
    });
    let row_bytes = width.unwrap_or(1) * dtype.bytes();
    let Card { rows, columns, .. } = card;
    Ok(StoredTable {
        columns: columns
            .into_iter()
            .map(|name| StoredColumn { name, dtype, form })
            .collect(),
        has_sequences: false,
        rows: Box::new(FlatRows {
            n_left: rows,
            ids: Ids::Lines(Box::new(ids)),
            sequences: None,
            columns: vec![Flat::new(Box::new(numbers), row_bytes, ends.transpose()?)],
        }),
    })
}

/// The format of the numbers in an array, and how many are in a row of it, where it has rows of several.
fn header(file: &File) -> Option<(OutputDtype, Option<usize>)> {
    let mut header = [0; NPY_HEADER_BYTES];
    file.read_exact_at(&mut header, 0).ok()?;
    let text = String::from_utf8_lossy(&header);
    let (_, rest) = text.split_once("'descr': '")?;
    let dtype = match rest.get(..3)? {
        "<f4" => OutputDtype::F32,
        "<f2" => OutputDtype::F16,
        _ => return None,
    };
    let (shape, _) = rest.split_once("'shape': (")?.1.split_once(')')?;
    let (_, width) = shape.split_once(',')?;
    let width = match width.trim() {
        "" => None,
        width => Some(width.parse().ok()?),
    };
    Some((dtype, width))
}
