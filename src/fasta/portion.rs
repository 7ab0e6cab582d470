//! The text of a portion of a compressed file, which is read from its beginning.

use std::{
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Bytes of text in a step.
const STEP_BYTES: usize = 8 << 10;

/// The text of a whole file, which finds where a portion of it begins and ends: at the first step of text
/// before which so many compressed bytes had been taken.
///
/// What decompressing takes before a step depends on the file alone, as all that is below reads and gives
/// pieces of a fixed size, and whoever is above has no influence. So two processes that find the same
/// bound find it in the same place.
pub(super) struct PortionText<R> {
    text: R,
    /// Bytes of the file that decompressing has taken so far.
    taken: Arc<AtomicU64>,
    bounds: Bounds,
    step: Box<[u8]>,
    /// What is handed out next: `step[start..filled]`.
    start: usize,
    filled: usize,
    /// Where the next step begins in the text.
    position: u64,
    /// What ended the text within a step, when that has been handed out.
    failure: Option<io::Error>,
}

/// Where a portion begins and ends.
#[derive(Clone)]
pub(super) struct Bounds {
    /// In bytes of the file that have been taken.
    taken: (u64, u64),
    /// In the text; `u64::MAX` before that is known.
    pub(super) start: Arc<AtomicU64>,
    pub(super) end: Arc<AtomicU64>,
}

impl Bounds {
    pub(super) fn new(from: u64, to: u64) -> Self {
        let unknown = || Arc::new(AtomicU64::new(u64::MAX));
        Self {
            taken: (from, to),
            start: unknown(),
            end: unknown(),
        }
    }

    /// A step begins at `position`, and so many bytes were taken for what comes before.
    fn note(&self, taken: u64, position: u64) {
        for (bound, place) in [(self.taken.0, &self.start), (self.taken.1, &self.end)] {
            if taken >= bound {
                place.fetch_min(position, Ordering::Relaxed);
            }
        }
    }
}

impl<R: Read> PortionText<R> {
    pub(super) fn new(text: R, taken: Arc<AtomicU64>, bounds: Bounds) -> Self {
        Self {
            text,
            taken,
            bounds,
            step: vec![0; STEP_BYTES].into(),
            start: 0,
            filled: 0,
            position: 0,
            failure: None,
        }
    }

    fn next_step(&mut self) -> io::Result<()> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        self.bounds
            .note(self.taken.load(Ordering::Relaxed), self.position);
        (self.start, self.filled) = (0, 0);
        match read_fully(&mut self.text, &mut self.step) {
            (filled, None) => self.filled = filled,
            (0, Some(failure)) => return Err(failure),
            (filled, failure) => {
                self.filled = filled;
                self.failure = failure;
            }
        }
        self.position += self.filled as u64;
        Ok(())
    }
}

impl<R: Read> Read for PortionText<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.start == self.filled {
            self.next_step()?;
        }
        let mut bytes = &self.step[self.start..self.filled];
        let n_bytes = bytes.read(out)?;
        self.start += n_bytes;
        Ok(n_bytes)
    }
}

/// A file of which each read gives all that was asked for, but at its end: a disk may give less.
pub(super) struct FullReads<R>(pub(super) R);

impl<R: Read> Read for FullReads<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match read_fully(&mut self.0, out) {
            (_, Some(failure)) => Err(failure),
            (n_bytes, None) => Ok(n_bytes),
        }
    }
}

/// Reads until `out` is full or nothing more comes. Gives the bytes that were read, and what went wrong then.
fn read_fully(from: &mut impl Read, out: &mut [u8]) -> (usize, Option<io::Error>) {
    let mut filled = 0;
    while filled < out.len() {
        match from.read(&mut out[filled..]) {
            Ok(0) => break,
            Ok(n_bytes) => filled += n_bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Some(error)),
        }
    }
    (filled, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time, counts them as taken, and fails at the end if it is to.
    struct Meagre {
        left: usize,
        taken: Arc<AtomicU64>,
        fails: bool,
    }

    impl Read for Meagre {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let n_bytes = out.len().min(self.left).min(100);
            if n_bytes == 0 && self.fails {
                return Err(io::ErrorKind::InvalidData.into());
            }
            out[..n_bytes].fill(b'x');
            self.left -= n_bytes;
            self.taken.fetch_add(n_bytes as u64, Ordering::Relaxed);
            Ok(n_bytes)
        }
    }

    #[test]
    fn bounds_are_steps_whoever_reads() {
        let step = STEP_BYTES as u64;
        for (bound, expect) in [
            (0, 0),
            (1, step),
            (step, step),
            (step + 1, 2 * step),
            (9 * step, u64::MAX),
        ] {
            for out_bytes in [1, 700, 3 * STEP_BYTES] {
                let taken = Arc::<AtomicU64>::default();
                let text = Meagre {
                    left: 5 * STEP_BYTES / 2,
                    taken: taken.clone(),
                    fails: false,
                };
                let bounds = Bounds::new(bound, bound);
                let mut portion = PortionText::new(text, taken, bounds.clone());
                let mut out = vec![0; out_bytes];
                let mut n_bytes = 0;
                loop {
                    match portion.read(&mut out).unwrap() {
                        0 => break,
                        n => n_bytes += n,
                    }
                }
                assert_eq!(n_bytes, 5 * STEP_BYTES / 2);
                assert_eq!(bounds.start.load(Ordering::Relaxed), expect, "{bound}");
                assert_eq!(bounds.end.load(Ordering::Relaxed), expect, "{bound}");
            }
        }
    }

    #[test]
    fn what_comes_before_a_failure_is_given() {
        let taken = Arc::<AtomicU64>::default();
        let text = Meagre {
            left: STEP_BYTES + 3,
            taken: taken.clone(),
            fails: true,
        };
        let mut portion = PortionText::new(text, taken, Bounds::new(0, u64::MAX));
        let mut out = Vec::new();
        assert!(portion.read_to_end(&mut out).is_err());
        assert_eq!(out.len(), STEP_BYTES + 3);
    }
}
