//! Files as Meta published them, against fair-esm itself, which wrote the references.

use super::{
    common::{golden_sequences, load, one_batch, project},
    files::{self, Tensors, check_refused},
    golden::{Bounds, check},
    layouts::{check_layout, in_every_layer, renamed},
};
use runner::{job::Pooling, model::Model};
use std::{fs, os::unix::fs::symlink};

const FOLDER: &str = "tests/golden/fair_esm";
const TINY: &str = "tests/golden/fair_esm/esm2_t2_tiny.pt";

const BOUNDS: Bounds = Bounds {
    tolerance: 1e-4,
    least_cosine: 0.999_999,
};

fn embed(model: &Model) -> Vec<f32> {
    let batch = one_batch(&golden_sequences(FOLDER));
    model
        .encode(&batch, &[0, 1, 2], Pooling::Mean)
        .expect("finite embeddings")
}

#[test]
fn embeddings_agree_with_fair_esm() {
    let model = load(TINY);
    assert_eq!(model.name(), "esm2_t2_tiny");
    check(
        FOLDER,
        &model,
        &["mean", "cls", "mean_all_layers", "tokens"],
        BOUNDS,
    );
}

#[test]
fn the_form_of_a_model_does_not_matter() {
    let of_transformers = embed(&load("tests/golden/fair_esm/transformers"));
    assert_eq!(embed(&load(TINY)), of_transformers);
    let without_prefixes = load("tests/golden/fair_esm/esm2_t2_plain.pt");
    assert_eq!(embed(&without_prefixes), of_transformers);

    let folder = tempfile::tempdir().unwrap();
    let other_name = folder.path().join("model.bin");
    fs::copy(project(TINY), &other_name).unwrap();
    assert_eq!(embed(&load(other_name.to_str().unwrap())), of_transformers);
    fs::remove_file(other_name).unwrap();
    let link = |name: &str| {
        symlink(project(FOLDER).join(name), folder.path().join(name)).unwrap();
    };
    link("esm2_t2_tiny.pt");
    link("esm2_t2_tiny-contact-regression.pt");
    let only = load(folder.path().to_str().unwrap());
    assert_eq!(only.name(), "esm2_t2_tiny");
    assert_eq!(embed(&only), of_transformers);
    let hash = only.weights_hash().unwrap().to_owned();
    fs::remove_file(folder.path().join("esm2_t2_tiny-contact-regression.pt")).unwrap();
    let alone = load(folder.path().to_str().unwrap());
    assert_eq!(
        alone.weights_hash().unwrap(),
        hash,
        "contacts are no part of it"
    );
    link("esm2_t2_plain.pt");
    check_refused(
        folder.path(),
        &["several models", "`esm2_t2_plain`", "name one"],
    );
}

#[test]
fn names_of_fair_esm_are_read_from_any_file() {
    // The names of the layouts' own model, as fair-esm would have them, in safetensors.
    let in_layer = [
        ("attention.self.query", "self_attn.q_proj"),
        ("attention.self.key", "self_attn.k_proj"),
        ("attention.self.value", "self_attn.v_proj"),
        ("attention.self.rotary_embeddings", "self_attn.rot_emb"),
        ("attention.output.dense", "self_attn.out_proj"),
        ("attention.LayerNorm", "self_attn_layer_norm"),
        ("intermediate.dense", "fc1"),
        ("output.dense", "fc2"),
        ("LayerNorm", "final_layer_norm"),
    ];
    let rename = |name: &str| {
        let name = name.replace("esm.embeddings.word_embeddings", "embed_tokens");
        let name = name.replace("esm.encoder.emb_layer_norm", "emb_layer_norm");
        let name = name.replace("esm.encoder.layer.", "layers.");
        let found = in_layer.iter().find(|(part, _)| name.contains(part));
        match found {
            Some((part, by)) if name.starts_with("layers.") => name.replace(part, by),
            _ => name,
        }
    };
    let mut tensors = renamed(in_every_layer(), rename);
    assert!(tensors.contains_key("layers.1.self_attn_layer_norm.bias"));
    check_layout(&tensors, "names of fair-esm");
    let prefixed = renamed(tensors.clone(), |name| match name.starts_with("lm_head") {
        true => format!("encoder.{name}"),
        false => format!("encoder.sentence_encoder.{name}"),
    });
    check_layout(&prefixed, "names of fair-esm with prefixes");

    let folder = |tensors: &Tensors| files::folder("tests/golden/hd64", tensors);
    tensors.remove("layers.1.fc2.bias");
    check_refused(
        folder(&tensors).path(),
        &["`layers.1.fc2.bias`", "missing", "names of fair-esm"],
    );
    let bias = tensors["layers.1.fc1.bias"].clone();
    tensors.insert("layers.1.self_attn.bias_k".to_owned(), bias);
    check_refused(
        folder(&tensors).path(),
        &["bias_k", "no tensor of an ESM-2 layer"],
    );
}

#[test]
fn other_models_of_fair_esm_are_refused_by_name() {
    let at = |name: &str| project(FOLDER).join(name);
    check_refused(
        &at("esm1b_t2_tiny.pt"),
        &["ESM-1b", "positions are learned"],
    );
    check_refused(
        &at("esm2_t2_tiny-contact-regression.pt"),
        &["predicts contacts", "name the file of the model"],
    );
    let folder = tempfile::tempdir().unwrap();
    let other = |name: &str, bytes: &[u8], parts: &[&str]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        check_refused(&path, parts);
    };
    let tiny = fs::read(project(TINY)).unwrap();
    other("esmfold_3B_v1.pt", &tiny, &["ESMFold"]);
    other("cut.pt", &tiny[..tiny.len() - 100], &["cut.pt"]);
    other(
        "pointer.pt",
        b"version https://git-lfs.github.com/spec/v1\n",
        &["git lfs pull"],
    );
    let regression = fs::read(at("esm2_t2_tiny-contact-regression.pt")).unwrap();
    other(
        "silent.pt",
        &regression,
        &["does not say what model", "`pytorch_model.bin`"],
    );
}
