//! The parts of the CUDA toolkit that are needed at run time: found, opened and checked.
//!
//! NVRTC compiles the kernels, with headers of the toolkit, and cuBLASLt computes products. Where the loader
//! does not find them by their names, they are opened by their paths: in the folders of NVIDIA's Python packages
//! beside the program, then where toolkits are installed. Whoever asks for them by name afterwards gets what is open.

mod places;
mod surroundings;

use super::{driver_version, library};
use crate::device::{DeviceError, Part, opened_library};
use cudarc::{cublaslt, nvrtc};
use places::Places;
use std::{
    env, fs,
    path::PathBuf,
    sync::{
        LazyLock, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};
use surroundings::{Surroundings, children};

/// Where CubeCL, which compiles kernels too, looks for headers.
const VARIABLE: &str = "CUDA_PATH";

/// Whether the variable has its value from this process.
static IS_SET_HERE: AtomicBool = AtomicBool::new(false);

/// Where everything may be. It is looked up once.
static PLACES: LazyLock<Places> = LazyLock::new(|| Places::new(Surroundings::of_this_process()));

/// A library of the toolkit.
struct Library {
    /// How it is called in the names of its files.
    name: &'static str,
    /// Its folder in Python packages of CUDA 12.
    wheel: &'static str,
    /// How files beside it are called that it asks for by name alone.
    beside: Option<&'static str>,
    /// Whether it can be opened by its name.
    is_present: fn() -> bool,
    opened: OnceLock<Result<(), Vec<String>>>,
}

static NVRTC: Library = Library {
    name: "nvrtc",
    wheel: "cuda_nvrtc",
    beside: Some("libnvrtc-builtins.so."),
    // SAFETY: it only tries to open the library.
    is_present: || unsafe { nvrtc::sys::is_culib_present() },
    opened: OnceLock::new(),
};

static CUBLAS_LT: Library = Library {
    name: "cublasLt",
    wheel: "cublas",
    beside: None,
    // SAFETY: it only tries to open the library.
    is_present: || unsafe { cublaslt::sys::is_culib_present() },
    opened: OnceLock::new(),
};

impl Library {
    /// Opens it: by its name, else by its path, where it may be.
    fn open(&self) -> Result<(), DeviceError> {
        let opened = self.opened.get_or_init(|| {
            if (self.is_present)() {
                return Ok(());
            }
            let names = places::MAJORS.map(|major| format!("lib{}.so.{major}", self.name));
            let mut refused = library::refused(&names);
            for file in PLACES.libraries(self.name, self.wheel) {
                let folder = file.parent().unwrap_or(&file);
                for needed in self.beside.iter().flat_map(|name| children(folder, name)) {
                    // Whoever needs it says so.
                    let _ = library::open(&needed);
                }
                match library::open(&file) {
                    Ok(()) if (self.is_present)() => return Ok(()),
                    Ok(()) => {
                        refused.push(format!("`{}` is open under another name", file.display()));
                    }
                    Err(reason) => refused.push(format!("`{}`: {reason}", file.display())),
                }
            }
            Err(refused)
        });
        opened.clone().map_err(|refused| DeviceError::NoLibrary {
            name: format!("lib{}", self.name),
            refused,
        })
    }

    /// Its file. It must be open.
    fn path(&self) -> PathBuf {
        let begin = format!("lib{}.so", self.name);
        opened_library(&begin).unwrap_or_else(|| begin.into())
    }
}

/// Shows CubeCL the folder of the headers, which it looks for in `CUDA_PATH` and in few folders else. It does
/// nothing where the variable is right, or where the process has other threads already.
pub(crate) fn show_headers() {
    let Some(headers) = PLACES.headers() else {
        return;
    };
    if env::var_os(VARIABLE).is_some_and(|value| headers == value) {
        return;
    }
    let n_threads = fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    if n_threads == 1 {
        // SAFETY: this is the only thread of the process, so nobody reads the environment meanwhile.
        unsafe { env::set_var(VARIABLE, headers) };
        IS_SET_HERE.store(true, Ordering::Relaxed);
    }
}

/// Whether a variable of the environment has its value from this process and not from the user.
pub(crate) fn is_set_here(variable: &str) -> bool {
    variable == VARIABLE && IS_SET_HERE.load(Ordering::Relaxed)
}

/// The folder of the toolkit's headers, for kernels of ours.
pub(crate) fn include_folder() -> Option<PathBuf> {
    PLACES.headers().map(|toolkit| toolkit.join("include"))
}

/// Opens the compiler.
///
/// # Errors
/// If it is missing or does not open.
fn open_compiler() -> Result<(), DeviceError> {
    NVRTC.open()
}

/// Checks that all parts are there, and go together with the driver.
///
/// # Errors
/// If one is missing or does not open, or if the driver is of an older CUDA than the compiler.
pub(crate) fn ready() -> Result<(), DeviceError> {
    open_compiler()?;
    CUBLAS_LT.open()?;
    let headers = headers().ok_or(DeviceError::NoHeaders)?;
    let compiler = compiler_version();
    let driver = driver_version();
    if driver > 0 && driver / 1000 < compiler.0 {
        return Err(DeviceError::DriverTooOld { driver, compiler });
    }
    if let Some(version) = places::version_of_headers(&headers)
        && version / 1000 != compiler.0.unsigned_abs()
    {
        tracing::warn!(
            "NVRTC is of CUDA {}.{}, and the headers in `{}` are of {}.{}: kernels may not compile",
            compiler.0,
            compiler.1,
            headers.join("include").display(),
            version / 1000,
            version % 1000 / 10,
        );
    }
    tracing::debug!(
        "NVRTC {}.{} is `{}`, cuBLASLt is `{}`, the headers are in `{}`",
        compiler.0,
        compiler.1,
        NVRTC.path().display(),
        CUBLAS_LT.path().display(),
        headers.display()
    );
    Ok(())
}

/// The parts, each with where it is and its version.
pub(crate) fn parts() -> [Part; 3] {
    let compiler = open_compiler().map(|()| {
        let (major, minor) = compiler_version();
        (NVRTC.path(), format!("{major}.{minor}"))
    });
    let products = CUBLAS_LT.open().map(|()| {
        // SAFETY: it gives a number, and the library is open.
        let version = unsafe { cublaslt::sys::cublasLtGetVersion() };
        let version = format!(
            "{}.{}.{}",
            version / 10_000,
            version / 100 % 100,
            version % 100
        );
        (CUBLAS_LT.path(), version)
    });
    let headers = headers().ok_or(DeviceError::NoHeaders).map(|toolkit| {
        let version = places::version_of_headers(&toolkit);
        let version = version.map_or_else(
            || "unknown".to_owned(),
            |version| format!("{}.{}", version / 1000, version % 1000 / 10),
        );
        (toolkit.join("include"), version)
    });
    [
        ("NVRTC", compiler),
        ("cuBLASLt", products),
        ("CUDA headers", headers),
    ]
    .map(|(name, found)| Part { name, found })
}

/// The version of NVRTC, 0.0 if it does not know. It must be open.
pub(crate) fn compiler_version() -> (i32, i32) {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: it writes two numbers. The callers have opened the library.
    let _ = unsafe { nvrtc::sys::nvrtcVersion(&raw mut major, &raw mut minor) };
    (major, minor)
}

/// The toolkit's folder with the headers, as CubeCL finds it.
fn headers() -> Option<PathBuf> {
    // CubeCL's compiler gives its own kernels this folder, and ends its thread without it.
    let toolkit = cubecl::cuda::install::cuda_path()?;
    toolkit
        .join("include/cuda_fp16.h")
        .is_file()
        .then_some(toolkit)
}
