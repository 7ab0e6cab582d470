//! What `runner parity` finds, through the real program. On a CPU there is nothing but f32.

use crate::{DEMO, RUNNER};
use runner::{
    cancel::CancelToken,
    event::EventSender,
    host::{Parity, ParityPlan, Reference},
    job::{DeviceChoice, Dtype, Layer, ModelSpec},
};
use serde_json::Value;
use std::{
    fs,
    process::{Command, Output},
};

fn parity(args: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    let command = command.args(["100", RUNNER, "parity", DEMO]).args(args);
    command.output().unwrap()
}

fn found(args: &[&str]) -> Value {
    let output = parity(&[args, &["--json"]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn f32_is_equal_to_itself() {
    let found = found(&["--device", "cpu", "--take", "12"]);
    for vectors in ["pooled", "centred", "per_residue"] {
        for figure in ["least", "median"] {
            let cosine = found[vectors][figure].as_f64().unwrap();
            assert!((cosine - 1.0).abs() < 1e-12, "{vectors} {figure} {cosine}");
        }
        for figure in ["largest_difference", "relative_norm"] {
            assert_eq!(found[vectors][figure], 0.0, "{vectors} {figure}");
        }
    }
    assert_eq!(found["same_computation"], true);
    assert_eq!(found["is_as_wanted"], true);
    assert_eq!(
        (&found["layer"], &found["layers"]),
        (&found["layers"], &6.into())
    );
    assert_eq!(found["sequences"], 12);
    assert_eq!(found["per_residue"]["vectors"], found["residues"]);
}

#[test]
fn proteins_of_the_user_are_embedded_by_the_rules_of_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fa");
    let long = "MKTAYIAKQR".repeat(110);
    fs::write(
        &path,
        format!(">a\nMKTAYIAKQR\n>b\n\n>c\n{long}\n>d\nMKT\n"),
    )
    .unwrap();
    let path = path.to_str().unwrap();
    let found = found(&[path, "--device", "cpu", "--layer", "2", "--take", "3"]);
    assert_eq!(
        (&found["sequences"], &found["residues"]),
        (&2.into(), &1032.into())
    );
    assert_eq!(
        (&found["truncated"], &found["rejected"], &found["layer"]),
        (&1.into(), &1.into(), &2.into())
    );
    let output = parity(&[path, "--device", "cpu"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for expect in [
        "esm2_t6_2M_demo, layer 6 of 6: f32 on",
        "3 proteins, 1 truncated, 1 rejected, 1035 residues: ",
        "\n pooled    1.000000  1.000000 ",
        "verdict  nothing to compare: both are f32",
    ] {
        assert!(text.contains(expect), "{text}");
    }
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let check = |args: &[&str], exit_code, expect: &str| {
        let output = parity(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(exit_code), "{stderr}");
        assert!(stderr.contains(expect), "{stderr}");
    };
    let cpu = ["--device", "cpu"];
    let with = |args: &[&'static str]| [&cpu[..], args].concat();
    check(
        &with(&["--dtype", "bf16"]),
        5,
        "computes in f32, not in bf16",
    );
    check(&with(&["--layer", "7", "--take", "1"]), 3, "no layer 7");
    check(&["no-such.fa"], 4, "no-such.fa");
    check(&["--device", "mock"], 2, "computes no embeddings");
    // A cosine of 1 is not above one that no vectors have.
    check(
        &with(&["--take", "1", "--least", "1.01"]),
        2,
        "write a cosine",
    );
}

fn on_gpu(dtype: Option<Dtype>, reference: Reference) -> Parity {
    let plan = ParityPlan {
        model: ModelSpec {
            dtype,
            device: DeviceChoice::cuda(0),
            ..ModelSpec::new(DEMO)
        },
        reference,
        dataset: None,
        take: None,
        layer: Layer(-1),
    };
    let (events, _) = EventSender::channel();
    let parity = Parity::of(&plan, events, &CancelToken::default()).unwrap();
    assert!(!parity.same_computation);
    parity
}

#[test]
#[ignore = "needs a GPU"]
fn half_precision_on_a_gpu_differs_from_f32_there() {
    for dtype in [None, Some(Dtype::F16)] {
        let parity = on_gpu(dtype, Reference::SameDevice);
        assert_eq!(parity.dtype, if dtype.is_none() { "bf16" } else { "f16" });
        assert_eq!(parity.device, parity.reference_device);
        let centred = parity.centred.unwrap();
        let pooled = &parity.pooled;
        assert!(
            pooled.least > 0.9995 && pooled.relative_norm > 1e-6,
            "{pooled:?}"
        );
        // What all proteins share hides some of the difference.
        assert!(centred.relative_norm > pooled.relative_norm, "{centred:?}");
    }
}

#[test]
#[ignore = "needs a GPU"]
fn f32_on_a_gpu_is_close_to_that_on_the_cpu() {
    let parity = on_gpu(Some(Dtype::F32), Reference::Cpu);
    assert_ne!(parity.device, parity.reference_device);
    assert!(
        parity.per_residue.least > 0.99999,
        "{:?}",
        parity.per_residue
    );
}
