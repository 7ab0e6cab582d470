//! Numbers in one of the formats that are written.

use crate::job::OutputDtype;
use half::{
    f16,
    vec::{HalfBitsVecExt as _, HalfFloatVecExt as _},
};
use std::ops::Range;

/// Numbers in one of the formats that are written.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// IEEE half precision.
    F16(Vec<f16>),
    /// IEEE single precision.
    F32(Vec<f32>),
}

/// Why numbers cannot be written. What is worse comes later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// One is larger than half precision has room for.
    NoRoom,
    /// One is infinite or NaN.
    NotFinite,
}

impl Values {
    /// No numbers of a format.
    pub fn empty(dtype: OutputDtype) -> Self {
        Self::with_room(dtype, 0)
    }

    /// No numbers of a format yet, with room for so many.
    pub fn with_room(dtype: OutputDtype, n_values: usize) -> Self {
        match dtype {
            OutputDtype::F16 => Self::F16(Vec::with_capacity(n_values)),
            OutputDtype::F32 => Self::F32(Vec::with_capacity(n_values)),
        }
    }

    /// So many zeros. Those that nobody looks at cost nothing.
    pub(super) fn zeros(dtype: OutputDtype, n_values: usize) -> Self {
        match dtype {
            // Vectors of halves would be written one by one.
            OutputDtype::F16 => Self::F16(vec![0_u16; n_values].reinterpret_into()),
            OutputDtype::F32 => Self::F32(vec![0.0; n_values]),
        }
    }

    /// For how many there is room.
    pub(super) fn room(&self) -> usize {
        match self {
            Self::F16(values) => values.capacity(),
            Self::F32(values) => values.capacity(),
        }
    }

    /// Cuts them off, or adds zeros.
    pub(super) fn resize(&mut self, n_values: usize) {
        match self {
            Self::F16(values) => values.resize(n_values, f16::ZERO),
            Self::F32(values) => values.resize(n_values, 0.0),
        }
    }

    /// Numbers in another format: what is too large for it becomes infinite.
    pub fn rounded(values: Vec<f32>, dtype: OutputDtype) -> Self {
        match dtype {
            // Many at a time, where the processor can.
            OutputDtype::F16 => Self::F16(Vec::from_f32_slice(&values)),
            OutputDtype::F32 => Self::F32(values),
        }
    }

    /// Their format.
    pub fn dtype(&self) -> OutputDtype {
        match self {
            Self::F16(_) => OutputDtype::F16,
            Self::F32(_) => OutputDtype::F32,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::F16(values) => values.len(),
            Self::F32(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether all of a range are numbers: neither infinite nor NaN.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn are_finite(&self, range: Range<usize>) -> bool {
        match self {
            Self::F16(values) => all(&values[range], |value| value.is_finite()),
            Self::F32(values) => all(&values[range], |value| value.is_finite()),
        }
    }

    /// What is wrong with numbers that are not all finite. In half precision, those that are too large for it are
    /// infinite.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn flaw(&self, range: Range<usize>) -> Option<Flaw> {
        match self {
            _ if self.are_finite(range.clone()) => None,
            Self::F16(values) if !values[range.clone()].iter().any(|value| value.is_nan()) => {
                Some(Flaw::NoRoom)
            }
            _ => Some(Flaw::NotFinite),
        }
    }

    /// Adds some of `other`, which has the same format.
    ///
    /// # Panics
    /// If there are not so many, or they have another format: a column never changes it.
    pub fn extend_from(&mut self, other: &Self, range: Range<usize>) {
        match (self, other) {
            (Self::F16(values), Self::F16(other)) => values.extend_from_slice(&other[range]),
            (Self::F32(values), Self::F32(other)) => values.extend_from_slice(&other[range]),
            _ => panic!("the values of a column have one format"),
        }
    }

    /// Takes all from `at` on.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn split_off(&mut self, at: usize) -> Self {
        match self {
            Self::F16(values) => Self::F16(values.split_off(at)),
            Self::F32(values) => Self::F32(values.split_off(at)),
        }
    }

    /// All of them in single precision.
    pub fn to_f32(&self) -> Vec<f32> {
        match self {
            Self::F16(values) => values.iter().map(|value| value.to_f32()).collect(),
            Self::F32(values) => values.clone(),
        }
    }
}

/// Whether all values are so. It looks at many before it decides, which compilers turn into vector code.
fn all<T: Copy>(values: &[T], is_so: impl Fn(T) -> bool) -> bool {
    const PIECE: usize = 1024;
    let mut pieces = values.chunks(PIECE);
    pieces.all(|piece| piece.iter().fold(true, |all, &value| all & is_so(value)))
}
