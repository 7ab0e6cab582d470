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
        let rows = weights.par_chunks(n_in).map(|row| {
            let mut bytes = Vec::with_capacity(n_in);
            let scales: Vec<f32> = row
                .chunks(width)
                .map(|block| rounding::signed(block, |byte| bytes.push(byte as i8)))
                .collect();
            (bytes, scales)
        });
        let rows: Vec<(Vec<i8>, Vec<f32>)> = rows.collect();
        let n_blocks = n_in.div_ceil(width);
        Self {
            n_in,
            input,
            grain,
            scales: (0..n_blocks)
                .flat_map(|block| rows.iter().map(move |(_, scales)| scales[block]))
                .collect(),
            bytes: rows.into_iter().flat_map(|(bytes, _)| bytes).collect(),
            bias,
        }
    }

    /// The numbers that the bytes stand for, `[out, in]`.
    pub fn dequantised(&self) -> Vec<f32> {
        let n_out = self.bias.len();
        let width = self.grain.width(self.n_in);
        let rows = self.bytes.par_chunks(self.n_in).enumerate();
        rows.flat_map_iter(|(n, row)| {
            let blocks = row.chunks(width).enumerate();
            blocks.flat_map(move |(block, bytes)| {
                let scale = self.scales[block * n_out + n];
                bytes.iter().map(move |&byte| scale * f32::from(byte))
            })
        })
        .collect()
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
                let weights = self.dequantised();
                let rows = weights.par_chunks(self.n_in).zip(&self.bias);
                rows.map(|(row, &bias)| {
                    let sum: f64 = row.iter().map(|&weight| f64::from(weight)).sum();
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
