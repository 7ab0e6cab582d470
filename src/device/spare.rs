//! Memory of the CPU that is used again: a batch's activations lie where those of the batch before did.
//!
//! What the system gives anew it gives page by page, filled with zeroes, while all threads of a process wait for
//! each other.

use std::cell::RefCell;

/// Pieces that a thread keeps. An encoder layer has fewer at the same time.
const MOST_KEPT: usize = 8;

thread_local! {
    static SPARE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Memory for `n` numbers, with whatever is in it.
pub fn take(n: usize) -> Vec<f32> {
    let found = SPARE.with_borrow_mut(|spare| {
        let fitting = spare.iter().enumerate().filter(|(_, old)| old.len() >= n);
        let best = fitting.min_by_key(|(_, old)| old.len()).map(|(at, _)| at);
        best.map(|at| spare.swap_remove(at))
    });
    match found {
        Some(mut memory) => {
            memory.truncate(n);
            memory
        }
        None => vec![0.0; n],
    }
}

/// Keeps memory for the next one on this thread who takes some.
pub fn give(mut memory: Vec<f32>) {
    // Only a length says how much of it was ever written.
    memory.resize(memory.capacity(), 0.0);
    SPARE.with_borrow_mut(|spare| {
        spare.push(memory);
        if spare.len() > MOST_KEPT {
            let lens = spare.iter().enumerate();
            if let Some((smallest, _)) = lens.min_by_key(|(_, memory)| memory.len()) {
                spare.swap_remove(smallest);
            }
        }
    });
}

/// Gives what this thread keeps back to the system.
pub fn forget() {
    SPARE.take();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back() {
        forget();
        let memory = take(1000);
        let place = memory.as_ptr();
        give(memory);
        let again = take(900);
        assert_eq!((again.as_ptr(), again.len()), (place, 900));
        assert_ne!(take(900).as_ptr(), place, "it is in use");
        give(again);
        assert_eq!(take(1000).as_ptr(), place, "it is as large as it was");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        forget();
        for n in 0..3 * MOST_KEPT {
            give(vec![0.0; n + 1]);
        }
        assert_eq!(SPARE.with_borrow(Vec::len), MOST_KEPT);
        assert_eq!(take(1).len(), 1);
    }
}
