//! Which numbers bytes stand for.

/// Columns of a row that share a scale, where a row has several. The last ones may be fewer.
pub(in super::super) const BLOCK: usize = 256;

/// No form of GELU is less than minus this.
pub(in super::super) const LEAST_GELU: f32 = 0.17;

/// Which numbers the bytes of activations stand for. Zero is exact in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A byte q from −127 to 127 is `scale * q`. A row has one scale, a 127th of its greatest absolute value, which is
    /// not finite where a number of the row is not.
    Signed,
    /// A byte q from 0 to 255 is `scale * q - 0.17`, for what GELU makes, which is never less than −0.17. Each 256
    /// columns of a row have a scale, which is 0.17 over a whole number, as great as lets the greatest number of
    /// the block fit: numbers beyond 43 are 43. Where one is NaN or infinite, the scale is NaN.
    Gelu,
}

impl Code {
    /// Scales of a row of so many numbers.
    pub(in super::super) fn n_scales(self, width: usize) -> usize {
        match self {
            Self::Signed => 1,
            Self::Gelu => width.div_ceil(BLOCK),
        }
    }
}
