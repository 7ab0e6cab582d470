//! A packed batch in the memory of the GPU.

use super::{
    super::StagerOptions,
    lost,
    variant::{Tile, Variant},
};
use crate::{
    alphabet::{PAD, SHORTEST_SEQUENCE},
    device::{
        DeviceError,
        cuda::{Gpu, Upload, UploadRing},
    },
    job::Dtype,
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A packed batch on its way to the GPU, or there: token ids, `cu_seqlens`, and the work list of
/// attention.
pub(in super::super) struct Batch {
    gpu: &'static Gpu,
    /// The kernels that the work lists are for.
    variant: Arc<Variant>,
    upload: Arc<Upload>,
    n_rows: usize,
    n_tokens: usize,
    n_sequences: usize,
    n_tiles: Vec<usize>,
    cu_seqlens_offset: u64,
    tiles_offset: u64,
}

/// Writes batches into pinned memory and starts their copies.
pub(in super::super) struct UploadStager {
    gpu: &'static Gpu,
    ring: UploadRing,
    variant: Arc<Variant>,
    /// Batches so far.
    n_batches: AtomicU64,
    lost_at: Option<u64>,
}

/// Work lists are read 16 bytes at a time.
const ALIGNMENT: usize = 16;

impl UploadStager {
    /// For batches in `dtype`, with heads of dimension `head_dim`, on the GPU with this ordinal.
    ///
    /// # Errors
    /// If there is no memory for the slots, or no kernel for the model's shape.
    pub(in super::super) fn new(
        ordinal: usize,
        dtype: Dtype,
        head_dim: usize,
        options: StagerOptions,
    ) -> Result<Self, DeviceError> {
        let token_budget = options.token_budget;
        let gpu = Gpu::opened(ordinal);
        let variant = Variant::choose(gpu.capability(), dtype, head_dim)?;
        let least_rows = variant.rows().min().expect("every variant has a kernel");
        let most_sequences = token_budget / SHORTEST_SEQUENCE + 1;
        let most_tiles = token_budget / least_rows + most_sequences;
        let n_bytes = 4 * padded(token_budget)
            + 4 * (most_sequences + 1)
            + ALIGNMENT
            + size_of::<Tile>() * most_tiles;
        Ok(Self {
            gpu,
            ring: UploadRing::new(gpu, options.n_slots, n_bytes, options.poisoned)?,
            variant: Arc::new(variant),
            n_batches: AtomicU64::new(0),
            lost_at: options.lost_at,
        })
    }

    /// Starts the copy of a batch. Waits for a slot.
    ///
    /// # Errors
    /// If the copy cannot be started.
    pub(in super::super) fn stage(
        &self,
        input_ids: &[i32],
        cu_seqlens: &[i32],
    ) -> Result<Batch, DeviceError> {
        let number = self.n_batches.fetch_add(1, Ordering::Relaxed);
        if self.lost_at == Some(number) {
            lost::lose(self.gpu)?;
        }
        let n_rows = padded(input_ids.len());
        let (tiles, n_tiles) = self.variant.tiles(cu_seqlens);
        let cu_seqlens_offset = 4 * n_rows;
        let tiles_offset = (cu_seqlens_offset + 4 * cu_seqlens.len()).next_multiple_of(ALIGNMENT);
        let upload = self.ring.upload(|slot| {
            let padding = std::iter::repeat_n(&PAD, n_rows - input_ids.len());
            write(slot, 0, input_ids.iter().chain(padding));
            write(slot, cu_seqlens_offset, cu_seqlens);
            write(slot, tiles_offset, tiles.as_flattened())
        })?;
        Ok(Batch {
            gpu: self.gpu,
            variant: self.variant.clone(),
            upload: Arc::new(upload),
            n_rows,
            n_tokens: cu_seqlens.last().map_or(0, |&end| end as usize),
            n_sequences: cu_seqlens.len() - 1,
            n_tiles,
            cu_seqlens_offset: cu_seqlens_offset as u64,
            tiles_offset: tiles_offset as u64,
        })
    }
}

/// Writes numbers from `offset` on, and returns where they end.
fn write<'a>(slot: &mut [u8], offset: usize, numbers: impl IntoIterator<Item = &'a i32>) -> usize {
    let mut end = offset;
    for number in numbers {
        slot[end..end + 4].copy_from_slice(&number.to_ne_bytes());
        end += 4;
    }
    end
}

/// The rows of the activations of a batch of `n_tokens`: steps of a sixteenth of the next power of
/// two, so that batches that are nearly full all have one shape and reuse each other's memory.
pub(super) fn padded(n_tokens: usize) -> usize {
    const LEAST: usize = 256;
    let step = (n_tokens.next_power_of_two() / 16).max(LEAST);
    n_tokens.next_multiple_of(step)
}

impl Batch {
    /// Rows of activations: the tokens, and rows of padding behind them.
    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The GPU.
    pub(super) fn gpu(&self) -> &'static Gpu {
        self.gpu
    }

    /// The kernels of attention that the work lists are for.
    pub(super) fn variant(&self) -> &Variant {
        &self.variant
    }

    /// Tokens.
    pub(super) fn n_tokens(&self) -> usize {
        self.n_tokens
    }

    /// Sequences.
    pub(super) fn n_sequences(&self) -> usize {
        self.n_sequences
    }

    /// Blocks of work of attention, for each of its kernels.
    pub(super) fn n_tiles(&self) -> &[usize] {
        &self.n_tiles
    }

    /// Where the token ids are, `[rows]`.
    pub(super) fn input_ids(&self) -> u64 {
        self.upload.address()
    }

    /// Where `cu_seqlens` is, `[n + 1]`.
    pub(super) fn cu_seqlens(&self) -> u64 {
        self.upload.address() + self.cu_seqlens_offset
    }

    /// Where the work lists of attention are, one after the other.
    pub(super) fn tiles(&self) -> u64 {
        self.upload.address() + self.tiles_offset
    }

    /// The slot that it lies in.
    pub(in super::super) fn upload(&self) -> &Arc<Upload> {
        &self.upload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearly_full_batches_have_one_shape() {
        assert_eq!(padded(1), 256);
        assert_eq!(padded(257), 512);
        assert_eq!(padded(32_768), 32_768);
        assert_eq!(padded(32_600), 32_768);
        assert_eq!(padded(30_721), 32_768);
        assert_eq!(padded(30_720), 30_720);
        for n in 1..20_000 {
            let rows = padded(n);
            assert!(rows >= n && rows <= n + n / 8 + 256, "{n}: {rows}");
        }
    }
}
