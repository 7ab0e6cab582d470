//! Files of rows, read back.

use super::*;
use crate::{
    hdf5::{Datatype, Object, Reader},
    job::{ExportOptions, Keys},
    sink::{Checked, TableWriter, formats::Files},
};
use arrow_array::{
    ArrayRef, RecordBatch, StringArray,
    builder::{FixedSizeListBuilder, Float16Builder, Float32Builder, ListBuilder},
};
use half::f16;
use std::{fs::File, path::Path, sync::Arc};
use tempfile::NamedTempFile;

/// A sequence: its id and its letters.
type Sequence<'a> = (&'a str, &'a str);

/// The number of a row, of a vector in it, and of a component.
fn number(row: usize, vector: usize, component: usize) -> f32 {
    (100 * row + 10 * vector + component) as f32
}

/// Vectors of three components.
fn vectors(n_rows: usize) -> ArrayRef {
    let mut vectors = FixedSizeListBuilder::new(Float32Builder::new(), 3);
    for row in 0..n_rows {
        let components = [0, 1, 2].map(|component| number(row, 0, component));
        vectors.values().append_slice(&components);
        vectors.append(true);
    }
    Arc::new(vectors.finish())
}

/// A vector of two components in 16 bits for each letter.
fn residues(sequences: &[Sequence<'_>]) -> ArrayRef {
    let mut residues = ListBuilder::new(FixedSizeListBuilder::new(Float16Builder::new(), 2));
    for (row, (_, letters)) in sequences.iter().enumerate() {
        for vector in 0..letters.len() {
            let components = [0, 1].map(|component| f16::from_f32(number(row, vector, component)));
            residues.values().values().append_slice(&components);
            residues.values().append(true);
        }
        residues.append(true);
    }
    Arc::new(residues.finish())
}

/// A number for each two letters.
fn contacts(sequences: &[Sequence<'_>]) -> ArrayRef {
    let mut contacts = ListBuilder::new(ListBuilder::new(Float32Builder::new()));
    for (row, (_, letters)) in sequences.iter().enumerate() {
        for one in 0..letters.len() {
            for other in 0..letters.len() {
                contacts
                    .values()
                    .values()
                    .append_value(number(row, one, other));
            }
            contacts.values().append(true);
        }
        contacts.append(true);
    }
    Arc::new(contacts.finish())
}

/// Rows with these columns beside their ids.
fn rows(sequences: &[Sequence<'_>], columns: &[&str]) -> RecordBatch {
    let ids = StringArray::from_iter_values(sequences.iter().map(|(id, _)| id));
    let mut arrays: Vec<(&str, ArrayRef)> = vec![("id", Arc::new(ids))];
    for column in columns {
        arrays.push((
            column,
            match *column {
                "sequence" => {
                    let letters = sequences.iter().map(|(_, letters)| letters);
                    Arc::new(StringArray::from_iter_values(letters))
                }
                "residues" => residues(sequences),
                "contacts" => contacts(sequences),
                _ => vectors(sequences.len()),
            },
        ));
    }
    RecordBatch::try_from_iter(arrays).unwrap()
}

/// A format, as the table has it.
type Begin = fn(Files, &ExportOptions, &Schema) -> Result<Box<dyn TableWriter>, SinkError>;

/// Writes rows in batches of two.
fn write(begin: Begin, keys: Keys, rows: &RecordBatch) -> Result<NamedTempFile, SinkError> {
    let file = NamedTempFile::new().unwrap();
    let files = Files {
        main: file.reopen().unwrap(),
        beside: Vec::new(),
        folder: None,
    };
    let options = ExportOptions {
        keys,
        ..ExportOptions::default()
    };
    let mut writer = begin(files, &options, &rows.schema())?;
    for start in (0..rows.num_rows()).step_by(2) {
        writer.write(&rows.slice(start, 2.min(rows.num_rows() - start)))?;
    }
    let metadata = [
        ("runner.version", "1.2.3"),
        ("runner.model", "esm2_t6_8M_UR50D"),
        ("runner.identity", "{\"a\":\"b\"}"),
    ];
    writer.finish(&metadata.map(|(name, text)| (name.to_owned(), text.to_owned())))?;
    Ok(file)
}

fn keyed(keys: Keys, sequences: &[Sequence<'_>], columns: &[&str]) -> NamedTempFile {
    write(begin_keyed, keys, &rows(sequences, columns)).unwrap()
}

fn open(path: &Path) -> Reader {
    Reader::open(File::open(path).unwrap()).unwrap().unwrap()
}

/// The names, ids and shapes of a group's datasets, and their numbers.
fn datasets(reader: &Reader, group: &Object) -> Vec<(String, String, Vec<u64>, Vec<f32>)> {
    let links = reader.links(group).unwrap().into_iter();
    links
        .map(|(name, at)| {
            let dataset = reader.object(at).unwrap();
            let id = reader.text(&dataset, keyed::ORIGINAL_ID).unwrap().unwrap();
            let bytes = reader.values(&dataset).unwrap();
            let numbers = match dataset.datatype {
                Some(Datatype::F16) => bytes
                    .chunks(2)
                    .map(|chunk| f16::from_le_bytes(chunk.try_into().unwrap()).to_f32())
                    .collect(),
                _ => bytes
                    .chunks(4)
                    .map(|chunk| f32::from_le_bytes(chunk.try_into().unwrap()))
                    .collect(),
            };
            (name, id, dataset.shape, numbers)
        })
        .collect()
}

const SEQUENCES: [Sequence<'static>; 4] = [("b/1", "MK"), ("a", ""), ("é", "M"), ("a", "MK")];

#[test]
fn a_column_of_vectors_is_at_the_root() {
    let file = keyed(Keys::Id, &SEQUENCES, &["embedding"]);
    let reader = open(file.path());
    let found = datasets(&reader, &reader.root().unwrap());
    let expected = [
        ("a", "a", 1),
        ("a_2", "a", 3),
        ("b_1", "b/1", 0),
        ("é", "é", 2),
    ];
    let expected = expected.map(|(name, id, row)| {
        let numbers = [0, 1, 2].map(|component| number(row, 0, component));
        (name.to_owned(), id.to_owned(), vec![3], numbers.to_vec())
    });
    assert_eq!(found, expected);
}

#[test]
fn several_columns_are_groups() {
    let file = keyed(Keys::Id, &SEQUENCES, &["residues", "embedding", "contacts"]);
    let reader = open(file.path());
    let groups = reader.links(&reader.root().unwrap()).unwrap();
    let names: Vec<_> = groups.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["contacts", "embedding", "residues"]);
    let of = |n: usize| datasets(&reader, &reader.object(groups[n].1).unwrap());
    let shapes = |n: usize| of(n).into_iter().map(|of| of.2).collect::<Vec<_>>();
    assert_eq!(shapes(0), [[0, 0], [2, 2], [2, 2], [1, 1]]);
    assert_eq!(shapes(1), [[3]; 4]);
    assert_eq!(shapes(2), [[0, 2], [2, 2], [2, 2], [1, 2]]);
    assert_eq!(of(0)[1].3, [300.0, 301.0, 310.0, 311.0]);
    assert_eq!(of(2)[2].3, [0.0, 1.0, 10.0, 11.0]);
    assert_eq!(of(2)[0].3, [0.0; 0]);
}

#[test]
fn equal_sequences_are_written_once_under_their_hash() {
    let file = keyed(Keys::Hash, &SEQUENCES, &["sequence", "embedding"]);
    let reader = open(file.path());
    let found = datasets(&reader, &reader.root().unwrap());
    let mut first: Vec<_> = found.iter().map(|of| (of.1.as_str(), of.3[0])).collect();
    first.sort_by(|a, b| a.1.total_cmp(&b.1));
    assert_eq!(first, [("b/1", 0.0), ("a", 100.0), ("é", 200.0)]);
    assert!(found.iter().all(|of| of.0.len() == 64));
    // All rows count, and not only those of datasets.
    assert_eq!(check(file.path()).unwrap().rows, 4);
    let refused = write(begin_keyed, Keys::Hash, &rows(&SEQUENCES, &["embedding"]));
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("no column `sequence`"), "{error}");
}

#[test]
fn a_file_says_what_it_is() {
    for sequences in [&SEQUENCES[..], &[]] {
        let file = keyed(Keys::Id, sequences, &["embedding"]);
        let metadata = read_metadata(file.path()).unwrap().unwrap();
        assert_eq!(metadata["runner.version"], "1.2.3");
        assert_eq!(metadata["runner.identity"], "{\"a\":\"b\"}");
        let reader = open(file.path());
        let root = reader.root().unwrap();
        assert_eq!(
            reader.text(&root, "model_name").unwrap().as_deref(),
            Some("esm2_8m")
        );
        let sound = Checked {
            rows: sequences.len() as u64,
            problems: Vec::new(),
        };
        assert_eq!(check(file.path()).unwrap(), sound);
        let mut bytes = std::fs::read(file.path()).unwrap();
        bytes[96] ^= 1;
        std::fs::write(file.path(), &bytes).unwrap();
        let problems = check(file.path()).unwrap().problems;
        assert!(problems[0].starts_with("is damaged"), "{problems:?}");
        std::fs::write(file.path(), &bytes[..bytes.len() - 1]).unwrap();
        let problems = check(file.path()).unwrap().problems;
        assert!(problems[0].starts_with("was cut short"), "{problems:?}");
        let error = read_metadata(file.path()).unwrap_err().to_string();
        assert!(error.contains("was cut short"), "{error}");
        std::fs::write(file.path(), "id\tembedding\n").unwrap();
        assert_eq!(read_metadata(file.path()).unwrap(), None);
        let problems = check(file.path()).unwrap().problems;
        assert_eq!(problems, ["was not written by runner"]);
    }
}

#[test]
fn a_matrix_has_the_vectors_of_all_sequences() {
    let rows = rows(&SEQUENCES, &["sequence", "residues"]);
    let file = write(begin_embed, Keys::Id, &rows).unwrap();
    let reader = open(file.path());
    let root = reader.root().unwrap();
    let links = reader.links(&root).unwrap();
    let names: Vec<_> = links.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "embedding",
            "embedding_ptr",
            "id",
            "idptr",
            "name",
            "nameptr"
        ]
    );
    let objects = links.iter().map(|(_, at)| reader.object(*at).unwrap());
    let objects: Vec<_> = objects.collect();
    let bytes = |n: usize| reader.values(&objects[n]).unwrap();
    let ends = |n: usize| {
        let bytes = bytes(n);
        let ends = bytes
            .chunks(4)
            .map(|end| i32::from_le_bytes(end.try_into().unwrap()));
        ends.collect::<Vec<_>>()
    };
    assert_eq!(objects[0].shape, [5, 2]);
    assert_eq!(objects[0].datatype, Some(Datatype::F16));
    assert_eq!((ends(1), ends(3)), (vec![2, 2, 3, 5], vec![2, 2, 3, 5]));
    assert_eq!((bytes(2), bytes(4)), (b"MKMMK".to_vec(), "b/1aéa".into()));
    assert_eq!(ends(5), [3, 4, 6, 7]);
    assert_eq!(
        reader.text(&root, "dtype").unwrap().as_deref(),
        Some("float16")
    );
    assert_eq!(check(file.path()).unwrap().rows, 4);
}

#[test]
fn a_matrix_has_a_letter_for_each_token() {
    // Three residues, and two that scikit-bio has no letter for.
    let ids = Arc::new(StringArray::from(vec!["a"])) as ArrayRef;
    let sequence = Arc::new(StringArray::from(vec!["M<mask>?*J"])) as ArrayRef;
    let columns = [
        ("id", ids),
        ("sequence", sequence),
        ("residues", residues(&[("a", "MKTA*")])),
    ];
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    let file = write(begin_embed, Keys::Id, &rows).unwrap();
    let reader = open(file.path());
    let links = reader.links(&reader.root().unwrap()).unwrap();
    let (_, address) = links.iter().find(|(name, _)| name == "id").unwrap();
    let letters = reader.values(&reader.object(*address).unwrap()).unwrap();
    assert_eq!(letters, b"MXX*J");
}

#[test]
fn what_no_matrix_can_hold_is_refused() {
    let refused = |columns: &[&str]| {
        let rows = rows(&SEQUENCES, columns);
        let error = write(begin_embed, Keys::Id, &rows).unwrap_err();
        error.to_string()
    };
    let error = refused(&["residues"]);
    assert!(error.contains("no column `sequence`"), "{error}");
    let error = refused(&["sequence", "residues", "embedding"]);
    assert!(
        error.contains("there are `residues`, `embedding`"),
        "{error}"
    );
    assert!(refused(&["sequence", "contacts"]).contains("there are `contacts`"));
    assert!(refused(&["sequence"]).contains("there are no vectors"));
    let options = ExportOptions::default();
    assert!(fits_embed(&rows(&SEQUENCES, &["sequence"]).schema(), &options).is_err());
    let fitting = rows(&SEQUENCES, &["sequence", "residues"]);
    assert!(fits_embed(&fitting.schema(), &options).is_ok());
}
