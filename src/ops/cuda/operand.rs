//! Tensors on a GPU, as our kernels see them.

use super::{
    super::dtype::{from_burn, to_burn},
    batch::padded,
};
use crate::{device::cuda::Gpu, job::Dtype};
use burn::tensor::{DType, Tensor};
use burn_cubecl::{Cube, CubeDevice, kernel::into_contiguous, tensor::CubeTensor};
use cubecl::server::Handle;

/// Whether `tensor` is on a GPU.
pub(in super::super) fn is_cuda<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor
        .clone()
        .try_into_primitive::<Cube>()
        .is_ok_and(|cube| matches!(cube.device, CubeDevice::Cuda(_)))
}

/// A tensor on a GPU, as our kernels see it: rows follow each other without padding.
pub(super) struct Operand {
    pub(super) gpu: &'static Gpu,
    cube: CubeTensor,
}

impl Operand {
    /// # Panics
    /// If the tensor is not on a GPU.
    pub(super) fn new<const D: usize>(tensor: &Tensor<D>) -> Self {
        let cube = tensor
            .clone()
            .try_into_primitive::<Cube>()
            .expect("the backend was chosen by `is_cuda`");
        let CubeDevice::Cuda(device) = &cube.device else {
            unreachable!("the backend was chosen by `is_cuda`");
        };
        Self {
            gpu: Gpu::opened(device.index),
            cube: into_contiguous(cube),
        }
    }

    /// A new tensor beside this one, not initialised.
    pub(super) fn allocate<const D: usize>(&self, shape: [usize; D], dtype: Dtype) -> Self {
        self.allocate_raw(shape, to_burn(dtype))
    }

    /// A new matrix beside this one, not initialised, of which every batch has another number of rows. It has memory
    /// for some rows more, so that batches that are nearly full reuse each other's.
    pub(super) fn allocate_rows(&self, [n_rows, width]: [usize; 2], dtype: Dtype) -> Self {
        let row_bytes = width * dtype.bytes();
        // A matrix without rows, too, has an address.
        let n_bytes = padded(n_rows.max(1)) * row_bytes;
        let unused = n_bytes - n_rows.max(1) * row_bytes;
        let client = self.cube.client.clone();
        let handle = client.empty(n_bytes).offset_end(unused as u64);
        let device = self.cube.device.clone();
        let shape = [n_rows, width].into();
        Self {
            gpu: self.gpu,
            cube: CubeTensor::new_contiguous(client, device, shape, handle, to_burn(dtype)),
        }
    }

    /// Memory beside this one, not initialised.
    pub(super) fn allocate_bytes(&self, n_bytes: usize) -> Self {
        self.allocate_raw([n_bytes], DType::U8)
    }

    /// Memory beside this one that holds `bytes` when whatever is enqueued next runs.
    pub(super) fn upload(&self, bytes: &[u8]) -> Handle {
        self.cube.client.create_from_slice(bytes)
    }

    fn allocate_raw<const D: usize>(&self, shape: [usize; D], dtype: DType) -> Self {
        let n_bytes = shape.iter().product::<usize>() * dtype.size();
        let client = self.cube.client.clone();
        let handle = client.empty(n_bytes);
        let device = self.cube.device.clone();
        Self {
            gpu: self.gpu,
            cube: CubeTensor::new_contiguous(client, device, shape.into(), handle, dtype),
        }
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.cube.handle
    }

    /// Bytes of its numbers.
    pub(super) fn n_bytes(&self) -> usize {
        self.cube.meta.num_elements() * self.cube.dtype.size()
    }

    /// Its bytes, in main memory. Waits for them.
    #[cfg(test)]
    pub(super) fn read(&self) -> Vec<u8> {
        let read = self.cube.client.read_one(self.cube.handle.clone());
        read.expect("what was enqueued has run").to_vec()
    }

    /// # Panics
    /// If its numbers are of no format that models compute in.
    pub(super) fn dtype(&self) -> Dtype {
        from_burn(self.cube.dtype).expect("activations and weights are in a format of models")
    }

    pub(super) fn tensor<const D: usize>(self) -> Tensor<D> {
        Tensor::from_primitive::<Cube>(self.cube)
    }
}
