//! A model that hashes: for testing and measuring everything around a real one.

use super::Encoder;
use crate::{batch::PackedBatch, job::Pooling};

/// Embeds a sequence as a hash of its tokens. Equal sequences get equal vectors, and different
/// ones different vectors, whatever their batch.
pub(super) struct Mock {
    pub(super) hidden_size: usize,
}

impl Encoder for Mock {
    fn encode(&self, batch: &PackedBatch, layers: &[usize], pooling: Pooling) -> Vec<f32> {
        let mut values = Vec::with_capacity(batch.n_sequences() * layers.len() * self.hidden_size);
        let mut bytes = Vec::new();
        let mut stream = vec![0; 4 * self.hidden_size];
        for range in batch.ranges() {
            bytes.clear();
            bytes.extend(batch.input_ids[range].iter().map(|&id| id as u8));
            for &layer in layers {
                let mut hasher = blake3::Hasher::new();
                hasher.update(&layer.to_le_bytes());
                hasher.update(pooling.name().as_bytes());
                hasher.update(&bytes);
                hasher.finalize_xof().fill(&mut stream);
                // From −1 to 1.
                let words = stream.as_chunks::<4>().0.iter();
                values.extend(
                    words.map(|&word| u32::from_le_bytes(word) as f32 / (1u32 << 31) as f32 - 1.0),
                );
            }
        }
        values
    }

    fn encode_tokens(&self, batch: &PackedBatch, layer: usize) -> Vec<f32> {
        let component = |id: i32, i: usize| (id as f32 + layer as f32) / (i + 1) as f32;
        let ids = batch.input_ids.iter();
        ids.flat_map(|&id| (0..self.hidden_size).map(move |i| component(id, i)))
            .collect()
    }
}
