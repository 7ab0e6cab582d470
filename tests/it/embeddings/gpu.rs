//! Embeddings on a GPU.
#![expect(clippy::print_stdout, reason = "figures are for people")]

use super::{
    common::{GOLDEN_MODELS, golden_sequences, load_on, one_batch},
    contacts::{ask, check_trained},
    finite,
    golden::{Bounds, Closeness, OUTPUTS, check, check_outputs, references},
    invariance::{check_bits, embed},
    logits, real,
};
use runner::{
    batch::Ragged,
    cancel::Abandonment,
    device::{DeviceError, choose, free_bytes},
    hint::Hint,
    job::{Content, CpuShare, DeviceChoice, Dtype, Gelu, ModelSpec, Pooling, Question},
    model::{Model, ModelError, StagerOptions, padded_ids},
};

fn load(folder: &str, dtype: Dtype) -> Model {
    load_on(folder, DeviceChoice::cuda(0), dtype)
}

/// What a CPU is held to. f32 is f32 here, too: products are cuBLASLt's in f32, which no tensor core rounds to TF32, and
/// attention has a kernel of its own. So only the order of sums is another one, which changes each operation by less
/// than 3e-6 by norm, as the tests of kernels prove, and vectors behind the layers by some 1e-5.
const IN_F32: Bounds = Bounds {
    tolerance: 1e-4,
    least_cosine: 0.999_999,
};

#[test]
#[ignore = "needs a GPU"]
fn f32_agrees_with_hf_transformers() {
    for folder in GOLDEN_MODELS {
        let largest = check(folder, &load(folder, Dtype::F32), &OUTPUTS, IN_F32);
        println!("{folder}: vectors in f32: largest difference {largest:.1e}");
    }
}

#[test]
#[ignore = "needs a GPU"]
fn f16_agrees_with_hf_transformers() {
    let bounds = Bounds {
        tolerance: f32::INFINITY,
        least_cosine: 0.9999,
    };
    for folder in GOLDEN_MODELS {
        check(folder, &load(folder, Dtype::F16), &["mean"], bounds);
    }
}

#[test]
#[ignore = "needs a GPU"]
fn bf16_agrees_with_hf_transformers() {
    let bounds = Bounds {
        tolerance: f32::INFINITY,
        least_cosine: 0.9995,
    };
    for folder in GOLDEN_MODELS {
        check(folder, &load(folder, Dtype::Bf16), &["mean"], bounds);
    }
}

#[test]
#[ignore = "needs a GPU"]
fn logits_agree_with_hf_transformers() {
    for (dtype, tolerance, least_cosine) in [
        (Dtype::F32, IN_F32.tolerance, IN_F32.least_cosine),
        (Dtype::F16, f32::INFINITY, 0.9999),
        (Dtype::Bf16, f32::INFINITY, 0.998),
    ] {
        let bounds = Bounds {
            tolerance,
            least_cosine,
        };
        for folder in logits::MODELS {
            let model = load(folder, dtype);
            let largest = logits::check(folder, &model, bounds);
            println!("{folder}: logits in {dtype:?}: largest difference {largest:.1e}");
            logits::check_masks(folder, &model);
        }
    }
}

#[test]
#[ignore = "needs a GPU"]
fn a_sequence_has_the_same_bits_alone_and_anywhere_in_a_batch() {
    for folder in GOLDEN_MODELS {
        for dtype in [Dtype::F32, Dtype::F16, Dtype::Bf16] {
            let model = load(folder, dtype);
            check_bits(&format!("{folder} {dtype:?}"), &model, folder);
        }
    }
}

#[test]
#[ignore = "needs a GPU"]
fn contacts_are_those_of_the_cpu_whatever_the_batch() {
    let folder = GOLDEN_MODELS[4];
    let sequences = golden_sequences(folder);
    let on_cpu = ask(
        &load_on(folder, DeviceChoice::Cpu, Dtype::F32),
        &sequences,
        Content::Contacts,
    );
    for (dtype, tolerance) in [
        (Dtype::F32, IN_F32.tolerance),
        (Dtype::F16, f32::INFINITY),
        (Dtype::Bf16, f32::INFINITY),
    ] {
        let model = load(folder, dtype);
        let together = ask(&model, &sequences, Content::Contacts);
        let mut largest = 0f32;
        for (n, sequence) in sequences.iter().enumerate() {
            let alone = ask(&model, std::slice::from_ref(sequence), Content::Contacts);
            assert_eq!(alone[0], together[n], "{dtype:?}: sequence {n}");
            for (got, want) in together[n].iter().zip(&on_cpu[n]) {
                largest = largest.max((got - want).abs());
            }
        }
        println!("contacts in {dtype:?}: largest difference {largest:.1e}");
        assert!(largest < tolerance, "{dtype:?}: {largest:e}");
    }
}

#[test]
#[ignore = "needs a GPU"]
fn contacts_of_trained_weights_agree_with_hf_transformers() {
    if let Some(folder) = real::folder() {
        let largest = check_trained(&load(&folder, Dtype::F32));
        println!("contacts of trained weights in f32: largest difference {largest:.1e}");
    }
}

#[test]
#[ignore = "needs a GPU"]
fn no_batch_reads_a_slot_too_early_or_late() {
    let folder = GOLDEN_MODELS[4];
    let model = load(folder, Dtype::Bf16);
    // Batches of very different sizes, so that a short one follows closely on a long one.
    let batches: Vec<_> = (0..60)
        .map(|n: usize| {
            let sequences: Vec<String> = (0..1 + n * 7 % 40)
                .map(|i| {
                    "MKVLAAGICDEFHNPQRSTWY".repeat(50)[..20 + (n * 131 + i * 97) % 1000].to_owned()
                })
                .collect();
            one_batch(&sequences)
        })
        .collect();
    let layers = [model.n_layers()];
    let token_budget = batches
        .iter()
        .map(|batch| batch.n_tokens())
        .max()
        .expect("batches");
    let question = Question::pooled(&layers, Pooling::Mean);
    let run = |n_slots, poisoned| -> Vec<Vec<Ragged>> {
        let options = StagerOptions {
            token_budget,
            n_slots,
            poisoned,
            lost_at: None,
        };
        let replica = &model.replicas()[0];
        let stager = replica.stager(options).expect("slots");
        let in_flight: Vec<_> = batches
            .iter()
            .map(|batch| {
                let input_ids = padded_ids(batch);
                let tokens = stager.stage(input_ids, &batch.cu_seqlens).expect("staged");
                replica
                    .submit(tokens, &question, &Abandonment::default())
                    .expect("submitted")
            })
            .collect();
        in_flight
            .into_iter()
            .map(|batch| {
                let answer = batch.wait(&Default::default()).expect("embeddings");
                let finite = |column: &Ragged| column.values.are_finite(0..column.values.len());
                assert!(answer.columns.iter().all(finite));
                answer.columns
            })
            .collect()
    };
    let one_by_one: Vec<Vec<Ragged>> = batches
        .iter()
        .map(|batch| model.answer(batch, &question).expect("finite").columns)
        .collect();
    for n_slots in [1, 2, 3] {
        assert_eq!(run(n_slots, true), one_by_one, "{n_slots} slots");
    }
}

/// The model that scripts/gpu/parity.sh prepares.
#[test]
#[ignore = "scripts/gpu/parity.sh runs it"]
fn a_large_model_agrees_with_hf_transformers() {
    let folder = std::env::var("RUNNER_GOLDEN").expect("scripts/gpu/parity.sh names the model");
    print_closeness(&folder, &folder, [0.9995, 0.9999]);
}

/// The trained weights that scripts/gpu/real.sh fetches.
#[test]
#[ignore = "scripts/gpu/real.sh runs it"]
fn trained_weights_agree_with_hf_transformers() {
    let folder = real::folder().expect("scripts/gpu/real.sh names the weights");
    print_closeness(&folder, real::GOLDEN, [0.999, 0.9999]);
    let largest = check_outputs(real::GOLDEN, &load(&folder, Dtype::F32), IN_F32);
    println!("all layers in f32: largest difference {largest:.1e}");
}

/// Prints how close the pooled embeddings of `model` are to the references in `golden`. In bf16 and in
/// f16 the least cosine must be at least `least`.
fn print_closeness(model: &str, golden: &str, least: [f64; 2]) {
    let want = references(golden);
    let sequences = golden_sequences(golden);
    let [bf16, f16] = least;
    for (dtype, gelu, least_cosine) in [
        (Dtype::Bf16, Gelu::Auto, bf16),
        (Dtype::Bf16, Gelu::Exact, bf16),
        (Dtype::F16, Gelu::Auto, f16),
        (Dtype::F16, Gelu::Exact, f16),
        (Dtype::F32, Gelu::Auto, 0.999_999),
    ] {
        let spec = ModelSpec {
            device: DeviceChoice::cuda(0),
            dtype: Some(dtype),
            gelu,
            ..ModelSpec::new(model)
        };
        let model = Model::load(&spec).expect("the model loads");
        let embeddings = embed(&model, &sequences);
        let (mut cosine, mut difference) = (1f64, 0f32);
        for (n, got) in embeddings.iter().enumerate() {
            let closeness = Closeness::of(got, &want[&format!("{n}.mean")]);
            cosine = cosine.min(closeness.cosine);
            difference = difference.max(closeness.difference);
        }
        println!(
            "{dtype:?}, gelu {gelu:?}: least cosine {cosine:.7}, largest difference {difference:.1e}"
        );
        assert!(cosine >= least_cosine, "{dtype:?}, gelu {gelu:?}: {cosine}");
    }
}

#[test]
#[ignore = "needs a GPU"]
fn what_is_not_finite_is_reported() {
    for dtype in [Dtype::F32, Dtype::F16, Dtype::Bf16] {
        let place = finite::Place {
            device: DeviceChoice::cuda(0),
            dtype,
        };
        finite::check_every_tensor(&place);
        finite::check_tokens(&place);
        finite::check_warm_up(&place);
        finite::check_overflow(&place);
    }
}

#[test]
#[ignore = "needs a GPU"]
fn rows_of_padding_change_no_bit() {
    for dtype in [Dtype::F32, Dtype::Bf16] {
        let model = load(GOLDEN_MODELS[4], dtype);
        let batch = one_batch(&golden_sequences(GOLDEN_MODELS[4]));
        let mut padded = batch.clone();
        padded.n_padding = 3000;
        let layers: Vec<_> = (0..=model.n_layers()).collect();
        let encode = |batch| model.encode(batch, &layers, Pooling::Mean).expect("finite");
        assert_eq!(encode(&batch), encode(&padded), "{dtype:?}");
    }
}

#[test]
#[ignore = "needs a GPU"]
fn a_gpu_is_found_by_its_uuid_and_a_missing_one_is_explained() {
    let choose = |name: &str| {
        let choice = DeviceChoice::from_name(name).expect("a device's name");
        runner::device::choose(&choice, CpuShare::default())
    };
    let error = choose("cuda:99")
        .expect_err("no machine has so many")
        .in_full();
    let uuid = error
        .split(['(', ')', ',', ' '])
        .find(|word| word.starts_with("GPU-"));
    let uuid = uuid.unwrap_or_else(|| panic!("{error}: it lists the GPUs that there are"));
    let chosen = choose(uuid).expect("it was listed");
    assert!(matches!(chosen.as_slice(), [one] if one.gpu.is_some()));
    assert!(choose("GPU-00000000-0000-0000-0000-000000000000").is_err());
}

#[test]
#[ignore = "needs a GPU"]
fn a_batch_without_room_is_an_error_and_not_the_end() {
    let model = load(GOLDEN_MODELS[4], Dtype::F32);
    // Queries, keys and values alone would take 128 GB.
    let error = model.replicas()[0]
        .warm_up(1 << 26, &Question::pooled(&[1], Pooling::Mean))
        .expect_err("there is no room");
    assert!(
        matches!(error, ModelError::Device(DeviceError::OutOfMemory { .. })),
        "{error}"
    );
    model.replicas()[0]
        .warm_up(1 << 12, &Question::pooled(&[1], Pooling::Mean))
        .expect("there is room for this");
    let sequences = golden_sequences(GOLDEN_MODELS[4]);
    assert_eq!(embed(&model, &sequences), embed(&model, &sequences));
}

#[test]
#[ignore = "needs a GPU"]
fn the_memory_of_a_model_goes_back_to_the_driver() {
    const MB: u64 = 1_000_000;
    let gpus = choose(&DeviceChoice::cuda(0), CpuShare::default()).expect("a GPU");
    let free = || free_bytes(&gpus[0]).expect("the driver says so");
    let mut left = None;
    // Kernels that were loaded in the first round stay.
    for _ in 0..2 {
        for dtype in [Dtype::F32, Dtype::Bf16, Dtype::F16] {
            let model = load(GOLDEN_MODELS[4], dtype);
            model.replicas()[0]
                .warm_up(1 << 17, &Question::pooled(&[1], Pooling::Mean))
                .expect("there is room");
            let loaded = free();
            model.unload();
            assert!(
                free() > loaded + 50 * MB,
                "{dtype:?}: {loaded} B, then {}",
                free()
            );
        }
        let before = *left.get_or_insert_with(free);
        assert!(free() + 32 * MB > before, "{before} B, then {}", free());
    }
}

#[test]
#[ignore = "needs a GPU"]
fn the_exact_gelu_is_no_further_away() {
    let folder = GOLDEN_MODELS[4];
    let spec = ModelSpec {
        device: DeviceChoice::cuda(0),
        dtype: Some(Dtype::F16),
        gelu: Gelu::Exact,
        ..ModelSpec::new(&super::common::project(folder).to_string_lossy())
    };
    let bounds = Bounds {
        tolerance: f32::INFINITY,
        least_cosine: 0.9999,
    };
    let model = Model::load(&spec).expect("the model loads");
    check(folder, &model, &["mean"], bounds);
}
