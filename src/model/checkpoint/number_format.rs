//! The formats in which files store numbers.

use crate::model::error::Reason;
use half::{bf16, f16};
use std::fmt;

/// The format of a number in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::model) enum NumberFormat {
    F32,
    F16,
    BF16,
    /// One that no ESM-2 is stored in, by its name.
    Other(String),
}

impl NumberFormat {
    /// The format of this name, as safetensors calls it.
    pub(super) fn named(name: &str) -> Self {
        let known = [Self::F32, Self::F16, Self::BF16];
        let mut known = known.into_iter().filter(|format| format.name() == name);
        known.next().unwrap_or_else(|| Self::Other(name.to_owned()))
    }

    fn name(&self) -> &str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::Other(name) => name,
        }
    }

    /// Bytes of a number, or `None` for a format that no ESM-2 is stored in.
    pub(in crate::model) fn bytes(&self) -> Option<usize> {
        match self {
            Self::F32 => Some(4),
            Self::F16 | Self::BF16 => Some(2),
            Self::Other(_) => None,
        }
    }

    /// Why numbers of this format are not read.
    pub(super) fn refusal(&self) -> Reason {
        let text = format!("it has numbers of the format {self}");
        match self.name() {
            "F64" => Reason::new(text, "call `model.float()` before it is saved"),
            _ => text.into(),
        }
    }

    /// Little-endian numbers of a file as f32.
    pub(super) fn to_f32(&self, bytes: &[u8], values: &mut [f32]) {
        if *self == Self::F32 {
            for (value, &word) in values.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *value = f32::from_le_bytes(word);
            }
            return;
        }
        for (value, &word) in values.iter_mut().zip(bytes.as_chunks::<2>().0) {
            *value = if *self == Self::F16 {
                f16::from_le_bytes(word).to_f32()
            } else {
                bf16::from_le_bytes(word).to_f32()
            };
        }
    }
}

impl fmt::Display for NumberFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_too_wide_can_be_saved_anew() {
        let hint = |name: &str| NumberFormat::named(name).refusal().hint;
        assert!(hint("F64").is_some_and(|hint| hint.contains("`model.float()`")));
        assert_eq!(hint("I64"), None);
    }
}
