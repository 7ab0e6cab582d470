//! A model that hashes: for testing and measuring everything around a real one.

use super::Encoder;
use crate::{
    device::DeviceError,
    job::Pooling,
    ops::{Results, Tokens},
};
use std::time::Instant;

/// Embeds a sequence as a hash of its tokens. Equal sequences get equal vectors, and different
/// ones different vectors, whatever their batch.
pub(super) struct Mock {
    pub(super) hidden_size: usize,
}

impl Encoder for Mock {
    fn submit(
        &self,
        tokens: &Tokens,
        layers: &[usize],
        pooling: Pooling,
    ) -> Result<Results, DeviceError> {
        let start = Instant::now();
        let values = layers
            .iter()
            .map(|&layer| self.hash(tokens, layer, pooling));
        let values = values.collect();
        Ok(Results::here(values, start.elapsed().as_secs_f64()))
    }

    fn encode_tokens(&self, tokens: &Tokens, layer: usize) -> Result<Vec<f32>, DeviceError> {
        let component = |id: i32, i: usize| (id as f32 + layer as f32) / (i + 1) as f32;
        let ids = tokens.input_ids().iter();
        Ok(ids
            .flat_map(|&id| (0..self.hidden_size).map(move |i| component(id, i)))
            .collect())
    }
}

impl Mock {
    fn hash(&self, tokens: &Tokens, layer: usize, pooling: Pooling) -> Vec<f32> {
        let mut values = Vec::with_capacity(tokens.segments().len() * self.hidden_size);
        let mut stream = vec![0; 4 * self.hidden_size];
        for range in tokens.segments().ranges() {
            let bytes: Vec<u8> = tokens.input_ids()[range]
                .iter()
                .map(|&id| id as u8)
                .collect();
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
        values
    }
}
