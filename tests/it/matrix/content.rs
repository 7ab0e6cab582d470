//! What an output holds, whatever its format.

use arrow_array::{
    Array, RecordBatch,
    cast::AsArray,
    types::{Float16Type, Float32Type, UInt32Type},
};
use arrow_ipc::reader::FileReader;
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use runner::hdf5::{Datatype, Object, Reader};
use safetensors::SafeTensors;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
};

/// Reads an output, of which `answers` are the columns of vectors, numbers or pairs.
pub type Read = fn(path: &Path, answers: &[String]) -> Content;

/// What Parquet and Arrow have beside the answers.
const BESIDE: [&str; 6] = [
    "id",
    "description",
    "length",
    "truncated",
    "windows",
    "sequence",
];

/// The rows of an output: their ids, and the bytes that each has in each column.
#[derive(Debug, Default)]
pub struct Content {
    pub ids: Vec<String>,
    columns: Vec<(String, Vec<Vec<u8>>)>,
}

impl Content {
    /// The columns with answers.
    pub fn answers(&self) -> Vec<String> {
        let names = self.columns.iter().map(|(name, _)| name.clone());
        names.filter(|name| !BESIDE.contains(&&**name)).collect()
    }

    /// Checks that the same rows are there in the same order, and that all columns that are there hold the same bits.
    pub fn check_is(&self, expect: &Self, what: &str) {
        assert_eq!(self.ids, expect.ids, "{what}");
        assert_eq!(self.answers(), expect.answers(), "{what}");
        for (name, cells) in &self.columns {
            assert_eq!(cells.len(), self.ids.len(), "{what}, `{name}`");
            let Some((_, expect)) = expect.columns.iter().find(|(other, _)| other == name) else {
                assert_eq!(name, "sequence", "{what}");
                continue;
            };
            for ((id, cell), expect) in self.ids.iter().zip(cells).zip(expect) {
                assert!(cell == expect, "{what}: `{name}` of {id} is another one");
            }
        }
    }

    /// Whether some row has nothing in some column, and some row has something in all.
    pub fn has_empty_cells(&self) -> (bool, bool) {
        let n_empty = |row: usize| {
            let columns = self.columns.iter();
            columns.filter(|(_, cells)| cells[row].is_empty()).count()
        };
        let empty: Vec<_> = (0..self.ids.len()).map(n_empty).collect();
        (empty.iter().any(|n| *n > 0), empty.contains(&0))
    }

    fn add(&mut self, batch: &RecordBatch) {
        let schema = batch.schema();
        for (field, array) in schema.fields().iter().zip(batch.columns()) {
            let cells = (0..batch.num_rows()).map(|row| {
                let mut bytes = Vec::new();
                put(&*array.slice(row, 1), &mut bytes);
                bytes
            });
            let name = field.name();
            match self.columns.iter_mut().find(|(other, _)| other == name) {
                Some((_, column)) => column.extend(cells),
                None => self.columns.push((name.clone(), cells.collect())),
            }
        }
        let ids = batch.column_by_name("id").unwrap().as_string::<i32>();
        self.ids.extend(ids.iter().map(|id| id.unwrap().to_owned()));
    }
}

/// Puts the bytes of all values behind each other.
fn put(array: &dyn Array, bytes: &mut Vec<u8>) {
    match array.data_type() {
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>().values().iter();
            bytes.extend(values.flat_map(|value| value.to_le_bytes()));
        }
        DataType::Float16 => {
            let values = array.as_primitive::<Float16Type>().values().iter();
            bytes.extend(values.flat_map(|value| value.to_le_bytes()));
        }
        DataType::UInt32 => {
            let values = array.as_primitive::<UInt32Type>().values().iter();
            bytes.extend(values.flat_map(|value| value.to_le_bytes()));
        }
        DataType::Boolean => bytes.extend(array.as_boolean().values().iter().map(u8::from)),
        DataType::Utf8 => bytes.extend(array.as_string::<i32>().value(0).bytes()),
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            (0..lists.len()).for_each(|row| put(&*lists.value(row), bytes));
        }
        DataType::FixedSizeList(..) => {
            let lists = array.as_fixed_size_list();
            (0..lists.len()).for_each(|row| put(&*lists.value(row), bytes));
        }
        other => panic!("{other}"),
    }
}

fn open(path: &Path) -> File {
    File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn parquet(path: &Path, _answers: &[String]) -> Content {
    let reader = ParquetRecordBatchReaderBuilder::try_new(open(path)).unwrap();
    let mut content = Content::default();
    for batch in reader.build().unwrap() {
        content.add(&batch.unwrap());
    }
    content
}

/// The parts of a folder, by name.
pub fn folder(path: &Path, _answers: &[String]) -> Content {
    let entries = path.read_dir().unwrap();
    let mut parts: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    parts.sort();
    let mut content = Content::default();
    for part in parts {
        let reader = ParquetRecordBatchReaderBuilder::try_new(open(&part)).unwrap();
        for batch in reader.build().unwrap() {
            content.add(&batch.unwrap());
        }
    }
    content
}

pub fn arrow(path: &Path, _answers: &[String]) -> Content {
    let mut content = Content::default();
    for batch in FileReader::try_new(open(path), None).unwrap() {
        content.add(&batch.unwrap());
    }
    content
}

/// The numbers of an array, as they are.
fn array(path: &Path) -> Vec<u8> {
    let mut bytes = read(path);
    let n_bytes = u16::from_le_bytes([bytes[8], bytes[9]]);
    bytes.split_off(10 + usize::from(n_bytes))
}

/// Whole numbers of 64 bits.
fn whole(bytes: &[u8]) -> Vec<usize> {
    let words = bytes.as_chunks::<8>().0.iter();
    let numbers = words.map(|word| usize::try_from(i64::from_le_bytes(*word)).unwrap());
    numbers.collect()
}

/// Bytes of rows of which each sequence has those from an offset to the next one.
fn divided(bytes: &[u8], offsets: &[usize]) -> Vec<Vec<u8>> {
    let n_bytes = bytes.len() / offsets.last().unwrap();
    let ranges = offsets
        .windows(2)
        .map(|of| of[0] * n_bytes..of[1] * n_bytes);
    ranges.map(|range| bytes[range].to_vec()).collect()
}

pub fn npy(path: &Path, answers: &[String]) -> Content {
    let text = String::from_utf8(read(&path.with_extension("ids.txt"))).unwrap();
    let ids: Vec<_> = text.lines().map(str::to_owned).collect();
    let beside = path.with_extension("offsets.npy");
    let offsets = match beside.exists() {
        true => whole(&array(&beside)),
        false => (0..=ids.len()).collect(),
    };
    let cells = divided(&array(path), &offsets);
    Content {
        ids,
        columns: vec![(answers[0].clone(), cells)],
    }
}

pub fn safetensors(path: &Path, answers: &[String]) -> Content {
    let bytes = read(path);
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let data = |name: &str| tensors.tensor(name).unwrap().data();
    let ids = divided(data("ids"), &whole(data("ids_offsets")));
    let ids = ids.into_iter().map(|id| String::from_utf8(id).unwrap());
    let ids: Vec<_> = ids.collect();
    let names = tensors.names().into_iter();
    let names = names.filter(|name| *name != "ids" && !name.ends_with("_offsets"));
    assert_eq!(names.count(), answers.len());
    let columns = answers.iter().map(|name| {
        let offsets = tensors.tensor(&format!("{name}_offsets"));
        let offsets = match offsets {
            Ok(offsets) => whole(offsets.data()),
            Err(_) => (0..=ids.len()).collect(),
        };
        (name.clone(), divided(data(name), &offsets))
    });
    let columns = columns.collect();
    Content { ids, columns }
}

/// The objects of a group, in the order in which they were written.
fn objects(reader: &Reader, group: &Object) -> Vec<(String, Object)> {
    let mut links = reader.links(group).unwrap();
    links.sort_by_key(|(_, address)| *address);
    let objects = links.into_iter();
    objects
        .map(|(name, address)| (name, reader.object(address).unwrap()))
        .collect()
}

pub fn h5(path: &Path, answers: &[String]) -> Content {
    let reader = Reader::open(open(path)).unwrap().unwrap();
    let root = reader.root().unwrap();
    let mut groups = objects(&reader, &root);
    if !groups[0].1.is_group() {
        groups = vec![(answers[0].clone(), root)];
    }
    let mut content = Content::default();
    for name in answers {
        let (_, group) = groups.iter().find(|(other, _)| other == name).unwrap();
        let datasets = objects(&reader, group).into_iter();
        let rows = datasets.map(|(_, dataset)| {
            let id = reader.text(&dataset, "original_id").unwrap();
            (id.unwrap(), reader.values(&dataset).unwrap())
        });
        let (ids, cells): (Vec<_>, Vec<_>) = rows.unzip();
        assert!(content.ids.is_empty() || content.ids == ids);
        content.ids = ids;
        content.columns.push((name.clone(), cells));
    }
    assert_eq!(groups.len(), answers.len());
    content
}

pub fn embed(path: &Path, answers: &[String]) -> Content {
    let reader = Reader::open(open(path)).unwrap().unwrap();
    let datasets: BTreeMap<_, _> = objects(&reader, &reader.root().unwrap())
        .into_iter()
        .collect();
    let values = |name: &str| reader.values(&datasets[name]).unwrap();
    // Where each sequence ends.
    let offsets = |name: &str| {
        assert_eq!(datasets[name].datatype, Some(Datatype::I32));
        let bytes = values(name);
        let ends = bytes.as_chunks::<4>().0.iter();
        let ends = ends.map(|word| usize::try_from(i32::from_le_bytes(*word)).unwrap());
        [0].into_iter().chain(ends).collect::<Vec<_>>()
    };
    let ids = divided(&values("name"), &offsets("nameptr"));
    let ids = ids.into_iter().map(|id| String::from_utf8(id).unwrap());
    let cells = divided(&values("embedding"), &offsets("embedding_ptr"));
    Content {
        ids: ids.collect(),
        columns: vec![(answers[0].clone(), cells)],
    }
}

/// A table, whose first column are ids.
pub fn csv(path: &Path, _answers: &[String]) -> Content {
    let text = String::from_utf8(read(path)).unwrap();
    let mut lines = text.lines().map(|line| line.split(','));
    let names = lines.next().unwrap();
    let mut columns: Vec<_> = names.map(|name| (name.to_owned(), Vec::new())).collect();
    let mut ids = Vec::new();
    for line in lines {
        for (n, field) in line.enumerate() {
            if n == 0 {
                ids.push(field.to_owned());
            }
            columns[n].1.push(field.as_bytes().to_vec());
        }
    }
    Content { ids, columns }
}
