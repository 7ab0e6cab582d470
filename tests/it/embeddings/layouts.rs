//! The layouts in which the weights of ESM-2 are published, against HF transformers.
//!
//! `scripts/golden/layouts.py` has shown that transformers gives the same bits for all layouts with the
//! same frequencies, so that one reference serves them.

use super::{
    files::{Stored, Tensors, check_refused, configure, folder, load, tensors},
    golden::{Bounds, check_outputs},
};
use half::f16;
use safetensors::Dtype;
use std::fs;

/// The model whose weights the references were made with.
const MODEL: &str = "tests/golden/hd64";
const IN_FILE: &str = "tests/golden/layouts/in_file";
const THETA: &str = "tests/golden/layouts/theta_5000";
/// Where the project's models have their frequencies.
const TOP: &str = "esm.rotary_embeddings.inv_freq";
const N_LAYERS: usize = 2;

const BOUNDS: Bounds = Bounds {
    tolerance: 1e-4,
    least_cosine: 0.999_999,
};

fn in_layer(layer: impl std::fmt::Display) -> String {
    format!("esm.encoder.layer.{layer}.attention.self.rotary_embeddings.inv_freq")
}

/// The weights without frequencies, and the frequencies rounded to f16.
fn parts() -> (Tensors, Stored) {
    let mut weights = tensors(MODEL);
    let frequencies = weights.remove(TOP).expect("frequencies");
    let rounded: Vec<f32> = frequencies
        .values()
        .iter()
        .map(|&x| f16::from_f32(x).to_f32())
        .collect();
    (weights, Stored::new(&frequencies.shape, &rounded))
}

/// The weights with the rounded frequencies under these names.
fn with_frequencies(names: &[String]) -> Tensors {
    let (mut weights, frequencies) = parts();
    weights.extend(names.iter().map(|name| (name.clone(), frequencies.clone())));
    weights
}

pub fn in_every_layer() -> Tensors {
    with_frequencies(&std::array::from_fn::<_, N_LAYERS, _>(in_layer))
}

pub fn renamed(tensors: Tensors, rename: impl Fn(&str) -> String) -> Tensors {
    tensors
        .into_iter()
        .map(|(name, stored)| (rename(&name), stored))
        .collect()
}

fn with_old_norms(tensors: Tensors) -> Tensors {
    renamed(tensors, |name| {
        name.replace("LayerNorm.weight", "LayerNorm.gamma")
            .replace("LayerNorm.bias", "LayerNorm.beta")
    })
}

pub fn check_layout(tensors: &Tensors, what: &str) {
    let folder = folder(MODEL, tensors);
    let model = load(folder.path()).unwrap_or_else(|error| panic!("{what}: {error}"));
    check_outputs(IN_FILE, &model, BOUNDS);
}

#[test]
fn frequencies_come_from_wherever_the_file_has_them() {
    check_layout(&with_frequencies(&[TOP.to_owned()]), "top level");
    check_layout(&in_every_layer(), "every layer");
    check_layout(&with_frequencies(&[in_layer("*")]), "starred");
    let all = [TOP.to_owned(), in_layer("*"), in_layer(0), in_layer(1)];
    check_layout(&with_frequencies(&all), "everywhere");
}

#[test]
fn layer_norms_may_have_their_old_names() {
    check_layout(
        &with_old_norms(with_frequencies(&[in_layer("*")])),
        "gamma, starred",
    );
    check_layout(&with_old_norms(in_every_layer()), "gamma, every layer");
}

#[test]
fn any_prefix_is_understood() {
    for prefix in [
        "",
        "model.",
        "module.",
        "_orig_mod.",
        "model.esm.",
        "module.esm.",
        "_orig_mod.esm.",
        "module._orig_mod.esm.",
    ] {
        let rename = |name: &str| match name.strip_prefix("esm.") {
            Some(rest) => format!("{prefix}{rest}"),
            None => name.to_owned(),
        };
        check_layout(&renamed(in_every_layer(), rename), prefix);
        let starred = with_old_norms(with_frequencies(&[in_layer("*")]));
        check_layout(&renamed(starred, rename), prefix);
    }
}

#[test]
fn what_else_real_files_carry_is_left_alone() {
    let mut tensors = in_every_layer();
    let position_ids: Vec<u8> = (0..1026i64).flat_map(i64::to_le_bytes).collect();
    tensors.insert(
        "esm.embeddings.position_ids".to_owned(),
        Stored {
            dtype: Dtype::I64,
            shape: vec![1, 1026],
            bytes: position_ids,
        },
    );
    for name in [
        "esm.embeddings.position_embeddings.weight",
        "esm.contact_head.regression.weight",
        "esm.contact_head.regression.bias",
        "esm.pooler.dense.weight",
        "esm.embeddings.layer_norm.weight",
        "lm_head.decoder.weight",
        "lm_head.bias",
        "classifier.out_proj.weight",
        "classifier.bias",
        "regression_head.weight",
    ] {
        tensors.insert(name.to_owned(), Stored::new(&[2, 3], &[0.5; 6]));
    }
    check_layout(&tensors, "heads and positions");
}

#[test]
fn without_frequencies_the_configuration_decides() {
    let (weights, _) = parts();
    let computed = folder(MODEL, &weights);
    let model = load(computed.path()).expect("the model loads");
    check_outputs(MODEL, &model, BOUNDS);

    for (key, value) in [
        ("rope_theta", "5000.0"),
        ("rope_theta", "5000"),
        (
            "rope_parameters",
            r#"{ "rope_theta": 5000.0, "rope_type": "default" }"#,
        ),
    ] {
        let folder = folder(MODEL, &weights);
        configure(folder.path(), key, value);
        check_outputs(
            THETA,
            &load(folder.path()).expect("the model loads"),
            BOUNDS,
        );
    }
    let scaled = folder(MODEL, &weights);
    configure(
        scaled.path(),
        "rope_parameters",
        r#"{ "rope_theta": 10000.0, "rope_type": "linear", "factor": 4.0 }"#,
    );
    check_refused(scaled.path(), &["rope_parameters.rope_type", "linear"]);
}

#[test]
fn frequencies_of_the_file_win_over_the_configuration() {
    let folder = folder(MODEL, &in_every_layer());
    configure(folder.path(), "rope_theta", "5000.0");
    check_outputs(
        IN_FILE,
        &load(folder.path()).expect("the model loads"),
        BOUNDS,
    );
}

#[test]
fn frequencies_that_disagree_are_refused() {
    let (_, frequencies) = parts();
    let changed = frequencies.with(3, 0.123);
    let check = |tensors: &Tensors, parts: &[&str]| {
        check_refused(folder(MODEL, tensors).path(), parts);
    };
    let mut tensors = in_every_layer();
    tensors.insert(in_layer(1), changed.clone());
    check(&tensors, &["differ", &in_layer(0), &in_layer(1)]);
    let mut tensors = in_every_layer();
    tensors.insert(TOP.to_owned(), changed);
    check(&tensors, &["differ", TOP]);
    check(
        &with_frequencies(&[in_layer(1)]),
        &[
            "layer 1 has rotary frequencies of its own",
            "layer 0 has none",
        ],
    );
    let mut tensors = in_every_layer();
    let short = Stored::new(&[2], &[1.0, 0.1]);
    tensors.insert(in_layer(1), short);
    check(&tensors, &[&in_layer(1), "its shape is [2]"]);
}

#[test]
fn layers_beyond_those_of_the_configuration_are_refused() {
    let mut tensors = in_every_layer();
    let bias = tensors["esm.encoder.layer.1.output.dense.bias"].clone();
    tensors.insert("esm.encoder.layer.2.output.dense.bias".to_owned(), bias);
    let folder = folder(MODEL, &tensors);
    check_refused(
        folder.path(),
        &[
            "encoder.layer.2.output.dense.bias",
            "`num_hidden_layers` is 2",
        ],
    );
    let path = folder.path().join("config.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("_layers\": 2", "_layers\": 4")).unwrap();
    check_refused(
        folder.path(),
        &["they have 3 layers", "`num_hidden_layers` is 4"],
    );
}

#[test]
fn what_would_change_a_layer_is_refused() {
    for (name, part) in [
        (
            "attention.self.query.lora_A.default.weight",
            "merge_and_unload",
        ),
        (
            "attention.self.query.weight_scale",
            "no tensor of an ESM-2 layer",
        ),
        (
            "crossattention.self.query.weight",
            "no tensor of an ESM-2 layer",
        ),
    ] {
        let mut tensors = in_every_layer();
        let name = format!("esm.encoder.layer.0.{name}");
        tensors.insert(name.clone(), Stored::new(&[2], &[0.0; 2]));
        check_refused(folder(MODEL, &tensors).path(), &[&name, part]);
    }
}

#[test]
fn a_missing_tensor_names_prefix_and_layout() {
    let check = |tensors: &Tensors, parts: &[&str]| {
        check_refused(folder(MODEL, tensors).path(), parts);
    };
    const NAME: &str = "encoder.layer.1.attention.LayerNorm.weight";
    let mut tensors = in_every_layer();
    tensors.remove(&format!("esm.{NAME}"));
    check(
        &tensors,
        &[
            &format!("`esm.{NAME}`"),
            "missing",
            "prefix `esm.`",
            "frequencies in every layer",
        ],
    );
    let module = renamed(with_frequencies(&[in_layer("*")]), |name| {
        format!("module.{name}")
    });
    let mut tensors = module;
    tensors.remove(&format!("module.esm.{NAME}"));
    check(&tensors, &["prefix `module.esm.`", "layer.*.attention"]);
    let (mut tensors, _) = parts();
    tensors = renamed(tensors, |name| name.replace("esm.", ""));
    tensors.remove(NAME);
    check(&tensors, &["without a prefix", "no rotary frequencies"]);
    tensors.remove("embeddings.word_embeddings.weight");
    check(
        &tensors,
        &["no tensor is called `embeddings.word_embeddings.weight`"],
    );
}

#[test]
fn the_references_are_those_of_other_frequencies() {
    // The test of this file can fail: computed frequencies are further from the reference than its
    // bounds allow.
    let (weights, _) = parts();
    let computed = folder(MODEL, &weights);
    let model = load(computed.path()).expect("the model loads");
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        check_outputs(IN_FILE, &model, BOUNDS);
    }));
    assert!(caught.is_err(), "computed frequencies pass");
}
