//! The end of a part that is being written: what is to be known to end it earlier, or to write its end again.

use super::Frontier;
use crate::batch::Rows;
use std::collections::VecDeque;

/// Where a part could be ended, and the rows behind the last such place. There are no more of them than in
/// the row groups that are not in the file yet: the one that is collected, and those that are encoded.
pub(super) struct Tail {
    /// Rows of the run before the part.
    n_before: u64,
    /// Where it could be ended, from the first to the last place.
    ends: Vec<Frontier>,
    /// Rows of the run before those that are held.
    n_settled: u64,
    /// The frontiers behind each row that is held, as far as they are reached.
    frontiers: VecDeque<Frontier>,
    rows: VecDeque<Rows>,
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
    pub(super) fn hold(&mut self, rows: Rows) {
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
        self.rows.iter().map(Rows::len).sum()
    }

    /// The first `n_rows` of the rows that are held.
    pub(super) fn first(&self, mut n_rows: usize) -> impl Iterator<Item = Rows> {
        self.rows.iter().map_while(move |rows| {
            let first = rows.clone().take(n_rows);
            n_rows -= first.len();
            (!first.is_empty()).then_some(first)
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
            n_more -= first.take(n_more).len();
            if first.is_empty() {
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
    use crate::{
        batch::{Ragged, Row, Values},
        sink::Tally,
    };

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

    fn rows(indices: std::ops::Range<u64>) -> Rows {
        let mut rows = Rows::default();
        for index in indices {
            let row = Row {
                index,
                id: format!("p{index}"),
                description: String::new(),
                length: 1,
                truncated: false,
                piece: None,
                sequence: Vec::new(),
            };
            let column = Ragged {
                values: Values::F32(vec![index as f32]),
                offsets: vec![0, 1],
            };
            rows.push_from(row, &[column], 0);
        }
        rows
    }

    fn held(tail: &Tail, n_rows: usize) -> Vec<f32> {
        let values = tail.first(n_rows).map(|mut rows| rows.columns.remove(0));
        values.flat_map(|column| column.values.to_f32()).collect()
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
        assert_eq!(held(&tail, 9), [14.0, 15.0]);
        assert_eq!(held(&tail, 1), [14.0]);
        assert_eq!(tail.behind(1), Some(&frontier(30, 15)));
        assert_eq!(tail.behind(3), None);
        tail.drop_first(1);
        assert_eq!((held(&tail, 9), tail.n_rows()), (vec![15.0], 1));
        assert_eq!(tail.behind(1), Some(&frontier(32, 16)));
    }
}
