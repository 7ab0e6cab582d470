//! Contacts: of long sequences against HF transformers, whatever the batch, and what a run writes of them. Those of
//! small sequences are compared in `questions`.
//!
//! `scripts/golden/contacts.py` has made the references.

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
};

const DEMO: &str = "examples/models/esm2_t6_2M_demo";
/// One without the head.
const HEADLESS: &str = "tests/golden/hd24";

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

/// Compares the contacts of long sequences with those that transformers predicts with the trained weights. Returns the
/// largest difference.
pub fn check_trained(model: &Model) -> f32 {
    let bytes = fs::read(project(real::GOLDEN).join("contacts.safetensors"));
    let bytes = bytes.expect("the references");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    let sequences = golden_sequences(real::GOLDEN);
    let contacts = ask(model, &sequences, Content::Contacts);
    let (mut n_checked, mut largest) = (0, 0f32);
    for (n, (sequence, got)) in sequences.iter().zip(&contacts).enumerate() {
        let length = sequence.len();
        assert_eq!(got.len(), length * length);
        let Ok(reference) = tensors.tensor(&format!("{n}.rows")) else {
            continue;
        };
        let words = reference.data().as_chunks::<4>().0.iter();
        let want: Vec<f32> = words.map(|&word| f32::from_le_bytes(word)).collect();
        let rows = [0, length / 3, length / 2, length - 1];
        for (row, want) in rows.into_iter().zip(want.chunks(length)) {
            for (got, want) in got[row * length..][..length].iter().zip(want) {
                largest = largest.max((got - want).abs());
                assert!(
                    (got - want).abs() < 1e-4,
                    "sequence {n}, residue {row}: {got}, not {want}"
                );
            }
        }
        n_checked += 1;
    }
    assert_eq!(n_checked, tensors.len());
    largest
}

#[test]
fn contacts_of_long_sequences_agree_with_hf_transformers() {
    if let Some(folder) = real::folder_or_skip() {
        check_trained(&load_on(&folder, DeviceChoice::Cpu, Dtype::F32));
    }
}

#[test]
fn contacts_do_not_depend_on_the_batch() {
    let model = load(DEMO);
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
    let columns = vec![Column {
        name: "contacts".to_owned(),
        content: Content::Contacts,
        dtype: OutputDtype::F32,
    }];
    let refused = without.lacks().check("plain", &Question { columns });
    let reason = refused.expect_err("there is no such file").to_string();
    assert!(
        reason.contains("esm2_t2_plain-contact-regression.pt"),
        "{reason}"
    );
}

#[test]
fn a_script_asks_for_contacts() {
    let job = Job::new();
    symlink(project(DEMO), job.at("model")).expect("a link");
    let script = r#"
        let model = esm2("model", #{ device: "cpu" });
        contacts(model, fasta("in.fa"), #{ output: "maps.parquet" });
        let run = contacts(model, fasta("in.fa"), #{ output: "pairs.parquet", threshold: 0.0, min_separation: 8 });
        print(run.sequences);
        contact_map("maps.parquet", "a", "map.svg");
        contact_table("pairs.parquet", "pairs.csv");
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
    let table = fs::read_to_string(job.at("pairs.csv")).expect("a table");
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines[0], "id,i,j,probability");
    assert_eq!(lines[1], format!("a,1,9,{}", probability(1, 9)));
    assert_eq!(lines.len(), 4);
    let picture = fs::read_to_string(job.at("map.svg")).expect("a picture");
    assert!(picture.contains(">a</text>") && picture.contains("10 residues"));
    // A table looks like anybody's.
    fs::write(job.at("pairs.csv"), "id,i,j,probability\nmine,1,2,3\n").expect("a file");
    for command in ["check", "exec"] {
        let refused = job.run(command, r#"contact_table("pairs.parquet", "pairs.csv");"#);
        assert!(refused.exit_code != 0, "{refused:?}");
        assert!(refused.stderr.contains("`pairs.csv` exists"), "{refused:?}");
        assert!(refused.stderr.contains("overwrite: true"), "{refused:?}");
    }
    let replaces = r#"contact_table("pairs.parquet", "pairs.csv", #{ overwrite: true });"#;
    let done = job.run("exec", replaces);
    assert_eq!(done.exit_code, 0, "{done:?}");
    assert_eq!(
        fs::read_to_string(job.at("pairs.csv")).expect("a table"),
        table
    );
    let missing = job.run("exec", r#"contact_map("maps.parquet", "c", "map.svg");"#);
    assert!(missing.stderr.contains("no sequence `c`"), "{missing:?}");
    let foreign = job.run("exec", r#"contact_table("maps.parquet", "in.fa");"#);
    assert!(foreign.stderr.contains("in.fa"), "{foreign:?}");
    assert!(
        fs::read_to_string(job.at("in.fa"))
            .expect("still there")
            .starts_with(">a")
    );
    for (call, expect) in [
        (
            r#"contact_table("maps.parquet", "maps.txt")"#,
            "name it `maps.csv`",
        ),
        (
            r#"contact_map("maps.parquet", "a", "map.png")"#,
            "name it `map.svg`",
        ),
    ] {
        for command in ["check", "exec"] {
            let refused = job.run(command, call);
            assert!(
                refused.exit_code != 0 && refused.stderr.contains(expect),
                "{refused:?}"
            );
        }
    }
    // Of six residues none are so far from each other.
    assert_eq!(pairs["i"].as_list::<i32>().value(1).len(), 0);
}

#[test]
fn contacts_are_read_of_arrow_and_other_formats_are_named() {
    let job = Job::new();
    symlink(project(DEMO), job.at("model")).expect("a link");
    let done = job.run(
        "exec",
        r#"let model = esm2("model", #{ device: "cpu" });
        let pairs = #{ threshold: 0.0, min_separation: 8 };
        let run = contacts(model, fasta("in.fa"), pairs + #{ output: "pairs.parquet" });
        contacts(model, fasta("in.fa"), pairs + #{ output: "pairs.arrow" });
        contacts(model, fasta("in.fa"), #{ output: "maps.h5" });
        embed(model, fasta("in.fa"), #{ output: "pooled.parquet" });
        contact_table("pairs.parquet", "a.csv");
        contact_table("pairs.arrow", "b.csv");
        contact_table(run, "c.csv");
        contact_map("pairs.arrow", "a", "map.svg");
        contact_map(run, "a", "of_run.svg");"#,
    );
    assert_eq!(done.exit_code, 0, "{done:?}");
    let read = |name: &str| fs::read_to_string(job.at(name)).expect("written");
    assert_eq!(read("a.csv"), read("b.csv"));
    assert_eq!(read("a.csv"), read("c.csv"));
    assert_eq!(read("map.svg"), read("of_run.svg"));
    assert_eq!(read("a.csv").lines().count(), 4);
    let picture = read("map.svg");
    assert!(picture.contains("that are 8 or more apart"), "{picture}");
    assert!(
        picture.contains("less than 8 apart were not kept"),
        "{picture}"
    );
    for (name, expect) in [
        ("maps.h5", "a file of HDF5"),
        ("pooled.parquet", "`contacts: true`"),
    ] {
        let refused = job.run("exec", &format!(r#"contact_table("{name}", "d.csv");"#));
        assert!(refused.stderr.contains(expect), "{refused:?}");
        assert!(!refused.stderr.contains("overwrite"), "{refused:?}");
    }
}

#[test]
fn a_model_without_the_head_is_refused_before_anything_is_done() {
    let job = Job::new();
    let script = format!(
        r#"contacts(esm2("{}", #{{ device: "cpu" }}), fasta("in.fa"), #{{ output: "maps.parquet" }});"#,
        project(HEADLESS).display()
    );
    for command in ["check", "exec"] {
        let done = job.run(command, &script);
        assert_eq!(done.exit_code, 5, "{done:?}");
        assert!(done.stderr.contains("predicts no contacts"), "{done:?}");
        assert!(done.stderr.contains("contact_head.regression"), "{done:?}");
    }
    assert!(!job.at("maps.parquet").exists());
}

#[test]
fn attention_maps_are_those_of_hf_transformers() {
    let bytes = fs::read(project("tests/golden/hd32/attention.safetensors")).expect("references");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    let sequences = golden_sequences("tests/golden/hd32");
    let job = Job::new();
    symlink(project("tests/golden/hd32"), job.at("model")).expect("a link");
    let mut names = tensors.names();
    names.sort();
    for name in names {
        let number: usize = name
            .strip_suffix(".attention")
            .expect("a name")
            .parse()
            .unwrap();
        let reference = tensors.tensor(name).expect("a reference");
        let script = format!(
            r#"attention_maps(esm2("model", #{{ device: "cpu" }}), "{}",
                #{{ output: "maps.npy", output_dtype: "f32", overwrite: true }});"#,
            sequences[number]
        );
        let done = job.run("exec", &script);
        assert_eq!(done.exit_code, 0, "{done:?}");
        let file = fs::read(job.at("maps.npy")).expect("the maps");
        let data = file.len() - reference.data().len();
        assert_eq!(data % 64, 0);
        let shape = reference.shape().iter().map(usize::to_string);
        let shape = format!("({})", shape.collect::<Vec<_>>().join(", "));
        let header = String::from_utf8_lossy(&file[..data]);
        assert!(
            header.contains("'<f4'") && header.contains(&shape),
            "{header}"
        );
        let numbers = |bytes: &[u8]| -> Vec<f32> {
            let words = bytes.as_chunks::<4>().0.iter();
            words.map(|&word| f32::from_le_bytes(word)).collect()
        };
        for (got, want) in numbers(&file[data..]).iter().zip(numbers(reference.data())) {
            assert!((got - want).abs() < 1e-5, "{name}: {got}, not {want}");
        }
    }
}
