//! Attention maps of one sequence, written as NumPy has arrays.

use crate::{
    alphabet::N_SPECIAL_TOKENS,
    error::Error,
    file::{Existing, FileError, Keep, Staged},
    job::{AttentionPlan, OutputDtype},
    model::Model,
};
use half::f16;
use std::io::{self, BufWriter, Write};

/// What stands before the text of the header, in the version of the format that all readers know.
const MAGIC: &[u8; 8] = b"\x93NUMPY\x01\x00";
/// The numbers begin at a multiple of that.
const ALIGNMENT: usize = 64;

/// Writes the maps of all layers and heads, `[layers, heads, T, T]`, with BOS and EOS, layer by layer.
///
/// # Errors
/// The model or the file system fails, or a file that is to stay is there.
pub(super) fn write(model: &Model, plan: &AttentionPlan) -> Result<(), Error> {
    let output = plan.output.as_deref().unwrap_or("maps.npy".as_ref());
    let existing = match plan.overwrite {
        true => Existing::IsReplaced,
        false => Existing::Stays,
    };
    let staged = Staged::create(output, existing)?;
    let mut file = BufWriter::with_capacity(1 << 20, staged.writer()?);
    let n_tokens = plan.sequence.len() + N_SPECIAL_TOKENS;
    let shape = [model.n_layers(), model.n_heads(), n_tokens, n_tokens];
    let mut written = file.write_all(&header(plan.dtype, shape));
    model.attention(&plan.sequence, &mut |maps| {
        if written.is_ok() {
            written = write_numbers(&mut file, maps, plan.dtype);
        }
    })?;
    let written = written.and_then(|()| file.flush());
    written.map_err(|error| FileError::io("write", output, error))?;
    drop(file);
    staged.publish(Keep::Safely)?;
    Ok(())
}

fn write_numbers(to: &mut impl Write, numbers: &[f32], dtype: OutputDtype) -> io::Result<()> {
    let mut numbers = numbers.iter();
    match dtype {
        OutputDtype::F16 => {
            numbers.try_for_each(|&x| to.write_all(&f16::from_f32(x).to_le_bytes()))
        }
        OutputDtype::F32 => numbers.try_for_each(|x| to.write_all(&x.to_le_bytes())),
    }
}

fn header(dtype: OutputDtype, [layers, heads, rows, columns]: [usize; 4]) -> Vec<u8> {
    let number = match dtype {
        OutputDtype::F16 => "<f2",
        OutputDtype::F32 => "<f4",
    };
    let mut text = format!(
        "{{'descr': '{number}', 'fortran_order': False, 'shape': ({layers}, {heads}, {rows}, {columns}), }}"
    );
    let before = MAGIC.len() + 2;
    let n_bytes = (before + text.len() + 1).next_multiple_of(ALIGNMENT) - before;
    text += &" ".repeat(n_bytes - text.len() - 1);
    text.push('\n');
    let length = (n_bytes as u16).to_le_bytes();
    [MAGIC.as_slice(), &length, text.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_aligned() {
        let header = header(OutputDtype::F32, [6, 20, 12, 12]);
        assert_eq!(header.len() % ALIGNMENT, 0);
        let text = String::from_utf8_lossy(&header[10..]);
        assert!(text.contains("'<f4'") && text.contains("(6, 20, 12, 12)"));
        assert_eq!(usize::from(header[8]), header.len() - 10);
    }
}
