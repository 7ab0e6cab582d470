//! From the order of the packer back to the order of the input.

use super::{OrderError, Spare};
use crate::{
    batch::{Ragged, Row, Rows, SpareValues, Values},
    job::OutputDtype,
};
use std::{collections::BTreeMap, sync::Arc};

/// Bytes of values and texts that are released at a time, which end with the row that reaches them. It
/// bounds the copy that is in memory twice.
const RELEASED_BYTES: usize = 4 << 20;

/// Batches, and bytes of their values, beyond which none is taken while rows wait to be written: about twice as many as
/// are computed before the first of their rows can leave.
const MOST_BATCHES: usize = 16;
const MOST_BYTES: usize = 1 << 30;

/// Holds the rows that came too early.
///
/// How many it holds, and how much text they have, is bounded by how far lanes may be ahead of each other
/// and by the packer: see
/// [`MAX_REORDER_BUDGETS`](crate::batch::MAX_REORDER_BUDGETS) and
/// [`MAX_REORDER_WINDOWS`](crate::batch::MAX_REORDER_WINDOWS). A batch's values stay in memory
/// until its last row is released, and no row is allocated on its own.
#[derive(Debug, Default)]
pub struct ReorderBuffer {
    /// Index of the next row to release.
    next: u64,
    held: BTreeMap<u64, Held>,
    /// Batches of which rows are held, and the bytes of their values.
    n_batches: usize,
    n_bytes: usize,
    /// Memory of batches of which none is held any more.
    of_batches: SpareValues,
    /// Memory of rows that were released.
    released: Spare,
}

#[derive(Debug)]
struct Held {
    row: Row,
    /// The values of the row's batch.
    columns: Arc<Vec<Ragged>>,
    /// Which of its rows it is.
    number: usize,
}

impl ReorderBuffer {
    /// Nothing yet. Memory of batches that nobody needs any more goes to `of_batches`; rows are released in memory of
    /// `released`, where whoever has written them keeps it in mind.
    pub fn new(of_batches: SpareValues, released: Spare) -> Self {
        Self {
            of_batches,
            released,
            ..Self::default()
        }
    }

    /// Whether another batch may come while rows are ready that have not left. Batches that are computed together become
    /// ready together: if none came while these are written, devices would have to wait for it.
    pub fn has_room(&self) -> bool {
        self.n_batches < MOST_BATCHES && self.n_bytes < MOST_BYTES
    }

    /// Takes a batch.
    ///
    /// # Errors
    /// If a row was here before.
    pub fn push(&mut self, rows: Rows) -> Result<(), OrderError> {
        if !rows.is_empty() {
            self.n_batches += 1;
            self.n_bytes += bytes_of(&rows.columns);
        }
        let columns = Arc::new(rows.columns);
        for (number, row) in rows.meta.into_iter().enumerate() {
            let index = row.index;
            if index < self.next || self.held.contains_key(&index) {
                return Err(OrderError::Duplicate { index, id: row.id });
            }
            let columns = Arc::clone(&columns);
            self.held.insert(
                index,
                Held {
                    row,
                    columns,
                    number,
                },
            );
        }
        Ok(())
    }

    /// The next rows in input order, some MiB of them, if they are here. Call it until it gives
    /// `None`.
    pub fn next_ready(&mut self) -> Option<Rows> {
        let mut taken = Vec::new();
        let mut n_bytes = 0;
        while n_bytes < RELEASED_BYTES
            && let Some(held) = self.held.remove(&self.next)
        {
            n_bytes += held.row.text_bytes() + Rows::n_bytes(&held.columns, held.number);
            taken.push(held);
            self.next += 1;
        }
        // Large rows are copied once, not again whenever there is no room for the next one.
        let n_columns = taken.first().map_or(0, |held| held.columns.len());
        let columns = (0..n_columns).map(|n| {
            let of_rows = taken.iter().map(|held| (&held.columns[n], held.number));
            let n_values = of_rows.map(|(column, row)| column.range(row).len()).sum();
            Ragged {
                values: self.with_room(taken[0].columns[n].values.dtype(), n_values),
                offsets: vec![0],
            }
        });
        let mut ready = Rows {
            meta: Vec::with_capacity(taken.len()),
            columns: columns.collect(),
        };
        for held in taken {
            ready.push_from(held.row, &held.columns, held.number);
            if let Some(columns) = Arc::into_inner(held.columns) {
                self.n_batches -= 1;
                self.n_bytes -= bytes_of(&columns);
                for column in columns {
                    self.of_batches.give_back(column.values);
                }
            }
        }
        (!ready.is_empty()).then_some(ready)
    }

    /// No values yet, with room for so many.
    fn with_room(&self, dtype: OutputDtype, n_values: usize) -> Values {
        match dtype {
            OutputDtype::F16 => Values::F16(self.released.take(n_values)),
            OutputDtype::F32 => Values::F32(self.released.take(n_values)),
        }
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

/// Bytes of the values of a batch.
fn bytes_of(columns: &[Ragged]) -> usize {
    let columns = columns.iter();
    let bytes = columns.map(|column| column.values.len() * column.values.dtype().bytes());
    bytes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Values;
    use proptest::prelude::*;

    fn row(index: u64) -> Row {
        Row {
            index,
            id: format!("p{index}"),
            description: String::new(),
            length: 1,
            truncated: false,
            piece: None,
            sequence: Vec::new(),
        }
    }

    /// A column of one row.
    fn column(values: Vec<f32>) -> Ragged {
        Ragged {
            offsets: vec![0, values.len()],
            values: Values::F32(values),
        }
    }

    /// Rows of different lengths.
    fn batch(indices: &[u64]) -> Rows {
        let mut rows = Rows::default();
        for &index in indices {
            let values = vec![index as f32; 1 + index as usize % 3];
            rows.push_from(row(index), &[column(values)], 0);
        }
        rows
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
            let mut buffer = ReorderBuffer::default();
            let mut released = Rows::default();
            let mut seen = Vec::new();
            for indices in &batches {
                seen.extend_from_slice(indices);
                buffer.push(batch(indices)).unwrap();
                while let Some(ready) = buffer.next_ready() {
                    for (n, meta) in ready.meta.iter().enumerate() {
                        released.push_from(meta.clone(), &ready.columns, n);
                    }
                }
                let unbroken = (0..).take_while(|index| seen.contains(index)).count();
                prop_assert_eq!(released.len(), unbroken);
                prop_assert_eq!(buffer.held.len(), seen.len() - unbroken);
            }
            let in_order: Vec<u64> = (0..seen.len() as u64).collect();
            prop_assert_eq!(released, batch(&in_order));
            prop_assert_eq!(buffer.finish(seen.len() as u64), Ok(()));
        }
    }

    #[test]
    fn batches_come_while_there_is_room_for_them() {
        let of_batches = SpareValues::default();
        let mut buffer = ReorderBuffer::new(of_batches.clone(), Spare::default());
        for index in 1..=MOST_BATCHES as u64 {
            assert!(buffer.has_room());
            buffer.push(batch(&[index])).unwrap();
        }
        assert!(!buffer.has_room() && buffer.next_ready().is_none());
        buffer.push(batch(&[0])).unwrap();
        while buffer.next_ready().is_some() {}
        assert!(buffer.has_room());
        assert_eq!((buffer.n_batches, buffer.n_bytes), (0, 0));
        // Large ones fill it sooner, and until the last of their rows has left.
        let n_values = MOST_BYTES / size_of::<f32>();
        let large = of_batches.take(OutputDtype::F32, n_values);
        let offsets = vec![0, 1, n_values];
        let first = MOST_BATCHES as u64 + 1;
        let meta = vec![row(first), row(first + 2)];
        let values = Ragged {
            values: large,
            offsets,
        };
        let rows = Rows::new(meta, vec![values]).unwrap();
        buffer.push(rows).unwrap();
        assert!(buffer.next_ready().is_some() && !buffer.has_room());
    }

    #[test]
    fn a_release_is_bounded() {
        let released = |rows: Rows| {
            let mut buffer = ReorderBuffer::default();
            buffer.push(rows).unwrap();
            let mut n_rows = || buffer.next_ready().map(|ready| ready.len());
            [n_rows(), n_rows(), n_rows(), n_rows()]
        };
        let values = vec![0.0; RELEASED_BYTES / size_of::<f32>() / 2];
        let mut rows = Rows::default();
        let values = [column(values)];
        (0..5).for_each(|index| rows.push_from(row(index), &values, 0));
        assert_eq!(released(rows), [Some(2), Some(2), Some(1), None]);
        // So is its text.
        let mut rows = Rows::default();
        for index in 0..5 {
            let description = "d".repeat(RELEASED_BYTES / 2);
            let row = Row {
                description,
                ..row(index)
            };
            rows.push_from(row, &[column(Vec::new())], 0);
        }
        assert_eq!(released(rows), [Some(2), Some(2), Some(1), None]);
    }

    #[test]
    fn rows_are_neither_doubled_nor_lost() {
        let check = |batches: &[&[u64]], expected: &str| {
            let mut buffer = ReorderBuffer::default();
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
}
