//! Memory of answers that is filled again: to get it from the system takes longer than to fill it.

use super::Values;
use crate::job::OutputDtype;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that are kept at most: as much as the batches of a window of vectors of residues have.
const MOST_BYTES: usize = 1 << 30;
/// Answers of fewer bytes are not kept: getting them costs nothing.
const LEAST_BYTES: usize = 1 << 20;

/// Memory of answers that have been written, for those of later batches. Its clones are the same memory.
#[derive(Clone, Debug, Default)]
pub struct SpareValues(Arc<Mutex<Vec<Values>>>);

impl SpareValues {
    /// So many numbers of a format, whatever they are: they are to be written over.
    pub fn take(&self, dtype: OutputDtype, n_values: usize) -> Values {
        let n_bytes = n_values * dtype.bytes();
        if n_bytes < LEAST_BYTES {
            return Values::zeros(dtype, n_values);
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |values: &Values| values.dtype() == dtype && values.room() >= n_values;
        if let Some(at) = kept.iter().position(fits) {
            let mut values = kept.swap_remove(at);
            drop(kept);
            values.resize(n_values);
            return values;
        }
        // What is too small now would be so for ever.
        let too_small = kept.pop();
        drop(kept);
        drop(too_small);
        // The next batch may have a few more. Memory that nobody writes into is none.
        let mut values = Values::zeros(dtype, n_values + n_values / 8);
        values.resize(n_values);
        values
    }

    /// Takes memory of answers that nobody needs any more.
    pub fn give_back(&self, values: Values) {
        let n_bytes = |values: &Values| values.room() * values.dtype().bytes();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = kept.iter().map(n_bytes).sum();
        if (LEAST_BYTES..=MOST_BYTES - all.min(MOST_BYTES)).contains(&n_bytes(&values)) {
            kept.push(values);
        }
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
        // What is small is not kept.
        let small = SpareValues::default();
        small.give_back(Values::F32(vec![1.0; 9]));
        assert_eq!(small.take(OutputDtype::F32, 9), Values::F32(vec![0.0; 9]));
    }

    #[test]
    fn no_more_is_kept_than_a_window_has() {
        let spare = SpareValues::default();
        let n = MOST_BYTES / 4 / 3;
        // Nobody writes into them, so that they are no memory.
        for _ in 0..5 {
            spare.give_back(Values::zeros(OutputDtype::F32, n));
        }
        assert_eq!(spare.0.lock().unwrap().len(), 3);
    }
}
