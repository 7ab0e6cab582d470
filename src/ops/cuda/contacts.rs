//! Contacts: three kernels, for the maps and the sums of a layer, and for what is made of them at the end.

use super::{
    super::{RotaryTable, Segments, dtype::tensor, segments::n_residues},
    Batch, Operand, Shape,
    code::{Instance, KernelFile},
    int,
    kernel::{Grid, Kernel},
};
use crate::{
    device::{DeviceError, cuda::enqueue},
    job::Dtype,
};
use burn::tensor::Tensor;
use std::sync::Arc;

/// Rows of a block of `contacts`, and its threads, as the file has them.
const ROWS: usize = 32;
const THREADS: usize = 256;
/// Threads of a block beside each other.
const ACROSS: usize = 16;
/// Rows of a block of `contact_map`.
const MAP_ROWS: usize = 16;

static OF_LAYER: KernelFile = KernelFile {
    kernel: "contacts",
    text: include_str!("kernels/contacts.cu"),
};
static SUMS: KernelFile = KernelFile {
    kernel: "contact_sums",
    text: include_str!("kernels/contact_sums.cu"),
};
static MAP: KernelFile = KernelFile {
    kernel: "contact_map",
    text: include_str!("kernels/contact_map.cu"),
};

/// The kernels that a model may launch.
pub(super) fn kernels(shape: &Shape) -> Result<Vec<Instance>, DeviceError> {
    Ok(vec![of_layer(shape.dtype, shape.head_dim), sums(), map()])
}

/// Heads of up to the same power of two share a kernel.
fn of_layer(dtype: Dtype, head_dim: usize) -> Instance {
    let most = head_dim.next_power_of_two().max(16);
    // What a block holds has to fit into the multiprocessors of small GPUs.
    let keys = if most > 128 { 32 } else { 64 };
    let numbers = (ROWS + keys) * (most + 1) + THREADS / ACROSS * keys;
    Instance::new(&OF_LAYER, dtype)
        .with("MOST_HEAD_DIM", most)
        .with("KEYS", keys)
        .with_shared_bytes(numbers * size_of::<f32>())
}

fn sums() -> Instance {
    Instance::new(&SUMS, Dtype::F32).with("ROWS", ROWS)
}

fn map() -> Instance {
    Instance::new(&MAP, Dtype::F32)
}

/// See [`ContactMaps`](super::super::ContactMaps).
pub(in super::super) struct ContactMaps {
    batch: Arc<Batch>,
    longest: usize,
    /// Numbers of all maps together.
    n_numbers: usize,
    /// The first layer makes them.
    maps: Option<Operand>,
    /// Of each layer so far: the sums of its heads, and their factors.
    layers: Vec<(Tensor<2>, Tensor<2>)>,
}

impl ContactMaps {
    pub(in super::super) fn new(segments: &Segments, batch: &Arc<Batch>) -> Self {
        let sizes = segments.ranges().map(|range| n_residues(range.len()));
        Self {
            batch: batch.clone(),
            longest: sizes.clone().max().unwrap_or(0),
            n_numbers: sizes.map(|n| n * n).sum(),
            maps: None,
            layers: Vec::new(),
        }
    }

    pub(in super::super) fn add(&mut self, qkv: &Tensor<2>, rotary: &RotaryTable, weights: &[f32]) {
        let (n_heads, head_dim) = (weights.len(), rotary.head_dim());
        let weights = tensor(weights.to_vec(), [n_heads], &qkv.device(), Dtype::F32);
        let (weights, angles) = (
            Operand::new(&weights),
            Operand::new(&rotary.on_gpu(&qkv.device())),
        );
        let qkv = Operand::new(qkv);
        let (n_tokens, n_sequences) = (self.batch.n_tokens(), self.batch.n_sequences());
        let n_tiles = self.longest.div_ceil(ROWS);
        let is_first = self.maps.is_none();
        let numbers = |shape| qkv.allocate(shape, Dtype::F32);
        let maps = self
            .maps
            .get_or_insert_with(|| numbers([self.n_numbers, 1]));
        let of_rows = numbers([n_heads, n_tokens]);
        let of_columns = numbers([n_tiles * n_heads, n_tokens]);

        let kernel = Kernel::get(qkv.gpu, &of_layer(qkv.dtype(), head_dim));
        let batch = self.batch.clone();
        enqueue(
            qkv.gpu,
            &[qkv.handle(), angles.handle(), weights.handle()],
            &[maps.handle(), of_rows.handle(), of_columns.handle()],
            move |stream, at| {
                let [qkv, angles, weights, maps, of_rows, of_columns] = *at else {
                    unreachable!("there is an address for each handle");
                };
                let grid = Grid {
                    blocks: (n_sequences as u32, n_tiles as u32),
                    threads: THREADS as u32,
                };
                let arguments = [
                    qkv.into(),
                    batch.cu_seqlens().into(),
                    angles.into(),
                    weights.into(),
                    maps.into(),
                    of_rows.into(),
                    of_columns.into(),
                    int(n_tokens).into(),
                    int(n_heads).into(),
                    int(head_dim).into(),
                    (1.0 / (head_dim as f32).sqrt()).into(),
                    i32::from(is_first).into(),
                ];
                // SAFETY: the arguments are those of `contacts`; `enqueue` and the batch keep the addresses valid.
                unsafe {
                    batch.upload().begin(stream)?;
                    kernel?.launch(stream, grid, &arguments)
                }
            },
        );

        let sums_of_heads = numbers([n_heads, n_tokens]);
        let factors = numbers([n_heads, n_sequences]);
        let kernel = Kernel::get(qkv.gpu, &sums());
        let batch = self.batch.clone();
        enqueue(
            qkv.gpu,
            &[of_rows.handle(), of_columns.handle(), weights.handle()],
            &[sums_of_heads.handle(), factors.handle()],
            move |stream, at| {
                let [of_rows, of_columns, weights, sums, factors] = *at else {
                    unreachable!("there is an address for each handle");
                };
                let grid = Grid {
                    blocks: (n_sequences as u32, n_heads as u32),
                    threads: THREADS as u32,
                };
                let arguments = [
                    of_rows.into(),
                    of_columns.into(),
                    batch.cu_seqlens().into(),
                    weights.into(),
                    sums.into(),
                    factors.into(),
                    int(n_tokens).into(),
                    int(n_heads).into(),
                ];
                // SAFETY: the arguments are those of `contact_sums`; `enqueue` and the batch keep the addresses valid.
                unsafe {
                    batch.upload().begin(stream)?;
                    kernel?.launch(stream, grid, &arguments)
                }
            },
        );
        self.layers.push((sums_of_heads.tensor(), factors.tensor()));
    }

    /// # Panics
    /// If there was no layer.
    pub(in super::super) fn finish(self, bias: f32) -> Tensor<2> {
        let maps = self.maps.expect("a model has a layer at least");
        let (sums, factors): (Vec<_>, Vec<_>) = self.layers.into_iter().unzip();
        let (sums, factors) = (Tensor::cat(sums, 0), Tensor::cat(factors, 0));
        let [n_heads, n_tokens] = sums.dims();
        let (sums, factors) = (Operand::new(&sums), Operand::new(&factors));
        let contacts = maps.allocate([self.n_numbers, 1], Dtype::F32);
        let kernel = Kernel::get(maps.gpu, &map());
        let (batch, n_sequences) = (self.batch.clone(), self.batch.n_sequences());
        let n_tiles = self.longest.div_ceil(MAP_ROWS);
        enqueue(
            maps.gpu,
            &[maps.handle(), sums.handle(), factors.handle()],
            &[contacts.handle()],
            move |stream, at| {
                let [maps, sums, factors, contacts] = *at else {
                    unreachable!("there is an address for each handle");
                };
                let grid = Grid {
                    blocks: (n_sequences as u32, n_tiles as u32),
                    threads: THREADS as u32,
                };
                let arguments = [
                    maps.into(),
                    sums.into(),
                    factors.into(),
                    batch.cu_seqlens().into(),
                    contacts.into(),
                    int(n_tokens).into(),
                    int(n_heads).into(),
                    bias.into(),
                ];
                // SAFETY: the arguments are those of `contact_map`; `enqueue` and the batch keep the addresses valid.
                unsafe {
                    batch.upload().begin(stream)?;
                    kernel?.launch(stream, grid, &arguments)
                }
            },
        );
        contacts.tensor()
    }
}
