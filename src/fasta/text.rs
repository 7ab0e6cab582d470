//! The text of a work unit, decompressed.

use super::{
    compression::{self, Compression},
    unit::{Extent, Unit},
};
use noodles_bgzf as bgzf;
use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A few of the blocks of a bgzip file.
const BGZIP_BUFFER_BYTES: usize = 128 << 10;

/// The text of a work unit, decompressed.
pub(super) struct Text {
    /// The text from the unit's beginning on, also beyond its end.
    pub(super) content: Box<dyn Read + Send>,
    /// Where the unit begins and ends in the text of the whole file.
    pub(super) range: Range<u64>,
    /// How the file is compressed.
    pub(super) compression: Compression,
    /// Bytes of the file that have been read so far.
    pub(super) disk_bytes: Arc<AtomicU64>,
}

impl Text {
    /// Opens the file of a unit.
    pub(super) fn open(unit: &Unit) -> io::Result<Self> {
        let mut file = File::open(unit.path())?;
        if let Extent::Plain { start: first, .. } | Extent::Bgzip { block: first, .. } = unit.extent
        {
            file.seek(SeekFrom::Start(first))?;
        }
        let disk_bytes = Arc::<AtomicU64>::default();
        let file = Counted {
            file,
            n_bytes: disk_bytes.clone(),
        };
        let (content, range, compression): (Box<dyn Read + Send>, _, _) = match unit.extent {
            Extent::Whole => {
                let (text, compression) = compression::decode(file)?;
                (text, 0..u64::MAX, compression)
            }
            Extent::Plain { start, end, .. } => (Box::new(file), start..end, Compression::None),
            Extent::Bgzip { start, end, .. } => {
                let file = BufReader::with_capacity(BGZIP_BUFFER_BYTES, file);
                let text = bgzf::io::Reader::new(file);
                (Box::new(text), start..end, Compression::Bgzip)
            }
        };
        Ok(Self {
            content,
            range,
            compression,
            disk_bytes,
        })
    }
}

/// A file that counts what is read of it.
struct Counted {
    file: File,
    n_bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.file.read(out)?;
        self.n_bytes.fetch_add(n_bytes as u64, Ordering::Relaxed);
        Ok(n_bytes)
    }
}
