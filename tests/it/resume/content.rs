//! What an output holds, read by the library that others read it with.

use arrow_array::{
    BooleanArray, FixedSizeListArray, Float32Array, StringArray, UInt32Array, cast::AsArray,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

/// A row of an output, with the bits of all its vectors.
#[derive(Debug, PartialEq)]
pub struct Row {
    pub id: String,
    description: String,
    length: u32,
    truncated: bool,
    bits: Vec<u32>,
}

/// The rows of an output, and its list of rejections.
#[derive(Debug, PartialEq)]
pub struct Content {
    pub rows: Vec<Row>,
    rejects: String,
}

impl Content {
    /// That of a file, or of a folder of parts.
    pub fn of(output: &Path) -> Self {
        let mut parts = vec![output.to_owned()];
        if output.is_dir() {
            parts = files_in(output);
        }
        let name = output.file_name().unwrap().to_str().unwrap();
        let rejects = output.with_file_name(format!("{name}.rejects.tsv"));
        Self {
            rows: parts.iter().flat_map(|part| rows(part)).collect(),
            rejects: fs::read_to_string(rejects).unwrap_or_default(),
        }
    }

    /// Checks that both are the same, and says where they are not.
    pub fn check_is(&self, expect: &Self) {
        assert_eq!(self.rejects, expect.rejects);
        for (n, (row, expect)) in self.rows.iter().zip(&expect.rows).enumerate() {
            assert!(
                row == expect,
                "row {n} is {row:?}, and should be {expect:?}"
            );
        }
        assert_eq!(self.rows.len(), expect.rows.len());
    }

    pub fn n_rejected(&self) -> usize {
        // The first line names the columns.
        self.rejects.lines().count().saturating_sub(1)
    }
}

/// The files of a folder, by name.
pub fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn rows(path: &Path) -> Vec<Row> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let mut rows = Vec::new();
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let ids: &StringArray = column("id").as_string();
        let descriptions: &StringArray = column("description").as_string();
        let lengths: &UInt32Array = column("length").as_primitive();
        let truncated: &BooleanArray = column("truncated").as_boolean();
        let schema = batch.schema();
        let names = schema.fields().iter().map(|field| field.name());
        let vectors: Vec<&FixedSizeListArray> = names
            .filter(|name| name.starts_with("embedding"))
            .map(|name| column(name).as_fixed_size_list())
            .collect();
        for n in 0..batch.num_rows() {
            let bits = vectors.iter().flat_map(|vectors| {
                let vector = vectors.value(n);
                let vector: &Float32Array = vector.as_primitive();
                let bits = vector.values().iter().map(|value| value.to_bits());
                bits.collect::<Vec<_>>()
            });
            rows.push(Row {
                id: ids.value(n).to_owned(),
                description: descriptions.value(n).to_owned(),
                length: lengths.value(n),
                truncated: truncated.value(n),
                bits: bits.collect(),
            });
        }
    }
    rows
}
