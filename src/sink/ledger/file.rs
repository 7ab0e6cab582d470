//! The file of a ledger: begun, read, appended to.

use super::{Entry, Header, History, history::Reading, line};
use crate::{
    file::{self, Keep, sync_folder},
    sink::SinkError,
};
use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
};

/// Bytes that are enough for a line.
const ROOM_BYTES: usize = 4096;

/// A ledger that is written. Whoever has one owns the output: see [`Owner`](super::Owner).
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: File,
    /// Bytes of its lines. What stands behind them was torn.
    n_bytes: u64,
    /// Whether what stands behind its lines is room for the next one.
    has_room: bool,
}

impl Ledger {
    /// An empty ledger with its header, in the place of whatever was there. Missing folders are created.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn create(path: &Path, header: &Header) -> Result<Self, SinkError> {
        let mut ledger = Self {
            path: path.to_owned(),
            file: file::create(path)?,
            n_bytes: 0,
            has_room: false,
        };
        ledger.append(&Entry::Header(header.clone()))?;
        // Its name, and that of its folder, which may be new, too.
        path.ancestors().take(2).for_each(sync_folder);
        Ok(ledger)
    }

    /// A ledger to go on with, without what was torn at its end. Nothing, if it was never begun.
    ///
    /// # Errors
    /// - If a newer program wrote it, or its header is damaged and other lines are not.
    /// - If the file system refuses.
    pub fn open(path: &Path) -> Result<Option<(Self, History)>, SinkError> {
        let opened = File::options().read(true).write(true).open(path);
        let Some((file, reading)) = read_from(path, opened)? else {
            return Ok(None);
        };
        let mut ledger = Self {
            path: path.to_owned(),
            file,
            n_bytes: reading.n_bytes,
            has_room: false,
        };
        match reading.history {
            None => Ok(None),
            Some(history) => {
                let cut = ledger.cut();
                cut.map_err(|error| SinkError::io("write", path, error))?;
                Ok(Some((ledger, history)))
            }
        }
    }

    /// Whether its file still has its name.
    pub fn is_in_place(&self) -> bool {
        let id = |found: fs::Metadata| (found.dev(), found.ino());
        let named = fs::metadata(&self.path).map(id);
        matches!((named, self.file.metadata().map(id)), (Ok(named), Ok(own)) if named == own)
    }

    /// Finds room for the next entry. Readers take it for a line that was torn.
    ///
    /// # Errors
    /// If there is none.
    pub fn make_room(&mut self) -> Result<(), SinkError> {
        let made = self.cut().and_then(|()| {
            self.has_room = true;
            self.file.write_all_at(&[b' '; ROOM_BYTES], self.n_bytes)
        });
        made.map_err(|error| {
            let _ = self.cut();
            SinkError::io("write", &self.path, error)
        })
    }

    /// Adds an entry, which is on the disk then. Where that fails it is as if nothing had been tried.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn append(&mut self, entry: &Entry) -> Result<(), SinkError> {
        if let Entry::Commit(commit) = entry {
            // One without records is that of an output without rows, which has a part all the same.
            assert!(
                commit.from <= commit.to,
                "a commit ends behind its beginning"
            );
        }
        let line = line::write(entry) + "\n";
        self.write(line.as_bytes()).map_err(|error| {
            // It fails where the disk does. What is behind the lines is cut off before the next one.
            let _ = self.cut();
            SinkError::io("write", &self.path, error)
        })?;
        self.n_bytes += line.len() as u64;
        Ok(())
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if !self.has_room {
            self.cut()?;
        }
        self.has_room = false;
        self.file.write_all_at(line, self.n_bytes)?;
        self.file.set_len(self.n_bytes + line.len() as u64)?;
        self.file.sync_data()
    }

    /// Removes what stands behind the lines.
    fn cut(&mut self) -> io::Result<()> {
        self.has_room = false;
        if self.file.metadata()?.len() > self.n_bytes {
            self.file.set_len(self.n_bytes)?;
        }
        Ok(())
    }
}

/// Writes a whole ledger, in the place of whatever was there. It is on the disk then.
///
/// # Errors
/// If the file system refuses.
pub fn write(path: &Path, entries: &[Entry]) -> Result<(), SinkError> {
    let lines: String = entries
        .iter()
        .map(|entry| line::write(entry) + "\n")
        .collect();
    file::replace(path, lines.as_bytes(), Keep::Safely)?;
    Ok(())
}

/// What a ledger says, for onlookers: nothing is changed, and whoever writes it is not disturbed.
/// Nothing, if it was never begun.
///
/// # Errors
/// As [`Ledger::open`].
pub fn read(path: &Path) -> Result<Option<History>, SinkError> {
    let reading = read_from(path, file::open(path))?;
    Ok(reading.and_then(|(_, reading)| reading.history))
}

/// The header of a ledger, without what follows it. Nothing, if there is none that can be read.
pub fn read_header(path: &Path) -> Option<Header> {
    let mut line = Vec::new();
    let mut file = BufReader::new(file::open(path).ok()?);
    file.read_until(b'\n', &mut line).ok()?;
    match line::entry(line.strip_suffix(b"\n")?, path).ok()?? {
        Entry::Header(header) => Some(header),
        _ => None,
    }
}

fn read_from(path: &Path, opened: io::Result<File>) -> Result<Option<(File, Reading)>, SinkError> {
    let io = |error| SinkError::io("read", path, error);
    let mut file = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(io)?,
    };
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(io)?;
    let reading = Reading::of(&text, path)?;
    Ok(Some((file, reading)))
}
