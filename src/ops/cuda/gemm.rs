//! Matrix products with cuBLASLt.

use super::format::Format;
use crate::{
    device::{DeviceError, cuda::Gpu},
    job::Dtype,
};
use cudarc::{
    cublaslt::{
        result::{self as lt, CublasError},
        sys::{
            self, cublasComputeType_t::CUBLAS_COMPUTE_32F, cublasLtEpilogue_t as LtEpilogue,
            cublasLtMatmulAlgo_t, cublasLtMatmulDescAttributes_t as Attribute,
            cublasLtMatmulPreferenceAttributes_t as Preference, cudaDataType_t,
        },
    },
    driver::sys::CUstream,
};
use std::{collections::BTreeMap, sync::Mutex};

/// Scratch memory that cuBLASLt may use: NVIDIA recommends 32 MiB on Hopper.
pub(super) const WORKSPACE_BYTES: usize = 32 << 20;

/// A way to compute a product, as cuBLASLt describes it.
pub(super) type Algorithm = cublasLtMatmulAlgo_t;

/// What is fused behind a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fused {
    /// The bias.
    Bias,
    /// The bias, then the tanh form of GELU.
    BiasGelu,
    /// The bias and a matrix of the result's shape.
    BiasResidual,
}

/// `Y[m, n] = X[m, k] W[n, k]^T + b[n]`, row-major, accumulated in f32, with what is fused behind
/// it, for every number of rows m.
///
/// cuBLASLt is column-major, where a row-major matrix is its own transpose. So it is asked for
/// `Y^T[n, m] = (W^T)^T X^T`: its A is W (transposed, leading dimension k), its B is X (leading
/// dimension k), and the bias runs along the rows of its D, which is what its epilogue adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Gemm {
    pub(super) n: usize,
    pub(super) k: usize,
    pub(super) dtype: Dtype,
    pub(super) fused: Fused,
}

/// Addresses of the operands on the device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operands {
    pub(super) x: u64,
    pub(super) weight: u64,
    pub(super) bias: u64,
    /// The matrix to add for [`Fused::BiasResidual`], else `y`.
    pub(super) residual: u64,
    pub(super) workspace: u64,
    pub(super) y: u64,
}

/// Everything that cuBLASLt wants to know about a product of m rows.
pub(super) struct Problem {
    handle: sys::cublasLtHandle_t,
    gemm: Gemm,
    desc: Owned<sys::cublasLtMatmulDesc_t>,
    weight: Owned<sys::cublasLtMatrixLayout_t>,
    x: Owned<sys::cublasLtMatrixLayout_t>,
    y: Owned<sys::cublasLtMatrixLayout_t>,
}

/// The library, opened for a GPU. It is safe to use from several threads.
struct Library(sys::cublasLtHandle_t);

// SAFETY: NVIDIA documents the handle as usable from several threads.
unsafe impl Send for Library {}
/// Owns a descriptor until the end of its scope.
// SAFETY: the destructor is that of the descriptor's kind, and only `drop` calls it.
struct Owned<T: Copy>(T, unsafe fn(T) -> Result<(), CublasError>);

impl<T: Copy> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: created with this destructor's counterpart and destroyed once. cuBLASLt does not
        // need it after `cublasLtMatmul` has returned.
        let _ = unsafe { (self.1)(self.0) };
    }
}

/// The library's handle for `gpu`.
fn library(gpu: &Gpu) -> Result<sys::cublasLtHandle_t, DeviceError> {
    static LIBRARIES: Mutex<BTreeMap<usize, Library>> = Mutex::new(BTreeMap::new());
    let mut libraries = LIBRARIES
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(library) = libraries.get(&gpu.ordinal()) {
        return Ok(library.0);
    }
    // A handle belongs to the context that is current when it is made.
    gpu.bind()?;
    let handle = lt::create_handle().map_err(|error| failed("open cuBLASLt", error))?;
    libraries.insert(gpu.ordinal(), Library(handle));
    Ok(handle)
}

impl Gemm {
    /// The product for `m` rows.
    ///
    /// # Errors
    /// If cuBLASLt refuses it.
    pub(super) fn problem(self, gpu: &Gpu, m: usize) -> Result<Problem, DeviceError> {
        let handle = library(gpu)?;
        self.describe(handle, m)
            .map_err(|error| failed("describe a product", error))
    }

    fn describe(self, handle: sys::cublasLtHandle_t, m: usize) -> Result<Problem, CublasError> {
        let (m, n, k) = (m as u64, self.n as u64, self.k as u64);
        let format = Format::of(self.dtype).cublas;
        let epilogue = match self.fused {
            Fused::Bias | Fused::BiasResidual => LtEpilogue::CUBLASLT_EPILOGUE_BIAS,
            Fused::BiasGelu => LtEpilogue::CUBLASLT_EPILOGUE_GELU_BIAS,
        };
        let layout = |rows, cols, ld: u64| {
            let layout = lt::create_matrix_layout(format, rows, cols, ld as i64)?;
            Ok::<_, CublasError>(Owned(layout, lt::destroy_matrix_layout))
        };
        let problem = Problem {
            handle,
            gemm: self,
            desc: Owned(
                lt::create_matmul_desc(CUBLAS_COMPUTE_32F, cudaDataType_t::CUDA_R_32F)?,
                lt::destroy_matmul_desc,
            ),
            weight: layout(k, n, k)?,
            x: layout(k, m, k)?,
            y: layout(n, m, n)?,
        };
        let transposed: i32 = 1; // CUBLAS_OP_T
        // SAFETY: each attribute gets a value of the type that NVIDIA documents for it.
        unsafe {
            problem.set(Attribute::CUBLASLT_MATMUL_DESC_TRANSA, &transposed)?;
            problem.set(Attribute::CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue)?;
            problem.set(Attribute::CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &format)?;
        }
        Ok(problem)
    }
}

impl Problem {
    /// Up to `most` algorithms, the most promising first. None splits k: a row's sum then has one
    /// order, however many rows there are.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn candidates(&self, most: usize) -> Result<Vec<Algorithm>, DeviceError> {
        self.ask(most)
            .map_err(|error| failed("choose an algorithm", error))
    }

    fn ask(&self, most: usize) -> Result<Vec<Algorithm>, CublasError> {
        let preference = Owned(lt::create_matmul_pref()?, lt::destroy_matmul_pref);
        let workspace = WORKSPACE_BYTES;
        // CUBLASLT_REDUCTION_SCHEME_NONE.
        let no_splits: u32 = 0;
        let mut found = vec![no_result(); most];
        let mut n_found = 0;
        // SAFETY: the descriptors are alive; attributes get values of their types; `found` has
        // room for `most`.
        unsafe {
            for (attribute, value, size) in [
                (
                    Preference::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                    (&raw const workspace).cast(),
                    size_of::<usize>(),
                ),
                (
                    Preference::CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                    (&raw const no_splits).cast(),
                    size_of::<u32>(),
                ),
            ] {
                lt::set_matmul_pref_attribute(preference.0, attribute, value, size)?;
            }
            sys::cublasLtMatmulAlgoGetHeuristic(
                self.handle,
                self.desc.0,
                self.weight.0,
                self.x.0,
                self.y.0,
                self.y.0,
                preference.0,
                most as i32,
                found.as_mut_ptr(),
                &raw mut n_found,
            )
            .result()?;
        }
        found.truncate(n_found as usize);
        let usable = found.iter().filter(|found| found.state.result().is_ok());
        let algorithms: Vec<_> = usable.map(|found| found.algo).collect();
        if algorithms.is_empty() {
            return Err(NOT_SUPPORTED);
        }
        Ok(algorithms)
    }

    /// What is fused behind the product.
    pub(super) fn fused(&self) -> Fused {
        self.gemm.fused
    }

    /// Whether `algorithm` can compute this product.
    pub(super) fn accepts(&self, algorithm: &Algorithm) -> bool {
        let mut result = no_result();
        // SAFETY: the descriptors are alive and the result is written.
        let status = unsafe {
            sys::cublasLtMatmulAlgoCheck(
                self.handle,
                self.desc.0,
                self.weight.0,
                self.x.0,
                self.y.0,
                self.y.0,
                algorithm,
                &raw mut result,
            )
        };
        status.result().is_ok()
            && result.state.result().is_ok()
            && result.workspaceSize <= WORKSPACE_BYTES
    }

    /// Enqueues the product on `stream`.
    ///
    /// # Safety
    /// The addresses must be those of operands of the right shapes and stay valid until the stream
    /// has run it, the workspace must be of [`WORKSPACE_BYTES`], and the context that they belong
    /// to must be current.
    pub(super) unsafe fn launch(
        &self,
        algorithm: &Algorithm,
        at: &Operands,
        stream: CUstream,
    ) -> Result<(), DeviceError> {
        let one = 1f32;
        let beta = match self.gemm.fused {
            Fused::BiasResidual => 1f32,
            Fused::Bias | Fused::BiasGelu => 0f32,
        };
        // SAFETY: the attribute is an address; the caller answers for the addresses.
        unsafe {
            self.set(Attribute::CUBLASLT_MATMUL_DESC_BIAS_POINTER, &at.bias)
                .and_then(|()| {
                    lt::matmul(
                        self.handle,
                        self.desc.0,
                        (&raw const one).cast(),
                        (&raw const beta).cast(),
                        at.weight as *const _,
                        self.weight.0,
                        at.x as *const _,
                        self.x.0,
                        at.residual as *const _,
                        self.y.0,
                        at.y as *mut _,
                        self.y.0,
                        algorithm,
                        at.workspace as *mut _,
                        WORKSPACE_BYTES,
                        stream.cast(),
                    )
                })
        }
        .map_err(|error| failed("multiply matrices", error))
    }

    /// Sets an attribute of the product.
    ///
    /// # Safety
    /// `T` must be the type that NVIDIA documents for `attribute`.
    unsafe fn set<T>(&self, attribute: Attribute, value: &T) -> Result<(), CublasError> {
        // SAFETY: `value` is readable for its own size; the caller answers for its type.
        unsafe {
            lt::set_matmul_desc_attribute(
                self.desc.0,
                attribute,
                std::ptr::from_ref(value).cast(),
                size_of::<T>(),
            )
        }
    }
}

/// Room for a result of the library.
fn no_result() -> sys::cublasLtMatmulHeuristicResult_t {
    // SAFETY: it is made of numbers and of a status, of which zero is one.
    unsafe { std::mem::zeroed() }
}

const NOT_SUPPORTED: CublasError = CublasError(sys::cublasStatus_t::CUBLAS_STATUS_NOT_SUPPORTED);

/// The version of cuBLASLt, as it counts: 130001 is 13.0.1.
pub(super) fn version() -> usize {
    // SAFETY: it takes nothing. Whether the library is there was asked when the GPU was found.
    unsafe { sys::cublasLtGetVersion() }
}

fn failed(doing: &'static str, error: CublasError) -> DeviceError {
    DeviceError::Cuda {
        doing,
        reason: format!("cuBLASLt says {:?}", error.0),
    }
}
