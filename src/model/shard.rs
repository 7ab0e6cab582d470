//! One safetensors file, read tensor by tensor.

use super::{ModelError, error::Reason, foreign::Foreign, plain_file};
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::{
    Dtype,
    tensor::{Metadata, TensorInfo},
};
use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    path::PathBuf,
};

/// One safetensors file.
///
/// It is read with positioned reads rather than through a memory map: a file that shrinks under a map
/// kills the process.
pub(super) struct Shard {
    pub(super) path: PathBuf,
    pub(super) metadata: Metadata,
    pub(super) file: File,
    /// Bytes of the file when it was opened.
    pub(super) n_bytes: u64,
    /// Where the tensors begin in the file, in bytes.
    data_start: u64,
}

/// Numbers that one thread reads and converts at a time.
const NUMBERS_PER_READ: usize = 1 << 20;

/// safetensors' own limit on the size of a header, in bytes.
const MOST_HEADER_BYTES: u64 = 100_000_000;

impl Shard {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// If it is missing, broken or cut short.
    pub(super) fn open(path: PathBuf) -> Result<Self, ModelError> {
        let (mut file, n_bytes) = plain_file::open(&path)?;
        let bad = |reason: Reason| ModelError::BadWeights {
            path: path.clone(),
            reason,
        };
        let failed = |source: io::Error| ModelError::Io {
            path: path.clone(),
            source,
        };
        match Foreign::at(&path) {
            None | Some(Foreign::Safetensors) => {}
            Some(foreign) => return Err(bad(foreign.reason())),
        }
        let mut length = [0; 8];
        file.read_exact(&mut length)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => bad("it is shorter than its own header".into()),
                _ => failed(error),
            })?;
        let header_bytes = u64::from_le_bytes(length);
        if header_bytes > MOST_HEADER_BYTES {
            return Err(bad("it does not begin with a safetensors header".into()));
        }
        let data_start = 8 + header_bytes;
        let cut_short = |wanted_bytes: u64| {
            bad(Reason::new(
                format!("it has {n_bytes} bytes of {wanted_bytes}"),
                "was its download cut short?",
            ))
        };
        if n_bytes < data_start {
            return Err(cut_short(data_start));
        }
        let mut header = Vec::new();
        (&file)
            .take(header_bytes)
            .read_to_end(&mut header)
            .map_err(failed)?;
        let metadata: Metadata = serde_json::from_slice(&header)
            .map_err(|error| bad(format!("its header is broken: {error}").into()))?;
        let wanted_bytes = data_start.saturating_add(metadata.data_len() as u64);
        if n_bytes < wanted_bytes {
            return Err(cut_short(wanted_bytes));
        }
        Ok(Self {
            path,
            metadata,
            file,
            n_bytes,
            data_start,
        })
    }

    /// The numbers of a tensor of this file, row by row, in f32.
    ///
    /// # Errors
    /// If its format has no [`number_bytes`], which the caller has asked for, or the file cannot be
    /// read.
    pub(super) fn read(&self, info: &TensorInfo) -> Result<Vec<f32>, ModelError> {
        let size = number_bytes(info.dtype).unwrap_or(1);
        let (start, end) = info.data_offsets;
        let n_numbers = (end - start) / size;
        let start = self.data_start + start as u64;
        let mut values = vec![0f32; n_numbers];
        values
            .par_chunks_mut(NUMBERS_PER_READ)
            .enumerate()
            .try_for_each(|(n, values)| {
                let mut bytes = vec![0; values.len() * size];
                let offset = (n * NUMBERS_PER_READ * size) as u64;
                self.file.read_exact_at(&mut bytes, start + offset)?;
                to_f32(info.dtype, &bytes, values);
                Ok(())
            })
            .map_err(|source: io::Error| match source.kind() {
                io::ErrorKind::UnexpectedEof => ModelError::BadWeights {
                    path: self.path.clone(),
                    reason: "it became shorter while it was read".into(),
                },
                _ => ModelError::Io {
                    path: self.path.clone(),
                    source,
                },
            })?;
        Ok(values)
    }
}

/// Bytes of a number in a file, or `None` for a format that no ESM-2 is stored in.
pub(super) fn number_bytes(dtype: Dtype) -> Option<usize> {
    match dtype {
        Dtype::F32 => Some(4),
        Dtype::F16 | Dtype::BF16 => Some(2),
        _ => None,
    }
}

/// Little-endian numbers of a file as f32.
fn to_f32(dtype: Dtype, bytes: &[u8], values: &mut [f32]) {
    if dtype == Dtype::F32 {
        for (value, &word) in values.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *value = f32::from_le_bytes(word);
        }
        return;
    }
    for (value, &word) in values.iter_mut().zip(bytes.as_chunks::<2>().0) {
        *value = if dtype == Dtype::F16 {
            f16::from_le_bytes(word).to_f32()
        } else {
            bf16::from_le_bytes(word).to_f32()
        };
    }
}
