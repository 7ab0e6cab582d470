//! Models, sequences and batches for the tests of embeddings.

use runner::{
    batch::{PackedBatch, Packer},
    fasta::Record,
    job::{DeviceChoice, Dtype, ModelSpec},
    model::Model,
};
use std::{num::NonZeroUsize, path::PathBuf};

/// A path inside the project.
pub fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The models with reference outputs of HF transformers: head dimensions 16, 24, 32, 64 and the
/// trained one, whose heads are 32.
pub const GOLDEN_MODELS: [&str; 5] = [
    "tests/golden/hd16",
    "tests/golden/hd24",
    "tests/golden/hd32",
    "tests/golden/hd64",
    "examples/models/esm2_t6_2M_demo",
];

/// A model of the project, on the CPU.
pub fn load(folder: &str) -> Model {
    load_on(folder, DeviceChoice::Cpu, Dtype::F32)
}

/// A model of the project.
pub fn load_on(folder: &str, device: DeviceChoice, dtype: Dtype) -> Model {
    let spec = ModelSpec {
        device,
        dtype: Some(dtype),
        ..ModelSpec::new(&project(folder).to_string_lossy())
    };
    Model::load(&spec).expect("the model loads")
}

/// The sequences of the FASTA file that belongs to a golden model.
pub fn golden_sequences(folder: &str) -> Vec<String> {
    let text = std::fs::read_to_string(project(folder).join("golden.fasta")).expect("golden.fasta");
    text.split('>')
        .skip(1)
        .map(|record| record.lines().skip(1).collect())
        .collect()
}

/// One batch of all sequences, in input order.
pub fn one_batch<S: AsRef<[u8]>>(sequences: &[S]) -> PackedBatch {
    let n_tokens: usize = sequences.iter().map(|s| s.as_ref().len() + 2).sum();
    let mut packer = Packer::new(NonZeroUsize::new(n_tokens).expect("there are sequences"));
    for (n, sequence) in sequences.iter().enumerate() {
        let sequence = sequence.as_ref();
        let completed = packer.push(Record {
            id: format!("s{n}"),
            description: String::new(),
            sequence: sequence.to_vec(),
            length: sequence.len() as u32,
            piece: None,
        });
        assert!(
            completed.expect("it fits").is_empty(),
            "one batch holds all"
        );
    }
    let mut batches = packer.finish();
    assert_eq!(batches.len(), 1);
    batches.remove(0)
}
