//! The file that a Parquet writer writes into.

use super::{
    super::{
        HashedFile,
        write_behind::{PIECE_BYTES, WriteBehind},
    },
    footer,
    pieces::Handover,
};
use std::io::{self, Write};

/// A file, which can be taken back from a Parquet writer that has finished. (The writer's own way to give it
/// back makes a text of the file system's error.) Another thread writes it, so that nothing here waits for the disk
/// as long as that is fast enough.
///
/// Once the file system has refused something nothing more is written, and the Parquet writer is not told:
/// it can still say then where the row groups before lie.
pub(super) struct Slot {
    file: Option<WriteBehind>,
    /// What is written next. Parquet writers bring it in small pieces.
    piece: Vec<u8>,
    /// What comes behind the data, from their end on: it is written when its checksum is in it.
    footer: Option<Vec<u8>>,
    /// Bytes that came so far, those that were handed over included.
    n_bytes: u64,
    /// Pieces that need not come through here.
    handover: Handover,
    /// Bytes that come next in place of pieces that were handed over.
    n_passed_over: usize,
}

impl Slot {
    /// # Errors
    /// If the system has no room for a thread.
    pub(super) fn new(file: HashedFile) -> io::Result<Self> {
        let file = WriteBehind::start(file)?;
        Ok(Self {
            piece: file.piece(),
            file: Some(file),
            footer: None,
            n_bytes: 0,
            handover: Handover::default(),
            n_passed_over: 0,
        })
    }

    /// Where pieces are handed over that are written from where they lie.
    pub(super) fn handover(&self) -> Handover {
        self.handover.clone()
    }

    /// Bytes that are in the file so far: not all that were written here.
    pub(super) fn n_bytes_in_file(&self) -> u64 {
        self.file.as_ref().map_or(0, WriteBehind::n_bytes)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.file.as_ref().is_some_and(WriteBehind::has_failed)
    }

    /// Waits until all that was flushed is in the file, and gives how many bytes that are, and their hash.
    pub(super) fn content(&self) -> io::Result<(u64, String)> {
        self.file.as_ref().ok_or_else(taken)?.content()
    }

    /// As [`content`](Self::content), when all data were written: the rest is the footer.
    pub(super) fn begin_footer(&mut self) -> io::Result<(u64, String)> {
        self.footer = Some(Vec::new());
        self.content()
    }

    /// The file, if all was written.
    pub(super) fn take(&mut self) -> io::Result<HashedFile> {
        if let Some(mut footer) = self.footer.take() {
            footer::seal(&mut footer)?;
            self.write_all(&footer)?;
        }
        self.hand_over()?;
        self.file.take().ok_or_else(taken)?.finish()
    }

    /// Hands over what is written next.
    fn hand_over(&mut self) -> io::Result<()> {
        let file = self.file.as_ref().ok_or_else(taken)?;
        if self.piece.is_empty() {
            return Ok(());
        }
        let next = file.piece();
        file.write(std::mem::replace(&mut self.piece, next))
    }
}

impl Write for Slot {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(footer) = &mut self.footer {
            footer.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        while self.n_passed_over == 0
            && let Some(pieces) = self.handover.take(self.n_bytes)
        {
            self.hand_over()?;
            self.n_passed_over = usize::try_from(pieces.n_bytes()).map_err(io::Error::other)?;
            let file = self.file.as_ref().ok_or_else(taken)?;
            pieces.into_iter().try_for_each(|piece| file.share(piece))?;
        }
        let n_bytes = if self.n_passed_over > 0 {
            let n_bytes = bytes.len().min(self.n_passed_over);
            self.n_passed_over -= n_bytes;
            n_bytes
        } else {
            if self.piece.len() >= PIECE_BYTES {
                self.hand_over()?;
            }
            let room = (PIECE_BYTES - self.piece.len()) as u64;
            let until = self.handover.next_at().unwrap_or(u64::MAX);
            let n_bytes = (bytes.len() as u64)
                .min(room)
                .min(until.saturating_sub(self.n_bytes));
            let n_bytes = n_bytes as usize;
            self.piece.extend_from_slice(&bytes[..n_bytes]);
            n_bytes
        };
        self.n_bytes += n_bytes as u64;
        Ok(n_bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hand_over()
    }
}

fn taken() -> io::Error {
    io::Error::other("the file is complete")
}
