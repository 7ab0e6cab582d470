//! What a safetensors file holds, by its header.

use super::{Contents, Failure, NumberFormat, Reason, Stored, cut_short};
use safetensors::tensor::Metadata;
use std::{
    fs::File,
    io::{self, Read},
};

/// safetensors' own limit on the size of a header, in bytes.
const MOST_HEADER_BYTES: u64 = 100_000_000;

/// Where the program that converted a file writes its name.
pub(in crate::model) const CONVERTER_KEY: &str = "converted_by";

/// Reads the header of a file of `n_bytes`.
pub(super) fn contents(mut file: &File, n_bytes: u64) -> Result<Contents, Failure> {
    let mut length = [0; 8];
    file.read_exact(&mut length)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => "it is shorter than its own header".into(),
            _ => Failure::Io(error),
        })?;
    let header_bytes = u64::from_le_bytes(length);
    if header_bytes > MOST_HEADER_BYTES {
        return Err("it does not begin with a safetensors header".into());
    }
    let data_start = 8 + header_bytes;
    if n_bytes < data_start {
        return Err(cut_short(n_bytes, data_start));
    }
    let mut header = Vec::new();
    file.take(header_bytes)
        .read_to_end(&mut header)
        .map_err(Failure::Io)?;
    let metadata: Metadata = serde_json::from_slice(&header)
        .map_err(|error| format!("its header is broken: {error}"))?;
    let wanted_bytes = data_start.saturating_add(metadata.data_len() as u64);
    if n_bytes < wanted_bytes {
        return Err(cut_short(n_bytes, wanted_bytes));
    }
    if n_bytes > wanted_bytes {
        let text = format!(
            "it ends {} bytes behind its last tensor",
            n_bytes - wanted_bytes
        );
        return Err(Reason::new(
            text,
            "something was appended to it: download or copy it again",
        )
        .into());
    }
    let notes = metadata.metadata().as_ref();
    let converter = notes.and_then(|notes| notes.get(CONVERTER_KEY).cloned());
    let tensors = metadata.tensors().into_iter().map(|(name, info)| {
        let start = data_start + info.data_offsets.0 as u64;
        let format = NumberFormat::named(&format!("{:?}", info.dtype));
        (name, Stored::row_by_row(format, info.shape.clone(), start))
    });
    Ok(Contents {
        tensors: tensors.collect(),
        arguments: None,
        converter,
    })
}
