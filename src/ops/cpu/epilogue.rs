//! What follows a product, in place, while it is in the first-level cache.

use super::simd;
use std::ops::Range;

/// What follows the bias.
#[derive(Clone, Copy)]
pub(super) enum After<'a> {
    /// Nothing more.
    Nothing,
    /// The erf form of GELU.
    Gelu,
    /// Adds this.
    Residual(&'a [f32]),
}

impl After<'_> {
    /// What follows for the numbers at these places.
    #[inline(always)]
    pub(super) fn part(&self, at: Range<usize>) -> Self {
        match *self {
            Self::Residual(residual) => Self::Residual(&residual[at]),
            Self::Nothing | Self::Gelu => *self,
        }
    }
}

/// `y + bias`, then what follows, in the memory of `y`, which is part of a row.
#[inline(always)]
pub(super) fn finish(y: &mut [f32], bias: &[f32], after: After<'_>) {
    match after {
        After::Nothing => {
            for (y, &b) in y.iter_mut().zip(bias) {
                *y += b;
            }
        }
        After::Gelu => {
            for (y, &b) in y.iter_mut().zip(bias) {
                *y = simd::gelu(*y + b);
            }
        }
        After::Residual(residual) => {
            for ((y, &b), &r) in y.iter_mut().zip(bias).zip(residual) {
                *y = (*y + b) + r;
            }
        }
    }
}
