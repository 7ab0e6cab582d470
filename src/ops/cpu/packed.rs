//! The weights of a linear layer, packed for what multiplies them.

use super::{
    panels::{Panels, REGISTERS, rows_at_once},
    tiles::Tiles,
};
use crate::device::amx;
use burn::tensor::{DType, Tensor};

/// Tasks for a thread, so that threads end at about the same time.
const TASKS_PER_THREAD: usize = 2;

/// The weights of a linear layer, packed for what multiplies them.
pub(in super::super) enum Packed {
    /// In f32, for vectors.
    Panels(Panels),
    /// In bf16, for tiles.
    Tiles(Tiles),
}

impl Packed {
    /// From weights, `[out, in]`, as PyTorch stores them, in f32 or in bf16.
    pub(in super::super) fn new(weight: Tensor<2>) -> Self {
        match weight.dtype() {
            DType::BF16 => Self::Tiles(Tiles::new(weight)),
            _ => Self::Panels(Panels::new(weight)),
        }
    }

    pub(super) fn n_in(&self) -> usize {
        match self {
            Self::Panels(panels) => panels.n_in,
            Self::Tiles(tiles) => tiles.n_in,
        }
    }

    pub(super) fn n_out(&self) -> usize {
        match self {
            Self::Panels(panels) => panels.n_out,
            Self::Tiles(tiles) => tiles.n_out,
        }
    }

    /// Rows that go through weights together.
    fn rows_at_once(&self) -> usize {
        match self {
            Self::Panels(panels) => rows_at_once(panels.width / REGISTERS),
            Self::Tiles(_) => amx::ROWS,
        }
    }

    /// Rows that make it worth while to fetch the weights, for vectors of all lengths.
    pub(super) fn least_rows(&self) -> usize {
        match self {
            Self::Panels(_) => 48,
            Self::Tiles(_) => 96,
        }
    }

    /// How many of `n_rows` rows a task takes, at most `most` unless that is less than go through weights together, so
    /// that every thread has some.
    pub(super) fn rows_per_task(&self, n_rows: usize, most: usize) -> usize {
        let n_tasks = TASKS_PER_THREAD * rayon::current_num_threads();
        let at_once = self.rows_at_once();
        let rows = n_rows.div_ceil(n_tasks).next_multiple_of(at_once);
        rows.clamp(at_once, (most / at_once * at_once).max(at_once))
    }
}
