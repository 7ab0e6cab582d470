//! Memory that is filled again: to get it from the system takes longer than to fill it.

use arrow_buffer::{ArrowNativeType, Buffer};
use std::sync::{Arc, Mutex, PoisonError};

/// Less is not kept: getting it costs nothing.
const LEAST_BYTES: usize = 64 << 10;

/// Buffers that are kept if nothing else is said: those of the rows of the row groups that are not in a file yet.
const MOST_BUFFERS: usize = 32;

/// Memory that is filled again when nobody needs what it holds.
#[derive(Clone, Debug)]
pub struct Spare {
    kept: Arc<Mutex<Vec<Buffer>>>,
    most: usize,
}

impl Default for Spare {
    fn default() -> Self {
        Self::new(MOST_BUFFERS)
    }
}

impl Spare {
    /// For so many buffers at most.
    pub(super) fn new(most: usize) -> Self {
        Self {
            kept: Arc::default(),
            most,
        }
    }

    /// Empty memory for so many items.
    pub(super) fn take<T: ArrowNativeType>(&self, n_items: usize) -> Vec<T> {
        let n_bytes = n_items * size_of::<T>();
        if n_bytes >= LEAST_BYTES {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            for n in 0..kept.len() {
                if kept[n].capacity() < n_bytes {
                    continue;
                }
                // It is somebody's as long as others have it.
                match kept.swap_remove(n).into_vec::<T>() {
                    Ok(mut memory) => {
                        memory.clear();
                        return memory;
                    }
                    Err(buffer) => {
                        kept.push(buffer);
                        let last = kept.len() - 1;
                        kept.swap(n, last);
                    }
                }
            }
        }
        Vec::with_capacity(n_items)
    }

    /// Keeps a buffer in mind, to be taken when all others have let go of it.
    pub(super) fn keep(&self, buffer: &Buffer) {
        if buffer.capacity() < LEAST_BYTES {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= self.most {
            // One that is too small for all that comes must not stay for ever.
            kept.swap_remove(0);
        }
        kept.push(buffer.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_filled_again_when_nobody_has_it() {
        const N: usize = LEAST_BYTES;
        let spare = Spare::new(4);
        let filled = |byte: u8| {
            let mut memory = spare.take(N);
            assert!(memory.is_empty() && memory.capacity() >= N);
            memory.resize(N, byte);
            let buffer = Buffer::from_vec(memory);
            spare.keep(&buffer);
            buffer
        };
        let (first, second) = (filled(1), filled(2));
        let at = first.as_ptr();
        drop(first);
        // Other items are not in the memory of bytes.
        assert!(spare.take::<u32>(N / 4).capacity() >= N / 4);
        let third = filled(3);
        assert_eq!(third.as_ptr(), at);
        assert_eq!(
            (second.as_slice(), third.as_slice()),
            (&[2; N][..], &[3; N][..])
        );
        let more: Vec<_> = (4..9).map(filled).collect();
        for (n, buffer) in (4..9).zip(&more) {
            assert_eq!(buffer.as_slice(), [n; N]);
        }
        drop(third);
        assert!(spare.take::<u8>(2 * N).capacity() >= 2 * N);
    }
}
