//! Varlen attention: kernels by GPU, number format and head dimension, and their work lists.

use super::{
    super::RotaryTable,
    Batch, Operand,
    compile::Source,
    format_name, int,
    kernel::{Argument, Grid, Kernel},
};
use crate::device::{
    DeviceError,
    cuda::{Doing, Gpu, enqueue},
};
use burn::tensor::{DType, Tensor};
use cudarc::driver::result;
use std::{f64::consts::LOG2_E, sync::Arc};

/// A block of work: the first token of a sequence, its length, the first query row of the block
/// inside the sequence, and nothing.
pub(super) type Tile = [i32; 4];

/// The kernels for a GPU, number format and head dimension. Which of them a sequence gets depends
/// on its length only, so its bits do not depend on the batch.
#[derive(Clone, Debug)]
pub(super) struct Variant {
    source: Source,
    /// In rising order of length.
    parts: Vec<Part>,
    head_dim: usize,
    /// Whether blocks of one sequence and different heads are neighbours in the grid, so that they
    /// share rows of memory; else blocks of one head are.
    heads_first: bool,
    /// The exact kernels take the head dimension as an argument.
    takes_head_dim: bool,
}

/// A kernel and how it is launched.
#[derive(Clone, Debug)]
struct Part {
    name: String,
    /// The longest sequence that it is for.
    longest: usize,
    /// Query rows of a block of work.
    rows: usize,
    threads: u32,
    shared_bytes: u32,
}

const SM80: Source = Source {
    file: "attention_sm80.cu",
    text: include_str!("kernels/attention_sm80.cu"),
};
const SM90: Source = Source {
    file: "attention_sm90.cu",
    text: concat!(
        include_str!("kernels/hopper.cuh"),
        include_str!("kernels/attention_sm90.cu")
    ),
};
const EXACT: Source = Source {
    file: "attention_exact.cu",
    text: include_str!("kernels/attention_exact.cu"),
};

/// All of them.
#[cfg(test)]
pub(super) const SOURCES: [Source; 3] = [SM80, SM90, EXACT];

/// The kernels for Hopper's tensor cores.
fn sm90(format: &str, head_dim: usize) -> Vec<Part> {
    /// Rows that a group of warps computes.
    const GROUP_ROWS: usize = 64;
    const GROUP_THREADS: u32 = 128;
    /// Keys of a tile.
    const KEYS: usize = 64;
    /// Bytes of a tile's two barriers.
    const BARRIER_BYTES: usize = 16;
    let part = |suffix: &str, longest, groups: usize, stages: usize| Part {
        name: format!("attention_sm90_{format}_{head_dim}{suffix}"),
        longest,
        rows: groups * GROUP_ROWS,
        // One group more brings the keys and values.
        threads: (groups as u32 + 1) * GROUP_THREADS,
        // Stages of keys and values, and the queries.
        shared_bytes: (stages * (2 * KEYS * 2 * head_dim + BARRIER_BYTES)
            + groups * GROUP_ROWS * 2 * head_dim) as u32,
    };
    match head_dim {
        64 => vec![part("_short", GROUP_ROWS, 1, 2), part("", usize::MAX, 2, 4)],
        128 => vec![part("", usize::MAX, 3, 4)],
        _ => vec![part("", usize::MAX, 2, 4)],
    }
}

/// The kernels for tensor cores of compute capability 8.0 and newer.
fn sm80(format: &str, head_dim: usize) -> Vec<Part> {
    const ROWS: usize = 128;
    let row_bytes = 2 * head_dim.next_multiple_of(16);
    // The angles of the keys take the place of the queries where these move on to registers.
    let (keys, angle_bytes) = match head_dim {
        128 => (32, 32 * 4 * head_dim),
        _ => (64, 0),
    };
    // The queries, and two stages of keys and values.
    let shared_bytes = ROWS * row_bytes + 2 * 2 * keys * row_bytes + angle_bytes;
    vec![Part {
        name: format!("attention_sm80_{format}_{head_dim}"),
        longest: usize::MAX,
        rows: ROWS,
        threads: 128,
        shared_bytes: shared_bytes as u32,
    }]
}

/// The kernels that compute in f32 throughout.
fn exact(format: &str, head_dim: usize) -> Vec<Part> {
    const ROWS: usize = 32;
    const KEYS: usize = 32;
    let row_stride = (head_dim.div_ceil(4) | 1) * 4;
    vec![Part {
        name: format!("attention_exact_{format}"),
        longest: usize::MAX,
        rows: ROWS,
        threads: 128,
        shared_bytes: (4 * ((ROWS + KEYS) * row_stride + ROWS * KEYS)) as u32,
    }]
}

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
    let kernels = batch.variant().kernels(qkv.gpu);
    let batch = batch.clone();
    let row_bytes = hidden * qkv.dtype().size();
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
                    unsafe { kernel.launch(stream, grid, part.shared_bytes, &arguments) }?;
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
    /// The fastest kernels that there are.
    ///
    /// # Errors
    /// If no kernel takes such heads.
    pub(super) fn choose(gpu: &Gpu, dtype: DType, head_dim: usize) -> Result<Self, DeviceError> {
        Self::for_capability(gpu.capability(), dtype, head_dim)
    }

    /// The fastest kernels for GPUs of a compute capability.
    ///
    /// # Errors
    /// If no kernel takes such heads.
    pub(super) fn for_capability(
        capability: (u32, u32),
        dtype: DType,
        head_dim: usize,
    ) -> Result<Self, DeviceError> {
        let format = format_name(dtype);
        let is_half = dtype != DType::F32;
        let variant = |source, parts| Self {
            source,
            parts,
            head_dim,
            heads_first: false,
            takes_head_dim: false,
        };
        match head_dim {
            // The instructions are Hopper's alone: newer GPUs have others.
            32 | 64 | 128 if is_half && capability == (9, 0) => Ok(Self {
                heads_first: true,
                ..variant(SM90, sm90(format, head_dim))
            }),
            16 | 24 | 32 | 64 | 128 if is_half => Ok(variant(SM80, sm80(format, head_dim))),
            2..=256 if head_dim.is_multiple_of(2) => Ok(Self {
                takes_head_dim: true,
                ..variant(EXACT, exact(format, head_dim))
            }),
            _ => Err(DeviceError::Shape(format!(
                "a head dimension of {head_dim} is not one that the GPU kernels take: it must be \
                 even and at most 256"
            ))),
        }
    }

    /// The kernels, compiled and loaded.
    ///
    /// # Errors
    /// If they do not compile here.
    pub(super) fn kernels(&self, gpu: &Gpu) -> Result<Vec<Kernel>, DeviceError> {
        let get = |part: &Part| Kernel::get(gpu, self.source, &part.name, part.shared_bytes);
        self.parts.iter().map(get).collect()
    }

    /// The query rows of a block, for each kernel.
    pub(super) fn rows(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().map(|part| part.rows)
    }

    /// The work lists of a batch, one a kernel, one after the other, and their lengths. Long
    /// sequences come first: short ones then fill the gaps at the end.
    pub(super) fn tiles(&self, cu_seqlens: &[i32]) -> (Vec<Tile>, Vec<usize>) {
        let mut sequences: Vec<(i32, i32)> = cu_seqlens
            .windows(2)
            .map(|pair| (pair[0], pair[1] - pair[0]))
            .collect();
        sequences.sort_by_key(|&(_, length)| std::cmp::Reverse(length));
        let mut tiles = Vec::new();
        let mut counts = Vec::new();
        let mut shortest = 0;
        for part in &self.parts {
            let before = tiles.len();
            for &(start, length) in &sequences {
                if (shortest..=part.longest).contains(&(length as usize)) {
                    let rows = (0..length).step_by(part.rows);
                    tiles.extend(rows.map(|row| [start, length, row, 0]));
                }
            }
            counts.push(tiles.len() - before);
            shortest = part.longest.saturating_add(1);
        }
        (tiles, counts)
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
