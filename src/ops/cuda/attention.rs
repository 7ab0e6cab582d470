//! Varlen attention: its launches.

use super::{
    super::RotaryTable,
    Batch, Operand, int,
    kernel::{Argument, Grid, Kernel},
    variant::{Tile, Variant},
};
use crate::device::{
    DeviceError,
    cuda::{Doing, Gpu, enqueue},
};
use burn::tensor::Tensor;
use cudarc::driver::result;
use std::{f64::consts::LOG2_E, sync::Arc};

pub(super) use super::variant::kernels;

/// Places in the second dimension of a grid.
const MOST_BLOCKS: usize = 65_535;

/// Bidirectional attention of every token to the tokens of its own sequence, with rotary positions:
/// `[rows, 3 * hidden]` to `[rows, hidden]`. Rows of padding become zero.
pub(in super::super) fn attention(
    qkv: &Tensor<2>,
    batch: &Arc<Batch>,
    rotary: &RotaryTable,
) -> Tensor<2> {
    let [n_rows, width] = qkv.dims();
    let hidden = width / 3;
    let angles = Operand::new(&rotary.on_gpu(&qkv.device()));
    let qkv = Operand::new(qkv);
    let y = qkv.allocate([n_rows, hidden], qkv.dtype());
    let kernels = batch.variant().loaded(qkv.gpu);
    let batch = batch.clone();
    let row_bytes = hidden * qkv.dtype().bytes();
    enqueue(
        qkv.gpu,
        &[qkv.handle(), angles.handle()],
        &[y.handle()],
        move |stream, at| {
            let (variant, kernels) = (batch.variant(), kernels?);
            // SAFETY: the stream is of the current context.
            unsafe { batch.upload().begin(stream) }?;
            let [qkv, angles, y] = *at else {
                unreachable!("there is an address for each handle");
            };
            let used = batch.n_tokens() * row_bytes;
            let unused = (n_rows * row_bytes).saturating_sub(used);
            if unused > 0 {
                // SAFETY: the rows behind the last token belong to `y`.
                unsafe { result::memset_d8_async(y + used as u64, 0, unused, stream) }
                    .doing("clear rows of padding")?;
            }
            let mut tiles = batch.tiles();
            for ((part, kernel), &n_tiles) in variant.parts.iter().zip(kernels).zip(batch.n_tiles())
            {
                let mut rest = n_tiles;
                while rest > 0 {
                    let n_tiles = rest.min(MOST_BLOCKS);
                    let arguments = variant.arguments(qkv, y, tiles, angles, hidden);
                    let grid = Grid {
                        blocks: variant.blocks(n_tiles, hidden),
                        threads: part.threads,
                    };
                    // SAFETY: the arguments are those of the kernels; `enqueue` and the batch keep
                    // the addresses valid.
                    unsafe { kernel.launch(stream, grid, &arguments) }?;
                    tiles += (n_tiles * size_of::<Tile>()) as u64;
                    rest -= n_tiles;
                }
            }
            Ok(())
        },
    );
    y.tensor()
}

impl Variant {
    /// The kernels, compiled and loaded.
    fn loaded(&self, gpu: &Gpu) -> Result<Vec<Kernel>, DeviceError> {
        let parts = self.parts.iter();
        parts.map(|part| Kernel::get(gpu, &part.instance)).collect()
    }

    /// The grid of `n_tiles` blocks of work for each head.
    fn blocks(&self, n_tiles: usize, hidden: usize) -> (u32, u32) {
        let (tiles, heads) = (n_tiles as u32, (hidden / self.head_dim) as u32);
        if self.heads_first {
            (heads, tiles)
        } else {
            (tiles, heads)
        }
    }

    fn arguments(&self, qkv: u64, y: u64, tiles: u64, angles: u64, hidden: usize) -> Vec<Argument> {
        // The kernels compute powers of two.
        let scale = (LOG2_E / (self.head_dim as f64).sqrt()) as f32;
        let mut arguments = vec![
            qkv.into(),
            y.into(),
            tiles.into(),
            angles.into(),
            int(hidden).into(),
            scale.into(),
        ];
        if self.takes_head_dim {
            arguments.push(int(self.head_dim).into());
        }
        arguments
    }
}
