//! What can be tested without a GPU.

use super::super::{
    OPERATIONS, Shape, code::Instance, compile::compile, kernels, lost, variant::Variant,
};
use crate::{
    device::cuda::parts,
    hint::Hint,
    job::{Dtype, Int8, Pooling, Products},
};
use rayon::prelude::*;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Every kernel that a model on such a GPU may launch, whatever its shape. Those that differ in nothing
/// that the compiler sees count once.
fn every_kernel(capability: (u32, u32)) -> Vec<Instance> {
    let mut all = HashMap::new();
    let formats = Dtype::FLOATS.map(|dtype| (dtype, Products::NONE));
    // Only Hopper multiplies bytes, between activations in bf16.
    let hopper = [Products::ALL, Int8::default().products].map(|products| (Dtype::Bf16, products));
    let hopper = hopper.into_iter().filter(|_| capability == (9, 0));
    for (dtype, products) in formats.into_iter().chain(hopper) {
        let shape = |hidden, head_dim| Shape {
            capability,
            dtype,
            products,
            hidden,
            intermediate: 4 * hidden,
            head_dim,
        };
        // No kernel depends on both.
        let by_hidden = (1..=2560).map(|n| shape(8 * n, 64));
        let by_head = (1..=128).map(|n| shape(1280, 2 * n));
        for shape in by_hidden.chain(by_head) {
            // Rows longer than any kernel takes are among them.
            for instance in kernels(&shape).into_iter().flatten() {
                let defines: Vec<String> = instance.defines().collect();
                all.insert((instance.file().kernel, defines), instance);
            }
        }
    }
    // No model launches it.
    all.into_values().chain([lost::instance()]).collect()
}

/// A file of kernels that no operation names would be neither compiled here nor made ready.
#[test]
fn every_file_has_an_operation() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ops/cuda/kernels");
    let files = std::fs::read_dir(folder).expect("the kernels");
    let files = files.map(|file| {
        file.expect("a file")
            .file_name()
            .into_string()
            .expect("a name")
    });
    let (sources, headers): (HashSet<String>, HashSet<String>) =
        files.partition(|name| name.ends_with(".cu"));
    let known: HashSet<String> = every_kernel((9, 0))
        .iter()
        .map(|instance| format!("{}.cu", instance.file().kernel))
        .collect();
    assert_eq!(sources, known);
    assert!(known.len() >= OPERATIONS.len());
    let known = crate::ops::cuda::code::HEADERS.map(|(name, _)| name.to_owned());
    assert_eq!(headers, HashSet::from(known));
}

/// Every kernel, for the oldest GPU and for Hopper.
#[test]
fn every_kernel_compiles() {
    let [compiler, ..] = parts();
    // Which one it has to be, where several are installed.
    if let (Ok((path, version)), Ok(expected)) =
        (&compiler.found, std::env::var("RUNNER_NVRTC_VERSION"))
    {
        assert_eq!(*version, expected, "{}", path.display());
    }
    if let Err(error) = compiler.found {
        // Most machines for development have no NVRTC; .ci/run installs it and says so.
        assert!(
            std::env::var_os("RUNNER_NEEDS_NVRTC").is_none(),
            "{}",
            error.in_full()
        );
        #[expect(
            clippy::print_stderr,
            reason = "a test that tests nothing has to say so"
        )]
        {
            eprintln!("skipped: {}", error.in_full());
        }
        return;
    }
    for (capability, architecture) in [((8, 0), "sm_80"), ((9, 0), "sm_90a")] {
        let compiled = |instance: Instance| {
            let code = compile(&instance, architecture).unwrap_or_else(|error| panic!("{error}"));
            assert!(code.starts_with(b"\x7fELF"), "{instance:?} is machine code");
            (instance.file().kernel, code)
        };
        let all = every_kernel(capability).into_par_iter().map(compiled);
        let all: HashSet<(&str, Arc<[u8]>)> = all.collect();
        // The cache, too, tells kernels of one file apart.
        let poolings = all.iter().filter(|(kernel, _)| *kernel == "pool");
        assert_eq!(poolings.count(), Pooling::ALL.len() * Dtype::FLOATS.len());
    }
}

#[test]
fn work_lists_hold_each_row_once() {
    let lengths = [
        1usize, 2, 63, 64, 65, 127, 128, 129, 191, 192, 193, 4096, 3, 3, 1000,
    ];
    let cu_seqlens = super::ends(&lengths);
    for capability in [(8, 0), (8, 9), (9, 0), (10, 0)] {
        for dtype in Dtype::FLOATS {
            for head_dim in [4, 16, 24, 32, 64, 128, 256] {
                let variant = Variant::choose(capability, dtype, head_dim).expect("a variant");
                let (tiles, counts) = variant.tiles(&cu_seqlens);
                assert_eq!(tiles.len(), counts.iter().sum::<usize>());
                let mut covered = vec![0; *cu_seqlens.last().expect("ends") as usize];
                let mut tiles = tiles.iter();
                for (rows, n) in variant.rows().zip(counts) {
                    for &[start, length, row, _] in tiles.by_ref().take(n) {
                        for row in row..length.min(row + rows as i32) {
                            covered[(start + row) as usize] += 1;
                        }
                    }
                }
                assert!(
                    covered.iter().all(|&n| n == 1),
                    "{capability:?} {dtype:?} {head_dim}"
                );
            }
        }
    }
    assert!(Variant::choose((9, 0), Dtype::Bf16, 7).is_err());
    assert!(Variant::choose((9, 0), Dtype::Bf16, 300).is_err());
}

/// The kernels that a model of 650M or of 35M with some products of bytes may launch, beside those that it has without.
#[test]
fn kernels_for_bytes_are_those_of_the_products() {
    let of = |hidden, products| -> Vec<String> {
        let shape = Shape {
            capability: (9, 0),
            dtype: Dtype::Bf16,
            products,
            hidden,
            intermediate: 4 * hidden,
            head_dim: 64,
        };
        let mut names: Vec<String> = kernels(&shape)
            .expect("a shape that kernels take")
            .iter()
            .map(|instance| {
                let then = instance.defines().find_map(|define| {
                    let then = define.strip_prefix("--define-macro=THEN=")?;
                    Some(format!(" {then}"))
                });
                format!("{}{}", instance.file().kernel, then.unwrap_or_default())
            })
            .collect();
        names.sort();
        names
    };
    let check = |hidden, names: &[&str], expect: &[&str]| {
        let products = Products::from_names(names).expect("each is named once");
        let mut all = of(hidden, Products::NONE);
        all.extend(expect.iter().map(|&name| name.to_owned()));
        all.sort();
        assert_eq!(of(hidden, products), all, "{hidden} {names:?}");
    };
    const NORM: &str = "layer_norm_quantised";
    check(1280, &["qkv"], &[NORM, "gemm_s8_resident NOTHING"]);
    check(1280, &["out"], &["quantise", "gemm_s8_resident RESIDUAL"]);
    check(1280, &["fc1"], &[NORM, "gemm_s8_resident GELU"]);
    check(
        1280,
        &["fc2"],
        &["quantise_gelu", "gemm_s8_streamed RESIDUAL"],
    );
    check(
        1280,
        &["fc1", "fc2"],
        &[
            NORM,
            "gemm_s8_resident GELU_BYTES",
            "gemm_s8_streamed RESIDUAL",
        ],
    );
    check(
        480,
        &["fc1", "fc2"],
        &[
            NORM,
            "gemm_s8_streamed GELU",
            "quantise_gelu",
            "gemm_s8_streamed RESIDUAL",
        ],
    );
    check(
        480,
        &["qkv", "out"],
        &[
            NORM,
            "gemm_s8_streamed NOTHING",
            "quantise",
            "gemm_s8_streamed RESIDUAL",
        ],
    );
}
