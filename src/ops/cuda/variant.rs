//! Which kernels compute attention: by GPU, number format, head dimension and length.

use super::{
    Shape,
    code::{Instance, KernelFile},
    format::Format,
};
use crate::{device::DeviceError, job::Dtype};

/// A block of work: the first token of a sequence, its length, the first query row of the block
/// inside the sequence, and nothing.
pub(super) type Tile = [i32; 4];

/// The kernels for a GPU, number format and head dimension. Which of them a sequence gets depends
/// on its length only, so its bits do not depend on the batch.
#[derive(Clone, Debug)]
pub(super) struct Variant {
    /// In rising order of length.
    pub(super) parts: Vec<Part>,
    pub(super) head_dim: usize,
    /// Whether blocks of one sequence and different heads are neighbours in the grid, so that they
    /// share rows of memory; else blocks of one head are.
    pub(super) heads_first: bool,
    /// The exact kernels take the head dimension as an argument.
    pub(super) takes_head_dim: bool,
}

/// A kernel and how it is launched.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) instance: Instance,
    /// The longest sequence that it is for.
    longest: usize,
    /// Query rows of a block of work.
    rows: usize,
    pub(super) threads: u32,
}

static SM80: KernelFile = KernelFile {
    kernel: "attention_sm80",
    text: include_str!("kernels/attention_sm80.cu"),
};
static SM90: KernelFile = KernelFile {
    kernel: "attention_sm90",
    text: include_str!("kernels/attention_sm90.cu"),
};
static EXACT: KernelFile = KernelFile {
    kernel: "attention_exact",
    text: include_str!("kernels/attention_exact.cu"),
};

/// The threads of a warp.
const WARP: usize = 32;

/// A block of the kernels for Hopper: some groups of warps compute 64 query rows each, and one more
/// brings keys and values.
struct HopperBlock {
    head_dim: usize,
    /// The longest sequence that it is for.
    longest: usize,
    consumers: usize,
    /// Tiles of keys and values in shared memory.
    stages: usize,
    /// Of these, tiles that are on their way while one is rotated.
    ahead: usize,
    /// Blocks that share the registers of a multiprocessor.
    blocks: usize,
    /// Registers of a thread that brings keys and values.
    producer_registers: usize,
}

/// The blocks for Hopper, in rising order of length for each head dimension. Smaller blocks, of which
/// more run at once, are for short sequences.
#[rustfmt::skip]
const HOPPER: [HopperBlock; 4] = [
    HopperBlock { head_dim: 32, longest: usize::MAX, consumers: 2, stages: 4, ahead: 2, blocks: 2, producer_registers: 48 },
    HopperBlock { head_dim: 64, longest: 64, consumers: 1, stages: 2, ahead: 1, blocks: 3, producer_registers: 40 },
    HopperBlock { head_dim: 64, longest: usize::MAX, consumers: 2, stages: 4, ahead: 2, blocks: 2, producer_registers: 48 },
    HopperBlock { head_dim: 128, longest: usize::MAX, consumers: 3, stages: 4, ahead: 2, blocks: 1, producer_registers: 56 },
];

impl HopperBlock {
    fn part(&self, dtype: Dtype) -> Part {
        /// The threads of a group of warps.
        const WARPGROUP: usize = 128;
        /// Rows that a group computes.
        const ROWS: usize = 64;
        /// Keys of a tile.
        const KEYS: usize = 64;
        /// Bytes of a tile's two barriers.
        const BARRIER_BYTES: usize = 16;
        let row_bytes = dtype.bytes() * self.head_dim;
        // Stages of keys and values, and the queries.
        let shared_bytes = self.stages * (2 * KEYS * row_bytes + BARRIER_BYTES)
            + self.consumers * ROWS * row_bytes;
        Part {
            instance: Instance::new(&SM90, dtype)
                .with("HEAD_DIM", self.head_dim)
                .with("WARPGROUP", WARPGROUP)
                .with("ROWS", ROWS)
                .with("KEYS", KEYS)
                .with("N_CONSUMERS", self.consumers)
                .with("N_STAGES", self.stages)
                .with("N_AHEAD", self.ahead)
                .with("BARRIER_BYTES", BARRIER_BYTES)
                .with("MIN_BLOCKS", self.blocks)
                .with("PRODUCER_REGISTERS", self.producer_registers)
                .with("SHARED_BYTES", shared_bytes)
                .with_shared_bytes(shared_bytes),
            longest: self.longest,
            rows: self.consumers * ROWS,
            threads: ((self.consumers + 1) * WARPGROUP) as u32,
        }
    }
}

/// A block of the kernels for tensor cores of compute capability 8.0 and newer.
struct AmpereBlock {
    head_dim: usize,
    /// Keys of a tile.
    keys: usize,
    /// Blocks that should fit into a multiprocessor.
    blocks: usize,
}

#[rustfmt::skip]
const AMPERE: [AmpereBlock; 5] = [
    AmpereBlock { head_dim: 16, keys: 64, blocks: 3 },
    AmpereBlock { head_dim: 24, keys: 64, blocks: 3 },
    AmpereBlock { head_dim: 32, keys: 64, blocks: 3 },
    AmpereBlock { head_dim: 64, keys: 64, blocks: 2 },
    AmpereBlock { head_dim: 128, keys: 32, blocks: 2 },
];

impl AmpereBlock {
    fn part(&self, dtype: Dtype) -> Part {
        const WARPS: usize = 4;
        const ROWS: usize = 128;
        /// Heads of up to so many dimensions leave room for queries in registers.
        const MOST_HELD_DIM: usize = 64;
        let row_bytes = dtype.bytes() * self.head_dim.next_multiple_of(16);
        // The angles of the keys take the place of the queries where these move on to registers.
        let angle_bytes = if self.head_dim > MOST_HELD_DIM {
            self.keys * size_of::<f32>() * self.head_dim
        } else {
            0
        };
        // The queries, and two stages of keys and values.
        let shared_bytes = ROWS * row_bytes + 2 * 2 * self.keys * row_bytes + angle_bytes;
        Part {
            instance: Instance::new(&SM80, dtype)
                .with("HEAD_DIM", self.head_dim)
                .with("WARPS", WARPS)
                .with("ROWS", ROWS)
                .with("KEYS", self.keys)
                .with("MOST_HELD_DIM", MOST_HELD_DIM)
                .with("MIN_BLOCKS", self.blocks)
                .with("SHARED_BYTES", shared_bytes)
                .with_shared_bytes(shared_bytes),
            longest: usize::MAX,
            rows: ROWS,
            threads: (WARPS * WARP) as u32,
        }
    }
}

/// The kernel that computes in f32 throughout, for heads of any even dimension.
fn exact(dtype: Dtype, head_dim: usize) -> Part {
    const WARPS: usize = 4;
    const ROWS: usize = 32;
    const KEYS: usize = 32;
    // As in the kernel: an odd number of four floats.
    let row_stride = (head_dim.div_ceil(4) | 1) * 4;
    let n_floats = (ROWS + KEYS) * row_stride + ROWS * KEYS;
    Part {
        instance: Instance::new(&EXACT, dtype)
            .with("WARPS", WARPS)
            .with("ROWS", ROWS)
            .with("KEYS", KEYS)
            .with_shared_bytes(n_floats * size_of::<f32>()),
        longest: usize::MAX,
        rows: ROWS,
        threads: (WARPS * WARP) as u32,
    }
}

/// The kernels that a model may launch.
///
/// # Errors
/// If there is none for its heads.
pub(super) fn kernels(shape: &Shape) -> Result<Vec<Instance>, DeviceError> {
    let variant = Variant::choose(shape.capability, shape.dtype, shape.head_dim)?;
    let instances = variant.parts.into_iter().map(|part| part.instance);
    Ok(instances.collect())
}

impl Variant {
    /// The fastest kernels for GPUs of a compute capability.
    ///
    /// # Errors
    /// If no kernel takes such heads.
    pub(super) fn choose(
        capability: (u32, u32),
        dtype: Dtype,
        head_dim: usize,
    ) -> Result<Self, DeviceError> {
        let mut variant = Self {
            parts: Vec::new(),
            head_dim,
            heads_first: false,
            takes_head_dim: false,
        };
        if Format::of(dtype).has_fast_attention {
            // The instructions are Hopper's alone: newer GPUs have others.
            if capability == (9, 0) {
                let blocks = HOPPER.iter().filter(|block| block.head_dim == head_dim);
                variant.parts = blocks.map(|block| block.part(dtype)).collect();
                variant.heads_first = true;
            }
            if variant.parts.is_empty() {
                let blocks = AMPERE.iter().filter(|block| block.head_dim == head_dim);
                variant.parts = blocks.map(|block| block.part(dtype)).collect();
                variant.heads_first = false;
            }
        }
        if variant.parts.is_empty() {
            if !(2..=256).contains(&head_dim) || !head_dim.is_multiple_of(2) {
                return Err(DeviceError::Shape(format!(
                    "a head dimension of {head_dim} is not one that the GPU kernels take: it must \
                     be even and at most 256"
                )));
            }
            variant.parts = vec![exact(dtype, head_dim)];
            variant.takes_head_dim = true;
        }
        Ok(variant)
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
}
