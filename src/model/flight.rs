//! What a model makes of a batch: on its way, and in main memory.

use super::ModelError;
use crate::{
    batch::{Ragged, Values},
    device::BatchMarks,
    job::{Content, Question},
    ops::{Results, Segments},
};
use std::iter;

/// A batch that is being computed. It may be waited for on another thread.
pub struct InFlight {
    results: Results,
    /// Where the values of each sequence begin in each matrix, and the end of the last one.
    offsets: Vec<Vec<usize>>,
}

/// What a model answered for a batch of n sequences. Nobody has looked at its values yet.
pub struct Answer {
    /// What is known of each sequence, for each column of the question.
    pub columns: Vec<Ragged>,
    /// When the device computed it.
    pub marks: BatchMarks,
}

impl InFlight {
    /// The answers to a question about these sequences, by a model of this hidden size.
    pub(super) fn new(
        results: Results,
        question: &Question,
        segments: &Segments,
        hidden_size: usize,
    ) -> Self {
        let offsets = question.columns.iter().map(|column| {
            let mut end = 0;
            let ends = segments.ranges().enumerate().map(|(n, range)| {
                let is_left_out =
                    matches!(column.content, Content::Pieces { .. }) && !segments.is_piece(n);
                if !is_left_out {
                    end += column.content.n_numbers(range.len(), hidden_size);
                }
                end
            });
            iter::once(0).chain(ends).collect()
        });
        Self {
            offsets: offsets.collect(),
            results,
        }
    }

    /// Waits until the values are in main memory.
    ///
    /// # Errors
    /// If the device failed.
    pub fn wait(self) -> Result<Answer, ModelError> {
        let (matrices, marks) = self.results.wait()?;
        let columns = matrices.into_iter().zip(self.offsets);
        let columns = columns.map(|(values, offsets): (Values, _)| Ragged { values, offsets });
        Ok(Answer {
            columns: columns.collect(),
            marks,
        })
    }
}
