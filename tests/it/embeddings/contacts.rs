//! Contacts against HF transformers, and what a run writes of them.
//!
//! `scripts/golden/contacts.py` has made the references, and the heads of models that have none.

use super::{
    common::{golden_sequences, load, load_on, one_batch, project},
    program::Job,
    real,
};
use arrow_array::{
    Array,
    cast::AsArray,
    types::{Float32Type, UInt32Type},
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use runner::{
    job::{Column, ContactPairs, Content, DeviceChoice, Dtype, OutputDtype, Question},
    model::Model,
};
use safetensors::SafeTensors;
use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
};
use tempfile::TempDir;

const DEMO: &str = "examples/models/esm2_t6_2M_demo";
/// References, models, and the folders of their sequences.
const SMALL: [(&str, &str, &str); 3] = [
    ("hd32", "tests/golden/hd32", "tests/golden/hd32"),
    ("hd64", "tests/golden/hd64", "tests/golden/hd64"),
    ("demo", DEMO, "tests/golden/hd32"),
];

/// A copy of a model with the head of its references, as another file of its weights.
pub fn with_head(folder: &Path, name: &str, model: &str) {
    let link = |from: &Path, to: &str| symlink(from, folder.join(to)).expect("a link");
    let model = project(model);
    link(&model.join("config.json"), "config.json");
    link(&model.join("model.safetensors"), "encoder.safetensors");
    let golden = format!("tests/golden/contacts/{name}.safetensors");
    link(&project(&golden), "head.safetensors");
    let index = r#"{"weight_map": {"a": "encoder.safetensors", "b": "head.safetensors"}}"#;
    fs::write(folder.join("model.safetensors.index.json"), index).expect("written");
}

fn loaded(name: &str, model: &str) -> (TempDir, Model) {
    let folder = tempfile::tempdir().expect("a folder");
    with_head(folder.path(), name, model);
    let model = load(&folder.path().to_string_lossy());
    (folder, model)
}

fn question(content: Content) -> Question {
    let column = Column {
        name: "contacts".to_owned(),
        content,
        dtype: OutputDtype::F32,
    };
    Question {
        columns: vec![column],
    }
}

/// What the model says of each sequence, in input order, from one batch.
pub fn ask(model: &Model, sequences: &[String], content: Content) -> Vec<Vec<f32>> {
    let batch = one_batch(sequences);
    let rows = model.answer(&batch, &question(content)).expect("contacts");
    let values = rows.columns[0].values.to_f32();
    let mut answers: Vec<_> = (0..rows.len())
        .map(|row| {
            let range = rows.columns[0].range(row);
            (rows.meta[row].index, values[range].to_vec())
        })
        .collect();
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, values)| values).collect()
}

/// Compares the contacts of all sequences with the references, and returns the largest difference.
pub fn largest_difference(name: &str, sequences: &[String], contacts: &[Vec<f32>]) -> f32 {
    let golden = project(&format!("tests/golden/contacts/{name}.safetensors"));
    let bytes = fs::read(golden).expect("the references");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    let mut largest = 0f32;
    for (n, (sequence, got)) in sequences.iter().zip(contacts).enumerate() {
        let length = sequence.len();
        assert_eq!(got.len(), length * length);
        let (reference, rows): (_, Vec<usize>) = match tensors.tensor(&format!("{n}.contacts")) {
            Ok(reference) => (reference, (0..length).collect()),
            Err(_) => {
                let reference = tensors.tensor(&format!("{n}.rows")).expect("a reference");
                (reference, vec![0, length / 3, length / 2, length - 1])
            }
        };
        let words = reference.data().as_chunks::<4>().0.iter();
        let want: Vec<f32> = words.map(|&word| f32::from_le_bytes(word)).collect();
        assert_eq!(want.len(), rows.len() * length);
        for (row, want) in rows.into_iter().zip(want.chunks(length)) {
            for (got, want) in got[row * length..][..length].iter().zip(want) {
                largest = largest.max((got - want).abs());
            }
        }
    }
    largest
}

#[test]
fn contacts_agree_with_hf_transformers() {
    for (name, model, sequences) in SMALL {
        let (_folder, model) = loaded(name, model);
        assert_eq!(model.no_contacts(), None);
        let sequences = golden_sequences(sequences);
        let contacts = ask(&model, &sequences, Content::Contacts);
        let difference = largest_difference(name, &sequences, &contacts);
        assert!(difference < 1e-4, "{name}: {difference:e}");
    }
}

#[test]
fn contacts_of_trained_weights_agree_with_hf_transformers() {
    let Some(folder) = real::folder_or_skip() else {
        return;
    };
    let model = load_on(&folder, DeviceChoice::Cpu, Dtype::F32);
    let sequences = golden_sequences(real::GOLDEN);
    let contacts = ask(&model, &sequences, Content::Contacts);
    let difference = largest_difference("real", &sequences, &contacts);
    assert!(difference < 1e-4, "{difference:e}");
}

#[test]
fn contacts_do_not_depend_on_the_batch() {
    let (_folder, model) = loaded("demo", DEMO);
    let sequences = golden_sequences("tests/golden/hd32");
    let together = ask(&model, &sequences, Content::Contacts);
    let pairs = ContactPairs {
        threshold: 0.5,
        min_separation: 6,
    };
    let listed = ask(&model, &sequences, Content::ContactPairs(pairs));
    let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    for ((sequence, together), listed) in sequences.iter().zip(&together).zip(&listed) {
        let alone = &ask(&model, std::slice::from_ref(sequence), Content::Contacts)[0];
        assert_eq!(bits(alone), bits(together), "{} residues", sequence.len());
        assert_eq!(listed, &pairs.list(together));
    }
    assert!(listed.iter().any(|pairs| !pairs.is_empty()));
}

#[test]
fn the_head_of_fair_esm_is_a_file_beside_the_model() {
    let folder = "tests/golden/fair_esm";
    let sequences = golden_sequences(folder);
    let contacts = |model: &str| {
        let model = load(&format!("{folder}/{model}"));
        ask(&model, &sequences, Content::Contacts)
    };
    assert_eq!(contacts("esm2_t2_tiny.pt"), contacts("transformers"));
    let without = load(&format!("{folder}/esm2_t2_plain.pt"));
    let reason = without.no_contacts().expect("there is no such file");
    assert!(
        reason.text.contains("esm2_t2_plain-contact-regression.pt"),
        "{reason}"
    );
}

#[test]
fn a_script_asks_for_contacts() {
    let job = Job::new();
    fs::create_dir(job.at("model")).expect("a folder");
    with_head(&job.at("model"), "demo", DEMO);
    let script = r#"
        let model = esm2("model", #{ device: "cpu" });
        contacts(model, fasta("in.fa"), #{ output: "maps.parquet" });
        let run = contacts(model, fasta("in.fa"), #{ output: "pairs.parquet", threshold: 0.0, min_separation: 8 });
        print(run.sequences);
    "#;
    let checked = job.run("check", script);
    assert_eq!(checked.exit_code, 0, "{checked:?}");
    let done = job.run("exec", script);
    assert_eq!((done.exit_code, done.stdout.trim()), (0, "2"), "{done:?}");

    let read = |name: &str| {
        let file = File::open(job.at(name)).expect("an output");
        let mut reader = ParquetRecordBatchReaderBuilder::try_new(file)
            .and_then(|builder| builder.build())
            .expect("Parquet");
        reader.next().expect("rows").expect("rows")
    };
    let maps = read("maps.parquet");
    let pairs = read("pairs.parquet");
    assert_eq!(maps.num_columns(), 5);
    let map = maps["contacts"].as_list::<i32>().value(0);
    assert_eq!(map.len(), 10, "a row for each residue of MKTAYIAKQR");
    let probability = |i: usize, j: usize| {
        let row = map.as_list::<i32>().value(i - 1);
        row.as_primitive::<Float32Type>().value(j - 1)
    };
    let of_first = |name: &str| pairs[name].as_list::<i32>().value(0);
    let i = of_first("i");
    let j = of_first("j");
    assert_eq!(i.as_primitive::<UInt32Type>().values(), &[1, 1, 2]);
    assert_eq!(j.as_primitive::<UInt32Type>().values(), &[9, 10, 10]);
    let probabilities = of_first("probability");
    let expect = [probability(1, 9), probability(1, 10), probability(2, 10)];
    assert_eq!(
        probabilities.as_primitive::<Float32Type>().values(),
        &expect
    );
    // Of six residues none are so far from each other.
    assert_eq!(pairs["i"].as_list::<i32>().value(1).len(), 0);
}

#[test]
fn a_model_without_the_head_is_refused_before_anything_is_done() {
    let job = Job::new();
    let script = format!(
        r#"contacts(esm2("{}", #{{ device: "cpu" }}), fasta("in.fa"), #{{ output: "maps.parquet" }});"#,
        project(DEMO).display()
    );
    for command in ["check", "exec"] {
        let done = job.run(command, &script);
        assert_eq!(done.exit_code, 5, "{done:?}");
        assert!(done.stderr.contains("predicts no contacts"), "{done:?}");
        assert!(done.stderr.contains("contact_head.regression"), "{done:?}");
    }
    assert!(!job.at("maps.parquet").exists());
    let script = r#"embed(esm2("model"), fasta("in.fa"), #{ threshold: 0.3 });"#;
    let done = job.run("check", script);
    assert_ne!(done.exit_code, 0, "{done:?}");
}
