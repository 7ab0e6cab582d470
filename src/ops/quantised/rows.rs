//! Rows of activations as bytes with scales.

use super::{
    super::{backend::Backend, results::values},
    code::{BLOCK, Code},
    rounding,
};
#[cfg(feature = "cuda")]
use crate::ops::cuda;
use burn::tensor::{DType, Device, Tensor};
use rayon::prelude::*;

/// Rows of activations, `[T, width]`, as bytes with scales.
pub struct Quantised(pub(super) Place);

/// Where rows are.
pub(super) enum Place {
    /// In main memory.
    Host(HostRows),
    /// On a GPU, in memory of their own: burn has no part in it.
    #[cfg(feature = "cuda")]
    Cuda(Box<cuda::QuantisedRows>),
}

/// Rows in main memory.
pub(super) struct HostRows {
    pub(super) code: Code,
    pub(super) width: usize,
    /// `[T, width]`: bytes, with or without a sign.
    pub(super) bytes: Vec<i16>,
    /// `[T, code.n_scales(width)]`.
    pub(super) scales: Vec<f32>,
    /// Where products with them are, and in which format.
    pub(super) device: Device,
    pub(super) dtype: DType,
}

/// The rows of `x`, `[T, width]`, rounded to bytes.
pub fn quantise(x: &Tensor<2>, code: Code) -> Quantised {
    match Backend::of(x) {
        #[cfg(feature = "cuda")]
        Backend::Cuda => cuda::quantise(x, code).into(),
        _ => Quantised::plain(x, code, x.dtype()),
    }
}

impl Quantised {
    /// [`quantise`] by its definition. Products with the rows will be in the format `dtype`.
    pub(in super::super) fn plain(x: &Tensor<2>, code: Code, dtype: DType) -> Self {
        let [_, width] = x.dims();
        let numbers = values(x.clone()).expect("what was computed in main memory is there");
        let numbers = numbers.to_f32();
        let rows = numbers.par_chunks(width).map(|row| {
            let mut bytes = Vec::with_capacity(width);
            let scales: Vec<f32> = match code {
                Code::Signed => {
                    let (scale, rounded) = rounding::signed(row);
                    bytes.extend(rounded);
                    vec![scale]
                }
                Code::Gelu => {
                    let blocks = row.chunks(BLOCK).map(|block| {
                        let (scale, rounded) = rounding::gelu(block);
                        bytes.extend(rounded);
                        scale
                    });
                    blocks.collect()
                }
            };
            (bytes, scales)
        });
        let (bytes, scales): (Vec<_>, Vec<_>) = rows.unzip();
        Self(Place::Host(HostRows {
            code,
            width,
            bytes: bytes.concat(),
            scales: scales.concat(),
            device: x.device(),
            dtype,
        }))
    }
}

#[cfg(test)]
impl Quantised {
    /// The bytes, `[T, width]`, and the scales, row by row, wherever they are.
    pub(in super::super) fn read(&self) -> (Vec<i16>, Vec<f32>) {
        match &self.0 {
            Place::Host(rows) => (rows.bytes.clone(), rows.scales.clone()),
            #[cfg(feature = "cuda")]
            Place::Cuda(rows) => rows.read(),
        }
    }
}

#[cfg(feature = "cuda")]
impl From<cuda::QuantisedRows> for Quantised {
    fn from(rows: cuda::QuantisedRows) -> Self {
        Self(Place::Cuda(Box::new(rows)))
    }
}
