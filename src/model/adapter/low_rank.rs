//! The product of two matrices of a low rank.

use rayon::prelude::*;

/// The product of two matrices of a low rank, times a number.
#[derive(Debug)]
pub(super) struct LowRank<'a> {
    /// `[rank, inputs]`.
    pub(super) a: &'a [f32],
    /// `[outputs, rank]`.
    pub(super) b: &'a [f32],
    pub(super) rank: usize,
    pub(super) scale: f32,
}

impl LowRank<'_> {
    /// Adds it to the weights of a linear layer, `[outputs, inputs]`.
    pub(super) fn add_to(&self, weights: &mut [f32]) {
        let n_inputs = self.a.len() / self.rank;
        let rows = weights.par_chunks_mut(n_inputs);
        rows.zip(self.b.par_chunks(self.rank)).for_each_init(
            Vec::new,
            |product, (row, factors)| {
                product.clear();
                product.resize(n_inputs, 0.0);
                for (factor, a) in factors.iter().zip(self.a.chunks(n_inputs)) {
                    for (sum, value) in product.iter_mut().zip(a) {
                        *sum += factor * value;
                    }
                }
                for (weight, value) in row.iter_mut().zip(product.iter()) {
                    *weight += self.scale * value;
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_added_row_by_row() {
        // Three inputs, two outputs.
        let low_rank = LowRank {
            a: &[1.0, 2.0, 3.0, 10.0, 20.0, 30.0],
            b: &[1.0, 0.0, 2.0, 1.0],
            rank: 2,
            scale: 0.5,
        };
        let mut weights = vec![100.0; 6];
        low_rank.add_to(&mut weights);
        assert_eq!(weights, [100.5, 101.0, 101.5, 106.0, 112.0, 118.0]);
    }
}
