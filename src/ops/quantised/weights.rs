//! The weights of a linear layer as bytes, in main memory.

use super::{
    code::{BLOCK, Code, LEAST_GELU},
    rounding,
};
use rayon::prelude::*;

/// Which weights share a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grain {
    /// Those of a row: of one output.
    Channel,
    /// Each 256 of a row, which follow each other. The last ones may be fewer.
    Blocks,
}

/// The weights of a linear layer as bytes in main memory, with its bias.
#[derive(Clone, Debug)]
pub struct QuantisedWeights {
    pub(super) n_in: usize,
    /// Which numbers the layer's inputs stand for.
    pub(super) input: Code,
    pub(super) grain: Grain,
    /// `[out, in]`, from −127 to 127.
    pub(super) bytes: Vec<i8>,
    /// `[out]`, or `[blocks, out]`.
    pub(super) scales: Vec<f32>,
    /// `[out]`.
    bias: Vec<f32>,
}

impl QuantisedWeights {
    /// Rounds `weights`, `[out, in]`, to the nearest multiple of their scale, a 127th of the greatest absolute value of
    /// those that share it. `bias` is `[out]`, and the layer's inputs will be bytes in `input`.
    pub fn new(
        weights: &[f32],
        [n_out, n_in]: [usize; 2],
        bias: Vec<f32>,
        input: Code,
        grain: Grain,
    ) -> Self {
        assert_eq!(weights.len(), n_out * n_in);
        assert_eq!(bias.len(), n_out);
        let width = grain.width(n_in);
        let mut bytes = vec![0; weights.len()];
        let rows = weights.par_chunks(n_in).zip(bytes.par_chunks_mut(n_in));
        let scales = rows.map(|(row, bytes)| {
            let blocks = row.chunks(width).zip(bytes.chunks_mut(width));
            let scales = blocks.map(|(block, bytes)| {
                let (scale, rounded) = rounding::signed(block);
                let places = bytes.iter_mut().zip(rounded);
                places.for_each(|(place, byte)| *place = byte as i8);
                scale
            });
            scales.collect()
        });
        let scales: Vec<Vec<f32>> = scales.collect();
        let n_blocks = n_in.div_ceil(width);
        Self {
            n_in,
            input,
            grain,
            scales: (0..n_blocks)
                .flat_map(|block| scales.iter().map(move |scales| scales[block]))
                .collect(),
            bytes,
            bias,
        }
    }

    /// The numbers that the bytes of output `n` stand for, `[in]`.
    pub fn row(&self, n: usize) -> impl Iterator<Item = f32> {
        let n_out = self.bias.len();
        let row = &self.bytes[n * self.n_in..][..self.n_in];
        let blocks = row.chunks(self.grain.width(self.n_in)).enumerate();
        blocks.flat_map(move |(block, bytes)| {
            let scale = self.scales[block * n_out + n];
            bytes.iter().map(move |&byte| scale * f32::from(byte))
        })
    }

    /// The numbers that the bytes stand for, `[out, in]`.
    #[cfg(test)]
    pub fn dequantised(&self) -> Vec<f32> {
        (0..self.bias.len()).flat_map(|n| self.row(n)).collect()
    }

    /// The bias of the layer, `[out]`.
    pub fn bias_mut(&mut self) -> &mut [f32] {
        &mut self.bias
    }

    /// The bias to add to sums of products of bytes, `[out]`: the constant by which inputs differ from multiples of their
    /// scales is multiplied by the weights already.
    pub(super) fn folded_bias(&self) -> Vec<f32> {
        match self.input {
            Code::Signed => self.bias.clone(),
            Code::Gelu => {
                let outputs = self.bias.par_iter().enumerate();
                outputs.map(|(n, &bias)| {
                    let sum: f64 = self.row(n).map(f64::from).sum();
                    (f64::from(bias) - f64::from(LEAST_GELU) * sum) as f32
                })
                .collect()
            }
        }
    }
}

impl Grain {
    /// Weights that share a scale, in rows of so many.
    pub(super) fn width(self, n_in: usize) -> usize {
        match self {
            Self::Channel => n_in,
            Self::Blocks => BLOCK,
        }
    }
}
