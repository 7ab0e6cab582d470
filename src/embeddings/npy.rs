//! NumPy files that `embed` wrote: a row a sequence, and the ids in a file beside it.

use super::{Embeddings, EmbeddingsError, column::choose, opened};
use crate::{file::Card, job::OutputFormat};
use half::f16;
use std::{
    fs::File,
    io::{BufReader, ErrorKind, Read},
    path::{Path, PathBuf},
};

/// What every file begins with.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";
/// How the names of the files beside an array end.
const IDS: &str = ".ids.txt";
const OFFSETS: &str = ".offsets.npy";
/// Rows that are read at a time.
const ROWS_AT_ONCE: usize = 1024;

/// What the header says.
struct Header {
    is_half: bool,
    n_rows: usize,
    width: usize,
}

/// Reads a file, which has no descriptions, into `embeddings`.
///
/// # Errors
/// - The file, or its ids, cannot be opened, or is not one of those.
/// - A sequence has not one vector.
/// - What lies beside it is of another array, as where a process was killed that replaced it.
pub(super) fn read(path: &Path, embeddings: &mut Embeddings) -> Result<(), EmbeddingsError> {
    let (file, name) = opened::open(path)?;
    let broken = |message: &str| EmbeddingsError::damaged(&name, message.to_owned());
    let card = Card::of(path);
    let unread = |error: std::io::Error| broken(&format!("cannot be read: {error}"));
    if let Some(card) = &card
        && !card.is_about(&file).map_err(unread)?
    {
        let message = "is not the array that `.npy.json` beside it is about";
        return Err(EmbeddingsError::mixed(&name, message.to_owned()));
    }
    let mut file = BufReader::new(file);
    if let Some(card) = &card {
        let columns = card.columns.iter().map(String::as_str);
        choose(columns.clone(), embeddings.column(), &name)?
            .ok_or_else(|| EmbeddingsError::without_vectors(&name, columns))?;
    }
    let header = Header::read(&mut file).ok_or_else(|| {
        let message = "is no array of rows of numbers in 16 or 32 bits";
        EmbeddingsError::foreign(&name, message.to_owned())
    })?;
    let offsets = beside(path, OFFSETS);
    // They are as many as the sequences where each has one residue.
    let is_of_residues = match &card {
        Some(card) => card.of_beside(&offsets).is_some(),
        None => offsets.exists(),
    };
    if is_of_residues {
        return Err(EmbeddingsError::of_residues(&name));
    }
    let ids = ids(path, card.as_ref())?;
    if ids.len() != header.n_rows {
        let message = format!(
            "has {} rows, and {} ids beside it",
            header.n_rows,
            ids.len()
        );
        return Err(broken(&message));
    }
    let number_bytes = if header.is_half { 2 } else { 4 };
    // Memory is taken only for what is there.
    let n_bytes = header.width.checked_mul(number_bytes);
    let n_bytes = n_bytes.and_then(|row_bytes| row_bytes.checked_mul(header.n_rows));
    let n_there = file.get_ref().metadata().map_err(unread)?.len();
    if n_bytes.is_none_or(|n_bytes| n_bytes as u64 > n_there) {
        return Err(broken("was cut short"));
    }
    let row_bytes = header.width * number_bytes;
    let mut bytes = vec![0; row_bytes * ROWS_AT_ONCE.min(header.n_rows)];
    let mut n_left = header.n_rows;
    while n_left > 0 {
        let piece = &mut bytes[..row_bytes * ROWS_AT_ONCE.min(n_left)];
        n_left -= ROWS_AT_ONCE.min(n_left);
        let read = file.read_exact(piece);
        read.map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => broken("was cut short"),
            _ => broken(&format!("cannot be read: {error}")),
        })?;
        embeddings.add_vectors(&numbers(piece, header.is_half), header.width);
    }
    for id in ids {
        embeddings.add(id, "");
    }
    Ok(())
}

/// Numbers as they are in a file.
pub(super) fn numbers(bytes: &[u8], is_half: bool) -> Vec<f32> {
    match is_half {
        true => {
            let chunks = bytes.as_chunks::<2>().0.iter();
            chunks
                .map(|bytes| f16::from_le_bytes(*bytes).to_f32())
                .collect()
        }
        false => {
            let chunks = bytes.as_chunks::<4>().0.iter();
            chunks.map(|bytes| f32::from_le_bytes(*bytes)).collect()
        }
    }
}

/// The file beside an array whose name ends so.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut beside = OutputFormat::Npy.sidecars(path, true).into_iter();
    let found = beside.find(|path| path.to_string_lossy().ends_with(ending));
    found.unwrap_or_default()
}

/// The ids beside a file, a line each.
fn ids(path: &Path, card: Option<&Card>) -> Result<Vec<String>, EmbeddingsError> {
    let ids = beside(path, IDS);
    let (file, name) = opened::open(&ids)?;
    let unread = |error| EmbeddingsError::damaged(&name, format!("cannot be read: {error}"));
    let mut text = Vec::new();
    (&file).read_to_end(&mut text).map_err(unread)?;
    let written = card.and_then(|card| card.of_beside(&ids));
    if written.is_some_and(|(_, hash)| blake3::hash(&text).to_hex().as_str() != hash) {
        let message = format!("are not the ids of `{}`", path.display());
        return Err(EmbeddingsError::mixed(&name, message));
    }
    let text = String::from_utf8(text);
    let text = text.map_err(|error| unread(std::io::Error::other(error)))?;
    // Nothing else ends a line: an id may hold whatever other programs take for an end.
    let lines = text.strip_suffix('\n').unwrap_or(&text).split('\n');
    Ok(match text.is_empty() {
        true => Vec::new(),
        false => lines.map(str::to_owned).collect(),
    })
}

impl Header {
    /// The header, behind which the numbers begin. Nothing, if it is that of another array.
    fn read(file: &mut BufReader<File>) -> Option<Self> {
        let mut begin = [0; 8];
        file.read_exact(&mut begin).ok()?;
        let n_bytes = match begin[6] {
            1 => {
                let mut bytes = [0; 2];
                file.read_exact(&mut bytes).ok()?;
                usize::from(u16::from_le_bytes(bytes))
            }
            _ => {
                let mut bytes = [0; 4];
                file.read_exact(&mut bytes).ok()?;
                let n_bytes = u32::from_le_bytes(bytes) as usize;
                (n_bytes <= 1 << 16).then_some(n_bytes)?
            }
        };
        let mut text = vec![0; n_bytes];
        file.read_exact(&mut text).ok()?;
        let text = String::from_utf8(text).ok()?;
        let value = |name: &str| Some(text.split_once(&format!("'{name}':"))?.1.trim_start());
        let is_half = match value("descr")?.get(..5)? {
            "'<f4'" => false,
            "'<f2'" => true,
            _ => return None,
        };
        let shape = value("shape")?.strip_prefix('(')?.split_once(')')?.0;
        let mut sizes = shape.split(',').map(|size| size.trim().parse().ok());
        let (n_rows, width) = (sizes.next()??, sizes.next()??);
        let is_ours = value("fortran_order")?.starts_with("False") && width > 0;
        is_ours.then_some(Self {
            is_half,
            n_rows,
            width,
        })
    }
}
