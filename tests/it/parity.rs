//! What `runner parity` finds, through the real program. On a CPU it is f32 that nothing is compared with.
#![expect(clippy::print_stdout, reason = "figures are for people")]

use crate::{DEMO, ROOT, RUNNER};
use runner::{
    cancel::CancelToken,
    error::Error,
    event::{Event, EventSender},
    host::{Parity, ParityPlan, Reference},
    job::{Dataset, DeviceChoice, Dtype, Layer, ModelSpec},
};
use safetensors::SafeTensors;
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn parity(args: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    let command = command.args(["100", RUNNER, "parity", DEMO]).args(args);
    command.output().unwrap()
}

/// A comparison on the CPU, which the program itself knows to be none.
fn on_cpu(layer: i64, take: Option<usize>, dataset: Option<Dataset>) -> Result<Parity, Error> {
    of_model(DEMO, layer, take, dataset)
}

fn of_model(
    model: &str,
    layer: i64,
    take: Option<usize>,
    dataset: Option<Dataset>,
) -> Result<Parity, Error> {
    let plan = ParityPlan {
        model: ModelSpec {
            device: DeviceChoice::Cpu,
            ..ModelSpec::new(model)
        },
        reference: Reference::Cpu,
        dataset,
        take,
        layer: Layer(layer),
    };
    assert!(plan.same_computation().unwrap().unwrap().is_cpu);
    let (sender, events) = EventSender::channel();
    let parity = Parity::of(&plan, sender, &CancelToken::default())?;
    let steps = events.iter().filter_map(|event| match event {
        Event::Comparing { sequences, of, .. } => Some((sequences, of)),
        _ => None,
    });
    let steps: Vec<_> = steps.collect();
    let n = steps[0].1;
    assert!(n >= parity.sequences);
    let first = steps.iter().filter(|step| **step == (0, n));
    let last = steps.iter().filter(|step| **step == (n, n));
    assert_eq!((first.count(), last.count()), (2, 2), "{steps:?}");
    Ok(parity)
}

#[test]
fn f32_is_equal_to_itself() {
    let parity = on_cpu(-1, Some(12), None).unwrap();
    for vectors in [
        &parity.pooled,
        parity.centred.as_ref().unwrap(),
        &parity.per_residue,
    ] {
        for cosine in [vectors.least, vectors.median] {
            assert!((cosine - 1.0).abs() < 1e-12, "{vectors:?}");
        }
        let differences = (vectors.largest_difference, vectors.relative_norm);
        assert_eq!(differences, (0.0, 0.0), "{vectors:?}");
    }
    assert_eq!((parity.layer, parity.layers), (6, 6));
    assert_eq!(parity.sequences, 12);
    assert_eq!(parity.per_residue.vectors, parity.residues);
    let names: Vec<_> = parity.answers.keys().copied().collect();
    assert_eq!(names, ["contacts", "logits", "scores"]);
    for (name, answer) in &parity.answers {
        let differences = (answer.largest_difference, answer.mean_difference);
        assert_eq!(differences, (0.0, 0.0), "{name}");
        let mut measures = answer.measure.iter();
        assert!(measures.all(|(_, value)| *value == 1.0), "{answer:?}");
    }
    let logits = &parity.answers["logits"];
    assert_eq!(logits.numbers, 33 * parity.residues);
    assert_eq!(logits.measure.len(), 1);
    assert_eq!(parity.answers["contacts"].proteins, 12);
    let scores = &parity.answers["scores"];
    assert!(
        scores.numbers > 1000 && scores.numbers.is_multiple_of(19),
        "{scores:?}"
    );
    assert!((1..12).contains(&scores.proteins), "{scores:?}");
    assert!(parity.not_compared.is_empty());
    // Each figure has a name of its own in JSON.
    let found = serde_json::to_value(&parity).unwrap();
    assert_eq!(found["logits"]["same_residue"], 1.0);
    assert_eq!(found["scores"]["spearman"], 1.0);
    assert_eq!(found["contacts"]["numbers_of"], "pairs");
}

#[test]
fn what_a_model_lacks_is_told() {
    let whole = Path::new(ROOT).join("tests/golden/hd24");
    let headless = tempfile::tempdir().unwrap();
    fs::copy(
        whole.join("config.json"),
        headless.path().join("config.json"),
    )
    .unwrap();
    let weights = fs::read(whole.join("model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&weights).unwrap().tensors();
    let tensors = tensors.into_iter();
    let encoder = tensors.filter(|(name, _)| !name.starts_with("lm_head"));
    let encoder = safetensors::serialize(encoder, None).unwrap();
    fs::write(headless.path().join("model.safetensors"), encoder).unwrap();
    for (model, names, why) in [
        (whole.as_path(), &["contacts"][..], "no contacts"),
        (headless.path(), &["logits", "scores"], "gives no logits"),
    ] {
        let parity = of_model(model.to_str().unwrap(), -1, Some(2), None).unwrap();
        let missing = &parity.not_compared;
        for &name in names {
            assert!(!parity.answers.contains_key(name), "{:?}", parity.answers);
            assert!(missing[name].contains(why), "{missing:?}");
        }
    }
}

#[test]
fn short_proteins_are_compared_as_far_as_there_is_something() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fa");
    fs::write(&path, ">a\nM\n>b\nX\n>c\n<mask>\n").unwrap();
    let dataset = Dataset::new(vec![path.to_str().unwrap().to_owned()]);
    let parity = on_cpu(-1, None, Some(dataset)).unwrap();
    assert_eq!(parity.answers["logits"].numbers, 3 * 33);
    let scores = &parity.answers["scores"];
    assert_eq!((scores.numbers, scores.proteins), (19, 1));
    let missing: Vec<_> = parity.not_compared.iter().collect();
    let reason = "these proteins have no pairs".to_owned();
    assert_eq!(missing, [(&"contacts", &reason)]);
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
    let dataset = Dataset::new(vec![path.to_str().unwrap().to_owned()]);
    let parity = on_cpu(2, None, Some(dataset.take(3).unwrap())).unwrap();
    assert_eq!((parity.sequences, parity.residues), (2, 1032));
    assert_eq!((parity.truncated, parity.rejected, parity.layer), (1, 1, 2));
}

#[test]
fn on_a_cpu_there_is_nothing_to_compare_and_that_is_known_at_once() {
    let check = |args: &[&str], exit_code| {
        let args = [&["--device", "cpu"], args].concat();
        let output = parity(&args);
        let [stdout, stderr] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert_eq!(output.status.code(), Some(exit_code), "{stdout}{stderr}");
        (stdout, stderr)
    };
    let nothing = "nothing to compare: both are f32 on CPU";
    let (stdout, stderr) = check(&[], 0);
    assert!(
        stdout.starts_with(&format!("verdict  {nothing}")),
        "{stdout}"
    );
    assert_eq!(stderr, "");
    // A gate that is always open is none.
    let (stdout, stderr) = check(&["--dtype", "f32", "--least", "0.9"], 1);
    assert!(
        stdout.is_empty() && stderr.contains(nothing),
        "{stdout}{stderr}"
    );
    assert!(stderr.contains("leave `--least` out"), "{stderr}");
    let (stdout, _) = check(&["--json"], 0);
    let found: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(found["same_computation"], true);
    assert!(found["is_as_wanted"].is_null(), "{found}");
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
        &with(&["--dtype", "f16"]),
        5,
        "not in f16: that takes a GPU",
    );
    check(&["no-such.fa", "--dtype", "bf16"], 4, "no-such.fa");
    let error = on_cpu(7, Some(1), None).unwrap_err();
    assert!(error.to_string().contains("no layer 7"), "{error}");
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
    assert_eq!(plan.same_computation().unwrap(), None);
    let (events, _) = EventSender::channel();
    Parity::of(&plan, events, &CancelToken::default()).unwrap()
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
        for (name, answer) in &parity.answers {
            println!("{name} in {}: {answer:?}", parity.dtype);
            assert!(answer.largest_difference > 0.0, "{name}");
            let mut measures = answer.measure.values();
            assert!(measures.all(|value| *value > 0.99), "{answer:?}");
        }
        assert_eq!(parity.answers.len(), 3);
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
    for (name, answer) in &parity.answers {
        println!("{name} in f32: {answer:?}");
        assert!(answer.largest_difference < 1e-4, "{name}: {answer:?}");
    }
    assert_eq!(parity.answers.len(), 3);
}

#[test]
fn what_is_not_there_is_told_before_there_is_nothing_to_compare() {
    let run = |args: &[&str]| {
        let mut command = Command::new("timeout");
        command.args(["100", RUNNER, "parity"]).args(args);
        let done = command.args(["--device", "cpu"]).output().unwrap();
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(
            ![Some(0), Some(124)].contains(&done.status.code()),
            "{told}"
        );
        assert_eq!(String::from_utf8_lossy(&done.stdout), "");
        told
    };
    let told = run(&["nope"]);
    assert!(told.contains("`nope`"), "{told}");
    let told = run(&[DEMO, "nofile.fa"]);
    assert!(told.contains("nofile.fa"), "{told}");
    let told = run(&[DEMO, "https://example.org/a.fa"]);
    assert!(told.contains("| runner parity MODEL -`"), "{told}");
}
