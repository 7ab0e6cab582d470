//! Memory of answers that is filled again: to get it from the system takes longer than to fill it.

use super::Values;
use crate::job::OutputDtype;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes that are kept at most: as much as the batches of a window of vectors of residues have.
const MOST_BYTES: usize = 1 << 30;
/// Answers of fewer bytes are not kept: getting them costs nothing.
const LEAST_BYTES: usize = 1 << 20;

/// Memory of answers that have been written, for those of later batches. Its clones are the same memory.
#[derive(Clone, Debug, Default)]
pub struct SpareValues(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    kept: Vec<Values>,
    /// How many were taken and did not come back: where none are taken, none need be kept.
    n_taken: usize,
}

impl SpareValues {
    /// So many numbers of a format, whatever they are: they are to be written over.
    pub fn take(&self, dtype: OutputDtype, n_values: usize) -> Values {
        let n_bytes = n_values * dtype.bytes();
        if n_bytes < LEAST_BYTES {
            return Values::zeros(dtype, n_values);
        }
        let mut inner = self.lock();
        inner.n_taken += 1;
        let fits = |values: &Values| values.dtype() == dtype && values.room() >= n_values;
        if let Some(at) = inner.kept.iter().position(fits) {
            let mut values = inner.kept.swap_remove(at);
            drop(inner);
            values.resize(n_values);
            return values;
        }
        // What is too small now would be so for ever.
        let too_small = inner.kept.pop();
        drop(inner);
        drop(too_small);
        // The next batch may have a few more. Memory that nobody writes into is none.
        let mut values = Values::zeros(dtype, n_values + n_values / 8);
        values.resize(n_values);
        values
    }

    /// Takes memory of answers that nobody needs any more.
    pub fn give_back(&self, values: Values) {
        let n_bytes = |values: &Values| values.room() * values.dtype().bytes();
        let mut inner = self.lock();
        if n_bytes(&values) < LEAST_BYTES || inner.n_taken == 0 {
            return;
        }
        inner.n_taken -= 1;
        let all: usize = inner.kept.iter().map(n_bytes).sum();
        if all + n_bytes(&values) <= MOST_BYTES {
            inner.kept.push(values);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;

    #[test]
    fn memory_is_filled_again_by_numbers_of_its_format() {
        const N: usize = LEAST_BYTES;
        let place = |values: &Values| match values {
            Values::F16(values) => values.as_ptr().addr(),
            Values::F32(values) => values.as_ptr().addr(),
        };
        let spare = SpareValues::default();
        let mut first = spare.take(OutputDtype::F16, N);
        assert_eq!(first, Values::F16(vec![f16::ZERO; N]));
        if let Values::F16(values) = &mut first {
            values.fill(f16::ONE);
        }
        let at = place(&first);
        spare.give_back(first);
        // A few more fit, too, and none of them is undefined.
        let again = spare.take(OutputDtype::F16, N + N / 16);
        assert_eq!((place(&again), again.len()), (at, N + N / 16));
        assert!(again.are_finite(0..again.len()));
        spare.give_back(again);
        let other = spare.take(OutputDtype::F32, N);
        assert_eq!(other, Values::F32(vec![0.0; N]));
    }

    #[test]
    fn no_more_is_kept_than_is_taken_and_a_window_has() {
        let n_kept = |n_taken: usize, n_values: usize| {
            let spare = SpareValues::default();
            // Nobody writes into them, so that they are no memory.
            let take = |_| spare.take(OutputDtype::F32, n_values);
            let taken: Vec<_> = (0..n_taken).map(take).collect();
            taken.into_iter().for_each(|values| spare.give_back(values));
            // Of somebody else.
            spare.give_back(Values::zeros(OutputDtype::F32, n_values));
            spare.lock().kept.len()
        };
        assert_eq!(n_kept(0, LEAST_BYTES), 0);
        assert_eq!(n_kept(2, LEAST_BYTES), 2);
        assert_eq!(n_kept(2, 9), 0, "getting them costs nothing");
        assert_eq!(n_kept(5, MOST_BYTES / 4 / 4), 3);
    }
}
