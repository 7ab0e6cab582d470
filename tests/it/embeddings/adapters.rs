//! Adapters of PEFT, against what PEFT and transformers make of them: `scripts/golden/lora.py`.

use super::{
    common::project,
    files::{Stored, Tensors, check_refused, load, save},
    golden::{Bounds, check_outputs},
};
use crate::{RUNNER, child::finish};
use runner::{
    cancel::CancelToken,
    hint::Hint,
    job::{DeviceChoice, ModelSpec},
    model::Model,
};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command};
use tempfile::TempDir;

/// The model of all of them.
const BASE: &str = "tests/golden/hd16";
const CLASSIFIER: &str = "tests/golden/lora/classifier";
const WEIGHTS: &str = "adapter_model.safetensors";
const QUERY: &str = "base_model.model.esm.encoder.layer.0.attention.self.query";

const BOUNDS: Bounds = Bounds {
    tolerance: 1e-4,
    least_cosine: 0.999_999,
};

fn check(adapter: &str, folder: &Path) -> Model {
    let model = load(folder).unwrap_or_else(|error| panic!("{adapter}: {error}"));
    check_outputs(adapter, &model, BOUNDS);
    model
}

/// A copy of the classifier's adapter, elsewhere.
struct Copied(TempDir);

impl Copied {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for file in ["adapter_config.json", WEIGHTS] {
            fs::copy(project(CLASSIFIER).join(file), folder.path().join(file)).unwrap();
        }
        let copy = Self(folder);
        copy.configure("base_model_name_or_path", json!(project(BASE)));
        copy
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn configure(&self, key: &str, value: Value) {
        let path = self.path().join("adapter_config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        config[key] = value;
        fs::write(&path, config.to_string()).unwrap();
    }

    fn change(&self, change: impl FnOnce(&mut Tensors)) {
        let path = self.path().join(WEIGHTS);
        let bytes = fs::read(&path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file.iter().map(|(name, view)| {
            let stored = Stored {
                dtype: view.dtype(),
                shape: view.shape().to_vec(),
                bytes: view.data().to_vec(),
            };
            (name.to_owned(), stored)
        });
        let mut tensors = tensors.collect();
        change(&mut tensors);
        save(&tensors, &path);
    }

    fn refused(&self, parts: &[&str]) {
        check_refused(self.path(), parts);
    }
}

#[test]
fn embeddings_agree_with_peft() {
    for (name, unused) in [
        ("classifier", &["classifier", "contact_head"][..]),
        ("patterns", &[]),
        ("whole", &[]),
    ] {
        let adapter = format!("tests/golden/lora/{name}");
        let model = check(&adapter, &project(&adapter));
        assert_eq!(model.name(), name);
        let merged = model.merged().unwrap();
        assert_eq!(merged.base, "hd16");
        assert_eq!(merged.unused, unused);
    }
}

#[test]
fn the_name_of_the_adapter_may_be_in_its_tensors() {
    let copy = Copied::new();
    copy.change(|tensors| {
        let named = |name: String| match name.strip_suffix(".weight") {
            Some(before) if before.contains("lora_") => format!("{before}.default.weight"),
            _ => name,
        };
        let all = std::mem::take(tensors).into_iter();
        tensors.extend(all.map(|(name, stored)| (named(name), stored)));
    });
    check(CLASSIFIER, copy.path());
    // PEFT takes no notice of it for linear layers.
    copy.configure("fan_in_fan_out", json!(true));
    check(CLASSIFIER, copy.path());
}

#[test]
fn the_hash_of_a_model_covers_its_adapter() {
    let hash = |folder: &Path| load(folder).unwrap().weights_hash().unwrap().to_owned();
    let copy = Copied::new();
    let before = hash(copy.path());
    assert_ne!(before, hash(&project(BASE)));
    copy.configure("lora_alpha", json!(7));
    let other_alpha = hash(copy.path());
    assert_ne!(before, other_alpha);
    copy.change(|tensors| {
        let b = tensors.get_mut(&format!("{QUERY}.lora_B.weight")).unwrap();
        *b = b.with(0, 1.0);
    });
    assert_ne!(other_alpha, hash(copy.path()));
}

#[test]
fn all_files_that_are_read_are_known() {
    let spec = ModelSpec {
        device: DeviceChoice::Cpu,
        ..ModelSpec::new(&project(CLASSIFIER).to_string_lossy())
    };
    let files = Model::files(&spec).unwrap();
    let names: Vec<_> = files
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy())
        .collect();
    for name in [
        "adapter_config.json",
        WEIGHTS,
        "config.json",
        "model.safetensors",
    ] {
        assert!(
            names.iter().any(|found| *found == name),
            "{name}: {names:?}"
        );
    }
    // A rehearsal of the mock device needs the configurations only.
    let mock = ModelSpec {
        device: DeviceChoice::Mock,
        ..spec
    };
    assert_eq!(
        Model::check(&mock, &CancelToken::default())
            .unwrap()
            .config
            .hidden_size,
        64
    );
}

#[test]
fn other_kinds_of_adapters_are_refused() {
    let check = |key: &str, value: Value, parts: &[&str]| {
        let copy = Copied::new();
        copy.configure(key, value);
        copy.refused(parts);
    };
    check(
        "peft_type",
        json!("IA3"),
        &["IA3", "only LORA", "merge_and_unload"],
    );
    check("use_dora", json!(true), &["DoRA", "merge_and_unload"]);
    check(
        "init_lora_weights",
        json!("pissa"),
        &["\"pissa\"", "merge_and_unload"],
    );
    check(
        "r",
        json!(3),
        &["lora_A.weight` has the shape [2, ", "it would be [3, "],
    );
    check("rank_pattern", json!({"q.*": 2}), &["pattern `q.*`"]);
    check(
        "base_model_name_or_path",
        Value::Null,
        &["names no model", "its `base_model_name_or_path`"],
    );
    check(
        "base_model_name_or_path",
        json!(project("tests/golden/hd64")),
        &["another model?"],
    );
    check(
        "base_model_name_or_path",
        json!(project(CLASSIFIER)),
        &["adapter of an adapter"],
    );
    check(
        "base_model_name_or_path",
        json!("/no/such/model"),
        &["/no/such/model"],
    );
    let copy = Copied::new();
    fs::remove_file(copy.path().join(WEIGHTS)).unwrap();
    copy.refused(&["it has no `adapter_model.safetensors`"]);
    fs::write(copy.path().join("adapter_config.json"), "{").unwrap();
    copy.refused(&["adapter_config.json"]);
}

#[test]
fn a_base_that_is_missing_is_told_with_where_it_is_named() {
    let copy = Copied::new();
    copy.configure("base_model_name_or_path", json!("/nowhere/base"));
    copy.refused(&[
        "it changes the model `/nowhere/base`",
        "`base_model_name_or_path` in its `adapter_config.json`",
        "such as `facebook/esm2_t6_8M_UR50D`",
    ]);
}

#[test]
fn heads_that_an_adapter_changes_answer_nothing() {
    let lacks = |folder: &Path| load(folder).unwrap().lacks().clone();
    let copy = Copied::new();
    let classifier = lacks(copy.path());
    assert_eq!(classifier.logits, None, "only the encoder is changed");
    let contacts = classifier.contacts.expect("it is changed").text;
    assert!(
        contacts.contains("adapter changes `contact_head`"),
        "{contacts}"
    );
    let numbers = Stored::new(&[2, 64], &[0.5; 128]);
    let name = "base_model.model.lm_head.dense.lora_A.weight";
    copy.change(|tensors| _ = tensors.insert(name.to_owned(), numbers));
    let logits = lacks(copy.path()).logits.expect("it is changed").text;
    assert!(logits.contains("adapter changes `lm_head`"), "{logits}");
    // Whether the output layer is that of the adapter, too, PEFT leaves open.
    let whole = lacks(&project("tests/golden/lora/whole"));
    let logits = whole.logits.expect("embeddings are changed").text;
    assert!(
        logits.contains("adapter changes the embeddings"),
        "{logits}"
    );
}

#[test]
fn tensors_that_cannot_be_merged_are_refused() {
    let check = |name: &str, shape: &[usize], parts: &[&str]| {
        let copy = Copied::new();
        let numbers = vec![0.5; shape.iter().product()];
        let added = Stored::new(shape, &numbers);
        copy.change(|tensors| _ = tensors.insert(name.to_owned(), added));
        copy.refused(parts);
    };
    let query = |rest: &str| format!("{QUERY}.{rest}");
    let magnitude = query("lora_magnitude_vector.weight");
    check(&magnitude, &[64], &[&magnitude, "DoRA"]);
    let tokens = "base_model.model.esm.embeddings.word_embeddings.lora_embedding_A";
    check(tokens, &[2, 33], &[tokens, "embeddings of tokens"]);
    check(&query("lora_B.bias"), &[64], &["biases of LoRA's matrices"]);
    check(
        &query("lora_A.other.weight"),
        &[2, 64],
        &["for the same place"],
    );
    check(
        &query("lora_A.weight"),
        &[2, 65],
        &["the shape [2, 65]", "another model?"],
    );
    let layer_9 = QUERY.replace("layer.0", "layer.9");
    check(
        &format!("{layer_9}.weight"),
        &[64, 64],
        &["no tensor of an ESM-2 of 2 layers"],
    );
    let norm = QUERY.replace("attention.self.query", "LayerNorm");
    check(
        &format!("{norm}.lora_A.weight"),
        &[2, 64],
        &["has no counterpart"],
    );
    check(
        "base_model.model.decoder.weight",
        &[2],
        &["decoder.weight", "in no layer"],
    );
    let other = QUERY.replace("model.esm", "model.teacher");
    check(&format!("{other}.bias"), &[64], &["of another encoder"]);
    let copy = Copied::new();
    copy.change(|tensors| tensors.retain(|name, _| !name.ends_with("query.lora_B.weight")));
    copy.refused(&["query.lora_A.weight` has no counterpart"]);
    let copy = Copied::new();
    copy.change(|tensors| tensors.retain(|name, _| name.contains("classifier")));
    copy.refused(&["none of its tensors"]);
}

#[test]
fn merged_weights_are_finite_or_refused() {
    // A check reads no weights.
    let refused = |copy: &Copied, parts: &[&str]| {
        let error = load(copy.path()).err().expect("it must be refused");
        let message = error.in_full();
        for part in parts {
            assert!(message.contains(part), "{message}");
        }
    };
    let tensor = "tensor `encoder.layer.0.attention.self.query.weight` holds";
    let copy = Copied::new();
    copy.configure("lora_alpha", json!(3e38));
    copy.configure("alpha_pattern", json!({}));
    copy.change(|tensors| {
        for matrix in ["A", "B"] {
            let name = format!("{QUERY}.lora_{matrix}.weight");
            let large = Stored::new(
                &tensors[&name].shape,
                &vec![10.0; tensors[&name].values().len()],
            );
            tensors.insert(name, large);
        }
    });
    refused(&copy, &[tensor, "inf", "lora_alpha"]);
    let copy = Copied::new();
    copy.change(|tensors| {
        let b = tensors.get_mut(&format!("{QUERY}.lora_B.weight")).unwrap();
        *b = b.with(0, f32::NAN);
    });
    refused(&copy, &[tensor, "NaN"]);
}

#[test]
fn what_python_writes_for_no_number_is_not_json() {
    let copy = Copied::new();
    let path = copy.path().join("adapter_config.json");
    copy.configure("lora_alpha", json!("was"));
    let text = fs::read_to_string(&path).unwrap();
    for word in ["NaN", "Infinity"] {
        fs::write(&path, text.replace("\"was\"", word)).unwrap();
        copy.refused(&["adapter_config.json", "not valid JSON"]);
    }
}

#[test]
fn outputs_name_the_adapter_and_its_base() {
    let folder = tempfile::tempdir().unwrap();
    let adapter = project(CLASSIFIER);
    let adapter = adapter.display();
    let script = format!(
        "let model = esm2(\"{adapter}\", #{{ device: \"cpu\" }});
         embed(model, fasta(\"{adapter}/golden.fasta\"), #{{ output: \"out.parquet\" }});"
    );
    fs::write(folder.path().join("job.rhai"), script).unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(RUNNER);
        finish(command.args(args).current_dir(folder.path()), b"")
    };
    let output = run(&["-v", "exec", "job.rhai"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let remark =
        "classifier is hd16 with an adapter merged into it, but for classifier, contact_head";
    assert!(stderr.contains(remark), "{stderr}");
    let status = run(&["status", "--json", "out.parquet"]).stdout;
    let status: Value = serde_json::from_slice(&status).unwrap();
    assert_eq!(status["identity"]["model"], "classifier");
    assert_eq!(status["settings"]["model_base"], "hd16");
}
