//! From the order of the packer back to the order of the input.

use super::{EmbeddedBatch, OrderError};
use crate::batch::{Row, WINDOW_TEXT_BYTES};
use std::{collections::BTreeMap, sync::Arc};

/// Values in a released batch, about. It bounds the copy that is in memory twice.
const RELEASED_VALUES: usize = 1 << 20;
/// Bytes of text in a released batch, which ends with the row that reaches them.
const RELEASED_TEXT_BYTES: usize = WINDOW_TEXT_BYTES;

/// Holds the rows that came too early.
///
/// How many it holds, and how much text they have, is bounded by the packer: see
/// [`MAX_REORDER_BUDGETS`](crate::batch::MAX_REORDER_BUDGETS) and
/// [`MAX_REORDER_WINDOWS`](crate::batch::MAX_REORDER_WINDOWS). A batch's values stay in memory
/// until its last row is released, and no row is allocated on its own.
#[derive(Debug)]
pub struct ReorderBuffer {
    n_values_per_row: usize,
    /// Index of the next row to release.
    next: u64,
    held: BTreeMap<u64, Held>,
}

#[derive(Debug)]
struct Held {
    row: Row,
    /// The embeddings of the row's batch.
    embeddings: Arc<Vec<f32>>,
    position: usize,
}

impl ReorderBuffer {
    /// An empty buffer for rows of `n_values_per_row` = layers × hidden_size values, whose first
    /// index is 0.
    pub fn new(n_values_per_row: usize) -> Self {
        Self {
            n_values_per_row,
            next: 0,
            held: BTreeMap::new(),
        }
    }

    /// Takes a batch.
    ///
    /// # Errors
    /// - If the embeddings do not match the rows in number.
    /// - If a row was here before.
    pub fn push(&mut self, batch: EmbeddedBatch) -> Result<(), OrderError> {
        let n_expected = batch.rows.len() * self.n_values_per_row;
        if batch.embeddings.len() != n_expected {
            return Err(OrderError::Shape {
                n_rows: batch.rows.len(),
                n_found: batch.embeddings.len(),
                n_expected,
            });
        }
        let embeddings = Arc::new(batch.embeddings);
        for (position, row) in batch.rows.into_iter().enumerate() {
            let index = row.index;
            if index < self.next || self.held.contains_key(&index) {
                return Err(OrderError::Duplicate { index, id: row.id });
            }
            let embeddings = Arc::clone(&embeddings);
            let held = Held {
                row,
                embeddings,
                position,
            };
            self.held.insert(index, held);
        }
        Ok(())
    }

    /// The next rows in input order, some MiB of them, if they are here. Call it until it gives
    /// `None`.
    pub fn next_ready(&mut self) -> Option<EmbeddedBatch> {
        let mut ready = EmbeddedBatch::default();
        let mut n_text_bytes = 0;
        while ready.embeddings.len() < RELEASED_VALUES
            && n_text_bytes < RELEASED_TEXT_BYTES
            && let Some(held) = self.held.remove(&self.next)
        {
            let start = held.position * self.n_values_per_row;
            let values = &held.embeddings[start..start + self.n_values_per_row];
            ready.embeddings.extend_from_slice(values);
            n_text_bytes += held.row.text_bytes();
            ready.rows.push(held.row);
            self.next += 1;
        }
        (!ready.rows.is_empty()).then_some(ready)
    }

    /// Rows that wait for an earlier one.
    pub fn n_held(&self) -> usize {
        self.held.len()
    }

    /// Ends the run.
    ///
    /// # Errors
    /// If not exactly `n_expected` rows have been released.
    pub fn finish(self, n_expected: u64) -> Result<(), OrderError> {
        if self.next == n_expected && self.held.is_empty() {
            Ok(())
        } else {
            Err(OrderError::Incomplete {
                n_expected,
                n_released: self.next,
                n_held: self.held.len(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const N_VALUES: usize = 3;

    fn row(index: u64) -> Row {
        Row {
            index,
            id: format!("p{index}"),
            description: String::new(),
            length: 1,
            truncated: false,
        }
    }

    fn batch(indices: &[u64]) -> EmbeddedBatch {
        EmbeddedBatch {
            rows: indices.iter().copied().map(row).collect(),
            embeddings: indices.iter().flat_map(|&index| values(index)).collect(),
        }
    }

    fn values(index: u64) -> [f32; N_VALUES] {
        [index as f32, 0.5, -(index as f32)]
    }

    /// The indices 0 to n in any order, cut into batches.
    fn batches() -> impl Strategy<Value = Vec<Vec<u64>>> {
        let indices =
            (0u64..200).prop_flat_map(|n| Just((0..n).collect::<Vec<_>>()).prop_shuffle());
        (indices, 1usize..20)
            .prop_map(|(indices, n)| indices.chunks(n).map(<[_]>::to_vec).collect())
    }

    proptest! {
        #[test]
        fn rows_leave_in_input_order_and_as_soon_as_they_can(batches in batches()) {
            let mut buffer = ReorderBuffer::new(N_VALUES);
            let mut released = EmbeddedBatch::default();
            let mut seen = Vec::new();
            for indices in &batches {
                seen.extend_from_slice(indices);
                buffer.push(batch(indices)).unwrap();
                while let Some(ready) = buffer.next_ready() {
                    released.rows.extend(ready.rows);
                    released.embeddings.extend(ready.embeddings);
                }
                let unbroken = (0..).take_while(|index| seen.contains(index)).count();
                prop_assert_eq!(released.rows.len(), unbroken);
                prop_assert_eq!(buffer.n_held(), seen.len() - unbroken);
            }
            let in_order: Vec<u64> = (0..seen.len() as u64).collect();
            prop_assert_eq!(released, batch(&in_order));
            prop_assert_eq!(buffer.finish(seen.len() as u64), Ok(()));
        }
    }

    #[test]
    fn a_release_is_bounded() {
        let n_values = RELEASED_VALUES / 2;
        let mut buffer = ReorderBuffer::new(n_values);
        buffer
            .push(EmbeddedBatch {
                rows: (0..5).map(row).collect(),
                embeddings: vec![0.0; 5 * n_values],
            })
            .unwrap();
        let mut n_rows = || buffer.next_ready().map(|ready| ready.rows.len());
        assert_eq!(
            [n_rows(), n_rows(), n_rows(), n_rows()],
            [Some(2), Some(2), Some(1), None]
        );
        // So is its text.
        let mut buffer = ReorderBuffer::new(0);
        let mut rows: Vec<_> = (0..5).map(row).collect();
        for row in &mut rows {
            row.description = "d".repeat(RELEASED_TEXT_BYTES / 2);
        }
        let embeddings = Vec::new();
        buffer.push(EmbeddedBatch { rows, embeddings }).unwrap();
        let mut n_rows = || buffer.next_ready().map(|ready| ready.rows.len());
        assert_eq!(
            [n_rows(), n_rows(), n_rows(), n_rows()],
            [Some(2), Some(2), Some(1), None]
        );
    }

    #[test]
    fn rows_are_neither_doubled_nor_lost() {
        let check = |batches: &[&[u64]], expected: &str| {
            let mut buffer = ReorderBuffer::new(N_VALUES);
            let pushed = batches.iter().try_for_each(|indices| {
                buffer.push(batch(indices))?;
                while buffer.next_ready().is_some() {}
                Ok(())
            });
            let outcome = pushed.and_then(|()| buffer.finish(4));
            let message =
                outcome.map_or_else(|error: OrderError| error.to_string(), |()| "ok".into());
            assert_eq!(message, expected);
        };
        check(&[&[0, 2], &[3, 1]], "ok");
        check(&[&[0, 2], &[1, 0]], "sequence 0 (`p0`) was embedded twice");
        check(&[&[0, 2], &[2, 1]], "sequence 2 (`p2`) was embedded twice");
        check(
            &[&[0, 2], &[3]],
            "4 sequences were sent to the model, but 1 came back in order and 2 wait for a \
             sequence that never came",
        );
        check(
            &[&[0, 2, 1]],
            "4 sequences were sent to the model, but 3 came back in order and 0 wait for a \
             sequence that never came",
        );
    }

    #[test]
    fn a_batch_without_all_its_values_is_refused() {
        let mut short = batch(&[0, 1]);
        short.embeddings.pop();
        let error = ReorderBuffer::new(N_VALUES).push(short).unwrap_err();
        let expected = "a batch of 2 rows has 5 embedding values instead of 6";
        assert_eq!(error.to_string(), expected);
    }
}
