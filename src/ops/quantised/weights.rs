//! The weights of a linear layer as bytes, in main memory.

use super::{
    code::{Code, LEAST_GELU},
    rounding,
};
use rayon::prelude::*;

/// The weights of a linear layer as bytes in main memory, with its bias.
#[derive(Clone, Debug)]
pub struct QuantisedWeights {
    pub(super) n_in: usize,
    /// Which numbers the layer's inputs stand for.
    pub(super) input: Code,
    /// `[out, in]`, from −127 to 127.
    pub(super) bytes: Vec<i8>,
    /// `[out]`.
    pub(super) scales: Vec<f32>,
    /// `[out]`.
    bias: Vec<f32>,
}

impl QuantisedWeights {
    /// Rounds `weights`, `[out, in]`, to the nearest multiple of their scale, a 127th of the greatest absolute value of
    /// those of an output. `bias` is `[out]`, and the layer's inputs will be bytes in `input`.
    pub fn new(weights: &[f32], [n_out, n_in]: [usize; 2], bias: Vec<f32>, input: Code) -> Self {
        assert_eq!(weights.len(), n_out * n_in);
        assert_eq!(bias.len(), n_out);
        let mut bytes = vec![0; weights.len()];
        let rows = weights.par_chunks(n_in).zip(bytes.par_chunks_mut(n_in));
        let scales = rows.map(|(row, bytes)| {
            let (scale, rounded) = rounding::signed(row);
            let places = bytes.iter_mut().zip(rounded);
            places.for_each(|(place, byte)| *place = byte as i8);
            scale
        });
        Self {
            n_in,
            input,
            scales: scales.collect(),
            bytes,
            bias,
        }
    }

    /// The numbers that the bytes of output `n` stand for, `[in]`.
    pub fn row(&self, n: usize) -> impl Iterator<Item = f32> {
        let (scale, row) = (self.scales[n], &self.bytes[n * self.n_in..][..self.n_in]);
        row.iter().map(move |&byte| scale * f32::from(byte))
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
                outputs
                    .map(|(n, &bias)| {
                        let sum: f64 = self.row(n).map(f64::from).sum();
                        (f64::from(bias) - f64::from(LEAST_GELU) * sum) as f32
                    })
                    .collect()
            }
        }
    }
}
