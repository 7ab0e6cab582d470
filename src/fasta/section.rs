//! The lines of a work unit, and how far they go.

use std::io::{self, BufRead, Read};

/// The text of a unit, from its beginning up to the first definition line that belongs to a later
/// unit. That can be far behind the unit's end: a record may be longer than a unit.
///
/// The slices that it hands out end behind a line feed. noodles-fasta needs that: it takes a `>` at
/// the beginning of any slice for a new record, so a slice that ended in the middle of a line would
/// make the records depend on the size of a buffer. A line that is longer than the buffer is handed
/// out in pieces, none of which begins with `>`.
pub(super) struct Section<R> {
    inner: R,
    buffer: Vec<u8>,
    /// What has been handed out and consumed: `buffer[..start]`.
    start: usize,
    /// What may be handed out: `buffer[start..visible]`.
    visible: usize,
    /// What has been read: `buffer[..filled]`.
    filled: usize,
    /// Where `buffer[start]` stands in the text.
    position: u64,
    /// Where the unit ends in the text.
    end: u64,
    inner_ended: bool,
    section_ended: bool,
}

const DEFINITION_PREFIX: u8 = b'>';
const BUFFER_BYTES: usize = 256 << 10;

impl<R: Read> Section<R> {
    /// The text of a unit that begins at byte `position` and ends at byte `end`. `inner` gives the
    /// text from `position` on.
    pub(super) fn new(inner: R, position: u64, end: u64) -> Self {
        Self::with_buffer(inner, position, end, BUFFER_BYTES)
    }

    fn with_buffer(inner: R, position: u64, end: u64, buffer_bytes: usize) -> Self {
        Self {
            inner,
            buffer: vec![0; buffer_bytes],
            start: 0,
            visible: 0,
            filled: 0,
            position,
            end,
            inner_ended: false,
            section_ended: false,
        }
    }

    /// Where the next byte stands in the text.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Whether the text itself ended, and not only this section of it.
    pub(super) fn is_at_end_of_text(&self) -> bool {
        self.inner_ended && self.start == self.filled
    }

    /// Goes to the first `>` that belongs to this unit, if there is one. Only for units that do not
    /// begin at the beginning of the text.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn skip_to_first_record(&mut self) -> io::Result<()> {
        loop {
            self.skip_until(b'\n')?;
            if self.position > self.end {
                // Whatever comes now belongs to a later unit. Do not read to the end of a record
                // that is longer than the unit only to find that out.
                self.section_ended = true;
                self.visible = self.start;
            }
            let text = self.fill_buf()?;
            if text.is_empty() || text[0] == DEFINITION_PREFIX {
                return Ok(());
            }
        }
    }

    /// Reads until there is something to hand out, or nothing left.
    fn refill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.start = 0;
        self.visible = 0;
        loop {
            if let Some(visible) = self.whole_lines() {
                self.visible = visible;
                return Ok(());
            }
            if self.inner_ended {
                self.visible = self.filled;
                return Ok(());
            }
            if self.filled == self.buffer.len() {
                if let Some(cut) = self.cut_in_line() {
                    self.visible = cut;
                    return Ok(());
                }
                self.buffer.resize(2 * self.filled, 0);
            }
            match self.inner.read(&mut self.buffer[self.filled..]) {
                Ok(0) => self.inner_ended = true,
                Ok(n_bytes) => self.filled += n_bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// How much of the buffer is whole lines of this section, or `None` if more must be read.
    fn whole_lines(&mut self) -> Option<usize> {
        let text = &self.buffer[..self.filled];
        if self.position > self.end && text.first() == Some(&DEFINITION_PREFIX) {
            self.section_ended = true;
            return Some(0);
        }
        let lines_end = text.iter().rposition(|&byte| byte == b'\n')? + 1;
        // Line feeds from the unit's end on can be followed by a record of a later unit.
        let foreign = usize::try_from(self.end.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let next_unit = text.get(foreign..).and_then(|text| {
            text.windows(2)
                .position(|pair| pair == [b'\n', DEFINITION_PREFIX])
        });
        Some(next_unit.map_or(lines_end, |index| foreign + index + 1))
    }

    /// Where to divide a line that fills the whole buffer, if that is possible: before a byte that
    /// noodles-fasta cannot take for the beginning of a record or the end of a line.
    fn cut_in_line(&self) -> Option<usize> {
        let index = self.buffer[1..]
            .iter()
            .rposition(|&byte| byte != DEFINITION_PREFIX && byte != b'\r')?;
        Some(index + 1)
    }
}

impl<R: Read> Read for Section<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut text = self.fill_buf()?;
        let n_bytes = text.read(out)?;
        self.consume(n_bytes);
        Ok(n_bytes)
    }
}

impl<R: Read> BufRead for Section<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.visible && !self.section_ended {
            self.refill()?;
        }
        Ok(&self.buffer[self.start..self.visible])
    }

    fn consume(&mut self, n_bytes: usize) {
        self.start += n_bytes;
        self.position += n_bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, range: std::ops::Range<u64>, expect: &str) {
        for buffer_bytes in [2, 3, 5, 100] {
            let inner = &text.as_bytes()[range.start as usize..];
            let mut section = Section::with_buffer(inner, range.start, range.end, buffer_bytes);
            if range.start > 0 {
                section.skip_to_first_record().unwrap();
            }
            let mut got = String::new();
            section.read_to_string(&mut got).unwrap();
            assert_eq!(
                got, expect,
                "{text:?} {range:?}, a buffer of {buffer_bytes} bytes"
            );
        }
    }

    #[test]
    fn a_section_ends_before_the_first_record_of_the_next_unit() {
        let text = ">a\nAA\n>b\nBB\n>c\nCC";
        check(text, 0..1, ">a\nAA\n");
        check(text, 0..5, ">a\nAA\n");
        // The line feed before `>b` is byte 5.
        check(text, 0..6, ">a\nAA\n>b\nBB\n");
        check(text, 5..6, ">b\nBB\n");
        check(text, 6..12, ">c\nCC");
        check(text, 6..11, "");
        check(text, 12..18, "");
        check(text, 0..18, text);
    }

    #[test]
    fn a_greater_than_inside_a_line_is_no_record() {
        let text = ">a >x\nAA>y\n>>>>>>>>>\r\r\r\nA\r>A\n>b\n";
        check(text, 0..100, text);
        check(text, 0..7, ">a >x\nAA>y\n");
        check(text, 1..20, ">>>>>>>>>\r\r\r\nA\r>A\n");
    }

    #[test]
    fn a_record_may_be_longer_than_a_unit() {
        let text = format!(">a\n{}\n>b\nB", "A".repeat(50));
        check(&text, 0..10, &text[..54]);
        check(&text, 10..20, "");
        check(&text, 50..56, ">b\nB");
    }
}
