//! The marks that packing left, in order.

use super::frontier::Mark;
use std::{collections::VecDeque, sync::mpsc::Receiver};

/// The marks that packing left, in order.
pub(super) struct Marks {
    coming: Receiver<Mark>,
    here: VecDeque<Mark>,
    /// The rows before each jump.
    jumps: VecDeque<u64>,
}

impl Marks {
    pub(super) fn new(coming: Receiver<Mark>) -> Self {
        Self {
            coming,
            here: VecDeque::new(),
            jumps: VecDeque::new(),
        }
    }

    fn receive(&mut self) {
        while let Ok(mark) = self.coming.try_recv() {
            if mark.is_jump {
                self.jumps.push_back(mark.frontier.tally.rows);
            }
            self.here.push_back(mark);
        }
    }

    /// The next mark, if there are no more than `n_rows` rows before it.
    pub(super) fn reached(&mut self, n_rows: u64) -> Option<Mark> {
        self.receive();
        let mark = self
            .here
            .pop_front_if(|mark| mark.frontier.tally.rows <= n_rows)?;
        if mark.is_jump {
            self.jumps.pop_front();
        }
        Some(mark)
    }

    /// Rows before the next jump.
    pub(super) fn next_jump(&self) -> Option<u64> {
        self.jumps.front().copied()
    }
}
