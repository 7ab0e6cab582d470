//! What a process that may use a GPU does first.

/// Prepares the environment for what compiles kernels. It must come before the process has a second thread, else
/// it does nothing; without it, `CUDA_PATH` has to be set by the user where CUDA is in an unusual place.
pub fn prepare_process() {
    #[cfg(feature = "cuda")]
    super::cuda::show_headers();
}
