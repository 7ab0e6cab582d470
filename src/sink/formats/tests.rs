//! Files of all formats, made of parts.

use super::super::{
    SinkError,
    columns::{Columns, More},
    format::{check, format_of, read_metadata},
    making::Making,
    parquet::tests::{entries, write_parts},
};
use super::*;
use crate::{
    file::FileError,
    hint::Hint as _,
    job::{Column, ContactPairs, Content, Keys, OutputDtype, OutputTarget, Pooling, Question},
};
use std::fs;

const LAYERS: [usize; 1] = [6];
/// The names of an output in each format but those that have tests of their own.
const NAMES: [&str; 3] = ["x.npy", "x.safetensors", "x.arrow"];

/// What a finished output says of itself, as far as that matters here.
fn metadata(identity: &str) -> Vec<(String, String)> {
    entries(&[
        ("runner.version", "0.1.0"),
        ("runner.identity", identity),
        ("runner.input_fingerprint", "f"),
    ])
}

fn options(overwrite: bool) -> ExportOptions {
    ExportOptions {
        keys: Keys::Id,
        columns: Vec::new(),
        overwrite,
    }
}

/// Makes an output of parts with so many rows.
fn make(
    path: &Path,
    n_rows: &[u64],
    overwrite: bool,
    metadata: &[(String, String)],
) -> Result<(), SinkError> {
    let folder = tempfile::tempdir().unwrap();
    let parts = write_parts(folder.path(), n_rows, &LAYERS);
    let target = OutputTarget::of(path).unwrap();
    let mut making = Making::begin(&target, None, &options(overwrite), &parts[0])?;
    for part in &parts[1..] {
        making.append(part)?;
    }
    making.finish(metadata)?.publish()
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn each_format_but_that_of_parts_has_a_row() {
    for name in NAMES.into_iter().chain(["x.h5", "x.embed"]) {
        let format = OutputFormat::of(Path::new(name)).unwrap();
        assert!(format_of(format).is_some(), "{name}");
    }
    assert!(format_of(OutputFormat::OF_PARTS).is_none());
}

#[test]
fn files_say_what_they_are_and_whether_they_are_whole() {
    for name in NAMES {
        let all: [&[u64]; 2] = [&[3, 0, 4], &[0]];
        for n_rows in all {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            make(&path, n_rows, false, &metadata("{}")).unwrap();
            let said = read_metadata(&path).unwrap().unwrap();
            for (key, value) in metadata("{}") {
                assert_eq!(said[&key], value, "{name}");
            }
            let checked = check(&path).unwrap();
            assert_eq!(checked.rows, n_rows.iter().sum::<u64>(), "{name}");
            assert_eq!(checked.problems, [""; 0], "{name}");
        }
    }
}

#[test]
fn what_is_damaged_is_found() {
    for name in NAMES {
        let folder = tempfile::tempdir().unwrap();
        make(&folder.path().join(name), &[30, 10], false, &metadata("{}")).unwrap();
        for file in names_in(folder.path()) {
            let path = folder.path().join(&file);
            let bytes = fs::read(&path).unwrap();
            // Headers and footers are at the ends, and every bit of them counts.
            let n_bytes = bytes.len();
            let ends = (0..n_bytes.min(1500)).chain(n_bytes.saturating_sub(3000)..n_bytes);
            for at in [n_bytes / 2, n_bytes * 3 / 5].into_iter().chain(ends) {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1;
                fs::write(&path, flipped).unwrap();
                let checked = check(&folder.path().join(name));
                let is_found = checked.map_or(true, |checked| !checked.problems.is_empty());
                assert!(is_found, "{file} at {at} of {n_bytes}");
            }
            fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
            let checked = check(&folder.path().join(name));
            let is_found = checked.map_or(true, |checked| !checked.problems.is_empty());
            assert!(is_found, "{file} was cut short");
            fs::write(&path, &bytes).unwrap();
        }
    }
}

#[test]
fn files_of_others_are_not_ours() {
    let folder = tempfile::tempdir().unwrap();
    for name in NAMES {
        let path = folder.path().join(name);
        for text in [
            "",
            "some text",
            "ARROW1\0\0",
            "\u{10}\0\0\0\0\0\0\0{\"a\": 1}        ",
        ] {
            fs::write(&path, text).unwrap();
            let said = read_metadata(&path);
            assert!(!matches!(said, Ok(Some(_))), "{name} {text:?}");
            let checked = check(&path);
            let is_found = checked.map_or(true, |checked| !checked.problems.is_empty());
            assert!(is_found, "{name} {text:?}");
        }
    }
}

#[test]
fn an_array_has_a_header_of_numpy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    make(&path, &[3, 4], false, &metadata("{}")).unwrap();
    let bytes = fs::read(&path).unwrap();
    let header = String::from_utf8_lossy(&bytes[10..128]).into_owned();
    let expect = "{'descr': '<f4', 'fortran_order': False, 'shape': (7, 24), }";
    assert_eq!(header.trim_end(), expect);
    assert_eq!((bytes[8], bytes[9], bytes[127]), (118, 0, b'\n'));
    assert_eq!(bytes.len(), 128 + 7 * 24 * 4);
    let ids = fs::read_to_string(folder.path().join("x.ids.txt")).unwrap();
    assert_eq!(ids, "id0\nid1\nid2\nid3\nid4\nid5\nid6\n");
    let names = ["x.ids.txt", "x.npy", "x.npy.json"];
    assert_eq!(names_in(folder.path()), names);
}

#[test]
fn a_header_grows_with_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    make(&path, &[300, 7], false, &metadata(&"long".repeat(10_000))).unwrap();
    let bytes = fs::read(&path).unwrap();
    let n_header = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    assert!(n_header > 40_000 && (n_header + 8) % 8 == 0);
    let checked = check(&path).unwrap();
    assert_eq!((checked.rows, checked.problems), (307, Vec::new()));
    let text = String::from_utf8_lossy(&bytes[8..8 + n_header as usize]).into_owned();
    let header: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(header["embedding_6"]["shape"].to_string(), "[307,24]");
    let ids = header["ids"]["data_offsets"][0].as_u64().unwrap();
    let ids = &bytes[(8 + n_header + ids) as usize..];
    assert!(ids.starts_with(b"id0id1id2"));
}

#[test]
fn pairs_of_residues_are_not_left_out_unasked() {
    let question = |contents: &[Content]| Question {
        columns: (contents.iter().enumerate())
            .map(|(n, content)| Column {
                name: format!("c{n}"),
                content: *content,
                dtype: OutputDtype::F32,
            })
            .collect(),
    };
    let pairs = Content::ContactPairs(ContactPairs {
        threshold: 0.5,
        min_separation: 6,
    });
    let vectors = Content::Pooled {
        layer: 6,
        pooling: Pooling::Mean,
    };
    let more = More {
        sequences: true,
        windows: false,
    };
    let begin = |format: &Format, contents: &[Content], columns: &[&str]| {
        let files = Files {
            main: tempfile::tempfile().unwrap(),
            beside: (0..3).map(|_| tempfile::tempfile().unwrap()).collect(),
            folder: None,
        };
        let options = ExportOptions {
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            ..options(false)
        };
        let schema = Columns::new(&question(contents), 24, more).schema();
        let begun = (format.begin)(files, &options, &schema);
        begun
            .err()
            .map(|error| (error.to_string(), error.hint().unwrap()))
    };
    for format in FORMATS {
        let name = format.format.name();
        let refused = begin(format, &[pairs], &[]);
        let with_vectors = begin(format, &[vectors, pairs], &[]);
        if format.format == OutputFormat::Arrow {
            assert_eq!((refused, with_vectors), (None, None));
            continue;
        }
        let (message, hint) = refused.expect(name);
        assert!(message.contains("pairs of residues cannot"), "{message}");
        assert!(hint.contains("`contact_table`"), "{hint}");
        let (_, hint) = with_vectors.expect(name);
        assert!(hint.contains("or name the columns"), "{hint}");
        assert_eq!(begin(format, &[vectors, pairs], &["c0"]), None, "{name}");
    }
}

#[test]
fn what_lies_beside_an_output_is_not_replaced_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("x.ids.txt"), "mine\n").unwrap();
    let refused = make(&at("x.npy"), &[2], false, &metadata("{}"));
    assert!(
        matches!(&refused, Err(SinkError::File(FileError::Exists(path))) if *path == at("x.ids.txt")),
        "{refused:?}"
    );
    assert_eq!(fs::read_to_string(at("x.ids.txt")).unwrap(), "mine\n");
    assert_eq!(names_in(folder.path()), ["x.ids.txt"]);
    make(&at("x.npy"), &[2], true, &metadata("{}")).unwrap();
    assert_eq!(fs::read_to_string(at("x.ids.txt")).unwrap(), "id0\nid1\n");
    // An output that is there stays, and so does what lies beside it.
    make(&at("x.npy"), &[3], false, &metadata("{}")).unwrap_err();
    assert_eq!(check(&at("x.npy")).unwrap().rows, 2);
}

#[test]
fn a_publication_that_was_ended_is_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    make(&at("x.npy"), &[2], false, &metadata("{}")).unwrap();
    // All but the output itself was published, at another time.
    fs::remove_file(at("x.npy")).unwrap();
    let mut later = metadata("{}");
    later.extend(entries(&[("runner.finished", "later")]));
    make(&at("x.npy"), &[2], false, &later).unwrap();
    let said = read_metadata(&at("x.npy")).unwrap().unwrap();
    assert_eq!(said["runner.finished"], "later");
    // That of another output is in the way.
    fs::remove_file(at("x.npy")).unwrap();
    make(&at("x.npy"), &[2], false, &metadata("other")).unwrap_err();
    // While an output is replaced, what lies beside it may be new already: then it counts as damaged.
    make(&at("x.npy"), &[2], false, &metadata("{}")).unwrap();
    let old = fs::read(at("x.npy")).unwrap();
    make(&at("x.npy"), &[9], true, &metadata("new")).unwrap();
    fs::write(at("x.npy"), old).unwrap();
    read_metadata(&at("x.npy")).unwrap_err();
    make(&at("x.npy"), &[9], true, &metadata("new")).unwrap();
    assert_eq!(check(&at("x.npy")).unwrap().rows, 9);
}

#[test]
fn an_output_that_cannot_be_published_leaves_all_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let parts_in = tempfile::tempdir().unwrap();
    let parts = write_parts(parts_in.path(), &[2], &LAYERS);
    let target = OutputTarget::of(&at("x.npy")).unwrap();
    let making = Making::begin(&target, None, &options(false), &parts[0]).unwrap();
    let bundle = making.finish(&metadata("{}")).unwrap();
    fs::write(at("x.npy"), "of somebody else").unwrap();
    bundle.publish().unwrap_err();
    assert_eq!(names_in(folder.path()), ["x.npy"]);
    let text = fs::read_to_string(at("x.npy")).unwrap();
    assert_eq!(text, "of somebody else");
}
