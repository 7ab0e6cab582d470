//! What a model makes of a batch: on its way, and in main memory.

use super::ModelError;
use crate::{device::BatchMarks, ops::Results};

/// A batch that is being computed. It may be waited for on another thread.
pub struct InFlight {
    results: Results,
    n_sequences: usize,
    hidden_size: usize,
}

/// What a model answered for a batch of n sequences. Nobody has looked at its values yet.
pub struct Answer {
    /// `[layers, hidden]` of each sequence, one after the other, in f32.
    pub values: Vec<f32>,
    /// Where the values of each sequence begin, and the end of the last one, `[n + 1]`.
    pub offsets: Vec<usize>,
    /// When the device computed it.
    pub marks: BatchMarks,
}

impl InFlight {
    pub(super) fn new(results: Results, n_sequences: usize, hidden_size: usize) -> Self {
        Self {
            results,
            n_sequences,
            hidden_size,
        }
    }

    /// Waits until the values are in main memory.
    ///
    /// # Errors
    /// If the device failed.
    pub fn wait(self) -> Result<Answer, ModelError> {
        let (mut layers, marks) = self.results.wait()?;
        let width = layers.len() * self.hidden_size;
        let values = match layers.len() {
            1 => layers.remove(0),
            _ => side_by_side(&layers, self.hidden_size),
        };
        Ok(Answer {
            values,
            offsets: (0..=self.n_sequences).map(|n| n * width).collect(),
            marks,
        })
    }
}

/// From one `[n, hidden]` a layer to `[n, layers, hidden]`.
fn side_by_side(layers: &[Vec<f32>], hidden_size: usize) -> Vec<f32> {
    let n = layers.first().map_or(0, |layer| layer.len() / hidden_size);
    let rows = (0..n).flat_map(|row| {
        let vectors = layers.iter();
        vectors.flat_map(move |layer| &layer[row * hidden_size..][..hidden_size])
    });
    rows.copied().collect()
}
