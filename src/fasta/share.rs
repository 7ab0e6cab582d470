//! The share of the inputs that a shard has.

use super::{
    compression::Compression,
    error::InputError,
    input::{Input, InputKind},
    position::Offset,
};
use crate::job::Shard;

/// The share of the inputs that one of several processes reads: all, or consecutive records.
///
/// The inputs are cut by their bytes on the disk, one file after the other, so that each process knows all
/// cuts without reading anything. A record belongs to the share in which the line feed before it lies, as it
/// belongs to a work unit; see [`Extent`](super::Extent) for files that are compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    from: Cut,
    to: Cut,
    /// Bytes on the disk, unknown for pipes.
    disk_bytes: Option<u64>,
}

/// A place among the bytes of the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cut {
    input: usize,
    byte: u64,
}

impl Cut {
    /// The beginning of an input, or the end of all.
    fn before(input: usize) -> Self {
        Self { input, byte: 0 }
    }
}

impl Share {
    /// The share of `shard`, or all of the inputs.
    ///
    /// # Errors
    /// If one of them is a pipe, which cannot be divided.
    pub fn of(shard: Option<Shard>, inputs: &[Input]) -> Result<Self, InputError> {
        let shard = shard.filter(|shard| shard.is_a_part());
        let sizes: Option<Vec<_>> = inputs.iter().map(Input::size_bytes).collect();
        let (Some(shard), sizes) = (shard, &sizes) else {
            return Ok(Self {
                from: Cut::before(0),
                to: Cut::before(inputs.len()),
                disk_bytes: sizes.map(|sizes| sizes.iter().sum()),
            });
        };
        let Some(sizes) = sizes else {
            return Err(undividable(inputs));
        };
        let total: u64 = sizes.iter().sum();
        let (index, count) = (u64::from(shard.index()), u64::from(shard.count()));
        let place = |n: u64| {
            let place = u128::from(total) * u128::from(n) / u128::from(count);
            u64::try_from(place).expect("it is at most the total")
        };
        // The last share has the empty files at the end, too.
        let cut = |n: u64| match n {
            0 => Cut::before(0),
            n if n == count => Cut::before(inputs.len()),
            n => cut_at(place(n), sizes),
        };
        Ok(Self {
            from: cut(index),
            to: cut(index + 1),
            disk_bytes: Some(place(index + 1) - place(index)),
        })
    }

    /// Bytes on the disk, unknown for pipes.
    pub fn disk_bytes(&self) -> Option<u64> {
        self.disk_bytes
    }

    /// The first input of which something may be in it.
    pub fn first_input(&self) -> usize {
        self.from.input
    }

    /// The number of the first input of which nothing is in it any more.
    pub fn end_input(&self) -> usize {
        self.to.input + usize::from(self.to.byte > 0)
    }

    /// Whether all of an input is in it.
    pub fn covers(&self, input: usize) -> bool {
        self.from <= Cut::before(input) && Cut::before(input + 1) <= self.to
    }

    /// From which byte of an input on it has it.
    pub fn begins_at(&self, input: usize) -> u64 {
        match input == self.from.input {
            true => self.from.byte,
            false => 0,
        }
    }

    /// Up to which byte of an input it has it, if not to its end.
    pub(super) fn ends_at(&self, input: usize) -> Option<u64> {
        (input == self.to.input).then_some(self.to.byte)
    }

    /// From where on records of the input with this number are counted: who enters a file in the middle does
    /// not know how many come before.
    pub fn counts_from(&self, number: usize, input: &Input) -> Offset {
        let byte = self.begins_at(number);
        match input.kind {
            InputKind::File {
                compression: Compression::None,
                ..
            } if byte > 0 => Offset::Plain { byte },
            InputKind::File {
                compression: Compression::Bgzip,
                ..
            } if byte > 0 => Offset::Bgzip {
                block: byte,
                text: byte,
            },
            _ => Offset::Beginning,
        }
    }
}

/// The place that comes behind so many bytes of files of these sizes: the first file that begins there, or in
/// the middle of one.
fn cut_at(mut place: u64, sizes: &[u64]) -> Cut {
    for (input, size) in sizes.iter().enumerate() {
        if place < *size || place == 0 {
            return Cut { input, byte: place };
        }
        place -= size;
    }
    Cut::before(sizes.len())
}

fn undividable(inputs: &[Input]) -> InputError {
    let pipe = inputs.iter().find(|input| input.is_stream());
    InputError::new(
        pipe.map_or("-", |pipe| &pipe.name),
        "a pipe cannot be divided among shards: each of them would have to read all of it",
        "save its content to a file that all of them see, or run without shards: `--shard 0/1`",
    )
}
