//! What went through the stages of a run.

use std::ops::{Add, Sub};

/// What went through the stages of a run, or in an interval of it. Each lane counts what went through it,
/// and the run what its lanes share; all of these added up are the counts of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Records read.
    pub records: u64,
    /// Records that a policy rejected.
    pub rejected: u64,
    /// Residues of the records that go on to be embedded.
    pub residues: u64,
    /// Batches given to the model.
    pub submitted: u64,
    /// Batches embedded.
    pub batches: u64,
    /// Sequences embedded.
    pub sequences: u64,
    /// Tokens embedded.
    pub tokens: u64,
    /// Useful floating-point operations.
    pub flops: f64,
    /// Seconds that the encoder computed, by the device's own clock where it has one.
    pub compute_seconds: f64,
    /// Seconds that a GPU had nothing to compute, by its own clock, between the first batch and the
    /// last. 0 on the CPU.
    pub idle_seconds: f64,
    /// Seconds that a token took, added up over batches: with the squares they say by how much batches differ.
    pub pace: f64,
    /// The squares of these.
    pub pace_squared: f64,
}

impl Counts {
    /// The one list of all counts: each is made of those of two.
    fn with(self, other: Self, whole: fn(u64, u64) -> u64, real: fn(f64, f64) -> f64) -> Self {
        Self {
            records: whole(self.records, other.records),
            rejected: whole(self.rejected, other.rejected),
            residues: whole(self.residues, other.residues),
            submitted: whole(self.submitted, other.submitted),
            batches: whole(self.batches, other.batches),
            sequences: whole(self.sequences, other.sequences),
            tokens: whole(self.tokens, other.tokens),
            flops: real(self.flops, other.flops),
            compute_seconds: real(self.compute_seconds, other.compute_seconds),
            idle_seconds: real(self.idle_seconds, other.idle_seconds),
            pace: real(self.pace, other.pace),
            pace_squared: real(self.pace_squared, other.pace_squared),
        }
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.with(other, u64::add, f64::add)
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.with(other, u64::sub, f64::sub)
    }
}
