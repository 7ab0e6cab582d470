//! What a model can be asked of each sequence beside one vector, against HF transformers in f32, through the real
//! program and its Parquet files.
//!
//! `scripts/golden/answers.py` has made the references. Some residues of its sequences are `<mask>`.
#![expect(clippy::print_stdout, reason = "figures are for people")]

use crate::{
    RUNNER,
    child::finish,
    embeddings::{common::project, real},
};
use arrow_array::{
    Array, RecordBatch,
    cast::AsArray,
    types::{Float16Type, Float32Type, UInt32Type},
};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use runner::reader::PROGRAM_VARIABLE;
use safetensors::{Dtype, SafeTensors};
use std::{collections::BTreeMap, env, fs, path::Path, process::Command};

const DEMO: &str = "examples/models/esm2_t6_2M_demo";
/// The models that have heads for both logits and contacts.
const MODELS: [&str; 3] = [DEMO, "tests/golden/hd32", "tests/golden/hd64"];
/// The most that rounding to f16 changes a number of 1.
const HALF: f32 = 1.0 / 2048.0;

/// A reference.
struct Tensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Tensor {
    /// Row `n` of the first dimension.
    fn row(&self, n: usize) -> &[f32] {
        let width = self.values.len() / self.shape[0];
        &self.values[n * width..][..width]
    }
}

/// What belongs to residues of what belongs to tokens.
fn of_residues(values: &[f32], n_tokens: usize) -> &[f32] {
    let width = values.len() / n_tokens;
    &values[width..values.len() - width]
}

/// The references of a file, by name: `3.logits`, …
fn references(path: &Path) -> BTreeMap<String, Tensor> {
    let bytes = fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let views = tensors
        .iter()
        .filter(|(_, view)| view.dtype() == Dtype::F32);
    let read = views.map(|(name, view)| {
        let words = view.data().as_chunks::<4>().0.iter();
        let tensor = Tensor {
            shape: view.shape().to_vec(),
            values: words.map(|&word| f32::from_le_bytes(word)).collect(),
        };
        (name.to_owned(), tensor)
    });
    read.collect()
}

/// How many references are of this kind.
fn n_of_kind(references: &BTreeMap<String, Tensor>, kind: &str) -> usize {
    let names = references.keys();
    names
        .filter(|name| name.ends_with(&format!(".{kind}")))
        .count()
}

/// The options of a model that say where it runs, in f32.
type Place = &'static str;

const CPU: Place = "device: \"cpu\"";
const GPU: Place = "device: \"cuda\", dtype: \"f32\"";
/// How far a number may be off, wherever it was computed.
const TOLERANCE: f32 = 1e-4;

/// The table `out.parquet` of a script that has `model` and `proteins`.
fn answers(place: Place, model: &Path, fasta: &Path, call: &str) -> RecordBatch {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "let model = esm2(args[0], #{{ {place} }});\nlet proteins = fasta(args[1]);\n{call}\n"
    );
    fs::write(folder.path().join("job.rhai"), script).unwrap();
    // A bundle for another machine names its own.
    let named = env::var_os(PROGRAM_VARIABLE);
    let mut program = Command::new(named.unwrap_or_else(|| RUNNER.into()));
    program
        .args(["-q", "exec", "job.rhai", "--"])
        .args([model, fasta])
        .current_dir(folder.path());
    let output = finish(&mut program, b"");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}: {call}\n{stderr}",
        model.display()
    );
    let file = fs::File::open(folder.path().join("out.parquet")).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let mut batches = builder.with_batch_size(1 << 16).build().unwrap();
    let table = batches.next().expect("rows").unwrap();
    assert!(batches.next().is_none(), "one batch has all rows");
    table
}

/// The numbers in an array of lists, one after the other.
fn numbers(array: &dyn Array, into: &mut Vec<f32>) {
    match array.data_type() {
        DataType::Float32 => into.extend(array.as_primitive::<Float32Type>().values()),
        DataType::Float16 => {
            let values = array.as_primitive::<Float16Type>().values().iter();
            into.extend(values.map(|value| value.to_f32()));
        }
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            (0..lists.len()).for_each(|n| numbers(&lists.value(n), into));
        }
        DataType::FixedSizeList(..) => {
            let lists = array.as_fixed_size_list();
            (0..lists.len()).for_each(|n| numbers(&lists.value(n), into));
        }
        other => panic!("{other}"),
    }
}

/// What a column has of a sequence.
fn cell(table: &RecordBatch, column: &str, sequence: usize) -> Vec<f32> {
    let found = table.column_by_name(column);
    let found = found.unwrap_or_else(|| panic!("no `{column}` in {:?}", table.schema()));
    let mut values = Vec::new();
    numbers(&found.slice(sequence, 1), &mut values);
    values
}

/// The names of the columns behind those that every output has.
fn answered(table: &RecordBatch) -> Vec<String> {
    let schema = table.schema();
    let names = schema.fields().iter().map(|field| field.name().clone());
    names
        .skip_while(|name| name != "truncated")
        .skip(1)
        .collect()
}

/// Residues of each sequence.
fn lengths(table: &RecordBatch) -> Vec<usize> {
    let lengths = table.column_by_name("length").unwrap();
    let lengths = lengths.as_primitive::<UInt32Type>().values();
    lengths.iter().map(|&length| length as usize).collect()
}

/// Compares numbers, of which each may be off by `relative` of itself beyond what all may be. Returns the largest
/// difference.
fn assert_close(got: &[f32], want: &[f32], relative: f32, what: &str) -> f32 {
    assert_eq!(got.len(), want.len(), "{what}: how many");
    let mut largest = 0f32;
    for (n, (&got, &want)) in got.iter().zip(want).enumerate() {
        let difference = (got - want).abs();
        assert!(
            difference <= TOLERANCE + relative * want.abs(),
            "{what}, number {n}: {got} instead of {want}"
        );
        largest = largest.max(difference);
    }
    largest
}

/// Compares logits of all tokens, and hidden states of all tokens and layers.
fn check_logits_and_states(place: Place) {
    for folder in MODELS {
        let references = references(&project(folder).join("answers.safetensors"));
        let n_states = references["0.states"].shape[0];
        let layers: Vec<_> = (0..n_states).map(|layer| layer.to_string()).collect();
        let layers = layers.join(", ");
        let table = answers(
            place,
            &project(folder),
            &project(folder).join("answers.fasta"),
            &format!(
                "embed(model, proteins, #{{ layers: [{layers}], residues: true, special_tokens: true, \
                 output_dtype: \"f32\", logits: true, output: \"out.parquet\" }});"
            ),
        );
        let (mut n_logits, mut n_of_states) = (0, 0);
        let (mut largest, mut largest_of_states) = (0f32, 0f32);
        for (n, length) in lengths(&table).into_iter().enumerate() {
            let logits = &references[&format!("{n}.logits")];
            assert_eq!(logits.shape, [length + 2, 33], "{folder}: sequence {n}");
            let what = format!("{folder}: logits of sequence {n}");
            let difference = assert_close(&cell(&table, "logits", n), &logits.values, 0.0, &what);
            largest = largest.max(difference);
            n_logits += 1;
            let Some(states) = references.get(&format!("{n}.states")) else {
                continue;
            };
            for layer in 0..n_states {
                let what = format!("{folder}: layer {layer} of sequence {n}");
                let got = cell(&table, &format!("residues_{layer}"), n);
                let difference = assert_close(&got, states.row(layer), 0.0, &what);
                largest_of_states = largest_of_states.max(difference);
            }
            n_of_states += 1;
        }
        assert_eq!(n_logits, n_of_kind(&references, "logits"));
        assert_eq!(n_of_states, n_of_kind(&references, "states"));
        println!(
            "{folder}, {place}: largest difference of logits {largest:.1e}, of states {largest_of_states:.1e}"
        );
    }
}

#[test]
fn logits_and_hidden_states_agree_with_hf_transformers() {
    check_logits_and_states(CPU);
}

#[test]
#[ignore = "needs a GPU"]
fn logits_and_hidden_states_of_a_gpu_agree_with_hf_transformers() {
    check_logits_and_states(GPU);
}

/// Compares what is asked with nothing but `residues` and `logits`.
fn check_defaults(place: Place) {
    for folder in MODELS {
        let references = references(&project(folder).join("answers.safetensors"));
        let table = answers(
            place,
            &project(folder),
            &project(folder).join("answers.fasta"),
            "embed(model, proteins, #{ residues: true, logits: true, output: \"out.parquet\" });",
        );
        assert_eq!(
            answered(&table),
            ["residues", "logits"],
            "nothing is pooled"
        );
        let schema = table.schema();
        let number = |name: &str| {
            let mut data_type = schema.field_with_name(name).unwrap().data_type();
            while let DataType::List(item) | DataType::FixedSizeList(item, _) = data_type {
                data_type = item.data_type();
            }
            data_type.clone()
        };
        assert_eq!(number("residues"), DataType::Float16);
        assert_eq!(number("logits"), DataType::Float32);
        for (n, length) in lengths(&table).into_iter().enumerate() {
            let logits = &references[&format!("{n}.logits")].values;
            let want = of_residues(logits, length + 2);
            let what = format!("{folder}: logits of sequence {n}");
            assert_close(&cell(&table, "logits", n), want, 0.0, &what);
            if let Some(states) = references.get(&format!("{n}.states")) {
                let want = of_residues(states.row(states.shape[0] - 1), length + 2);
                let what = format!("{folder}: residues of sequence {n}");
                assert_close(&cell(&table, "residues", n), want, HALF, &what);
            }
        }
    }
}

#[test]
fn residues_are_in_f16_and_without_special_tokens_unless_told_otherwise() {
    check_defaults(CPU);
}

#[test]
#[ignore = "needs a GPU"]
fn residues_of_a_gpu_are_in_f16_and_without_special_tokens() {
    check_defaults(GPU);
}

#[test]
fn each_layer_is_pooled_in_each_way() {
    let folder = project(DEMO);
    let references = references(&folder.join("golden.safetensors"));
    let n_layers = references["0.mean_all_layers"].shape[0] - 1;
    let table = answers(
        CPU,
        &folder,
        &folder.join("golden.fasta"),
        "embed(model, proteins, #{ layers: [0, -1], pooling: [\"mean\", \"cls\"], output: \"out.parquet\" });",
    );
    let column = |layer: usize, pooling: &str| format!("embedding_{layer}_{pooling}");
    let mut names = answered(&table);
    names.sort();
    let mut want = [0, n_layers]
        .map(|layer| [column(layer, "cls"), column(layer, "mean")])
        .concat();
    want.sort();
    assert_eq!(names, want);
    for n in 0..table.num_rows() {
        let means = &references[&format!("{n}.mean_all_layers")];
        for layer in [0, n_layers] {
            let got = cell(&table, &column(layer, "mean"), n);
            let what = format!("mean of layer {layer} of sequence {n}");
            assert_close(&got, means.row(layer), 0.0, &what);
        }
        let got = cell(&table, &column(n_layers, "cls"), n);
        let want = &references[&format!("{n}.cls")].values;
        assert_close(&got, want, 0.0, &format!("BOS of sequence {n}"));
    }
}

/// Compares the contacts of all sequences.
fn check_contacts(place: Place, model: &Path, golden: &Path) {
    let references = references(&golden.join("answers.safetensors"));
    let table = answers(
        place,
        model,
        &golden.join("answers.fasta"),
        "contacts(model, proteins, #{ output: \"out.parquet\" });",
    );
    let mut largest = 0f32;
    for (n, length) in lengths(&table).into_iter().enumerate() {
        let want = &references[&format!("{n}.contacts")];
        assert_eq!(want.shape, [length, length]);
        let got = cell(&table, "contacts", n);
        let what = format!("{}: contacts of sequence {n}", golden.display());
        largest = largest.max(assert_close(&got, &want.values, 0.0, &what));
    }
    println!(
        "{}, {place}: largest difference of contacts {largest:.1e}",
        golden.display()
    );
    assert_eq!(table.num_rows(), n_of_kind(&references, "contacts"));
}

#[test]
fn contacts_agree_with_hf_transformers() {
    for folder in MODELS {
        check_contacts(CPU, &project(folder), &project(folder));
    }
}

#[test]
#[ignore = "needs a GPU"]
fn contacts_of_a_gpu_agree_with_hf_transformers() {
    for folder in MODELS {
        check_contacts(GPU, &project(folder), &project(folder));
    }
}

#[test]
fn contacts_and_residues_of_trained_weights_agree_with_hf_transformers() {
    let Some(weights) = real::folder_or_skip() else {
        return;
    };
    let (weights, golden) = (Path::new(&weights), project(real::GOLDEN));
    check_contacts(CPU, weights, &golden);
    let references = references(&golden.join("answers.safetensors"));
    let table = answers(
        CPU,
        weights,
        &golden.join("answers.fasta"),
        "embed(model, proteins, #{ layers: [0, 3, -1], residues: true, special_tokens: true, \
         output_dtype: \"f32\", output: \"out.parquet\" });",
    );
    let mut n_checked = 0;
    for n in 0..table.num_rows() {
        if let Some(states) = references.get(&format!("{n}.states")) {
            for layer in [0, 3, 6] {
                let what = format!("layer {layer} of sequence {n}");
                let got = cell(&table, &format!("residues_{layer}"), n);
                assert_close(&got, states.row(layer), 0.0, &what);
            }
            n_checked += 1;
        }
    }
    assert_eq!(n_checked, n_of_kind(&references, "states"));
}
