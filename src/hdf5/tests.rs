//! Files that are written and read back.

use super::*;
use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
};
use tempfile::NamedTempFile;

/// A file with these datasets of single rows of numbers, whose attribute says the number of each.
fn written(n_datasets: usize) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let mut writer = Writer::new(file.reopen().unwrap()).unwrap();
    let mut datasets = Vec::new();
    let names: Vec<_> = (0..n_datasets).map(|n| format!("é{n:06}")).collect();
    let ids: Vec<_> = (0..n_datasets).map(|n| n.to_string()).collect();
    for id in &ids {
        let n: u8 = id.len() as u8;
        let address = writer.align().unwrap();
        writer.put(&vec![n; usize::from(n)]).unwrap();
        datasets.push(Dataset {
            shape: vec![1, u64::from(n)],
            datatype: Datatype::U8,
            layout: Layout::Contiguous { address },
            attributes: vec![Attribute {
                name: "id",
                value: Value::Text(id),
            }],
        });
    }
    let addresses = writer.describe(datasets).unwrap();
    let links = names.iter().zip(addresses);
    let links: Vec<_> = links.map(|(name, object)| Link { name, object }).collect();
    let group = writer.group(&links[..n_datasets.min(1)]).unwrap();
    let mut links = links;
    links.insert(
        0,
        Link {
            name: "a group",
            object: group,
        },
    );
    let attributes = [
        Attribute {
            name: "model",
            value: Value::Text("x"),
        },
        Attribute {
            name: "nothing",
            value: Value::Text(""),
        },
        Attribute {
            name: "size",
            value: Value::Number(-3),
        },
    ];
    writer.finish(&links, &attributes).unwrap();
    file
}

fn open(file: &NamedTempFile) -> Result<Option<Reader>, ReadError> {
    Reader::open(File::open(file.path()).unwrap())
}

#[test]
fn what_is_written_is_read() {
    // None, one, a full node of links and one more, more nodes than a node of the tree has children.
    for n_datasets in [0, 1, 127, 128, 129, 20_000] {
        let file = written(n_datasets);
        let reader = open(&file).unwrap().unwrap();
        let root = reader.root().unwrap();
        let texts = reader.texts(&root).unwrap();
        let texts: Vec<_> = texts
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        assert_eq!(texts[..2], [("model", "x"), ("nothing", "")]);
        assert_eq!(texts[2].0, CHECKSUM);
        let mut links = reader.links(&root).unwrap();
        assert_eq!(links.len(), n_datasets + 1);
        assert!(links.is_sorted());
        let (name, group) = links.remove(0);
        let group = reader.object(group).unwrap();
        assert!(name == "a group" && group.is_group());
        assert_eq!(reader.links(&group).unwrap(), links[..n_datasets.min(1)]);
        for (n, (name, object)) in links.into_iter().enumerate() {
            let object = reader.object(object).unwrap();
            let id = n.to_string();
            assert_eq!(name, format!("é{n:06}"));
            assert_eq!(reader.text(&object, "id").unwrap(), Some(id.clone()));
            assert_eq!(reader.text(&object, "other").unwrap(), None);
            assert_eq!(object.shape, [1, id.len() as u64]);
            assert_eq!(object.datatype, Some(Datatype::U8));
            assert_eq!(
                reader.values(&object).unwrap(),
                vec![id.len() as u8; id.len()]
            );
        }
    }
}

#[test]
fn every_byte_is_in_the_checksum() {
    let file = written(3);
    let checksums = || open(&file).ok()??.checksums().ok()?;
    let (written, found) = checksums().unwrap();
    assert_eq!(written, found);
    let bytes = fs::read(file.path()).unwrap();
    let access = file.reopen().unwrap();
    for (at, byte) in bytes.iter().enumerate() {
        access.write_all_at(&[byte ^ 1], at as u64).unwrap();
        let is_noticed = checksums().is_none_or(|(written, found)| written != found);
        assert!(is_noticed, "byte {at}");
        access.write_all_at(&[*byte], at as u64).unwrap();
    }
    access.write_all_at(b"more", bytes.len() as u64).unwrap();
    let (written, found) = checksums().unwrap();
    assert_ne!(written, found);
    access.set_len(bytes.len() as u64 - 1).unwrap();
    let error = open(&file).unwrap_err().to_string();
    assert!(error.starts_with("was cut short"), "{error}");
}

#[test]
fn files_of_others_are_told_by_their_beginning() {
    let file = NamedTempFile::new().unwrap();
    for content in [&b""[..], b"PAR1", &[0; 4096], b"\x89HDF\r\n\x1a\n"] {
        fs::write(file.path(), content).unwrap();
        assert!(open(&file).unwrap().is_none());
    }
    // As the HDF library writes it: with smaller nodes.
    let mut other = fs::read(written(1).path()).unwrap();
    other[16] = 4;
    fs::write(file.path(), other).unwrap();
    assert!(open(&file).unwrap().is_none());
}
