//! Dividing inputs into work units, one at a time, so that a huge input costs no memory.

use super::{
    compression::{self, Compression, bgzip_block_len},
    error::{Fault, FaultPlace},
    identity::Identity,
    input::{Input, InputKind},
    position::{Offset, Position},
    unit::{Extent, Unit},
};
use std::{fs::File, io, os::unix::fs::FileExt, path::PathBuf};

/// The work units of some inputs, in input order. Each input has at least one.
pub struct Units {
    inputs: std::iter::Enumerate<std::vec::IntoIter<Input>>,
    /// Where the input begins that comes next.
    from: Offset,
    unit_bytes: u64,
    current: Option<Division>,
}

/// An input that cannot be divided any further, because it is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanFault {
    /// Index of the input, from 0.
    pub input: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// An input that is being divided.
enum Division {
    Plain {
        number: usize,
        input: Input,
        file_bytes: u64,
        start: u64,
    },
    Bgzip {
        number: usize,
        input: Input,
        blocks: Blocks,
    },
}

impl Units {
    /// Bytes of text in a unit: enough that asking for the next one costs nothing, few enough that
    /// small files keep several readers busy.
    pub const UNIT_BYTES: u64 = 2 << 20;

    /// The units of `inputs`, each of about `unit_bytes` bytes of text.
    pub fn new(inputs: Vec<Input>, unit_bytes: u64) -> Self {
        Self {
            inputs: inputs.into_iter().enumerate(),
            from: Offset::Beginning,
            unit_bytes: unit_bytes.max(1),
            current: None,
        }
    }

    /// The same units from `position` on: the first of them begins where `position` counts records
    /// from. Nothing before is opened.
    pub fn starting_at(mut self, position: &Position) -> Self {
        if let Some(last_before) = position.input.checked_sub(1) {
            self.inputs.nth(last_before);
        }
        self.from = position.from.clone();
        self
    }

    /// Begins with an input: gives its only unit, or what divides it.
    fn begin(&mut self, number: usize, input: Input) -> Result<Option<Unit>, Fault> {
        let from = std::mem::replace(&mut self.from, Offset::Beginning);
        let is_behind_end = |place| input.size_bytes().is_none_or(|size| place >= size);
        match (input.kind, from) {
            (
                InputKind::File {
                    identity,
                    compression: Compression::None,
                },
                from @ (Offset::Beginning | Offset::Plain { .. }),
            ) => {
                let start = from.disk_bytes();
                if start > 0 && is_behind_end(start) {
                    return Err(moved(start));
                }
                self.current = Some(Division::Plain {
                    number,
                    file_bytes: identity.size_bytes(),
                    input,
                    start,
                });
                Ok(None)
            }
            (
                InputKind::File {
                    identity,
                    compression: Compression::Bgzip,
                },
                from @ (Offset::Beginning | Offset::Bgzip { .. }),
            ) => {
                let mut blocks = Blocks::open(input.path.clone(), identity)?;
                if let Offset::Bgzip { block, text } = from {
                    if is_behind_end(block) {
                        return Err(moved(block));
                    }
                    blocks.enter(block, text);
                }
                self.current = Some(Division::Bgzip {
                    number,
                    input,
                    blocks,
                });
                Ok(None)
            }
            (_, Offset::Plain { byte: place } | Offset::Bgzip { block: place, .. }) => {
                Err(moved(place))
            }
            (_, Offset::Beginning) => {
                let disk_bytes = input.size_bytes().unwrap_or(0);
                Ok(Some(Unit::new(number, &input, Extent::Whole, disk_bytes)))
            }
        }
    }

    /// Ends the planning with a fault.
    fn fail(&mut self, input: usize, fault: Fault) -> Option<Result<Unit, PlanFault>> {
        self.current = None;
        self.inputs = Vec::new().into_iter().enumerate();
        Some(Err(PlanFault { input, fault }))
    }
}

impl Iterator for Units {
    type Item = Result<Unit, PlanFault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(division) = &mut self.current else {
                let (number, input) = self.inputs.next()?;
                match self.begin(number, input) {
                    Ok(Some(unit)) => return Some(Ok(unit)),
                    Ok(None) => continue,
                    Err(fault) => return self.fail(number, fault),
                }
            };
            let (number, input, extent, disk_bytes) = match division {
                Division::Plain {
                    number,
                    input,
                    file_bytes,
                    start,
                } => {
                    // An empty file has one unit too, so that it is counted and warned about.
                    if *start >= *file_bytes && *start > 0 {
                        self.current = None;
                        continue;
                    }
                    let from = *start;
                    let end = from.saturating_add(self.unit_bytes).min(*file_bytes);
                    *start = end.max(1);
                    let extent = Extent::Plain { start: from, end };
                    (*number, &*input, extent, end - from)
                }
                Division::Bgzip {
                    number,
                    input,
                    blocks,
                } => match blocks.advance(self.unit_bytes) {
                    Ok(Some(
                        extent @ Extent::Bgzip {
                            block, next_block, ..
                        },
                    )) => (*number, &*input, extent, next_block - block),
                    Ok(_) => {
                        self.current = None;
                        continue;
                    }
                    Err(fault) => {
                        let number = *number;
                        return self.fail(number, fault);
                    }
                },
            };
            return Some(Ok(Unit::new(number, input, extent, disk_bytes)));
        }
    }
}

/// A block's header, and behind its data their checksum and length.
const LEAST_BLOCK_BYTES: u64 = Compression::HEAD_BYTES as u64 + 8;

/// Walks over the blocks of a bgzip file by their headers, without inflating them.
struct Blocks {
    file: File,
    path: PathBuf,
    identity: Identity,
    file_bytes: u64,
    /// Where the next block begins, in the file.
    offset: u64,
    /// Where the next block begins, in the text.
    text_offset: u64,
    /// Whether the last block was empty, as the one that marks the end of a file is.
    ended_empty: bool,
}

impl Blocks {
    fn open(path: PathBuf, identity: Identity) -> Result<Self, Fault> {
        identity.check_path(&path)?;
        let file = File::open(&path).map_err(|error| unreadable(&error))?;
        identity.check(&file, &path)?;
        Ok(Self {
            file_bytes: file.metadata().map_err(|error| unreadable(&error))?.len(),
            file,
            path,
            identity,
            offset: 0,
            text_offset: 0,
            ended_empty: false,
        })
    }

    /// Goes to a block, before the first is asked for.
    fn enter(&mut self, block: u64, text: u64) {
        self.offset = block;
        self.text_offset = text;
    }

    /// The next blocks that hold at least `text_bytes` bytes of text, or `None` at the end.
    fn advance(&mut self, text_bytes: u64) -> Result<Option<Extent>, Fault> {
        let extent = self.find(text_bytes);
        if !matches!(extent, Ok(Some(_))) {
            // Damage in a file that changed is not its own.
            self.identity.check(&self.file, &self.path)?;
        }
        extent
    }

    fn find(&mut self, text_bytes: u64) -> Result<Option<Extent>, Fault> {
        let (block, start) = (self.offset, self.text_offset);
        while self.offset < self.file_bytes && self.text_offset - start < text_bytes {
            match self.skip_block() {
                Ok(()) => {}
                Err(fault) if self.offset == block => return Err(fault),
                // The good blocks first: the fault comes again with the next call.
                Err(_) => break,
            }
        }
        if self.offset == block {
            return if self.ended_empty {
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

/// A position that is none of the file.
fn moved(place: u64) -> Fault {
    Fault::of_file(
        format!(
            "is not the file of which a part was read before: reading cannot go on at byte {place}"
        ),
        "put that file in its place, or begin anew",
    )
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
