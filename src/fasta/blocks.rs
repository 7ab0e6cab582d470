//! The blocks of a bgzip file, found by their headers.

use super::{
    compression::{self, Compression, bgzip_block_len},
    error::{Fault, FaultPlace},
    identity::Identity,
    unit::Extent,
};
use std::{fs::File, io, os::unix::fs::FileExt, path::PathBuf};

/// A block's header, and behind its data their checksum and length.
const LEAST_BLOCK_BYTES: u64 = Compression::HEAD_BYTES as u64 + 8;

/// What a block may be long, and a header, so that one of them begins within so many bytes.
const SEARCHED_BYTES: u64 = (64 << 10) + Compression::HEAD_BYTES as u64;
/// What each block begins with.
const MAGIC_BYTE: u8 = 0x1f;
/// Blocks that must follow each other where one is searched.
const CHAIN_BLOCKS: usize = 4;

/// Walks over the blocks of a bgzip file by their headers, without inflating them.
pub(super) struct Blocks {
    file: File,
    path: PathBuf,
    identity: Identity,
    file_bytes: u64,
    /// Where the next block begins, in the file.
    offset: u64,
    /// Where the next block begins, in the text.
    text_offset: u64,
    /// Where the first block begins that is not wanted any more, or the end of the file.
    end: u64,
    /// Whether the last block was empty, as the one that marks the end of a file is.
    ended_empty: bool,
}

impl Blocks {
    pub(super) fn open(path: PathBuf, identity: Identity) -> Result<Self, Fault> {
        identity.check_path(&path)?;
        let file = File::open(&path).map_err(|error| unreadable(&error))?;
        identity.check(&file, &path)?;
        let file_bytes = file.metadata().map_err(|error| unreadable(&error))?.len();
        Ok(Self {
            file_bytes,
            file,
            path,
            identity,
            offset: 0,
            text_offset: 0,
            end: file_bytes,
            ended_empty: false,
        })
    }

    /// Goes to a block, before the first is asked for.
    pub(super) fn enter(&mut self, block: u64, text: u64) {
        self.offset = block;
        self.text_offset = text;
    }

    /// Goes to the first block that begins at `byte` or behind it, before the first is asked for. What its
    /// text is preceded by nobody knows without having walked over all blocks before, so places in the text
    /// count from there; that they are not 0 says that the text does not begin there.
    pub(super) fn enter_behind(&mut self, byte: u64) -> Result<(), Fault> {
        let block = self.first_behind(byte)?;
        self.enter(block, block);
        Ok(())
    }

    /// Ends before the first block that begins at `byte` or behind it.
    pub(super) fn end_before(&mut self, byte: u64) -> Result<(), Fault> {
        let at = (self.offset, self.text_offset);
        self.end = self.first_behind(byte)?;
        self.enter(at.0, at.1);
        Ok(())
    }

    /// Whether there is no block between where it begins and where it ends.
    pub(super) fn has_none(&self) -> bool {
        self.offset >= self.end
    }

    /// Where the first block begins that begins at `byte` or behind it, or the end of the file. As a rule that
    /// costs a read of 64 KiB, wherever the place is.
    fn first_behind(&mut self, byte: u64) -> Result<u64, Fault> {
        let found = self.search(byte).map_err(|error| unreadable(&error));
        let found = match found {
            Ok(None) => self.walk_behind(byte),
            Ok(Some(block)) => Ok(block),
            Err(fault) => Err(fault),
        };
        if found.is_err() {
            self.identity.check(&self.file, &self.path)?;
        }
        found
    }

    /// Looks behind `byte` for a header from which a chain of blocks begins. Nothing is found close to the
    /// end of the file or to damage.
    fn search(&self, byte: u64) -> io::Result<Option<u64>> {
        let n_bytes = self.file_bytes.saturating_sub(byte).min(SEARCHED_BYTES);
        let mut bytes = vec![0; n_bytes as usize];
        self.file.read_exact_at(&mut bytes, byte)?;
        for index in memchr::memchr_iter(MAGIC_BYTE, &bytes) {
            let block = byte + index as u64;
            if bgzip_block_len(&bytes[index..]).is_some() && self.is_chain(block)? {
                return Ok(Some(block));
            }
        }
        Ok(None)
    }

    /// Whether blocks follow each other from here on, up to the end of the file or for long enough that it is
    /// no accident: what looks like a header may be compressed data.
    fn is_chain(&self, mut block: u64) -> io::Result<bool> {
        let mut head = [0; Compression::HEAD_BYTES];
        for _ in 0..CHAIN_BLOCKS {
            if block == self.file_bytes {
                return Ok(true);
            }
            if self.file_bytes - block < LEAST_BLOCK_BYTES {
                return Ok(false);
            }
            self.file.read_exact_at(&mut head, block)?;
            match bgzip_block_len(&head) {
                Some(n_bytes)
                    if (LEAST_BLOCK_BYTES..=self.file_bytes - block).contains(&n_bytes) =>
                {
                    block += n_bytes;
                }
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// As [`first_behind`](Self::first_behind), over all blocks from the beginning on.
    fn walk_behind(&mut self, byte: u64) -> Result<u64, Fault> {
        self.enter(0, 0);
        while self.offset < byte && self.offset < self.file_bytes {
            self.skip_block()?;
        }
        self.ended_empty = false;
        Ok(self.offset)
    }

    /// The next blocks that hold at least `text_bytes` bytes of text, or `None` at the end.
    pub(super) fn advance(&mut self, text_bytes: u64) -> Result<Option<Extent>, Fault> {
        let extent = self.find(text_bytes);
        if !matches!(extent, Ok(Some(_))) {
            // Damage in a file that changed is not its own.
            self.identity.check(&self.file, &self.path)?;
        }
        extent
    }

    fn find(&mut self, text_bytes: u64) -> Result<Option<Extent>, Fault> {
        let (block, start) = (self.offset, self.text_offset);
        while self.offset < self.end && self.text_offset - start < text_bytes {
            match self.skip_block() {
                Ok(()) => {}
                Err(fault) if self.offset == block => return Err(fault),
                // The good blocks first: the fault comes again with the next call.
                Err(_) => break,
            }
        }
        if self.offset == block {
            return if self.ended_empty || self.end < self.file_bytes {
                Ok(None)
            } else {
                Err(cut_short(
                    "it ends without the empty block that bgzip writes last",
                ))
            };
        }
        Ok(Some(Extent::Bgzip {
            block,
            next_block: self.offset,
            start,
            end: self.text_offset,
        }))
    }

    fn skip_block(&mut self) -> Result<(), Fault> {
        let remaining = self.file_bytes - self.offset;
        let mut head = [0; Compression::HEAD_BYTES];
        if self.ended_empty && self.skip_padding()? {
            return Ok(());
        }
        if remaining < head.len() as u64 {
            return Err(cut_short("it ends inside a block"));
        }
        self.file
            .read_exact_at(&mut head, self.offset)
            .map_err(|error| unreadable(&error))?;
        let block_len = bgzip_block_len(&head).ok_or_else(|| after_last_record(
            format!("no bgzip block begins at byte {}: the file is damaged, or bgzip and gzip data are mixed", self.offset),
            "test it with `gzip -t`; if it passes, `gunzip -c FILE | bgzip` makes one bgzip file of it",
        ))?;
        if block_len < LEAST_BLOCK_BYTES {
            return Err(after_last_record(
                format!(
                    "the bgzip data are damaged: the block at byte {} says that it has {block_len} bytes",
                    self.offset
                ),
                "copy or download it again, and test it with `bgzip --test` or `gzip -t`",
            ));
        }
        if block_len > remaining {
            return Err(cut_short("it ends inside a block"));
        }
        // A block ends with the length of its text.
        let mut text_len = [0; 4];
        let end = self.offset + block_len;
        self.file
            .read_exact_at(&mut text_len, end - 4)
            .map_err(|error| unreadable(&error))?;
        let text_len = u32::from_le_bytes(text_len);
        self.ended_empty = text_len == 0;
        self.offset = end;
        self.text_offset += u64::from(text_len);
        Ok(())
    }

    /// Goes to the end of the file if nothing but zeros follow, as in files from tapes. Other bytes
    /// that are no block are a fault.
    fn skip_padding(&mut self) -> Result<bool, Fault> {
        let mut piece = [0; 4096];
        let mut offset = self.offset;
        loop {
            let n_bytes = self
                .file
                .read_at(&mut piece, offset)
                .map_err(|error| unreadable(&error))?;
            let bytes = &piece[..n_bytes];
            if offset == self.offset && Compression::Bgzip.may_begin_with(bytes) {
                return Ok(false);
            }
            if bytes.iter().any(|byte| *byte != 0) {
                let (message, hint) = compression::surplus(Compression::Bgzip.name());
                return Err(after_last_record(message, &hint));
            }
            if bytes.is_empty() {
                self.offset = offset;
                return Ok(true);
            }
            offset += n_bytes as u64;
        }
    }
}

/// A fault that shows when all records before it have been read.
fn after_last_record(message: String, hint: &str) -> Fault {
    Fault {
        place: FaultPlace::After {
            n_records: 0,
            id: None,
        },
        message,
        hint: Some(hint.to_owned()),
    }
}

fn cut_short(how: &str) -> Fault {
    after_last_record(
        format!("the bgzip file is cut short: {how}"),
        "copy or download it again, and test it with `bgzip --test` or `gzip -t`",
    )
}

fn unreadable(error: &io::Error) -> Fault {
    Fault::of_file(
        format!("cannot be read: {error}"),
        "check the file and the disk that it is on",
    )
}
