//! What a kernel is compiled from.

use super::format::Format;
use crate::job::Dtype;
use std::{
    fmt,
    hash::{Hash, Hasher},
};

/// A file of CUDA C++ with one kernel.
#[derive(Debug)]
pub(super) struct KernelFile {
    /// The kernel's name; the file's is the same, with `.cu`.
    pub(super) kernel: &'static str,
    /// CUDA C++.
    pub(super) text: &'static str,
}

/// A header of ours: its name and what is in it.
pub(super) type Header = (&'static str, &'static str);

/// The headers that kernels include.
pub(super) const HEADERS: [Header; 7] = [
    ("bytes.cuh", include_str!("kernels/bytes.cuh")),
    ("common.cuh", include_str!("kernels/common.cuh")),
    ("contacts.cuh", include_str!("kernels/contacts.cuh")),
    ("gemm_s8.cuh", include_str!("kernels/gemm_s8.cuh")),
    ("hopper.cuh", include_str!("kernels/hopper.cuh")),
    ("layer_norm.cuh", include_str!("kernels/layer_norm.cuh")),
    ("sm90.cuh", include_str!("kernels/sm90.cuh")),
];

/// A kernel for one number format, with the constants that it is compiled with. Rust alone knows
/// their values: the compiler gets each as a macro.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Instance {
    file: &'static KernelFile,
    constants: Vec<(&'static str, Constant)>,
    shared_bytes: u32,
}

/// A constant of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Constant {
    /// A count.
    Number(usize),
    /// A name that the kernel knows.
    Name(&'static str),
}

impl Instance {
    /// The kernel of `file` for numbers in `dtype`.
    pub(super) fn new(file: &'static KernelFile, dtype: Dtype) -> Self {
        let number = Constant::Name(Format::of(dtype).number);
        Self {
            file,
            constants: vec![("NUMBER", number)],
            shared_bytes: 0,
        }
    }

    /// The same, with another constant.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Constant>) -> Self {
        self.constants.push((name, value.into()));
        self
    }

    /// The same, launched with so many bytes of dynamic shared memory.
    pub(super) fn with_shared_bytes(self, shared_bytes: usize) -> Self {
        Self {
            shared_bytes: u32::try_from(shared_bytes).expect("a multiprocessor has some 200 kB"),
            ..self
        }
    }

    /// Where the kernel is from.
    pub(super) fn file(&self) -> &'static KernelFile {
        self.file
    }

    /// The constants as the compiler takes them.
    pub(super) fn defines(&self) -> impl Iterator<Item = String> + '_ {
        self.constants
            .iter()
            .map(|(name, value)| format!("--define-macro={name}={value}"))
    }

    /// Bytes of dynamic shared memory that it is launched with.
    pub(super) fn shared_bytes(&self) -> u32 {
        self.shared_bytes
    }
}

impl PartialEq for KernelFile {
    fn eq(&self, other: &Self) -> bool {
        self.kernel == other.kernel
    }
}

impl Eq for KernelFile {}

impl Hash for KernelFile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kernel.hash(state);
    }
}

impl From<usize> for Constant {
    fn from(number: usize) -> Self {
        Self::Number(number)
    }
}

impl From<&'static str> for Constant {
    fn from(name: &'static str) -> Self {
        Self::Name(name)
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}
