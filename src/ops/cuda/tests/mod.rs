//! Kernels against references in f64, and work lists against the batches that they are made of.

mod gemm_s8;
mod host;
mod kernels;
mod quantised;
mod select;
mod speed;

use super::super::{
    tests::{Numbers, ends, pooled},
    *,
};
use crate::{
    device,
    job::{CpuShare, DeviceChoice, Dtype, Pooling},
};
use burn::tensor::Tensor;
use half::{bf16, f16};

impl Numbers {
    /// As the format holds them.
    fn vector(&mut self, n: usize, scale: f32, dtype: Dtype) -> Vec<f32> {
        (0..n).map(|_| round(scale * self.next(), dtype)).collect()
    }
}

fn round(x: f32, dtype: Dtype) -> f32 {
    match dtype {
        Dtype::F32 => x,
        Dtype::F16 => f16::from_f32(x).to_f32(),
        Dtype::Bf16 => bf16::from_f32(x).to_f32(),
        Dtype::Int8 => unreachable!("bytes are kept with their scales"),
    }
}

/// Half the distance between neighbouring numbers, relative to them.
fn unit(dtype: Dtype) -> f64 {
    match dtype {
        Dtype::F32 => 1.0 / f64::from(1 << 24),
        Dtype::F16 => 1.0 / 2048.0,
        Dtype::Bf16 => 1.0 / 256.0,
        Dtype::Int8 => unreachable!("neighbours are one apart, however large they are"),
    }
}

fn gpu() -> Chosen {
    let mut chosen = device::choose(&DeviceChoice::cuda(0), CpuShare::default()).expect("a GPU");
    chosen.remove(0)
}

/// Whether the GPU multiplies bytes; where it does not, the test that asks says so.
#[expect(clippy::print_stderr, reason = "it is for people")]
fn multiplies_bytes() -> bool {
    let gpu = gpu().gpu.expect("it is a GPU");
    let lack = gpu_lacks(&gpu, Dtype::Int8);
    if let Some(lack) = lack {
        eprintln!("skipped: {lack}");
    }
    lack.is_none()
}

fn on_gpu<const D: usize>(values: &[f32], shape: [usize; D], dtype: Dtype) -> Tensor<D> {
    tensor(values.to_vec(), shape, &gpu().device, dtype)
}

/// The error of `got` relative to `want`, by norm.
fn relative_error(got: &[f32], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let (mut error, mut norm) = (0.0, 0.0);
    for (&got, &want) in got.iter().zip(want) {
        error += (f64::from(got) - want).powi(2);
        norm += want.powi(2);
    }
    (error / norm).sqrt()
}

/// A batch of sequences of these lengths, on the GPU.
fn tokens(lengths: &[usize], dtype: Dtype, head_dim: usize) -> Tokens {
    let n_tokens: usize = lengths.iter().sum();
    let options = StagerOptions {
        // The slots hold as many sequences as residues allow, and some of these have none.
        token_budget: n_tokens + 3 * lengths.len(),
        n_slots: 1,
        poisoned: false,
        lost_at: None,
    };
    let stager = Stager::new(&gpu(), dtype, head_dim, options).expect("slots");
    let input_ids = (0..n_tokens as i32).map(|n| n % 33).collect();
    stager.stage(input_ids, &ends(lengths)).expect("staged")
}

/// Rows of activations of the batch.
fn n_rows(tokens: &Tokens) -> usize {
    super::batch::padded(tokens.input_ids().len())
}
