//! Logits: against fair-esm, from every form of the head, and of sequences with masks, whatever the batch. Those of
//! transformers are compared in `questions`.

use super::{
    common::{load, one_batch, project},
    files::{self, Tensors, configure, tensors},
    golden::{self, Bounds},
};
use crate::{RUNNER, child::finish};
use runner::{
    alphabet::{MASK_RESIDUE, MASK_TEXT},
    hint::Hint,
    job::{Column, Content, OutputDtype, Positions, Question},
    model::Model,
};
use safetensors::SafeTensors;
use std::{fs, path::Path, process::Command};

/// Models with references of transformers for sequences with masks.
pub const MODELS: [&str; 3] = [
    MODEL,
    "tests/golden/hd32",
    "examples/models/esm2_t6_2M_demo",
];
const MODEL: &str = "tests/golden/hd64";
const FAIR_ESM: &str = "tests/golden/fair_esm";
/// One that was saved without the head.
const HEADLESS: &str = "tests/golden/torch";
const WIDTH: usize = 33;

fn question(positions: Positions) -> Question {
    let column = Column {
        name: "logits".to_owned(),
        content: Content::Logits { positions },
        dtype: OutputDtype::F32,
    };
    Question {
        columns: vec![column],
    }
}

/// The sequences of a model's `answers.fasta`, with a byte for each residue.
fn sequences(folder: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(project(folder).join("answers.fasta")).expect("answers.fasta");
    let records = text.strip_prefix('>').expect("FASTA").split("\n>");
    let sequence = |record: &str| {
        let residues: String = record.lines().skip(1).collect();
        let pieces: Vec<&[u8]> = residues.split(MASK_TEXT).map(str::as_bytes).collect();
        pieces.join(&MASK_RESIDUE)
    };
    records.map(sequence).collect()
}

/// The logits of each sequence, in input order, from one batch.
pub fn ask(model: &Model, sequences: &[Vec<u8>], positions: Positions) -> Vec<Vec<f32>> {
    let batch = one_batch(sequences);
    let rows = model.answer(&batch, &question(positions)).expect("logits");
    let values = rows.columns[0].values.to_f32();
    let mut answers: Vec<_> = (0..rows.len())
        .map(|row| {
            (
                rows.meta[row].index,
                values[rows.columns[0].range(row)].to_vec(),
            )
        })
        .collect();
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, values)| values).collect()
}

fn bits(answers: &[Vec<f32>]) -> Vec<Vec<u32>> {
    let bits = |values: &Vec<f32>| values.iter().map(|x| x.to_bits()).collect();
    answers.iter().map(bits).collect()
}

fn assert_close(got: &[f32], want: &[f32], what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (n, (got, want)) in got.iter().zip(want).enumerate() {
        assert!(
            (got - want).abs() <= 1e-4,
            "{what}, number {n}: {got}, not {want}"
        );
    }
}

/// The logits of all tokens of the sequences of `folder`, as close to the references as `bounds` say. Returns the
/// largest difference.
pub fn check(folder: &str, model: &Model, bounds: Bounds) -> f32 {
    let bytes = fs::read(project(folder).join("answers.safetensors")).expect("references");
    let references = SafeTensors::deserialize(&bytes).expect("safetensors");
    let answers = ask(model, &sequences(folder), Positions::Tokens);
    let mut largest = 0f32;
    for (n, got) in answers.iter().enumerate() {
        let name = format!("{n}.logits");
        let want = references.tensor(&name).expect("a reference");
        let words = want.data().as_chunks::<4>().0.iter();
        let want: Vec<f32> = words.map(|&word| f32::from_le_bytes(word)).collect();
        let difference = golden::assert_close(got, &want, bounds, &format!("{folder} {name}"));
        largest = largest.max(difference);
    }
    let names = references.names().into_iter();
    let n_logits = names.filter(|name| name.ends_with(".logits")).count();
    assert_eq!(answers.len(), n_logits);
    largest
}

#[test]
fn logits_agree_with_fair_esm() {
    const BOUNDS: Bounds = Bounds {
        tolerance: 1e-4,
        least_cosine: 0.999_999,
    };
    let model = |name: &str| load(&format!("{FAIR_ESM}/{name}"));
    let meta = model("esm2_t2_tiny.pt");
    check(FAIR_ESM, &meta, BOUNDS);
    let sequences = sequences(FAIR_ESM);
    let of = |model: &Model| bits(&ask(model, &sequences, Positions::Tokens));
    for other in ["esm2_t2_plain.pt", "transformers"] {
        assert_eq!(of(&model(other)), of(&meta), "{other}");
    }
}

#[test]
fn masks_are_those_positions_of_all_and_do_not_depend_on_the_batch() {
    check_masks(MODEL, &load(MODEL));
}

/// The logits of masks are those of all tokens there, and the bits of a sequence are the same alone.
pub fn check_masks(folder: &str, model: &Model) {
    let sequences = sequences(folder);
    let together = ask(model, &sequences, Positions::Tokens);
    let residues = ask(model, &sequences, Positions::Residues);
    let masks = ask(model, &sequences, Positions::Masks);
    for (n, sequence) in sequences.iter().enumerate() {
        let all = &together[n];
        assert_eq!(residues[n], all[WIDTH..all.len() - WIDTH], "sequence {n}");
        let rows = residues[n].chunks(WIDTH).zip(sequence);
        let rows = rows.filter(|(_, residue)| **residue == MASK_RESIDUE);
        let want: Vec<f32> = rows.flat_map(|(row, _)| row.to_vec()).collect();
        assert_eq!(masks[n], want, "sequence {n}");
        let one = std::slice::from_ref(sequence);
        let alone = ask(model, one, Positions::Tokens);
        assert_eq!(bits(&alone), bits(&together[n..=n]), "sequence {n}");
        let alone = ask(model, one, Positions::Masks);
        assert_eq!(bits(&alone), bits(&masks[n..=n]), "masks of sequence {n}");
    }
    let n_masks: usize = masks.iter().map(|values| values.len() / WIDTH).sum();
    let all = sequences.iter().flatten();
    assert_eq!(n_masks, all.filter(|byte| **byte == MASK_RESIDUE).count());
    assert!(masks.iter().any(Vec::is_empty) && n_masks > 10);
}

#[test]
fn the_head_is_read_from_every_form() {
    let sequences = sequences(MODEL);
    let logits = |tensors: &Tensors| {
        let folder = files::folder(MODEL, tensors);
        let model = files::load(folder.path()).expect("a model");
        ask(&model, &sequences, Positions::Tokens).concat()
    };
    let tied = tensors(MODEL);
    let before = logits(&tied);

    // Under the names of older norms, and in a wrapper of PyTorch.
    let mut other = tied.clone();
    for (new, old) in [("weight", "gamma"), ("bias", "beta")] {
        let tensor = other.remove(&format!("lm_head.layer_norm.{new}"));
        other.insert(format!("lm_head.layer_norm.{old}"), tensor.expect("a norm"));
    }
    assert_eq!(logits(&other), before);
    let wrapped = tied
        .iter()
        .map(|(name, tensor)| (format!("module.{name}"), tensor.clone()));
    assert_eq!(logits(&wrapped.collect()), before);

    // The output layer counts where the files have it; without a bias it is linear in it.
    const EMBEDDINGS: &str = "esm.embeddings.word_embeddings.weight";
    let mut own = tied.clone();
    own.insert(
        "lm_head.decoder.weight".to_owned(),
        tied[EMBEDDINGS].clone(),
    );
    assert_eq!(logits(&own), before, "what it is tied to");
    let embeddings = &tied[EMBEDDINGS];
    let twice: Vec<f32> = embeddings.values().iter().map(|x| 2.0 * x).collect();
    let twice = files::Stored::new(&embeddings.shape, &twice);
    own.insert("lm_head.decoder.weight".to_owned(), twice);
    let bias = tied["lm_head.bias"].values();
    let want = before.iter().zip(bias.iter().cycle());
    let want: Vec<f32> = want.map(|(logit, bias)| 2.0 * logit - bias).collect();
    assert_close(&logits(&own), &want, "twice the output layer");
}

#[test]
fn models_without_the_head_say_what_they_lack() {
    let tied = tensors(MODEL);
    let check = |tensors: &Tensors, settings: &[(&str, &str)], parts: &[&str]| {
        let folder = files::folder(MODEL, tensors);
        for (key, value) in settings {
            configure(folder.path(), key, value);
        }
        let model = files::load(folder.path()).expect("embeddings need no head");
        let lacks = model.lacks();
        let error = lacks.check("m", &question(Positions::Residues));
        let message = error.expect_err("logits need it").in_full();
        for part in parts {
            assert!(message.contains(part), "`{message}` does not say `{part}`");
        }
        let pooled = Question::pooled(&[1], runner::job::Pooling::Mean);
        lacks.check("m", &pooled).expect("embeddings need no head");
    };
    let without = |name: &str| {
        let mut tensors = tied.clone();
        tensors.remove(name).expect("a tensor");
        tensors
    };
    for name in [
        "lm_head.bias",
        "lm_head.dense.weight",
        "lm_head.layer_norm.bias",
    ] {
        let missing = format!("`{name}` is missing");
        check(
            &without(name),
            &[],
            &["`m` gives no logits", &missing, "facebook/"],
        );
    }
    let mut wide = tied.clone();
    let dense = tied["lm_head.dense.bias"].clone();
    wide.insert("lm_head.bias".to_owned(), dense);
    check(&wide, &[], &["`lm_head.bias`", "shape"]);
    check(
        &tied,
        &[("tie_word_embeddings", "false")],
        &["`lm_head.decoder.weight` is missing", "tie_word_embeddings"],
    );
}

/// Runs a script that asks `model` for logits: how the program ended, and what it said.
fn asked(command: &str, model: &Path, folder: &Path) -> (Option<i32>, String) {
    let script = "let model = esm2(args[0], #{ device: \"cpu\" });\n\
                  embed(model, fasta(\"in.fa\"), #{ logits: true, output: \"out.parquet\" });\n";
    fs::write(folder.join("job.rhai"), script).expect("a script");
    fs::write(folder.join("in.fa"), ">a\nMK<mask>AY\n").expect("FASTA");
    let mut program = Command::new(RUNNER);
    program.args([command, "job.rhai", "--"]).arg(model);
    let output = finish(program.current_dir(folder), b"");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

#[test]
fn a_run_that_asks_for_logits_in_vain_computes_nothing() {
    const MODEL_ERROR: i32 = 5;
    let folder = tempfile::tempdir().expect("a folder");
    for command in ["check", "exec"] {
        let (code, said) = asked(command, &project(HEADLESS), folder.path());
        assert_eq!(code, Some(MODEL_ERROR), "{command}: {said}");
        assert!(said.contains("gives no logits"), "{command}: {said}");
        assert!(said.contains("`lm_head.dense.weight` is missing"), "{said}");
        assert!(!folder.path().join("out.parquet").exists());
    }
    let (code, said) = asked("check", &project(MODEL), folder.path());
    assert_eq!(code, Some(0), "{said}");
}
