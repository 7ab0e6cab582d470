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
        if !is_whole_elf(&code) {
            return Err(DeviceError::Kernel {
                file: source.file,
                architecture: architecture(gpu),
                log: format!("the {} bytes of the result are no machine code", code.len()),
            });
        }
        // SAFETY: `code` is an ELF file that ends where its header says, so that the driver, which
        // is not told its length, reads nothing behind it. The context of `gpu` is current.
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

/// Whether `code` is a 64-bit little-endian ELF file, as cubins are, whose tables lie inside of it.
fn is_whole_elf(code: &[u8]) -> bool {
    const HEADER_BYTES: usize = 64;
    let Some(header) = code.first_chunk::<HEADER_BYTES>() else {
        return false;
    };
    let half = |at: usize| u64::from(u16::from_le_bytes([header[at], header[at + 1]]));
    let table_end = |offset_at: usize, entry_at: usize, number_at: usize| {
        let (chunks, _) = header[offset_at..].as_chunks::<8>();
        u64::from_le_bytes(chunks[0]).checked_add(half(entry_at) * half(number_at))
    };
    let is_inside = |end: Option<u64>| end.is_some_and(|end| end <= code.len() as u64);
    // Offset, size of an entry and number of entries of the program and the section headers.
    header.starts_with(b"\x7fELF\x02\x01")
        && is_inside(table_end(32, 54, 56))
        && is_inside(table_end(40, 58, 60))
}

/// What kernels are compiled for on `gpu`. Hopper's own instructions need the `a`.
fn architecture(gpu: &Gpu) -> String {
    match gpu.capability() {
        (9, 0) => "sm_90a".to_owned(),
        (major, minor) => format!("sm_{major}{minor}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_machine_code_is_loaded() {
        // This test program is an ELF file, too; its section headers stand at its end.
        let program = std::env::current_exe().expect("this program has a path");
        let mut code = std::fs::read(program).expect("the program");
        assert!(is_whole_elf(&code));
        assert!(!is_whole_elf(&code[..code.len() - 1]));
        assert!(!is_whole_elf(&code[..63]));
        assert!(!is_whole_elf(b""));
        code[40..48].fill(0xff);
        assert!(!is_whole_elf(&code), "an offset that overflows");
        code[0] = 0;
        assert!(!is_whole_elf(&code));
    }
}
