//! Files of embeddings, and what is read of them.

use super::*;
use ::parquet::arrow::ArrowWriter;
use arrow_array::{ArrayRef, FixedSizeListArray, RecordBatch, StringArray, types::Float32Type};
use std::{path::Path, sync::Arc};

/// A file with three vectors in a plane, the third nearer to the first.
pub(super) fn file(columns: &[&str]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    write(file.path(), columns, ["a", "b", "c"]);
    file
}

/// Writes three vectors with these ids.
fn write(path: &Path, columns: &[&str], ids: [&str; 3]) {
    let planes = [[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]];
    let vectors = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(
        planes.map(|vector| Some(vector.map(Some))),
        2,
    );
    let ids: ArrayRef = Arc::new(StringArray::from(ids.to_vec()));
    let descriptions: ArrayRef = Arc::new(StringArray::from(vec!["first", "", "third"]));
    let vectors: ArrayRef = Arc::new(vectors);
    let batch = RecordBatch::try_from_iter(columns.iter().map(|name| {
        let array = match *name {
            "id" => ids.clone(),
            "description" => descriptions.clone(),
            _ => vectors.clone(),
        };
        (*name, array)
    }))
    .expect("columns of one length");
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn parts_are_read_as_one_in_the_order_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let columns = ["id", "description", "embedding"];
    write(&at("part-000000000003.parquet"), &columns, ["d", "e", "f"]);
    write(&at("part-000000000000.parquet"), &columns, ["a", "b", "c"]);
    for name in ["notes.txt", ".part.parquet"] {
        std::fs::write(at(name), "no embeddings").unwrap();
    }
    let embeddings = Embeddings::read(folder.path()).unwrap();
    assert_eq!(embeddings.ids(), ["a", "b", "c", "d", "e", "f"]);
    assert_eq!(embeddings.vector(5), [3.0, 1.0]);
    assert_eq!(embeddings.row("e"), Some(4));
    // Those without room in memory are read again.
    let mut none = Embeddings::empty(0);
    let parts = folder::read(folder.path(), &mut none).unwrap();
    let descriptions: Vec<_> = (0..6).map(|row| parts.description(row).unwrap()).collect();
    assert_eq!(descriptions, ["first", "", "third", "first", "", "third"]);
    std::fs::write(at("part-000000000006.parquet"), "PAR1 and no more").unwrap();
    let error = Embeddings::read(folder.path()).unwrap_err();
    assert!(error.file.ends_with("part-000000000006.parquet"), "{error}");
    assert!(error.message.contains("was cut short"), "{error}");
}

/// A small file of Arrow.
fn write_arrow(path: &Path) {
    let parquet = file(&["id", "description", "embedding"]);
    let rows = std::fs::File::open(parquet.path()).unwrap();
    let rows = ::parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(rows, 9);
    let rows = rows.unwrap().next().unwrap().unwrap();
    let to = std::fs::File::create(path).unwrap();
    let mut writer = arrow_ipc::writer::FileWriter::try_new(to, &rows.schema()).unwrap();
    writer.write(&rows).unwrap();
    writer.finish().unwrap();
}

#[test]
fn no_byte_of_a_file_makes_the_program_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    for is_arrow in [true, false] {
        match is_arrow {
            true => write_arrow(&path),
            false => write(&path, &["id", "description", "embedding"], ["a", "b", "c"]),
        }
        let bytes = std::fs::read(&path).unwrap();
        let mut n_broken = 0;
        for at in (0..bytes.len()).step_by(2) {
            let mut changed = bytes.clone();
            changed[at] ^= [0x01, 0x80, 0xff][at / 2 % 3];
            std::fs::write(&path, changed).unwrap();
            let mut rows = ContactRows::open(&path, None).unwrap();
            let _ = rows.next_row();
            let found = Embeddings::read(&path);
            n_broken += usize::from(found.is_err_and(|error| error.message.contains("broken")));
        }
        assert!(n_broken > 0);
    }
}

#[test]
fn neighbours_of_a_file() {
    let file = file(&["id", "description", "embedding"]);
    let embeddings = Embeddings::read(file.path()).unwrap();
    assert_eq!(embeddings.ids(), ["a", "b", "c"]);
    assert_eq!(embeddings.hidden_size(), 2);
    assert_eq!(embeddings.vector(2), [3.0, 1.0]);
    let row = embeddings.row("a").unwrap();
    let nearest = embeddings.nearest(row, 5);
    assert_eq!(nearest.iter().map(|n| n.0).collect::<Vec<_>>(), [2, 1]);
    assert!((nearest[0].1 - 3.0 / 10_f64.sqrt()).abs() < 1e-12);
    assert_eq!(embeddings.description(nearest[0].0).unwrap(), "third");
    assert_eq!(embeddings.nearest(row, 1).len(), 1);
    assert_eq!(embeddings.row("d"), None);
}

#[test]
fn several_layers_and_files_of_others() {
    let check = |columns: &[&str], expect: Result<usize, &str>| {
        let file = file(columns);
        match (Embeddings::read(file.path()), expect) {
            (Ok(embeddings), Ok(n)) => assert_eq!(embeddings.len(), n),
            (Err(error), Err(expect)) => {
                assert!(error.to_string().contains(expect), "{error}");
            }
            (result, _) => panic!("{columns:?}: {result:?}"),
        }
    };
    check(&["id", "description", "embedding_0", "embedding_6"], Ok(3));
    check(&["id", "description"], Err("has no column `embedding`"));
    check(&["id", "contacts"], Err("holds contacts"));
    check(&["id", "logits"], Err("holds logits"));
    check(&["id", "residues_6"], Err("holds vectors of residues"));
    check(
        &["id", "description", "embedding_mean", "embedding_max"],
        Err("several vectors of each sequence: `embedding_mean`, `embedding_max`"),
    );
    check(&["description", "embedding"], Err("has no column `id`"));
}

#[test]
fn a_file_that_was_renamed_is_what_it_holds() {
    let written = file(&["id", "description", "embedding"]);
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.parquet", "a.PQ", "a.csv", "a"] {
        let path = folder.path().join(name);
        std::fs::copy(written.path(), &path).unwrap();
        assert_eq!(Embeddings::read(&path).unwrap().len(), 3, "{name}");
    }
}

#[test]
fn what_is_no_parquet_file() {
    let check = |path: &Path, message: &str, hint: &str| {
        let error = Embeddings::read(path).unwrap_err();
        assert!(error.message.contains(message), "{error}");
        let found = error.hint.unwrap_or_default();
        assert!(found.contains(hint), "{error}: {found}");
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "id\tembedding\n").unwrap();
    check(file.path(), "is not a Parquet file", "that `embed` wrote");
    std::fs::write(file.path(), "PAR1 and no more").unwrap();
    check(file.path(), "was cut short", "`overwrite: true`");
    check(&file.path().join("a"), "cannot be opened", "is a file");
    let folder = tempfile::tempdir().unwrap();
    check(folder.path(), "no Parquet file is", "that `embed` wrote");
    let missing = folder.path().join("no/such.parquet");
    check(&missing, "cannot be opened", "check the path");
}
