//! What a model makes of a batch: on its way, and in main memory.

use super::ModelError;
use crate::{
    batch::{Ragged, SpareValues, Values},
    device::BatchMarks,
    job::{ContactPairs, Content, Question},
    ops::{Results, Tokens},
};
use std::iter;

/// A batch that is being computed. It may be waited for on another thread.
pub struct InFlight {
    results: Results,
    /// Where the values of each sequence begin in each matrix, and the end of the last one.
    offsets: Vec<Vec<usize>>,
    /// Which pairs are kept of matrices of contacts.
    pairs: Vec<Option<ContactPairs>>,
}

/// What a model answered for a batch of n sequences. Nobody has looked at its values yet.
pub struct Answer {
    /// What is known of each sequence, for each column of the question.
    pub columns: Vec<Ragged>,
    /// When the device computed it.
    pub marks: BatchMarks,
}

impl InFlight {
    /// Where the values of each sequence of a batch begin in each matrix, in the answers of a model of this hidden size,
    /// and the end of the last one.
    pub(super) fn places(
        question: &Question,
        tokens: &Tokens,
        hidden_size: usize,
    ) -> Vec<Vec<usize>> {
        let offsets = question.columns.iter().map(|column| {
            let mut end = 0;
            let segments = tokens.segments();
            let ends = segments.ranges().enumerate().map(|(n, range)| {
                let is_left_out =
                    matches!(column.content, Content::Pieces { .. }) && !segments.is_piece(n);
                if !is_left_out {
                    let ids = &tokens.input_ids()[range];
                    end += column.content.n_numbers_of(ids, hidden_size);
                }
                end
            });
            iter::once(0).chain(ends).collect()
        });
        offsets.collect()
    }

    /// The answers to a question about the sequences of a batch, whose values lie at these [`places`](Self::places).
    pub(super) fn new(results: Results, question: &Question, offsets: Vec<Vec<usize>>) -> Self {
        let pairs = question.columns.iter().map(|column| match column.content {
            Content::ContactPairs(pairs) => Some(pairs),
            _ => None,
        });
        Self {
            pairs: pairs.collect(),
            offsets,
            results,
        }
    }

    /// Waits until the values are in main memory: in `spare` memory where there is some.
    ///
    /// # Errors
    /// If the device failed.
    pub fn wait(self, spare: &SpareValues) -> Result<Answer, ModelError> {
        let (matrices, marks) = self.results.wait(spare)?;
        let columns = matrices.into_iter().zip(self.offsets).zip(self.pairs);
        let columns = columns.map(|((values, offsets), pairs): ((Values, _), _)| {
            let column = Ragged { values, offsets };
            match pairs {
                Some(pairs) => listed(&column, pairs),
                None => column,
            }
        });
        Ok(Answer {
            columns: columns.collect(),
            marks,
        })
    }
}

/// The likely pairs of each sequence, instead of the probabilities of all.
pub fn listed(matrices: &Ragged, pairs: ContactPairs) -> Ragged {
    let probabilities = matrices.values.to_f32();
    let mut values = Vec::new();
    let mut offsets = vec![0];
    for ends in matrices.offsets.windows(2) {
        values.extend(pairs.list(&probabilities[ends[0]..ends[1]]));
        offsets.push(values.len());
    }
    Ragged {
        values: Values::F32(values),
        offsets,
    }
}
