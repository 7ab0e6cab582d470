//! The end of a part that is being written: what is to be known to end it earlier, or to write its end again.

use super::Frontier;
use arrow_array::RecordBatch;
use std::collections::VecDeque;

/// Where a part could be ended, and the rows behind the last such place. There are no more of them than in
/// the row groups that are not in the file yet: the one that is collected, and those that are encoded and written.
/// They share their memory with those.
pub(super) struct Tail {
    /// Rows of the run before the part.
    n_before: u64,
    /// Where it could be ended, from the first to the last place.
    ends: Vec<Frontier>,
    /// Rows of the run before those that are held.
    n_settled: u64,
    /// The frontiers behind each row that is held, as far as they are reached.
    frontiers: VecDeque<Frontier>,
    rows: VecDeque<RecordBatch>,
}

impl Tail {
    /// Of a part that begins here.
    pub(super) fn new(from: &Frontier) -> Self {
        Self {
            n_before: from.tally.rows,
            ends: Vec::new(),
            n_settled: from.tally.rows,
            frontiers: VecDeque::new(),
            rows: VecDeque::new(),
        }
    }

    /// Holds the next rows.
    pub(super) fn hold(&mut self, rows: RecordBatch) {
        self.rows.push_back(rows);
    }

    /// The rows have come to this frontier.
    pub(super) fn reach(&mut self, frontier: &Frontier) {
        let n_rows = frontier.tally.rows;
        if n_rows <= self.n_settled {
            return;
        }
        // Of those between two rows the last one counts, behind all that was rejected there.
        self.frontiers.pop_back_if(|last| last.tally.rows == n_rows);
        self.frontiers.push_back(frontier.clone());
    }

    /// The part can be ended behind its first `n_rows` rows. They need not be held.
    pub(super) fn settle(&mut self, n_rows: u64) {
        let n_settled = self.n_before + n_rows;
        if n_settled > self.n_settled
            && let Some(end) = self.drop_until(n_settled)
        {
            self.ends.push(end);
        }
    }

    /// Where the part could be ended, from the first to the last place.
    pub(super) fn ends(&self) -> &[Frontier] {
        &self.ends
    }

    /// Rows that are held.
    pub(super) fn n_rows(&self) -> usize {
        self.rows.iter().map(RecordBatch::num_rows).sum()
    }

    /// The first `n_rows` of the rows that are held.
    pub(super) fn first(&self, mut n_rows: usize) -> impl Iterator<Item = RecordBatch> {
        self.rows.iter().map_while(move |rows| {
            let n_first = rows.num_rows().min(n_rows);
            n_rows -= n_first;
            (n_first > 0).then(|| rows.slice(0, n_first))
        })
    }

    /// The frontier behind the first `n_rows` of the rows that are held.
    pub(super) fn behind(&self, n_rows: usize) -> Option<&Frontier> {
        self.at(self.n_settled + n_rows as u64)
    }

    /// Holds the first `n_rows` rows no more.
    pub(super) fn drop_first(&mut self, n_rows: usize) {
        self.drop_until(self.n_settled + n_rows as u64);
    }

    fn at(&self, n_rows: u64) -> Option<&Frontier> {
        let at = self
            .frontiers
            .partition_point(|frontier| frontier.tally.rows < n_rows);
        let found = self.frontiers.get(at);
        found.filter(|frontier| frontier.tally.rows == n_rows)
    }

    /// Drops what is before a frontier, if that is reached, and gives it.
    fn drop_until(&mut self, n_rows: u64) -> Option<Frontier> {
        let end = self.at(n_rows)?.clone();
        self.frontiers
            .retain(|frontier| frontier.tally.rows > n_rows);
        let mut n_more = usize::try_from(n_rows - self.n_settled).unwrap_or(usize::MAX);
        while n_more > 0
            && let Some(first) = self.rows.front_mut()
        {
            let n_first = first.num_rows().min(n_more);
            n_more -= n_first;
            *first = first.slice(n_first, first.num_rows() - n_first);
            if first.num_rows() == 0 {
                self.rows.pop_front();
            }
        }
        self.n_settled = n_rows;
        Some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::Tally;
    use arrow_array::{ArrayRef, UInt64Array, cast::AsArray, types::UInt64Type};
    use std::sync::Arc;

    fn frontier(record: u64, rows: u64) -> Frontier {
        Frontier {
            record,
            tally: Tally {
                rows,
                ..Tally::default()
            },
            ..Frontier::default()
        }
    }

    fn rows(indices: std::ops::Range<u64>) -> RecordBatch {
        let column: ArrayRef = Arc::new(UInt64Array::from_iter_values(indices));
        RecordBatch::try_from_iter([("index", column)]).unwrap()
    }

    fn held(tail: &Tail, n_rows: usize) -> Vec<u64> {
        let rows = tail.first(n_rows);
        let indices = rows.map(|rows| rows.column(0).as_primitive::<UInt64Type>().clone());
        indices
            .flat_map(|column| column.values().to_vec())
            .collect()
    }

    #[test]
    fn rows_are_held_from_the_last_place_where_the_part_could_end() {
        let mut tail = Tail::new(&frontier(20, 10));
        tail.hold(rows(10..13));
        tail.hold(rows(13..16));
        // Of two records each the second one is rejected.
        for n_row in 11..=13 {
            tail.reach(&frontier(2 * n_row - 1, n_row));
            tail.reach(&frontier(2 * n_row, n_row));
        }
        // That frontier is not reached yet.
        tail.settle(4);
        assert_eq!((tail.ends().len(), tail.n_rows()), (0, 6));
        for n_row in 14..=16 {
            tail.reach(&frontier(2 * n_row, n_row));
        }
        tail.settle(4);
        tail.settle(4);
        assert_eq!(tail.ends(), [frontier(28, 14)]);
        assert_eq!(held(&tail, 9), [14, 15]);
        assert_eq!(held(&tail, 1), [14]);
        assert_eq!(tail.behind(1), Some(&frontier(30, 15)));
        assert_eq!(tail.behind(3), None);
        tail.drop_first(1);
        assert_eq!((held(&tail, 9), tail.n_rows()), (vec![15], 1));
        assert_eq!(tail.behind(1), Some(&frontier(32, 16)));
    }
}
