//! Parts, what is stitched of them, and what is found out about damaged ones.

use super::super::{
    HashedFile, Identity, More, OutputPlan, SinkError, Spare,
    format::{Checked, check, part_writer, read_metadata},
};
use super::file::ParquetFile;
use crate::{
    batch::{Ragged, Row, Rows, Values},
    hint::Hint,
    job::{Dtype, GeluForm, OutputFormat, OutputKind, OutputTarget, Pooling, Question},
};
use ::parquet::{
    arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder},
    basic::Encoding,
    file::metadata::ParquetMetaData,
};
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use std::{
    fs::{self, File},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

const LAYERS: [usize; 2] = [0, 6];
const HIDDEN_SIZE: usize = 24;

pub fn plan(path: &Path, layers: &[usize]) -> OutputPlan {
    OutputPlan {
        more: More::default(),
        target: OutputTarget {
            path: path.to_owned(),
            format: OutputFormat::Parquet,
            kind: OutputKind::File,
        },
        overwrite: false,
        resume: true,
        commit_every: Duration::ZERO,
        inputs: "in.fa".into(),
        question: Question::pooled(layers, Pooling::Mean),
        hidden_size: HIDDEN_SIZE,
        identity: Identity {
            model: "m".into(),
            weights_hash: "w".into(),
            dtype: Dtype::F32,
            gelu: GeluForm::Erf,
            device_kind: "cpu".into(),
            numerics: 1,
            format: OutputFormat::Parquet,
            options: Vec::new(),
            rules: Vec::new(),
        },
        shard: None,
    }
}

fn rows(indices: Range<u64>, layers: &[usize]) -> Rows {
    let mut rows = Rows::default();
    for index in indices {
        let value = |n: usize| ((index * 31 + n as u64 * 7) as f32).sin();
        let column = |layer: usize| {
            let positions = layer * HIDDEN_SIZE..(layer + 1) * HIDDEN_SIZE;
            Ragged {
                values: Values::F32(positions.map(value).collect()),
                offsets: vec![0, HIDDEN_SIZE],
            }
        };
        let columns: Vec<_> = (0..layers.len()).map(column).collect();
        let row = Row {
            index,
            id: format!("id{index}"),
            description: format!("number {index}"),
            length: index as u32,
            truncated: index % 2 == 0,
            piece: None,
            sequence: Vec::new(),
        };
        rows.push_from(row, &columns, 0);
    }
    rows
}

pub fn entries(entries: &[(&str, &str)]) -> Vec<(String, String)> {
    let entries = entries.iter();
    entries
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// The entries that every file has here.
pub fn version() -> Vec<(String, String)> {
    entries(&[("runner.version", "0.1.0"), ("runner.model", "m")])
}

/// A part with some rows, in pieces of five.
pub fn write_part(path: &Path, indices: Range<u64>, layers: &[usize]) {
    let file = HashedFile::new(File::create_new(path).unwrap());
    let mut part = part_writer(&plan(path, layers), file, &version(), &Spare::default()).unwrap();
    let mut from = indices.start;
    while from < indices.end {
        let to = indices.end.min(from + 5);
        part.write(rows(from..to, layers)).unwrap();
        from = to;
    }
    let file = part.finish(&[]).unwrap().file.unwrap();
    let written = fs::read(path).unwrap();
    assert_eq!(file.hash(), blake3::hash(&written).to_hex().as_str());
    drop(file);
}

/// Parts with rows from 0 on, so many each.
pub fn write_parts(folder: &Path, n_rows: &[u64], layers: &[usize]) -> Vec<PathBuf> {
    let mut from = 0;
    let write = |(n, n_rows): (usize, &u64)| {
        let path = folder.join(format!("part-{n:012}.parquet"));
        write_part(&path, from..from + n_rows, layers);
        from += n_rows;
        path
    };
    n_rows.iter().enumerate().map(write).collect()
}

/// Puts all parts into a file.
pub fn stitch(
    parts: &[PathBuf],
    to: HashedFile,
    metadata: &[(String, String)],
) -> Result<(), SinkError> {
    let mut stitcher = super::stitcher(to, &parts[0])?;
    for part in &parts[1..] {
        stitcher.append(part)?;
    }
    stitcher.finish(metadata)
}

fn stitched(
    parts: &[PathBuf],
    path: &Path,
    metadata: &[(String, String)],
) -> Result<(), SinkError> {
    let to = HashedFile::new(File::create(path).unwrap());
    stitch(parts, to, metadata)
}

fn metadata(path: &Path) -> ParquetMetaData {
    ParquetFile::open(path).unwrap().unwrap().metadata.unwrap()
}

/// All rows of a file as one batch.
fn read(path: &Path) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let schema = reader.schema().clone();
    let reader = reader.with_batch_size(1 << 20).build().unwrap();
    let mut batches: Vec<_> = reader.map(Result::unwrap).collect();
    assert!(batches.len() <= 1);
    batches.pop().unwrap_or(RecordBatch::new_empty(schema))
}

fn intact(rows: u64) -> Checked {
    Checked {
        rows,
        problems: Vec::new(),
    }
}

#[test]
fn parts_are_stitched_to_what_one_writer_would_have_written() {
    for layers in [&LAYERS[..], &[6]] {
        for n_rows in [
            &[40][..],
            &[1, 0, 22, 17],
            &[1; 40],
            &[0, 40],
            &[0],
            &[0; 3],
        ] {
            let folder = tempfile::tempdir().unwrap();
            let parts = write_parts(folder.path(), n_rows, layers);
            let n: u64 = n_rows.iter().sum();
            let at_once = folder.path().join("at_once");
            write_part(&at_once, 0..n, layers);
            let path = folder.path().join("stitched");
            stitched(&parts, &path, &version()).unwrap();
            assert_eq!(read(&path), read(&at_once));
            assert_eq!(read(&path).num_rows() as u64, n);
            for file in parts.iter().chain([&path, &at_once]) {
                assert!(check(file).unwrap().problems.is_empty());
            }
            assert_eq!(check(&path).unwrap(), intact(n));
            let (found, expected) = (metadata(&path), metadata(&at_once));
            let (found_file, expected_file) = (found.file_metadata(), expected.file_metadata());
            assert_eq!(found_file.schema_descr(), expected_file.schema_descr());
            assert_eq!(found_file.created_by(), expected_file.created_by());
            assert_eq!(found_file.version(), expected_file.version());
            let n_with_rows = n_rows.iter().filter(|n| **n > 0).count();
            assert_eq!(found.num_row_groups(), n_with_rows);
            if n_rows.len() == 1 {
                // Not with `assert_eq`, which would show every byte.
                assert!(fs::read(&path).unwrap() == fs::read(&at_once).unwrap());
            }
        }
    }
}

#[test]
fn columns_are_copied_with_all_that_is_known_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let parts = write_parts(folder.path(), &[7, 9], &LAYERS);
    let path = folder.path().join("stitched");
    stitched(&parts, &path, &version()).unwrap();
    let found = metadata(&path);
    for (n_group, part) in parts.iter().map(|part| metadata(part)).enumerate() {
        let (group, expected) = (found.row_group(n_group), part.row_group(0));
        assert_eq!(group.num_rows(), expected.num_rows());
        assert_eq!(group.total_byte_size(), expected.total_byte_size());
        for (n_column, (column, expected)) in
            group.columns().iter().zip(expected.columns()).enumerate()
        {
            assert_eq!(column.compression_codec(), expected.compression_codec());
            assert_eq!(column.encodings_mask(), expected.encodings_mask());
            assert_eq!(column.statistics(), expected.statistics());
            assert_eq!(column.compressed_size(), expected.compressed_size());
            let is_value = column.column_path().parts().len() > 1;
            let is_split = column
                .encodings()
                .any(|of| of == Encoding::BYTE_STREAM_SPLIT);
            assert_eq!(is_split, is_value);
            assert_eq!(column.statistics().is_some(), !is_value);
            let (indexes, of_part) = (found.page_index().unwrap(), part.page_index().unwrap());
            let pages = indexes.column_index(n_group, n_column);
            assert_eq!(pages, of_part.column_index(0, n_column));
            assert_eq!(pages.is_some(), !is_value);
            let pages = indexes.offset_index(n_group, n_column).unwrap();
            let expected_pages = of_part.offset_index(0, n_column).unwrap();
            let moved = column.data_page_offset() - expected.data_page_offset();
            let locations = pages
                .page_locations()
                .iter()
                .zip(expected_pages.page_locations());
            for (location, expected) in locations {
                assert_eq!(location.offset, expected.offset + moved);
                assert_eq!(location.compressed_page_size, expected.compressed_page_size);
            }
        }
    }
}

#[test]
fn a_stitched_file_says_what_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let parts = write_parts(folder.path(), &[3, 2], &LAYERS);
    let of_part = read_metadata(&parts[0]).unwrap().unwrap();
    let keys: Vec<_> = of_part.keys().map(String::as_str).collect();
    let expected = [
        "runner.checksums",
        "runner.content_blake3",
        "runner.content_bytes",
        "runner.footer_blake3",
        "runner.model",
        "runner.version",
    ];
    assert_eq!(keys, expected);
    let path = folder.path().join("stitched");
    let told = entries(&[("runner.version", "2"), ("runner.records", "9")]);
    stitched(&parts, &path, &told).unwrap();
    let mut found = read_metadata(&path).unwrap().unwrap();
    let n_bytes = found.remove("runner.content_bytes").unwrap();
    let content = &fs::read(&path).unwrap()[..n_bytes.parse().unwrap()];
    let hash = found.remove("runner.content_blake3").unwrap();
    assert_eq!(hash, blake3::hash(content).to_hex().as_str());
    // That of the footer is looked at bit by bit.
    for entry in ["runner.checksums", "runner.footer_blake3"] {
        assert!(found.remove(entry).is_some(), "{entry}");
    }
    assert_eq!(found, told.into_iter().collect());
    let writers = super::entries::of_writer(&metadata(&path));
    assert_eq!(writers, super::entries::of_writer(&metadata(&parts[0])));
    assert_eq!(writers[0].key, "ARROW:schema");
    assert_eq!(writers.len(), 1);
}

#[test]
fn damaged_and_odd_parts_are_not_stitched() {
    let folder = tempfile::tempdir().unwrap();
    let parts = write_parts(folder.path(), &[3, 2, 4], &LAYERS);
    let path = folder.path().join("stitched");
    let check = |parts: &[PathBuf], expect: &str| {
        let error = stitched(parts, &path, &version()).unwrap_err();
        assert!(error.to_string().contains(expect), "{error}");
    };
    let other = folder.path().join("other");
    write_part(&other, 0..3, &[6]);
    check(&[parts[0].clone(), other], "other` has other columns than");
    let bytes = fs::read(&parts[1]).unwrap();
    let mut flipped = bytes.clone();
    flipped[50] ^= 1;
    fs::write(&parts[1], flipped).unwrap();
    let expect = format!("`{}` is damaged: its data", parts[1].display());
    check(&parts, &expect);
    fs::write(&parts[1], &bytes[..bytes.len() - 9]).unwrap();
    check(&parts, "was cut short");
    fs::write(&parts[1], "").unwrap();
    check(&parts, "is not a Parquet file any more");
    fs::remove_file(&parts[1]).unwrap();
    check(&parts, "cannot read `");
}

#[test]
fn what_is_no_file_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    for contents in ["", "PAR", "id\tembedding\n", "{\"PAR1\": 1}"] {
        fs::write(&path, contents).unwrap();
        assert_eq!(read_metadata(&path).unwrap(), None, "{contents}");
        assert_eq!(check(&path).unwrap().problems, ["is not a Parquet file"]);
    }
    let column: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    let batch = RecordBatch::try_from_iter([("id", column)]).unwrap();
    let file = File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    assert_eq!(read_metadata(&path).unwrap(), None);
    assert_eq!(
        check(&path).unwrap().problems,
        ["was not written by runner"]
    );
    let missing = read_metadata(&folder.path().join("missing")).unwrap_err();
    assert!(
        missing.to_string().starts_with("cannot read `"),
        "{missing}"
    );
    let of_folder = check(folder.path()).unwrap_err();
    assert!(of_folder.to_string().ends_with("it is not a file"));
}

#[test]
fn a_cut_file_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    write_part(&path, 0..3, &[6]);
    let bytes = fs::read(&path).unwrap();
    for length in 4..bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        let error = read_metadata(&path).unwrap_err();
        assert!(error.to_string().contains("was cut short"), "{error}");
        assert!(error.hint().unwrap().contains("`overwrite: true`"));
        let problems = check(&path).unwrap().problems;
        assert!(problems[0].contains("was cut short"), "{problems:?}");
    }
}

/// The bytes of which `check` does not say it if a bit is another one.
fn undetected(path: &Path) -> Vec<usize> {
    let bytes = fs::read(path).unwrap();
    let is_undetected = |position: &usize| {
        let mut flipped = bytes.clone();
        flipped[*position] ^= 1 << (position % 8);
        fs::write(path, &flipped).unwrap();
        check(path).unwrap().problems.is_empty()
    };
    let undetected = (0..bytes.len()).filter(is_undetected).collect();
    fs::write(path, bytes).unwrap();
    undetected
}

#[test]
fn a_flipped_bit_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let parts = write_parts(folder.path(), &[3, 2], &[6]);
    let path = folder.path().join("stitched");
    stitched(&parts, &path, &version()).unwrap();
    // Those of the footer, too, in which the checksum is.
    assert_eq!(undetected(&path), [0; 0]);
}

#[test]
fn a_full_disk_is_named_as_such() {
    let full = || HashedFile::new(File::options().write(true).open("/dev/full").unwrap());
    let folder = tempfile::tempdir().unwrap();
    let check = |error: SinkError, expect: &str| {
        let text = error.to_string();
        assert!(text.contains(expect), "{text}");
        assert!(
            text.ends_with("No space left on device (os error 28)"),
            "{text}"
        );
        assert!(error.hint().unwrap().starts_with("free some space"));
    };
    let output = plan(Path::new("out.parquet"), &[6]);
    let part = part_writer(&output, full(), &version(), &Spare::default()).unwrap();
    check(
        part.finish(&[]).unwrap().file.unwrap_err(),
        "cannot write `out.parquet`",
    );
    let parts = write_parts(folder.path(), &[3, 2], &[6]);
    let error = stitch(&parts, full(), &version()).unwrap_err();
    let expect = format!("cannot stitch the parts in `{}`", folder.path().display());
    check(error, &expect);
}

#[test]
fn a_part_that_ends_earlier_is_one_that_never_had_more_rows() {
    let rows = |indices: Range<u64>| {
        let mut rows = rows(indices, &[6]);
        // A row group has four of them.
        (rows.meta.iter_mut()).for_each(|row| row.description = row.id.repeat(4 << 20));
        rows
    };
    let folder = tempfile::tempdir().unwrap();
    let begin = |name: &str| {
        let path = folder.path().join(name);
        let mut options = File::options();
        let file = options.read(true).write(true).create_new(true).open(&path);
        let file = file.unwrap();
        let written = HashedFile::new(file.try_clone().unwrap());
        let output = plan(Path::new("out.parquet"), &[6]);
        let part = part_writer(&output, written, &version(), &Spare::default()).unwrap();
        (path, file, part)
    };
    let (long, file, mut part) = begin("long");
    let mut in_file = Vec::new();
    for n in 0..12 {
        part.write(rows(n..n + 1)).unwrap();
        // Another thread writes.
        thread::sleep(Duration::from_millis(50));
        in_file.push(part.n_rows_in_file());
    }
    let group = in_file.iter().find(|n| **n > 0).copied().unwrap();
    assert!(in_file.contains(&(2 * group)), "{in_file:?}");
    let shorter = part.finish(&[]).unwrap().shorter;
    for n in [2 * group, group] {
        let written = shorter.end_at(n, &file, &version()).unwrap();
        let (short, _, mut part) = begin(&n.to_string());
        part.write(rows(0..n)).unwrap();
        let expected = part.finish(&[]).unwrap().file.unwrap();
        assert!(fs::read(&long).unwrap() == fs::read(short).unwrap());
        assert_eq!(written.hash(), expected.hash());
        assert_eq!(written.n_bytes(), expected.n_bytes());
        assert_eq!(check(&long).unwrap(), intact(n));
    }
}
