//! bf16 on a CPU: near what f32 says, and as much a matter of the sequence alone. A CPU without AMX has none.

use super::{
    common::{GOLDEN_MODELS, golden_sequences, load, load_on, one_batch},
    golden::Closeness,
    invariance::embed,
};
use crate::{DEMO, RUNNER};
use runner::{
    device::amx,
    job::{DeviceChoice, Dtype, Pooling},
    model::Model,
};
use serde_json::Value;
use std::{
    io::{self, Write},
    process::Command,
};

/// Whether this CPU has what it takes; where it has not, the test that asks says so.
pub fn is_there() -> bool {
    if let Some(reason) = amx::lacking() {
        // Past the harness, which keeps what tests print to itself.
        let said = writeln!(io::stderr(), "SKIPPED: bf16 on this CPU: {reason}");
        said.expect("standard error is open");
        return false;
    }
    true
}

fn in_bf16(folder: &str) -> Model {
    load_on(folder, DeviceChoice::Cpu, Dtype::Bf16)
}

#[test]
fn vectors_are_near_those_of_f32() {
    if !is_there() {
        return;
    }
    for folder in GOLDEN_MODELS {
        let (model, reference) = (in_bf16(folder), load(folder));
        assert_eq!(
            (model.dtype(), model.device_kind().as_str()),
            (Dtype::Bf16, "CPU AMX")
        );
        assert_ne!(model.device_kind(), reference.device_kind());
        assert_eq!(model.gelu(), reference.gelu());
        let batch = one_batch(&golden_sequences(folder));
        let vectors = |model: &Model| {
            let vectors = model.encode(&batch, &[model.n_layers()], Pooling::Mean);
            vectors.expect("finite embeddings")
        };
        let (got, want) = (vectors(&model), vectors(&reference));
        let rows = got.chunks(model.hidden_size());
        for (got, want) in rows.zip(want.chunks(model.hidden_size())) {
            let closeness = Closeness::of(got, want);
            assert!(closeness.cosine >= 0.999, "{folder}: {}", closeness.cosine);
            assert!(closeness.difference > 0.0, "{folder}: it was not bf16");
        }
    }
}

#[test]
fn a_sequence_alone_has_the_bits_that_it_has_in_a_batch() {
    if !is_there() {
        return;
    }
    for folder in GOLDEN_MODELS {
        let model = in_bf16(folder);
        let sequences = golden_sequences(folder);
        let together = embed(&model, &sequences);
        for (sequence, together) in sequences.iter().zip(&together) {
            let alone = &embed(&model, std::slice::from_ref(sequence))[0];
            let bits = |vector: &[f32]| vector.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            let length = sequence.len();
            assert_eq!(bits(alone), bits(together), "{folder}, {length} residues");
        }
    }
}

#[test]
fn parity_compares_it_with_f32() {
    if !is_there() {
        return;
    }
    let mut command = Command::new("timeout");
    command.args([
        "100", RUNNER, "parity", DEMO, "--device", "cpu", "--dtype", "bf16",
    ]);
    let done = command
        .args(["--take", "8", "--least", "0.999", "--json"])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{stderr}");
    let found: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(
        (&found["dtype"], &found["same_computation"]),
        (&"bf16".into(), &false.into())
    );
    assert_eq!(found["device"], found["reference_device"]);
    assert!(
        found["pooled"]["relative_norm"].as_f64().unwrap() > 1e-6,
        "{found}"
    );
}
