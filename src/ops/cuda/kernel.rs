//! Kernels, loaded and launched.

use super::{code::Instance, compile::compile, tensor_map::TensorMap};
use crate::device::{
    DeviceError,
    cuda::{Doing, Gpu},
};
use cudarc::driver::{
    result::{self, function, module},
    sys::{CUfunction, CUfunction_attribute, CUstream},
};
use rayon::prelude::*;
use std::{
    collections::HashMap,
    ffi::{CString, c_void},
    ptr,
    sync::{LazyLock, Mutex},
};

/// A kernel, ready to be launched. It stays loaded until the process ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kernel {
    function: CUfunction,
    shared_bytes: u32,
}

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

/// The kernels that are loaded, by the ordinal of the GPU.
static LOADED: LazyLock<Mutex<HashMap<usize, HashMap<Instance, Kernel>>>> =
    LazyLock::new(Mutex::default);

impl Kernel {
    /// The kernel, compiled and loaded at its first use on `gpu`.
    ///
    /// # Errors
    /// If it does not compile or load.
    pub(super) fn get(gpu: &Gpu, instance: &Instance) -> Result<Self, DeviceError> {
        let mut loaded = LOADED
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let kernels = loaded.entry(gpu.ordinal()).or_default();
        if let Some(&kernel) = kernels.get(instance) {
            return Ok(kernel);
        }
        gpu.bind()?;
        let kernel = Self::load(gpu, instance)?;
        kernels.insert(instance.clone(), kernel);
        Ok(kernel)
    }

    /// Compiles `instances` for `gpu`, several at a time, so that [`get`](Self::get) only loads them.
    ///
    /// # Errors
    /// If one does not compile.
    pub(super) fn compile(gpu: &Gpu, instances: &[Instance]) -> Result<(), DeviceError> {
        let architecture = architecture(gpu);
        let compiled = instances.par_iter();
        compiled.try_for_each(|instance| compile(instance, &architecture).map(drop))
    }

    /// Compiles and loads. The context of `gpu` must be current.
    fn load(gpu: &Gpu, instance: &Instance) -> Result<Self, DeviceError> {
        /// More dynamic shared memory than this needs permission.
        const FREE_SHARED_BYTES: u32 = 48 << 10;
        let code = compile(instance, &architecture(gpu))?;
        let kernel = instance.file().kernel;
        if !is_whole_elf(&code) {
            return Err(DeviceError::Kernel {
                name: kernel,
                architecture: architecture(gpu),
                log: format!("the {} bytes of the result are no machine code", code.len()),
            });
        }
        let symbol = CString::new(kernel).expect("names of kernels have no zero byte");
        // SAFETY: `code` is an ELF file that ends where its header says, so that the driver, which
        // is not told its length, reads nothing behind it. The context of `gpu` is current.
        let module = unsafe { module::load_data(code.as_ptr().cast()) }.doing("load a kernel")?;
        // SAFETY: modules are never unloaded.
        let function = unsafe { module::get_function(module, symbol) }.doing("load a kernel")?;
        let shared_bytes = instance.shared_bytes();
        if shared_bytes > FREE_SHARED_BYTES {
            let attribute = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            // SAFETY: the function was just found.
            unsafe { function::set_function_attribute(function, attribute, shared_bytes as i32) }
                .doing("load a kernel")?;
        }
        Ok(Self {
            function,
            shared_bytes,
        })
    }

    /// Enqueues the kernel on `stream`.
    ///
    /// # Safety
    /// The arguments must be those that the kernel takes, in type and order, with addresses that
    /// stay valid until the stream has run it.
    pub(super) unsafe fn launch(
        self,
        stream: CUstream,
        grid: Grid,
        arguments: &[Argument],
    ) -> Result<(), DeviceError> {
        // SAFETY: what the caller answers for.
        unsafe { self.launch_on(stream, grid, &[], arguments) }
    }

    /// Enqueues a kernel that takes `maps`, by value, before the other arguments.
    ///
    /// # Safety
    /// As [`launch`](Self::launch), also of the matrices that the maps describe.
    pub(super) unsafe fn launch_on(
        self,
        stream: CUstream,
        grid: Grid,
        maps: &[TensorMap],
        arguments: &[Argument],
    ) -> Result<(), DeviceError> {
        // The driver reads as many bytes at each address as the parameter has.
        let maps = maps.iter().map(|map| ptr::from_ref(map).cast());
        let arguments = arguments.iter().map(|it| ptr::from_ref(it).cast());
        let mut addresses: Vec<*mut c_void> =
            maps.chain(arguments).map(<*const _>::cast_mut).collect();
        let (x, y) = grid.blocks;
        // SAFETY: the caller answers for the arguments, which live until the call returns.
        unsafe {
            result::launch_kernel(
                self.function,
                (x, y, 1),
                (grid.threads, 1, 1),
                self.shared_bytes,
                stream,
                &mut addresses,
            )
        }
        .doing("launch a kernel")
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
