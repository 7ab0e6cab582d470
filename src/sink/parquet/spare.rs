//! Memory that is filled again: to get it from the system takes longer than to fill it.

use arrow_buffer::Buffer;
use std::sync::{Arc, Mutex, PoisonError};

/// Buffers that are kept at most: one is filled, one waits, one is written.
const MOST: usize = 4;

/// Memory that is filled again when nobody needs what it holds.
#[derive(Clone, Default)]
pub(in super::super) struct Spare(Arc<Mutex<Vec<Buffer>>>);

impl Spare {
    /// Empty memory for so many bytes.
    pub(super) fn take(&self, n_bytes: usize) -> Vec<u8> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for n in 0..kept.len() {
            // It is somebody's as long as others have it.
            match kept.swap_remove(n).into_vec::<u8>() {
                Ok(mut memory) if memory.capacity() >= n_bytes => {
                    memory.clear();
                    return memory;
                }
                Ok(memory) => {
                    drop(memory);
                    return Vec::with_capacity(n_bytes);
                }
                Err(buffer) => {
                    kept.push(buffer);
                    let last = kept.len() - 1;
                    kept.swap(n, last);
                }
            }
        }
        Vec::with_capacity(n_bytes)
    }

    /// Keeps a buffer in mind, to be taken when all others have let go of it.
    pub(super) fn keep(&self, buffer: &Buffer) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MOST {
            kept.push(buffer.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_filled_again_when_nobody_has_it() {
        let spare = Spare::default();
        let filled = |byte: u8| {
            let mut memory = spare.take(1000);
            assert!(memory.is_empty() && memory.capacity() >= 1000);
            memory.resize(1000, byte);
            let buffer = Buffer::from_vec(memory);
            spare.keep(&buffer);
            buffer
        };
        let (first, second) = (filled(1), filled(2));
        let at = first.as_ptr();
        drop(first);
        let third = filled(3);
        assert_eq!(third.as_ptr(), at);
        assert_eq!(
            (second.as_slice(), third.as_slice()),
            (&[2; 1000][..], &[3; 1000][..])
        );
        let more: Vec<_> = (4..9).map(filled).collect();
        for (n, buffer) in (4..9).zip(&more) {
            assert_eq!(buffer.as_slice(), [n; 1000]);
        }
        drop(third);
        assert!(spare.take(2000).capacity() >= 2000);
    }
}
