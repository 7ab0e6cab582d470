//! The rejected records of a run on their way to the parts.

use super::SinkError;
use crate::fasta::Rejection;
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Bytes that are copied at a time.
const PIECE_BYTES: usize = 1 << 16;

/// The rejected records of a run, a line a record, in input order: the record's number in the input from 1,
/// its id, the reason. Packing adds them, and each commit takes those of its part.
///
/// They lie in a file that has no name, so nothing of it is ever left. Clones share it.
#[derive(Clone, Debug)]
pub struct RejectsSpool(Option<Arc<Mutex<Spool>>>);

#[derive(Debug)]
struct Spool {
    folder: PathBuf,
    writer: BufWriter<File>,
    n_bytes: u64,
}

impl RejectsSpool {
    /// An empty list in a folder.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn create(folder: &Path) -> Result<Self, SinkError> {
        let file = tempfile::tempfile_in(folder)
            .map_err(|error| SinkError::io("create a file in", folder, error))?;
        Ok(Self(Some(Arc::new(Mutex::new(Spool {
            folder: folder.to_owned(),
            writer: BufWriter::new(file),
            n_bytes: 0,
        })))))
    }

    /// Keeps nothing, for a run without an output.
    pub(super) fn uncollected() -> Self {
        Self(None)
    }

    /// Adds a record: the one with number `ordinal` in the input, from 1. Returns the bytes of the list.
    ///
    /// # Errors
    /// If the list cannot be written.
    pub fn add(&self, ordinal: u64, rejection: &Rejection) -> Result<u64, SinkError> {
        let Some(spool) = &self.0 else {
            return Ok(0);
        };
        let mut spool = spool.lock().unwrap_or_else(PoisonError::into_inner);
        let (id, reason) = (escape(&rejection.id), escape(&rejection.reason));
        let line = format!("{ordinal}\t{id}\t{reason}\n");
        let written = spool.writer.write_all(line.as_bytes());
        written.map_err(|error| SinkError::io("write a list in", &spool.folder, error))?;
        spool.n_bytes += line.len() as u64;
        Ok(spool.n_bytes)
    }

    /// Copies a range of its bytes.
    ///
    /// # Errors
    /// If it cannot be read, or `to` not be written.
    pub(super) fn copy(&self, range: Range<u64>, to: &mut impl Write) -> io::Result<()> {
        let Some(spool) = &self.0 else {
            return Ok(());
        };
        let file = {
            let mut spool = spool.lock().unwrap_or_else(PoisonError::into_inner);
            spool.writer.flush()?;
            spool.writer.get_ref().try_clone()?
        };
        let mut piece = vec![0; PIECE_BYTES];
        let mut from = range.start;
        while from < range.end {
            let n_bytes = PIECE_BYTES.min(usize::try_from(range.end - from).unwrap_or(PIECE_BYTES));
            file.read_exact_at(&mut piece[..n_bytes], from)?;
            to.write_all(&piece[..n_bytes])?;
            from += n_bytes as u64;
        }
        Ok(())
    }
}

/// `field` without the characters that end a field or a line.
fn escape(field: &str) -> String {
    let escaped = field.replace('\t', "\\t");
    escaped.replace('\n', "\\n").replace('\r', "\\r")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection(id: &str, reason: &str) -> Rejection {
        Rejection {
            id: id.to_owned(),
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn parts_take_what_is_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let spool = RejectsSpool::create(folder.path()).unwrap();
        let first = spool.add(2, &rejection("p2", "empty sequence")).unwrap();
        let end = spool.add(9, &rejection("odd\tid\r", "two\nlines")).unwrap();
        let copied = |range| {
            let mut copy = Vec::new();
            spool.copy(range, &mut copy).unwrap();
            String::from_utf8(copy).unwrap()
        };
        assert_eq!(copied(0..first), "2\tp2\tempty sequence\n");
        assert_eq!(copied(first..end), "9\todd\\tid\\r\ttwo\\nlines\n");
        assert_eq!(copied(first..first), "");
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_run_without_output_keeps_nothing() {
        let spool = RejectsSpool::uncollected();
        assert_eq!(spool.add(1, &rejection("p1", "empty")).unwrap(), 0);
    }
}
