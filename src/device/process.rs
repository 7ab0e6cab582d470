//! What a process that may use a GPU does first.

/// Prepares the environment for what compiles kernels. It must come before the process has a second thread, else
/// it does nothing; without it, `CUDA_PATH` has to be set by the user where CUDA is in an unusual place.
pub fn prepare_process() {
    #[cfg(feature = "cuda")]
    super::cuda::show_headers();
}

/// Whether a variable of the environment has its value from [`prepare_process`] and not from the user.
pub fn is_set_here(variable: &str) -> bool {
    #[cfg(feature = "cuda")]
    {
        super::cuda::is_set_here(variable)
    }
    #[cfg(not(feature = "cuda"))]
    {
        // Nothing is set in such a build.
        variable.is_empty()
    }
}
