//! Rotary position embedding: the table of cosines and sines.

/// Cosines and sines of the rotation angles of every position, in f32.
///
/// Computed as HF transformers computes them (`RotaryEmbedding` in `modeling_esm.py`): frequencies,
/// angles and their cosines all in f32, whatever format the model runs in. Component `i` of a head
/// of dimension D turns with component `i + D/2`, by the angle `position * frequency[i]`.
#[derive(Clone, Debug)]
pub struct RotaryTable {
    /// In radians a position, `[D/2]`.
    frequencies: Vec<f32>,
    /// `[positions, D/2]`.
    cos: Vec<f32>,
    /// `[positions, D/2]`.
    sin: Vec<f32>,
    /// The table on the GPU, once it was asked for.
    #[cfg(feature = "cuda")]
    gpu_copy: std::sync::OnceLock<burn::tensor::Tensor<1>>,
}

impl RotaryTable {
    /// The frequencies `theta^(-2i/D)` for heads of dimension `head_dim`, which is even. ESM-2 was
    /// trained with a `theta` of 10,000.
    pub fn frequencies(head_dim: usize, theta: f64) -> Vec<f32> {
        (0..head_dim / 2)
            .map(|i| 1.0 / (theta as f32).powf((2 * i) as f32 / head_dim as f32))
            .collect()
    }

    /// A table for `n_positions` positions of heads that turn with `frequencies`, `[D/2]`.
    pub fn new(frequencies: Vec<f32>, n_positions: usize) -> Self {
        let mut table = Self {
            frequencies,
            cos: Vec::new(),
            sin: Vec::new(),
            #[cfg(feature = "cuda")]
            gpu_copy: std::sync::OnceLock::new(),
        };
        table.grow(n_positions);
        table
    }

    /// Makes sure that the table covers `n_positions` positions.
    pub fn grow(&mut self, n_positions: usize) {
        let covered = self.n_positions();
        #[cfg(feature = "cuda")]
        if covered < n_positions {
            self.gpu_copy.take();
        }
        for position in covered..n_positions {
            for frequency in &self.frequencies {
                let (sin, cos) = (position as f32 * frequency).sin_cos();
                self.cos.push(cos);
                self.sin.push(sin);
            }
        }
    }

    /// The table on `device`: cosine and sine side by side, `[positions, D/2, 2]`, flat.
    #[cfg(feature = "cuda")]
    pub(super) fn on_gpu(&self, device: &burn::tensor::Device) -> burn::tensor::Tensor<1> {
        let copy = self.gpu_copy.get_or_init(|| {
            let pairs = self.cos.iter().zip(&self.sin);
            let values: Vec<f32> = pairs.flat_map(|(&cos, &sin)| [cos, sin]).collect();
            let n = values.len();
            let data = burn::tensor::TensorData::new(values, [n]);
            burn::tensor::Tensor::from_data(data, (device, burn::tensor::DType::F32))
        });
        copy.clone()
    }

    /// Positions that the table covers.
    pub fn n_positions(&self) -> usize {
        self.cos.len() / self.frequencies.len()
    }

    /// Dimension of a head, D.
    pub fn head_dim(&self) -> usize {
        2 * self.frequencies.len()
    }

    /// The cosines of one position, `[D/2]`.
    pub fn cos(&self, position: usize) -> &[f32] {
        let half_dim = self.frequencies.len();
        &self.cos[position * half_dim..][..half_dim]
    }

    /// The sines of one position, `[D/2]`.
    pub fn sin(&self, position: usize) -> &[f32] {
        let half_dim = self.frequencies.len();
        &self.sin[position * half_dim..][..half_dim]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_zero_does_not_turn() {
        let table = RotaryTable::new(RotaryTable::frequencies(16, 1e4), 1);
        assert_eq!(table.cos(0), [1.0; 8]);
        assert_eq!(table.sin(0), [0.0; 8]);
    }

    #[test]
    fn angles_follow_the_definition() {
        let table = RotaryTable::new(RotaryTable::frequencies(64, 1e4), 1024);
        for (position, i) in [(1usize, 0usize), (49, 3), (1023, 0), (1023, 31)] {
            let angle = position as f64 / 10000f64.powf(2.0 * i as f64 / 64.0);
            // Half an ulp of the angle in f32, once for the frequency and once for the product.
            let tolerance = 2.0 * angle * f64::from(f32::EPSILON) + 1e-7;
            assert!((f64::from(table.cos(position)[i]) - angle.cos()).abs() < tolerance);
            assert!((f64::from(table.sin(position)[i]) - angle.sin()).abs() < tolerance);
        }
    }

    #[test]
    fn a_grown_table_equals_a_large_one() {
        let mut grown = RotaryTable::new(RotaryTable::frequencies(24, 1e4), 3);
        grown.grow(50);
        let large = RotaryTable::new(RotaryTable::frequencies(24, 1e4), 50);
        assert_eq!(grown.cos, large.cos);
        assert_eq!(grown.sin, large.sin);
        assert_eq!(grown.n_positions(), 50);
    }
}
