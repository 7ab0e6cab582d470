//! In which state inputs are, as a hash.

use super::input::Input;

/// A hash of which files the first `n` inputs are and in which state: their sizes, when they were last
/// written to, and their inodes. `None` if one of them is a pipe, of which nothing can be said.
///
/// Paths do not count, and nothing is asked of the disk: what counts is what the run found at its
/// beginning, and readers see to it that it stays so. It takes 2 ms for 100,000 inputs.
pub fn inputs_state(inputs: &[Input], n: usize) -> Option<String> {
    let mut hasher = blake3::Hasher::new();
    for input in inputs.iter().take(n) {
        hasher.update(&input.identity()?.state());
    }
    Some(hasher.finalize().to_hex().to_string())
}
