//! The names of Python that a pickle may ask for, and what each of them stands for here.

use super::super::{Failure, Reason};
use crate::text::shortened;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Global {
    /// `OrderedDict`, called without arguments.
    Dictionary,
    /// `set`, called with a list.
    Set,
    /// By which old protocols write bytes.
    Encode,
    /// A bag of attributes, in which fair-esm and many programs keep their options.
    Namespace,
    /// `torch.Size`, called with a tuple.
    Size,
    /// `torch.device`, called with a text.
    Device,
    /// Makes a tensor of a storage.
    Tensor,
    /// The same, of bytes, with the format of a number as its last argument but one.
    TensorOfBytes,
    /// Makes a parameter, which is a tensor here.
    Parameter,
    /// The class of storages of numbers in this format, with their bytes.
    Storage(&'static str, usize),
    /// The format of a number, as such.
    Format(&'static str),
}

#[rustfmt::skip]
const GLOBALS: &[(&str, &str, Global)] = &[
    ("collections", "OrderedDict", Global::Dictionary),
    ("__builtin__", "set", Global::Set),
    ("builtins", "set", Global::Set),
    ("_codecs", "encode", Global::Encode),
    ("argparse", "Namespace", Global::Namespace),
    ("torch", "Size", Global::Size),
    ("torch", "device", Global::Device),
    ("torch._utils", "_rebuild_tensor_v2", Global::Tensor),
    ("torch._utils", "_rebuild_tensor_v3", Global::TensorOfBytes),
    ("torch._utils", "_rebuild_parameter", Global::Parameter),
    ("torch._utils", "_rebuild_parameter_with_state", Global::Parameter),
    ("torch.storage", "UntypedStorage", Global::Storage("U8", 1)),
    ("torch", "FloatStorage", Global::Storage("F32", 4)),
    ("torch", "HalfStorage", Global::Storage("F16", 2)),
    ("torch", "BFloat16Storage", Global::Storage("BF16", 2)),
    ("torch", "DoubleStorage", Global::Storage("F64", 8)),
    ("torch", "LongStorage", Global::Storage("I64", 8)),
    ("torch", "IntStorage", Global::Storage("I32", 4)),
    ("torch", "ShortStorage", Global::Storage("I16", 2)),
    ("torch", "CharStorage", Global::Storage("I8", 1)),
    ("torch", "ByteStorage", Global::Storage("U8", 1)),
    ("torch", "BoolStorage", Global::Storage("BOOL", 1)),
    ("torch", "ComplexFloatStorage", Global::Storage("C64", 8)),
    ("torch", "ComplexDoubleStorage", Global::Storage("C128", 16)),
    ("torch", "float32", Global::Format("F32")),
    ("torch", "float16", Global::Format("F16")),
    ("torch", "bfloat16", Global::Format("BF16")),
    ("torch", "float64", Global::Format("F64")),
    ("torch", "int64", Global::Format("I64")),
    ("torch", "int32", Global::Format("I32")),
    ("torch", "int16", Global::Format("I16")),
    ("torch", "int8", Global::Format("I8")),
    ("torch", "uint64", Global::Format("U64")),
    ("torch", "uint32", Global::Format("U32")),
    ("torch", "uint16", Global::Format("U16")),
    ("torch", "uint8", Global::Format("U8")),
    ("torch", "bool", Global::Format("BOOL")),
    ("torch", "complex64", Global::Format("C64")),
    ("torch", "complex128", Global::Format("C128")),
    ("torch", "float8_e4m3fn", Global::Format("F8_E4M3")),
    ("torch", "float8_e5m2", Global::Format("F8_E5M2")),
    ("torch", "float8_e4m3fnuz", Global::Format("F8_E4M3FNUZ")),
    ("torch", "float8_e5m2fnuz", Global::Format("F8_E5M2FNUZ")),
];

impl Global {
    /// What the name `name` of the module `module` stands for.
    ///
    /// # Errors
    /// If a pickle that asks for it is more than tensors and plain data.
    pub(super) fn find(module: &str, name: &str) -> Result<Self, Failure> {
        let known = GLOBALS
            .iter()
            .find(|known| (known.0, known.1) == (module, name));
        known
            .map(|known| known.2)
            .ok_or_else(|| refused(&format!("{module}.{name}")))
    }
}

/// The failure of a pickle that asks for something else.
pub(super) fn refused(name: &str) -> Failure {
    /// Names of classes are shorter.
    const MOST_CHARACTERS: usize = 100;
    let name = shortened(name, MOST_CHARACTERS);
    Reason::new(
        format!("it asks for `{name}`, and only tensors and plain data are read"),
        "nothing of it was run; where it comes from, save the tensors alone: \
         `torch.save(model.state_dict(), \"pytorch_model.bin\")`",
    )
    .into()
}
