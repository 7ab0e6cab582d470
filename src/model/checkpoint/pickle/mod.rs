//! Reads what Python's pickle writes, as far as it is tensors and plain data, and runs nothing of it.
//!
//! A pickle is a program for a small machine, which may name any function of Python and have it called. This
//! machine knows the instructions that make plain data, and a table of the names that PyTorch needs for
//! tensors; every other name ends the reading, as the reason why. *Never*: takes more memory or time than some
//! hundred bytes for each byte of a bounded pickle, whatever it says: values are in one flat heap, in which
//! those that stand in several places, or within themselves, are there once.

mod global;
mod heap;
mod input;
mod machine;

pub(super) use heap::{At, Heap, Node, Storage, Tensor};
pub(super) use input::{Input, MOST_BYTES};

use super::Failure;

/// Reads one pickle, which is the next thing in `input`.
///
/// # Errors
/// If it is broken, too large, or asks for something that is no plain data.
pub(super) fn read(input: &mut Input<impl std::io::Read>) -> Result<Heap, Failure> {
    machine::Machine::new(input).run()
}

#[cfg(test)]
mod tests;
