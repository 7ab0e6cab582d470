//! CUDA C++ to machine code, with NVRTC.

use super::code::{HEADERS, Instance};
use crate::device::{
    DeviceError,
    cuda::{Cache, compiler_version, driver_version, include_folder},
};
use cudarc::nvrtc::{
    result::{self, NvrtcError},
    sys::{self, nvrtcProgram},
};
use std::{
    collections::HashMap,
    ffi::CString,
    fs,
    path::Path,
    ptr,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

/// Machine code by kernel and architecture.
type Compiled = HashMap<(Instance, String), Arc<[u8]>>;

/// What this process has compiled: several GPUs load the same.
static COMPILED: LazyLock<Mutex<Compiled>> = LazyLock::new(Mutex::default);

/// Headers of the CUDA toolkit that the kernels include, and what these include.
const TOOLKIT_HEADERS: [&str; 4] = [
    "cuda_bf16.h",
    "cuda_bf16.hpp",
    "cuda_fp16.h",
    "cuda_fp16.hpp",
];

/// The machine code (cubin) of a kernel for `architecture`, such as `sm_90a`, from the cache or
/// from the compiler.
///
/// # Errors
/// If it does not compile; the compiler's messages are in the error.
pub(super) fn compile(instance: &Instance, architecture: &str) -> Result<Arc<[u8]>, DeviceError> {
    let compiled = || COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (instance.clone(), architecture.to_owned());
    if let Some(code) = compiled().get(&key) {
        return Ok(code.clone());
    }
    // Compiling takes long, and nobody else has to wait for it.
    let code: Arc<[u8]> = make(instance, architecture)?.into();
    compiled().insert(key, code.clone());
    Ok(code)
}

fn make(instance: &Instance, architecture: &str) -> Result<Vec<u8>, DeviceError> {
    let include = include_folder();
    let options = options(instance, architecture, include.as_deref());
    let versions = versions();
    // Toolkits of one version differ between distributions.
    let toolkit_headers: Vec<Vec<u8>> = TOOLKIT_HEADERS
        .iter()
        .map(|name| {
            let header = include.as_ref().map(|include| include.join(name));
            header
                .and_then(|path| fs::read(path).ok())
                .unwrap_or_default()
        })
        .collect();
    // All that the machine code depends on; the options hold the kernel's constants.
    let mut origin: Vec<&[u8]> = vec![instance.file().text.as_bytes(), versions.as_bytes()];
    origin.extend(HEADERS.iter().map(|(_, text)| text.as_bytes()));
    origin.extend(toolkit_headers.iter().map(Vec::as_slice));
    origin.extend(options.iter().map(String::as_bytes));
    Cache::of_user().get_or_make(&origin, || {
        run(instance, &options).map_err(|log| DeviceError::Kernel {
            name: instance.file().kernel,
            architecture: architecture.to_owned(),
            log,
        })
    })
}

fn options(instance: &Instance, architecture: &str, include: Option<&Path>) -> Vec<String> {
    let mut options = vec![
        // A real architecture rather than a virtual one: the result is machine code.
        format!("--gpu-architecture={architecture}"),
        "--std=c++17".to_owned(),
    ];
    options.extend(include.map(|include| format!("--include-path={}", include.display())));
    options.extend(instance.defines());
    options
}

/// The versions of the compiler and of the driver, where there is one.
fn versions() -> String {
    let (major, minor) = compiler_version();
    format!("{major}.{minor} {}", driver_version())
}

/// Destroys the program at the end of its scope.
struct Program(nvrtcProgram);

impl Program {
    /// The program of a kernel, with the headers that it may include.
    fn new(instance: &Instance) -> Result<Self, NvrtcError> {
        let c_string = |text: &str| CString::new(text).expect("sources have no zero byte");
        let text = c_string(instance.file().text);
        let name = c_string(&format!("{}.cu", instance.file().kernel));
        let names = HEADERS.map(|(name, _)| c_string(name));
        let texts = HEADERS.map(|(_, text)| c_string(text));
        let pointers = |strings: &[CString; HEADERS.len()]| strings.each_ref().map(|s| s.as_ptr());
        let mut program = ptr::null_mut();
        // SAFETY: the strings, and as many of headers as is said, live until the call returns, which
        // copies them; the program is written.
        unsafe {
            sys::nvrtcCreateProgram(
                &raw mut program,
                text.as_ptr(),
                name.as_ptr(),
                HEADERS.len() as i32,
                pointers(&texts).as_ptr(),
                pointers(&names).as_ptr(),
            )
        }
        .result()?;
        Ok(Self(program))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: created once and destroyed once.
        let _ = unsafe { result::destroy_program(self.0) };
    }
}

fn run(instance: &Instance, options: &[String]) -> Result<Vec<u8>, String> {
    let plain = |error: NvrtcError| format!("{:?}", error.0);
    let program = Program::new(instance).map_err(plain)?;
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
