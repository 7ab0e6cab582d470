//! Kernels, loaded and launched.

use super::compile::{Source, compile};
use crate::device::{
    DeviceError,
    cuda::{Doing, Gpu},
};
use cudarc::driver::{
    result::{self, function, module},
    sys::{CUfunction, CUfunction_attribute, CUmodule, CUstream},
};
use std::{
    collections::{HashMap, hash_map::Entry},
    ffi::{CString, c_void},
    sync::{LazyLock, Mutex},
};

/// A kernel, ready to be launched. It stays loaded until the process ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kernel(CUfunction);

// SAFETY: a function is a handle that the driver lets any thread use.
unsafe impl Send for Kernel {}

/// How many blocks, of how many threads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    pub(super) blocks: (u32, u32),
    pub(super) threads: u32,
}

/// An argument of a kernel: an address, a 32-bit integer or an f32, in the low bytes.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(super) struct Argument(u64);

impl From<u64> for Argument {
    fn from(address: u64) -> Self {
        Self(address)
    }
}

impl From<i32> for Argument {
    fn from(number: i32) -> Self {
        Self(u64::from(number as u32))
    }
}

impl From<f32> for Argument {
    fn from(number: f32) -> Self {
        Self(u64::from(number.to_bits()))
    }
}

/// What is loaded: modules by GPU and file, kernels by module and name.
#[derive(Default)]
struct Loaded {
    modules: HashMap<(usize, &'static str), Module>,
    kernels: HashMap<(usize, String), Kernel>,
}

struct Module(CUmodule);

// SAFETY: a module is a handle that the driver lets any thread use.
unsafe impl Send for Module {}

static LOADED: LazyLock<Mutex<Loaded>> = LazyLock::new(Mutex::default);

impl Kernel {
    /// The kernel `name` of `source`, compiled and loaded at its first use on `gpu`. It may use
    /// `shared_bytes` of dynamic shared memory.
    ///
    /// # Errors
    /// If the source does not compile or load, or has no such kernel.
    pub(super) fn get(
        gpu: &Gpu,
        source: Source,
        name: &str,
        shared_bytes: u32,
    ) -> Result<Self, DeviceError> {
        let mut loaded = LOADED
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let Loaded { modules, kernels } = &mut *loaded;
        let key = (gpu.ordinal(), name.to_owned());
        if let Some(&kernel) = kernels.get(&key) {
            return Ok(kernel);
        }
        gpu.bind()?;
        let module_key = (gpu.ordinal(), source.file);
        let module = match modules.entry(module_key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Module::load(gpu, source)?),
        };
        let kernel = module.kernel(name, shared_bytes)?;
        kernels.insert(key, kernel);
        Ok(kernel)
    }

    /// Enqueues the kernel on `stream`.
    ///
    /// # Safety
    /// The arguments must be those that the kernel takes, in type and order, with addresses that
    /// stay valid until the stream has run it, and `shared_bytes` what it was got with.
    pub(super) unsafe fn launch(
        self,
        stream: CUstream,
        grid: Grid,
        shared_bytes: u32,
        arguments: &[Argument],
    ) -> Result<(), DeviceError> {
        // The driver reads as many bytes at each address as the parameter has.
        let mut addresses: Vec<*mut c_void> = arguments
            .iter()
            .map(|argument| std::ptr::from_ref(argument).cast_mut().cast())
            .collect();
        let (x, y) = grid.blocks;
        // SAFETY: the caller answers for the arguments, which live until the call returns.
        unsafe {
            result::launch_kernel(
                self.0,
                (x, y, 1),
                (grid.threads, 1, 1),
                shared_bytes,
                stream,
                &mut addresses,
            )
        }
        .doing("launch a kernel")
    }
}

impl Module {
    fn load(gpu: &Gpu, source: Source) -> Result<Self, DeviceError> {
        let code = compile(source, &architecture(gpu))?;
        // SAFETY: `code` is a whole cubin, and the context of `gpu` is current.
        unsafe { module::load_data(code.as_ptr().cast()) }
            .map(Self)
            .doing("load a kernel")
    }

    fn kernel(&self, name: &str, shared_bytes: u32) -> Result<Kernel, DeviceError> {
        /// More than this needs permission.
        const FREE_SHARED_BYTES: u32 = 48 << 10;
        let symbol = CString::new(name).expect("names of kernels have no zero byte");
        // SAFETY: modules are never unloaded.
        let function = unsafe { module::get_function(self.0, symbol) }.doing("load a kernel")?;
        if shared_bytes > FREE_SHARED_BYTES {
            let attribute = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            // SAFETY: the function was just found.
            unsafe { function::set_function_attribute(function, attribute, shared_bytes as i32) }
                .doing("load a kernel")?;
        }
        Ok(Kernel(function))
    }
}

/// What kernels are compiled for on `gpu`. Hopper's own instructions need the `a`.
fn architecture(gpu: &Gpu) -> String {
    match gpu.capability() {
        (9, 0) => "sm_90a".to_owned(),
        (major, minor) => format!("sm_{major}{minor}"),
    }
}
