//! What inputs hold, as a hash of samples of them.

use super::input::{Input, InputKind};
use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// Bytes at the beginning and at the end of a file that count.
const EDGE_BYTES: u64 = 64 << 10;
/// Places between them that count.
const N_BLOCKS: u64 = 14;
/// Bytes that count at each of them.
const BLOCK_BYTES: u64 = 4 << 10;

/// Adds to `hasher` how large inputs are, in their order, and a sample of what each holds. Copies of a file are the
/// same. It takes less than a millisecond for a file, however large that is.
///
/// # Errors
/// The file that cannot be read.
pub fn hash_contents(
    inputs: &[Input],
    hasher: &mut blake3::Hasher,
) -> Result<(), (PathBuf, io::Error)> {
    for input in inputs {
        let size_bytes = input.size_bytes().unwrap_or(u64::MAX);
        hasher.update(&size_bytes.to_le_bytes());
        if let InputKind::File { .. } = input.kind {
            hash_sample(&input.path, size_bytes, hasher)
                .map_err(|error| (input.path.clone(), error))?;
        }
    }
    Ok(())
}

fn hash_sample(path: &Path, size_bytes: u64, hasher: &mut blake3::Hasher) -> io::Result<()> {
    let file = File::open(path)?;
    let mut buffer = Vec::new();
    for (offset, n_bytes) in samples(size_bytes) {
        buffer.resize(n_bytes as usize, 0);
        file.read_exact_at(&mut buffer, offset)?;
        hasher.update(&buffer);
    }
    Ok(())
}

/// Where the samples of a file of that size lie, and how long they are.
fn samples(size_bytes: u64) -> Vec<(u64, u64)> {
    if size_bytes <= 2 * EDGE_BYTES + N_BLOCKS * BLOCK_BYTES {
        return vec![(0, size_bytes)];
    }
    let between = size_bytes - 2 * EDGE_BYTES - BLOCK_BYTES;
    // Of a product of two numbers of this size nothing is lost.
    let offset = |n: u64| u128::from(between) * u128::from(n) / u128::from(N_BLOCKS - 1);
    let blocks = (0..N_BLOCKS).map(|n| (EDGE_BYTES + offset(n) as u64, BLOCK_BYTES));
    [(0, EDGE_BYTES)]
        .into_iter()
        .chain(blocks)
        .chain([(size_bytes - EDGE_BYTES, EDGE_BYTES)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fasta::resolve;
    use std::fs;

    #[test]
    fn samples_lie_within_a_file_one_behind_the_other() {
        for size_bytes in [0, 1, 188_416, 188_417, 1 << 20, 1 << 45, u64::MAX] {
            let mut end = 0;
            for (offset, n_bytes) in samples(size_bytes) {
                assert!(offset >= end, "{size_bytes}");
                end = offset + n_bytes;
            }
            assert_eq!(end, size_bytes);
        }
        assert_eq!(samples(188_416).len(), 1);
        assert_eq!(samples(188_417).len(), 16);
    }

    #[test]
    fn copies_are_the_same_and_other_contents_and_orders_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let hash = |sources: &[&String]| {
            let sources: Vec<_> = sources.iter().map(|source| (*source).clone()).collect();
            let mut hasher = blake3::Hasher::new();
            hash_contents(&resolve(&sources).unwrap(), &mut hasher).unwrap();
            hasher.finalize()
        };
        for size_bytes in [10_000, 1_000_000] {
            let mut text = b">x\n".to_vec();
            text.resize(size_bytes, b'M');
            let a = write("a", &text);
            let copy = write("copy", &text);
            let middle = samples(size_bytes as u64)[0].1 as usize;
            for changed in [5, middle / 2, size_bytes - 1] {
                let mut other = text.clone();
                other[changed] = b'A';
                let other = write("other", &other);
                assert_eq!(hash(&[&a, &other]), hash(&[&copy, &other]));
                assert_ne!(hash(&[&a]), hash(&[&other]), "{changed}");
                assert_ne!(hash(&[&a, &other]), hash(&[&other, &a]));
            }
        }
    }
}
