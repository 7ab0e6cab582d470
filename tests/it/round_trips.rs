//! From each format to each other one, and what is left then: the same ids, texts, lengths and bits, as far as both have
//! room for them.

use crate::resume::job::{Job, REJECTED};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_ipc::reader::FileReader;
use runner::{
    embeddings::Embeddings,
    hint::Hint as _,
    job::{ExportPlan, OptionMap, OptionValue},
    sink::{Exported, SinkError, export, verify},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    ops::ControlFlow,
    path::Path,
};

/// A format, and what it has of a sequence beside its id and the answers.
struct Format {
    ending: &'static str,
    keeps: &'static [&'static str],
    /// Whether it has room for several columns, and for contacts.
    has_many: bool,
    has_contacts: bool,
}

const TABLE: &[&str] = &["description", "length", "truncated", "sequence"];

#[rustfmt::skip]
const FORMATS: &[Format] = &[
    Format { ending: "parquet", keeps: TABLE, has_many: true, has_contacts: true },
    Format { ending: "arrow", keeps: TABLE, has_many: true, has_contacts: true },
    Format { ending: "h5", keeps: &["description"], has_many: true, has_contacts: true },
    Format { ending: "embed", keeps: &["sequence"], has_many: false, has_contacts: false },
    Format { ending: "npy", keeps: &[], has_many: false, has_contacts: true },
    Format { ending: "safetensors", keeps: &[], has_many: true, has_contacts: true },
];

/// What is asked, and whether that are several columns, or contacts.
const QUESTIONS: [(&str, bool, bool); 4] = [
    ("pooling: \"mean\",", false, false),
    ("residues: true,", false, false),
    ("contacts: true,", false, true),
    (
        "residues: true, layers: [0, -1], pooling: [\"mean\", \"max\"], logits: true, contacts: true,",
        true,
        true,
    ),
];

/// Writes an output again, in the process of the test.
fn write(from: &Path, to: &Path, options: OptionMap) -> Result<Exported, SinkError> {
    let plan = ExportPlan::new(from, to, options).unwrap();
    export(&plan, &mut |_| ControlFlow::Continue(()))
}

/// An output of some sequences: of one residue, with descriptions, truncated, twice under one id.
fn job(options: &str) -> Job {
    let mut job = Job::new();
    let mut text =
        ">one\nM\n>twice first\nMKTAYIAKQR\n>twice second\nMKTAYIAKQR\n>a/b with a slash\nMKTLL\n"
            .to_owned();
    text.push_str(&std::fs::read_to_string(job.path("in.fa")).unwrap());
    std::fs::write(job.path("in.fa"), text).unwrap();
    "fasta(\"in.fa\").take(200).long_sequences(\"truncate\", 126)".clone_into(&mut job.dataset);
    job.options = format!("sequences: true, {options}");
    job.run().check_code(0);
    job
}

/// The rows of a file of Arrow: each column of each row.
fn rows(path: &Path) -> Vec<BTreeMap<String, ArrayRef>> {
    let reader = FileReader::try_new(File::open(path).unwrap(), None).unwrap();
    let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().unwrap();
    let of_batch = |batch: RecordBatch| {
        let (names, n_rows) = (batch.schema(), batch.num_rows());
        let row = move |n| {
            let names = names.fields().iter().map(|field| field.name().clone());
            let columns = batch.columns().iter().map(|column| column.slice(n, 1));
            names.zip(columns.collect::<Vec<_>>()).collect()
        };
        (0..n_rows).map(row).collect::<Vec<_>>()
    };
    batches.into_iter().flat_map(of_batch).collect()
}

/// Checks that rows are those of the output, with these texts and lengths.
fn check_rows(path: &Path, expect: &[BTreeMap<String, ArrayRef>], kept: &BTreeSet<&str>) {
    let found = rows(path);
    assert_eq!(found.len(), expect.len(), "{}", path.display());
    let nothing: ArrayRef = std::sync::Arc::new(StringArray::from(vec![""]));
    for (found, expect) in found.iter().zip(expect) {
        let mut expect = expect.clone();
        for name in TABLE.iter().filter(|name| !kept.contains(*name)) {
            match *name {
                "description" => drop(expect.insert((*name).to_owned(), nothing.clone())),
                name => drop(expect.remove(name)),
            }
        }
        let names = |row: &BTreeMap<String, ArrayRef>| row.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(found), names(&expect), "{}", path.display());
        for (name, column) in found {
            assert_eq!(column.data_type(), expect[name].data_type(), "{name}");
            assert!(column == &expect[name], "{name} of {}", path.display());
        }
    }
}

#[test]
fn from_each_format_to_each_other_one() {
    for (question, is_many, is_of_contacts) in QUESTIONS {
        let job = job(question);
        let first = |format: &Format| job.path(&format!("first.{}", format.ending));
        let source = job.path("out.parquet");
        write(&source, &first(&FORMATS[1]), OptionMap::new()).unwrap();
        let expect = rows(&first(&FORMATS[1]));
        assert_eq!(expect.len(), 200);
        let has_room = |format: &&Format| {
            (format.has_many || !is_many) && (format.has_contacts || !is_of_contacts)
        };
        for from in FORMATS.iter().filter(has_room) {
            write(&source, &first(from), OptionMap::new()).unwrap();
            for to in FORMATS.iter().filter(has_room) {
                let second = job.path(&format!("{}_to.{}", from.ending, to.ending));
                let written = write(&first(from), &second, OptionMap::new());
                if to.ending == "embed" && !from.keeps.contains(&"sequence") {
                    let error = written.unwrap_err();
                    assert!(
                        error.to_string().contains("no column `sequence`"),
                        "{error}"
                    );
                    assert!(error.hint().unwrap().contains("`sequences: true`"));
                    continue;
                }
                assert_eq!(written.unwrap().rows, 200);
                assert_eq!(verify(&second).unwrap().flaws, [], "{}", second.display());
                let third = job.path("third.arrow");
                let again = OptionMap::from([("overwrite".to_owned(), OptionValue::Flag(true))]);
                write(&second, &third, again).unwrap();
                let kept = [from, to].map(|of| of.keeps.iter().copied().collect::<BTreeSet<_>>());
                check_rows(&third, &expect, &(&kept[0] & &kept[1]));
                // What scripts read of it is the same, too.
                if question.starts_with("pooling") {
                    check_embeddings(
                        &second,
                        &source,
                        kept[0].contains("description") && kept[1].contains("description"),
                    );
                } else if !is_many {
                    let error = Embeddings::read(&second).unwrap_err();
                    let expect = if is_of_contacts {
                        "holds contacts"
                    } else {
                        "vectors of residues"
                    };
                    assert!(error.message.contains(expect), "{error}");
                }
            }
        }
    }
}

/// Checks that the vectors of an output are those of another one, and its descriptions, where it has them.
fn check_embeddings(path: &Path, of: &Path, has_descriptions: bool) {
    let [found, expect] = [path, of].map(|path| Embeddings::read(path).unwrap());
    assert!(found == expect, "{}", path.display());
    let descriptions = |of: &Embeddings| -> Vec<String> {
        let rows = 0..of.len();
        rows.map(|row| of.description(row).unwrap().into_owned())
            .collect()
    };
    match has_descriptions {
        true => assert_eq!(descriptions(&found), descriptions(&expect)),
        false => assert!(descriptions(&found).iter().all(String::is_empty)),
    }
}

#[test]
fn of_no_rows_there_is_a_file_in_each_format() {
    let mut job = Job::new();
    "fasta(\"in.fa\").min_length(100_000).long_sequences(\"skip\", 126)"
        .clone_into(&mut job.dataset);
    "sequences: true, residues: true,".clone_into(&mut job.options);
    job.run().check_code(REJECTED);
    for from in FORMATS {
        let first = job.path(&format!("first.{}", from.ending));
        write(&job.path("out.parquet"), &first, OptionMap::new()).unwrap();
        for to in FORMATS.iter().filter(|to| to.ending != "embed") {
            let second = job.path(&format!("{}_to.{}", from.ending, to.ending));
            assert_eq!(write(&first, &second, OptionMap::new()).unwrap().rows, 0);
        }
    }
}

#[test]
fn what_is_damaged_or_not_whole_is_not_exported() {
    let job = job("pooling: \"mean\",");
    let hashed = OptionMap::from([("keys".to_owned(), OptionValue::Text("hash".to_owned()))]);
    let source = job.path("out.parquet");
    write(&source, &job.path("hashed.h5"), hashed).unwrap();
    let refused = write(
        &job.path("hashed.h5"),
        &job.path("second.arrow"),
        OptionMap::new(),
    );
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("equal ones share one"), "{error}");
    for format in FORMATS {
        let first = job.path(&format!("first.{}", format.ending));
        write(&source, &first, OptionMap::new()).unwrap();
        let mut bytes = std::fs::read(&first).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&first, bytes).unwrap();
        let error = write(&first, &job.path("second.arrow"), OptionMap::new()).unwrap_err();
        assert!(error.hint().unwrap().contains("overwrite: true"), "{error}");
        assert!(!job.path("second.arrow").exists());
    }
}

#[test]
fn what_may_lack_texts_is_another_output() {
    let mut job = job("pooling: \"mean\",");
    let [source, array, poor, rich] =
        ["out.parquet", "a.npy", "poor.arrow", "rich.arrow"].map(|name| job.path(name));
    write(&source, &array, OptionMap::new()).unwrap();
    write(&array, &poor, OptionMap::new()).unwrap();
    assert!(write(&array, &poor, OptionMap::new()).unwrap().is_old);
    let error = write(&source, &poor, OptionMap::new()).unwrap_err();
    assert!(error.to_string().contains("exists"), "{error}");
    write(&source, &rich, OptionMap::new()).unwrap();
    assert!(write(&source, &rich, OptionMap::new()).unwrap().is_old);
    // Nothing is computed where the output is there, and the other one is not taken for it.
    "rich.arrow".clone_into(&mut job.output);
    assert_eq!(job.run().check_code(0).figure("computed"), 0);
    "poor.arrow".clone_into(&mut job.output);
    let refused = job.run();
    assert_ne!(refused.code, Some(0));
    assert!(
        refused.stderr.contains("through: it has npy"),
        "{}",
        refused.stderr
    );
}
