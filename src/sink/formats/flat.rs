//! What lies one row after the other in a file, such as the numbers of a column.

use super::stored::{RowBuffer, RowSource};
use std::io::{self, BufRead, Read};

/// What lies one row after the other in a file.
pub(super) struct Flat {
    values: Box<dyn Read>,
    /// Bytes of a value.
    value_bytes: u64,
    /// Where each row ends. Nothing, if each is of one value.
    ends: Option<Ends>,
}

/// Numbers that say where rows end, in values from the first row on.
pub(super) struct Ends {
    numbers: Box<dyn Read>,
    /// Whether they have 32 bits, and not 64.
    are_short: bool,
    last: u64,
}

/// The ids of all rows.
pub(super) enum Ids {
    /// One after the other.
    Flat(Flat),
    /// A line each.
    Lines(Box<dyn BufRead>),
}

/// Rows of which everything lies flat in a file, or in several.
pub(super) struct FlatRows {
    /// Rows that are left.
    pub(super) n_left: u64,
    pub(super) ids: Ids,
    pub(super) sequences: Option<Flat>,
    /// The numbers of each column.
    pub(super) columns: Vec<Flat>,
}

impl Ends {
    /// Numbers of 64 bits, or of 32, of which the first belongs to the first row.
    pub(super) fn new(numbers: Box<dyn Read>, are_short: bool) -> Self {
        Self {
            numbers,
            are_short,
            last: 0,
        }
    }

    /// The values of the next row.
    fn next(&mut self) -> io::Result<u64> {
        let end = match self.are_short {
            true => i64::from(i32::from_le_bytes(exactly(&mut self.numbers)?)),
            false => i64::from_le_bytes(exactly(&mut self.numbers)?),
        };
        let end = u64::try_from(end).ok();
        let count = end.and_then(|end| end.checked_sub(self.last));
        self.last = end.unwrap_or(0);
        count.ok_or_else(|| invalid("a row ends before it begins"))
    }
}

impl Flat {
    /// Values of so many bytes, and where rows of them end.
    pub(super) fn new(values: Box<dyn Read>, value_bytes: usize, ends: Option<Ends>) -> Self {
        Self {
            values,
            value_bytes: value_bytes as u64,
            ends,
        }
    }

    /// Appends the next row.
    fn read(&mut self, to: &mut Vec<u8>) -> io::Result<()> {
        let count = match &mut self.ends {
            Some(ends) => ends.next()?,
            None => 1,
        };
        let n_bytes = count.checked_mul(self.value_bytes);
        let n_bytes = n_bytes.ok_or_else(|| invalid("a row is too long"))?;
        // Not more memory than there are bytes, whatever is said of them.
        let n_read = (&mut self.values).take(n_bytes).read_to_end(to)?;
        match n_read as u64 == n_bytes {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn text(&mut self) -> io::Result<String> {
        let mut bytes = Vec::new();
        self.read(&mut bytes)?;
        text(bytes)
    }
}

impl Ids {
    fn next(&mut self) -> io::Result<String> {
        match self {
            Self::Flat(ids) => ids.text(),
            Self::Lines(lines) => {
                let mut line = Vec::new();
                lines.read_until(b'\n', &mut line)?;
                line.pop_if(|last| *last == b'\n');
                text(line)
            }
        }
    }
}

impl RowSource for FlatRows {
    fn read(&mut self, rows: &mut RowBuffer) -> io::Result<bool> {
        if self.n_left == 0 {
            return Ok(false);
        }
        self.n_left -= 1;
        rows.ids.push(self.ids.next()?);
        if let Some(sequences) = &mut self.sequences {
            rows.sequences.push(sequences.text()?);
        }
        for (column, to) in self.columns.iter_mut().zip(&mut rows.columns) {
            column.read(to)?;
        }
        Ok(true)
    }
}

/// The next bytes of a number.
pub(super) fn exactly<const N: usize>(from: &mut dyn Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| invalid("a text is not in UTF-8"))
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
