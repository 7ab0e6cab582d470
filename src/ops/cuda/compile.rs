//! CUDA C++ to machine code, with NVRTC.

use crate::device::{
    DeviceError,
    cuda::{Cache, driver_version},
};
use cudarc::nvrtc::{
    result::{self, NvrtcError},
    sys::{self, nvrtcProgram},
};
use std::{ffi::CString, fs, path::Path};

/// A file of kernels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    /// Its name, for people.
    pub(super) file: &'static str,
    /// CUDA C++, shared definitions included.
    pub(super) text: &'static str,
}

/// The source in `kernels/` with this name, behind the definitions that all share.
macro_rules! source {
    ($file:literal) => {
        crate::ops::cuda::compile::Source {
            file: $file,
            text: concat!(
                include_str!("kernels/common.cuh"),
                include_str!(concat!("kernels/", $file))
            ),
        }
    };
}
pub(super) use source;

/// Headers of the CUDA toolkit that the kernels include, and what these include.
const HEADERS: [&str; 4] = [
    "cuda_bf16.h",
    "cuda_bf16.hpp",
    "cuda_fp16.h",
    "cuda_fp16.hpp",
];

/// The machine code (cubin) of `source` for `architecture`, such as `sm_90a`, from the cache or
/// from the compiler.
///
/// # Errors
/// If it does not compile; the compiler's messages are in the error.
pub(super) fn compile(source: Source, architecture: &str) -> Result<Vec<u8>, DeviceError> {
    let include = cubecl::cuda::install::cuda_path().map(|toolkit| toolkit.join("include"));
    let options = options(architecture, include.as_deref());
    let versions = versions();
    // Toolkits of one version differ between distributions.
    let headers: Vec<Vec<u8>> = HEADERS
        .iter()
        .map(|name| {
            let header = include.as_ref().map(|include| include.join(name));
            header
                .and_then(|path| fs::read(path).ok())
                .unwrap_or_default()
        })
        .collect();
    let mut origin: Vec<&[u8]> = vec![source.text.as_bytes(), versions.as_bytes()];
    origin.extend(headers.iter().map(Vec::as_slice));
    origin.extend(options.iter().map(String::as_bytes));
    Cache::of_user().get_or_make(&origin, || {
        run(source, &options).map_err(|log| DeviceError::Kernel {
            file: source.file,
            architecture: architecture.to_owned(),
            log,
        })
    })
}

fn options(architecture: &str, include: Option<&Path>) -> Vec<String> {
    let mut options = vec![
        // A real architecture rather than a virtual one: the result is machine code.
        format!("--gpu-architecture={architecture}"),
        "--std=c++17".to_owned(),
    ];
    options.extend(include.map(|include| format!("--include-path={}", include.display())));
    options
}

/// The versions of the compiler and of the driver, where there is one.
fn versions() -> String {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: it writes two numbers. The callers have asked whether the library is there.
    let status = unsafe { sys::nvrtcVersion(&raw mut major, &raw mut minor) };
    format!("{status:?} {major}.{minor} {}", driver_version())
}

/// Destroys the program at the end of its scope.
struct Program(nvrtcProgram);

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: created once and destroyed once.
        let _ = unsafe { result::destroy_program(self.0) };
    }
}

fn run(source: Source, options: &[String]) -> Result<Vec<u8>, String> {
    let plain = |error: NvrtcError| format!("{:?}", error.0);
    let text = CString::new(source.text).map_err(|error| error.to_string())?;
    let name = CString::new(source.file).map_err(|error| error.to_string())?;
    let program = Program(result::create_program(&text, Some(&name)).map_err(plain)?);
    // SAFETY: the program is alive.
    if let Err(error) = unsafe { result::compile_program(program.0, options) } {
        return Err(format!("{}: {}", plain(error), log(&program)));
    }
    let mut size = 0;
    // SAFETY: the program is alive; the size is written.
    let status = unsafe { sys::nvrtcGetCUBINSize(program.0, &raw mut size) };
    status.result().map_err(plain)?;
    let mut code = vec![0u8; size];
    // SAFETY: as above, and `code` has the size that the library asked for.
    let status = unsafe { sys::nvrtcGetCUBIN(program.0, code.as_mut_ptr().cast()) };
    status.result().map_err(plain)?;
    Ok(code)
}

/// What the compiler said.
fn log(program: &Program) -> String {
    // SAFETY: the program is alive.
    let log = unsafe { result::get_program_log(program.0) };
    let bytes: Vec<u8> = log
        .unwrap_or_default()
        .into_iter()
        .map(|c| c as u8)
        .take_while(|&c| c != 0)
        .collect();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}
