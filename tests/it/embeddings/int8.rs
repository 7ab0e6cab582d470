//! Models in int8 on a GPU: near what they are in f32, a matter of the sequence alone, and refused where they are not.
#![expect(clippy::print_stdout, reason = "figures are for people")]

use super::{
    common::{GOLDEN_MODELS, golden_sequences, one_batch, project},
    golden::{Closeness, references},
    invariance::{check_bits, embed},
    program::Job,
    real,
};
use crate::{RUNNER, models::model_of_zeros};
use runner::{
    device::choose,
    hint::Hint,
    job::{CpuShare, DeviceChoice, Dtype, Int8, ModelSpec, Pooling, Products},
    model::{INT8_RECIPE, Model, ModelError},
};
use serde_json::Value;
use std::process::Command;

/// Whether the first GPU takes int8; where it does not, the test that asks says so.
fn is_there() -> bool {
    let chosen = choose(&DeviceChoice::cuda(0), CpuShare::default()).expect("a GPU");
    let capability = chosen[0].gpu.as_ref().map(|gpu| gpu.capability);
    let is_there = capability == Some((9, 0));
    if !is_there {
        println!("SKIPPED: int8 takes compute capability 9.0, and this GPU has {capability:?}");
    }
    is_there
}

/// The products of each recipe, by their names.
const RECIPES: [&[&str]; 3] = [
    &["qkv", "out", "fc1"],
    &["qkv", "out", "fc1", "fc2"],
    // What is in bf16 goes into what is not, and the other way round.
    &["out", "fc2"],
];

/// A model with reference outputs.
const MODEL: &str = GOLDEN_MODELS[3];

/// The shortest of the sequences that cosines are asked of. Of shorter ones one residue is much.
const LEAST_RESIDUES: usize = 25;

fn spec(folder: &str, products: &[&str], accept_accuracy: f64) -> ModelSpec {
    ModelSpec {
        device: DeviceChoice::cuda(0),
        dtype: Some(Dtype::Int8),
        int8: Int8 {
            products: Products::from_names(products).expect("each is named once"),
            accept_accuracy,
        },
        ..ModelSpec::new(&project(folder).to_string_lossy())
    }
}

/// A model of any accuracy.
fn load(folder: &str, products: &[&str]) -> Model {
    Model::load(&spec(folder, products, 0.0)).expect("the model loads")
}

/// The cosines of the pooled vectors of `model` with those of transformers in `golden`, without those of sequences
/// that are shorter than [`LEAST_RESIDUES`].
fn cosines(model: &Model, golden: &str) -> Vec<f64> {
    let want = references(golden);
    let sequences = golden_sequences(golden);
    let embedded = embed(model, &sequences);
    let pairs = sequences.iter().zip(embedded).enumerate();
    let long = pairs.filter(|(_, (sequence, _))| sequence.len() >= LEAST_RESIDUES);
    long.map(|(n, (_, got))| Closeness::of(&got, &want[&format!("{n}.mean")]).cosine)
        .collect()
}

/// Prints how close `model` is, and checks that the least cosine is no less than `least`.
fn check(what: &str, model: &Model, golden: &str, least: f64) {
    let cosines = cosines(model, golden);
    let found = cosines.iter().copied().fold(f64::INFINITY, f64::min);
    let mean = cosines.iter().map(|cosine| 1.0 - cosine).sum::<f64>() / cosines.len() as f64;
    let accuracy = model.accuracy().expect("it was tried when it was loaded");
    println!(
        "{what}: least cosine {found:.6}, mean of 1 - cosine {mean:.2e} of {} sequences; {:.6} when it was loaded",
        cosines.len(),
        accuracy.least
    );
    assert!(found >= least, "{what}: {cosines:?}");
    assert!(found < 0.999_999, "{what}: it was not in int8");
}

#[test]
#[ignore = "needs a Hopper GPU"]
fn int8_agrees_with_hf_transformers() {
    if !is_there() {
        return;
    }
    for products in RECIPES {
        let model = load(MODEL, products);
        assert_eq!(model.dtype(), Dtype::Int8);
        let what = format!("{MODEL} {products:?}");
        check(&what, &model, MODEL, 0.999);
    }
}

#[test]
#[ignore = "scripts/gpu/real.sh runs it"]
fn trained_weights_agree_with_hf_transformers_in_int8() {
    if !is_there() {
        return;
    }
    let folder = real::folder().expect("scripts/gpu/real.sh names the weights");
    for products in RECIPES {
        let model = load(&folder, products);
        check(
            &format!("trained {products:?}"),
            &model,
            real::GOLDEN,
            0.999,
        );
    }
}

/// The model that scripts/gpu/parity.sh prepares.
#[test]
#[ignore = "scripts/gpu/parity.sh runs it"]
fn a_large_model_agrees_with_hf_transformers_in_int8() {
    if !is_there() {
        return;
    }
    let folder = std::env::var("RUNNER_GOLDEN").expect("scripts/gpu/parity.sh names the model");
    for products in RECIPES {
        let model = load(&folder, products);
        check(&format!("{folder} {products:?}"), &model, &folder, 0.9995);
    }
}

#[test]
#[ignore = "needs a Hopper GPU"]
fn a_sequence_has_the_same_bits_alone_and_anywhere_in_a_batch() {
    if !is_there() {
        return;
    }
    for folder in GOLDEN_MODELS {
        for products in RECIPES {
            let model = load(folder, products);
            let accuracy = model.accuracy().expect("it was tried when it was loaded");
            println!("{folder} {products:?}: {:.6}", accuracy.least);
            assert!(accuracy.least > 0.998, "{folder} {products:?}");
            check_bits(&format!("{folder} {products:?}"), &model, folder);
        }
    }
}

#[test]
#[ignore = "needs a Hopper GPU"]
fn rows_of_padding_change_no_bit() {
    if !is_there() {
        return;
    }
    let folder = MODEL;
    for products in RECIPES {
        let model = load(folder, products);
        let batch = one_batch(&golden_sequences(folder));
        let mut padded = batch.clone();
        padded.n_padding = 3000;
        let layers: Vec<_> = (0..=model.n_layers()).collect();
        let encode = |batch| model.encode(batch, &layers, Pooling::Mean).expect("finite");
        assert_eq!(encode(&batch), encode(&padded), "{products:?}");
    }
}

#[test]
#[ignore = "needs a Hopper GPU"]
fn a_model_is_made_int8_in_the_same_way_whenever_it_is_loaded() {
    if !is_there() {
        return;
    }
    let folder = MODEL;
    let sequences = golden_sequences(folder);
    for products in RECIPES {
        let (first, second) = (load(folder, products), load(folder, products));
        assert_eq!(first.accuracy(), second.accuracy(), "{products:?}");
        let bits = |model| embed(model, &sequences);
        assert_eq!(bits(&first), bits(&second), "{products:?}");
    }
}

#[test]
#[ignore = "needs a Hopper GPU"]
fn a_model_that_is_not_accurate_enough_is_refused() {
    if !is_there() {
        return;
    }
    let error = Model::load(&spec(MODEL, RECIPES[0], 1.0)).err();
    let error = error.expect("none is as accurate as that");
    assert!(
        matches!(&error, ModelError::Inaccurate { cosine, .. } if *cosine > 0.999),
        "{error}"
    );
    let text = error.in_full();
    assert!(text.contains("and 1 is asked for"), "{text}");
    assert!(text.contains("`accept_accuracy: 0.999`"), "{text}");
}

#[test]
#[ignore = "needs a Hopper GPU"]
fn a_model_whose_sizes_no_kernel_takes_is_refused() {
    if !is_there() {
        return;
    }
    let place = Job::new();
    model_of_zeros(&place.at("odd"), 2, [48, 192, 3]);
    let folder = place.at("odd").to_string_lossy().into_owned();
    let error = Model::load(&spec(&folder, RECIPES[0], 0.0)).err();
    let error = error.expect("its hidden size is 48").in_full();
    for part in [
        "the model `odd` cannot be computed in int8: ",
        " 48 inputs ",
        "(leave `dtype` out, and options of int8 with it)",
    ] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
#[ignore = "needs a Hopper GPU"]
fn an_output_says_how_its_model_was_made_int8() {
    if !is_there() {
        return;
    }
    let job = Job::new();
    let script = |products: &str| {
        format!(
            "let m = esm2({:?}, #{{ device: \"cuda\", dtype: \"int8\", int8_products: [{products}] }});\n\
             let run = embed(m, fasta(\"in.fa\"), #{{ output: \"out.parquet\" }});\n\
             print(run.accuracy);",
            project(MODEL)
        )
    };
    let done = job.run("exec", &script("\"qkv\", \"fc1\""));
    assert_eq!(done.exit_code, 0, "{done:?}");
    let accuracy: f64 = done.stdout.trim().parse().expect("a cosine");
    assert!((0.999..0.999_999_9).contains(&accuracy), "{accuracy}");
    let file = std::fs::read(job.at("out.parquet")).expect("the output");
    let text = String::from_utf8_lossy(&file);
    for part in [
        "\"dtype\":\"int8\"".to_owned(),
        "\"int8_products\":\"qkv,fc1\"".to_owned(),
        format!("\"int8_recipe\":\"{INT8_RECIPE}\""),
        format!("{accuracy:.6}"),
    ] {
        assert!(text.contains(&part), "{part}");
    }
    let other = job.run("exec", &script("\"qkv\""));
    assert_ne!(other.exit_code, 0, "{other:?}");
    assert!(
        other.stderr.contains("int8_products: it has qkv,fc1"),
        "{}",
        other.stderr
    );
}

#[test]
#[ignore = "needs a Hopper GPU"]
fn parity_compares_it_with_f32_whatever_its_accuracy() {
    if !is_there() {
        return;
    }
    let mut command = Command::new("timeout");
    let model = project(MODEL);
    command.args(["200", RUNNER, "parity"]).arg(model).args([
        "--device",
        "cuda",
        "--dtype",
        "int8",
        "--int8-products",
        "qkv,fc2",
        "--take",
        "8",
        "--least",
        "0.999",
        "--json",
    ]);
    let done = command.output().expect("it runs");
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{stderr}");
    let found: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!(found["dtype"], "int8");
    assert_eq!(found["int8_products"], serde_json::json!(["qkv", "fc2"]));
    let accuracy = found["int8_accuracy"].as_f64().expect("a cosine");
    assert!((0.99..0.999_999_9).contains(&accuracy), "{accuracy}");
    for vectors in ["pooled", "centred", "per_residue"] {
        let norm = found[vectors]["relative_norm"].as_f64();
        assert!(norm.is_some_and(|norm| norm > 1e-4), "{vectors}: {found}");
    }
}
