//! Matrices as the copy engine of Hopper knows them.

use crate::device::{DeviceError, cuda::Doing};
use cudarc::driver::sys::{
    CUtensorMap, CUtensorMapDataType, CUtensorMapFloatOOBfill, CUtensorMapInterleave,
    CUtensorMapL2promotion, CUtensorMapSwizzle, cuTensorMapEncodeTiled,
};
use std::mem::MaybeUninit;

/// A matrix of bytes, of which the copy engine brings tiles. What a tile has outside of the matrix is zero.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(super) struct TensorMap(CUtensorMap);

impl TensorMap {
    /// The matrix at `address`, `[rows, width]`, without padding, and a tile of it, `[rows, width]`, whose rows are
    /// swizzled by 128 bytes, as wgmma reads them.
    ///
    /// # Errors
    /// If the driver cannot describe it: the address and the width have to be multiples of 16, and none is 0.
    pub(super) fn of_bytes(
        address: u64,
        [n_rows, width]: [usize; 2],
        [tile_rows, tile_width]: [usize; 2],
    ) -> Result<Self, DeviceError> {
        let shape = [width as u64, n_rows as u64];
        let strides = [width as u64];
        let tile = [tile_width as u32, tile_rows as u32];
        let steps = [1u32; 2];
        let mut map = MaybeUninit::uninit();
        // SAFETY: the arrays have as many numbers as two dimensions have, one fewer of strides, and live until the call
        // returns. The address is only written down. `map` is aligned as its type is.
        let status = unsafe {
            cuTensorMapEncodeTiled(
                map.as_mut_ptr(),
                CUtensorMapDataType::CU_TENSOR_MAP_DATA_TYPE_UINT8,
                shape.len() as u32,
                address as *mut _,
                shape.as_ptr(),
                strides.as_ptr(),
                tile.as_ptr(),
                steps.as_ptr(),
                CUtensorMapInterleave::CU_TENSOR_MAP_INTERLEAVE_NONE,
                CUtensorMapSwizzle::CU_TENSOR_MAP_SWIZZLE_128B,
                CUtensorMapL2promotion::CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                CUtensorMapFloatOOBfill::CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE,
            )
        };
        status.result().doing("describe a matrix of bytes")?;
        // SAFETY: the call succeeded, so it has written the map.
        Ok(Self(unsafe { map.assume_init() }))
    }
}
