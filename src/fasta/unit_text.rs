//! The text of a work unit, decompressed.

use super::{
    compression::{Compression, Surplus, bgzip_block_len},
    error::Fault,
    members,
    portion::{Bounds, FullReads, PortionText},
    unit::{Extent, Unit},
};
use nix::fcntl::OFlag;
use noodles_bgzf as bgzf;
use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader, Read, Seek, SeekFrom},
    ops::Range,
    os::unix::fs::{FileExt, OpenOptionsExt},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A few of the blocks of a bgzip file.
const BGZIP_BUFFER_BYTES: usize = 128 << 10;

/// The text of a work unit, decompressed.
pub(super) struct UnitText {
    /// The text from the unit's beginning on, also beyond its end.
    pub(super) content: Box<dyn Read + Send>,
    /// Where the unit begins and ends in the text of the whole file.
    pub(super) range: Range<u64>,
    /// Where in it the unit begins and ends, if that is found while it is read.
    pub(super) bounds: Option<Bounds>,
    /// How the file is compressed.
    pub(super) compression: Compression,
    /// The file.
    pub(super) file: Arc<File>,
    /// Bytes of the file that have been read so far.
    pub(super) disk_bytes: Arc<AtomicU64>,
}

impl UnitText {
    /// Opens the file of a unit.
    ///
    /// # Errors
    /// A fault is returned if the file cannot be read, or is not the one that it was.
    pub(super) fn open(unit: &Unit) -> Result<Self, Fault> {
        let unopenable = |error: io::Error| {
            Fault::of_file(
                format!("cannot be opened: {error}"),
                "check the file and the disk that it is on",
            )
        };
        if let Some(identity) = &unit.identity {
            identity.check_path(unit.path())?;
        }
        // A pipe in the place of a file shows behind the opening, which must not wait for a writer.
        let flags = unit.identity.map_or(OFlag::empty(), |_| OFlag::O_NONBLOCK);
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits())
            .open(unit.path());
        let file = Arc::new(opened.map_err(unopenable)?);
        if let Some(identity) = &unit.identity {
            identity.check(&file, unit.path())?;
        }
        Self::of_file(unit, file).map_err(unopenable)
    }

    fn of_file(unit: &Unit, file: Arc<File>) -> io::Result<Self> {
        if let Extent::Plain { start: first, .. } | Extent::Bgzip { block: first, .. } = unit.extent
        {
            file.as_ref().seek(SeekFrom::Start(first))?;
        }
        let disk_bytes = Arc::<AtomicU64>::default();
        let counted = Counted {
            file: file.clone(),
            n_bytes: disk_bytes.clone(),
        };
        let mut bounds = None;
        let (content, range, compression): (Box<dyn Read + Send>, _, _) = match unit.extent {
            Extent::Whole => {
                let (text, compression) = members::decode(counted, Arc::default())?;
                (text, 0..u64::MAX, compression)
            }
            Extent::Portion { from, to } => {
                let taken = Arc::<AtomicU64>::default();
                let (text, compression) = members::decode(FullReads(counted), taken.clone())?;
                let found = bounds.insert(Bounds::new(from, to)).clone();
                let text = PortionText::new(text, taken, found);
                (Box::new(text), 0..u64::MAX, compression)
            }
            Extent::Plain { start, end } => (Box::new(counted), start..end, Compression::None),
            Extent::Bgzip {
                block, start, end, ..
            } => {
                let buffered = BufReader::with_capacity(BGZIP_BUFFER_BYTES, counted);
                let text = BgzipText {
                    inner: bgzf::io::Reader::new(buffered),
                    file: file.clone(),
                    first_block: block,
                };
                (Box::new(text), start..end, Compression::Bgzip)
            }
        };
        Ok(Self {
            content,
            range,
            bounds,
            compression,
            file,
            disk_bytes,
        })
    }
}

/// The text of bgzip blocks.
struct BgzipText {
    inner: bgzf::io::Reader<BufReader<Counted>>,
    file: Arc<File>,
    /// Where the first block begins in the file.
    first_block: u64,
}

impl Read for BgzipText {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let result = self.inner.read(out);
        match result {
            Err(error) if error.raw_os_error().is_none() => self.explain(error),
            result => result,
        }
    }
}

impl BgzipText {
    /// What an error means if it is not within a block, but behind the last one.
    fn explain(&self, error: io::Error) -> io::Result<usize> {
        let mut offset = self.first_block + self.inner.position();
        let mut piece = [0; 4096];
        let mut n_bytes = self.file.read_at(&mut piece, offset)?;
        let head = &piece[..n_bytes];
        if Compression::Bgzip.may_begin_with(head) {
            let is_mixed = n_bytes >= Compression::HEAD_BYTES && bgzip_block_len(head).is_none();
            return Err(if is_mixed {
                let message = format!("at byte {offset}, bgzip and gzip data are mixed");
                io::Error::new(io::ErrorKind::InvalidData, message)
            } else {
                error
            });
        }
        // Zeros pad files on tapes.
        while n_bytes > 0 {
            if piece[..n_bytes].iter().any(|byte| *byte != 0) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, Surplus));
            }
            offset += n_bytes as u64;
            n_bytes = self.file.read_at(&mut piece, offset)?;
        }
        Ok(0)
    }
}

/// A file that counts what is read of it.
struct Counted {
    file: Arc<File>,
    n_bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.file.as_ref().read(out)?;
        self.n_bytes.fetch_add(n_bytes as u64, Ordering::Relaxed);
        Ok(n_bytes)
    }
}
