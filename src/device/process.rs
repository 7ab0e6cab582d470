//! What a process that may use a GPU does first, and last.

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
        let _ = variable;
        false
    }
}

/// Ends the process at once. A driver that hangs would hold up an end that asks its libraries to clean up.
pub fn end_at_once(exit_code: u8) -> ! {
    // SAFETY: it ends the process and runs nothing of it any more.
    unsafe { nix::libc::_exit(exit_code.into()) }
}
