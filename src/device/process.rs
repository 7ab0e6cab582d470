//! What a process that may use a GPU does first, and last.

use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

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

/// The file of a library that is open in this process, whose name begins so.
pub fn opened_library(begin: &str) -> Option<PathBuf> {
    let maps = fs::read("/proc/self/maps").ok()?;
    let maps = String::from_utf8_lossy(&maps);
    let mut paths = maps.lines().filter_map(|line| {
        let start = line.find('/')?;
        Some(Path::new(&line[start..]))
    });
    let is_it = |path: &&Path| {
        path.file_name()
            .unwrap_or_default()
            .as_bytes()
            .starts_with(begin.as_bytes())
    };
    paths.find(is_it).map(Path::to_path_buf)
}

/// Ends the process at once. A driver that hangs would hold up an end that asks its libraries to clean up.
pub fn end_at_once(exit_code: u8) -> ! {
    // SAFETY: it ends the process and runs nothing of it any more.
    unsafe { nix::libc::_exit(exit_code.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_an_open_library_is_known() {
        let path = opened_library("libc.so").expect("every process has it");
        assert!(path.is_file(), "{path:?}");
        assert_eq!(opened_library("libnone.so"), None);
    }
}
