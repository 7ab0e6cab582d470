//! A safetensors file, written tensor by tensor.

use super::{
    ConvertError,
    plan::{Plan, Tensor},
};
use crate::{
    file::FileError,
    model::checkpoint::{CONVERTER_KEY, Checkpoint, NumberFormat},
};
use half::{bf16, f16};
use serde_json::{Map, Value, json};
use std::{
    fs::File,
    io::Write,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// Numbers that are converted and written at a time.
const NUMBERS_PER_WRITE: usize = 1 << 20;
/// The header ends at a multiple of so many bytes, so that the tensors begin at one.
const ALIGNMENT: usize = 8;

/// What the files say of who wrote them. They do not say which version did: their hash would be another with each, and
/// outputs that were begun with one could not be gone on with.
const CONVERTER: &str = "runner";

/// Whether a conversion wrote the file.
pub(super) fn is_of_a_conversion(path: PathBuf) -> bool {
    let file = Checkpoint::open(path);
    file.is_ok_and(|file| file.converter() == Some(CONVERTER))
}

/// What was written.
pub(super) struct Written {
    pub(super) n_bytes: u64,
    /// The first tensor with a number that is not finite, which it was not before either.
    pub(super) not_finite: Option<String>,
}

/// Writes a file, which is on the disk then.
pub(super) fn write(
    path: &Path,
    plan: &Plan,
    on_step: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Written, ConvertError> {
    let failed = |error| FileError::io("write", path, error);
    let mut file = File::create_new(path).map_err(failed)?;
    let header = header(plan);
    let length = (header.len() as u64).to_le_bytes();
    file.write_all(&length).map_err(failed)?;
    file.write_all(header.as_bytes()).map_err(failed)?;
    let mut bytes = Vec::new();
    let mut not_finite = None;
    for (n, tensor) in plan.tensors.iter().enumerate() {
        for values in tensor.read()?.chunks(NUMBERS_PER_WRITE) {
            bytes.clear();
            encode(tensor, values, &mut bytes)?;
            if not_finite.is_none() && !values.iter().all(|value| value.is_finite()) {
                not_finite = Some(tensor.name.clone());
            }
            file.write_all(&bytes).map_err(failed)?;
        }
        if on_step(n + 1, plan.tensors.len()).is_break() {
            return Err(ConvertError::Stopped);
        }
    }
    file.sync_all().map_err(failed)?;
    let n_bytes = file.metadata().map_err(failed)?.len();
    Ok(Written {
        n_bytes,
        not_finite,
    })
}

/// What the file says that it holds.
fn header(plan: &Plan) -> String {
    let mut entries = Map::new();
    // transformers does not load a file without it.
    let notes = json!({ "format": "pt", CONVERTER_KEY: CONVERTER });
    entries.insert("__metadata__".to_owned(), notes);
    let mut start = 0;
    for tensor in &plan.tensors {
        let end = start + tensor.n_numbers() * bytes_of(&tensor.format) as u64;
        let entry = json!({
            "dtype": tensor.format.to_string(),
            "shape": tensor.shape,
            "data_offsets": [start, end],
        });
        entries.insert(tensor.name.clone(), entry);
        start = end;
    }
    let mut header = Value::Object(entries).to_string();
    let padded = header.len().next_multiple_of(ALIGNMENT);
    header.extend(std::iter::repeat_n(' ', padded - header.len()));
    header
}

fn bytes_of(format: &NumberFormat) -> usize {
    format
        .bytes()
        .expect("tensors of other formats were refused when the model was opened")
}

/// Appends numbers in the format of their tensor, little-endian.
///
/// # Errors
/// If a number that is finite would not be one any more.
fn encode(tensor: &Tensor, values: &[f32], bytes: &mut Vec<u8>) -> Result<(), ConvertError> {
    let too_large = |value: f32| ConvertError::TooLarge {
        name: tensor.name.clone(),
        value,
        format: tensor.format.to_string().to_lowercase(),
    };
    match tensor.format {
        NumberFormat::F16 => {
            for &value in values {
                let rounded = f16::from_f32(value);
                if value.is_finite() && !rounded.is_finite() {
                    return Err(too_large(value));
                }
                bytes.extend(rounded.to_le_bytes());
            }
        }
        NumberFormat::BF16 => {
            for &value in values {
                let rounded = bf16::from_f32(value);
                if value.is_finite() && !rounded.is_finite() {
                    return Err(too_large(value));
                }
                bytes.extend(rounded.to_le_bytes());
            }
        }
        NumberFormat::F32 | NumberFormat::Other(_) => {
            bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
    }
    Ok(())
}
