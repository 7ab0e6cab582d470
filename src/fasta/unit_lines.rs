//! The lines of a work unit, and how far they go.

use super::definition::begins_record;
use memchr::memchr;
use std::{
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// The text of a unit, from its beginning up to the first definition line that belongs to a later
/// unit. That can be far behind the unit's end: a record may be longer than a unit.
///
/// It is handed out line by line, and a line that is longer than the buffer in pieces, so that a
/// line of any length costs no memory.
pub(super) struct UnitLines<R> {
    inner: R,
    buffer: Vec<u8>,
    /// What has been handed out and consumed: `buffer[..start]`.
    start: usize,
    /// What is handed out next: `buffer[start..piece_end]`, if that has been found.
    piece_end: usize,
    /// What has been read: `buffer[..filled]`.
    filled: usize,
    /// Whether a line begins at `buffer[start]`.
    at_line_start: bool,
    /// Where `buffer[start]` stands in the text.
    position: u64,
    /// Where its line begins in the text.
    line_position: u64,
    /// Where the unit ends in the text. Below, that may be found while it is read.
    end: Arc<AtomicU64>,
    inner_ended: bool,
    lines_ended: bool,
}

/// A line with its line feed, or a part of one that is longer than the buffer. It never ends within
/// a character.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    /// Empty at the end of the lines.
    pub(super) text: &'a [u8],
    /// Whether a line begins with it.
    pub(super) begins_line: bool,
}

const BUFFER_BYTES: usize = 256 << 10;

impl Piece<'_> {
    /// Whether a record begins with it.
    pub(super) fn begins_record(&self) -> bool {
        self.begins_line && begins_record(self.text)
    }
}

impl<R: Read> UnitLines<R> {
    /// The text of a unit that begins at byte `position` and ends at byte `end`. `inner` gives the
    /// text from `position` on.
    pub(super) fn new(inner: R, position: u64, end: u64) -> Self {
        Self::with_buffer(inner, position, end, BUFFER_BYTES)
    }

    /// The same lines up to an end that is known when what comes behind it has been read.
    pub(super) fn ending_at(self, end: Arc<AtomicU64>) -> Self {
        Self { end, ..self }
    }

    /// Where the unit ends, as far as that is known.
    fn end(&self) -> u64 {
        self.end.load(Ordering::Relaxed)
    }

    /// Where the line that comes next begins in the text.
    pub(super) fn line_position(&self) -> u64 {
        self.line_position
    }

    fn with_buffer(inner: R, position: u64, end: u64, buffer_bytes: usize) -> Self {
        Self {
            inner,
            buffer: vec![0; buffer_bytes],
            start: 0,
            piece_end: 0,
            filled: 0,
            at_line_start: position == 0,
            position,
            line_position: position,
            end: Arc::new(AtomicU64::new(end)),
            inner_ended: false,
            lines_ended: false,
        }
    }

    /// Goes to the first `>` that belongs to this unit, if there is one. Only for units that do not
    /// begin at the beginning of the text.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn skip_to_first_record(&mut self) -> io::Result<()> {
        loop {
            let piece = self.peek()?;
            if piece.text.is_empty() || piece.begins_record() {
                return Ok(());
            }
            let n_bytes = piece.text.len();
            self.consume(n_bytes);
            if self.at_line_start && self.line_position > self.end() {
                // Whatever comes now belongs to a later unit. Do not read to the end of a record
                // that is longer than the unit only to find that out.
                self.lines_ended = true;
            }
        }
    }

    /// What comes next: a line, or a piece of one. It stays until it is consumed.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn peek(&mut self) -> io::Result<Piece<'_>> {
        if !self.lines_ended {
            self.find_piece(self.buffer.len())?;
        }
        let mut piece = Piece {
            text: &self.buffer[self.start..self.piece_end.max(self.start)],
            begins_line: self.at_line_start,
        };
        if self.lines_ended || (self.line_position > self.end() && piece.begins_record()) {
            self.lines_ended = true;
            piece.text = &[];
        }
        Ok(piece)
    }

    /// What has been read and not been consumed, whatever lines it has.
    pub(super) fn buffered(&self) -> &[u8] {
        &self.buffer[self.start..self.filled]
    }

    /// The whole line that comes next, or `None` if it has more than `most_bytes`.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn peek_line(&mut self, most_bytes: usize) -> io::Result<Option<&[u8]>> {
        self.find_piece(most_bytes.max(self.buffer.len()))?;
        let line = &self.buffer[self.start..self.piece_end];
        let is_whole = line.ends_with(b"\n") || (self.inner_ended && self.piece_end == self.filled);
        Ok((is_whole && line.len() <= most_bytes).then_some(line))
    }

    /// Takes bytes of what [`peek`](Self::peek) gave.
    pub(super) fn consume(&mut self, n_bytes: usize) {
        if n_bytes > 0 {
            self.start += n_bytes;
            self.position += n_bytes as u64;
            self.at_line_start = self.buffer[self.start - 1] == b'\n';
            if self.at_line_start {
                self.line_position = self.position;
            }
        }
    }

    /// Takes blanks at the beginning of a line: what follows still begins it, and belongs to the unit at the
    /// beginning of the text, as no other one would see a record in it.
    pub(super) fn skip_in_line(&mut self, n_bytes: usize) {
        if n_bytes > 0 {
            self.consume(n_bytes);
            self.line_position = 0;
            self.at_line_start = true;
        }
    }

    /// Makes sure that the piece that comes next is known, and that it is a whole line if that has
    /// at most `most_bytes`.
    fn find_piece(&mut self, most_bytes: usize) -> io::Result<()> {
        let mut searched = self.start;
        if self.piece_end > self.start {
            if self.buffer[self.piece_end - 1] == b'\n' {
                return Ok(());
            }
            searched = self.piece_end;
        }
        loop {
            if let Some(index) = memchr(b'\n', &self.buffer[searched..self.filled]) {
                self.piece_end = searched + index + 1;
                return Ok(());
            }
            if self.inner_ended {
                self.piece_end = self.filled;
                return Ok(());
            }
            let n_bytes = self.filled - self.start;
            if n_bytes >= most_bytes {
                self.piece_end =
                    self.start + whole_characters(&self.buffer[self.start..self.filled]);
                return Ok(());
            }
            self.make_room(most_bytes);
            searched = self.start + n_bytes;
            match self.inner.read(&mut self.buffer[self.filled..]) {
                Ok(0) => self.inner_ended = true,
                Ok(n_bytes) => self.filled += n_bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes room behind what was read, in a buffer of at most `most_bytes`.
    fn make_room(&mut self, most_bytes: usize) {
        self.buffer.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.start = 0;
        self.piece_end = 0;
        if self.filled == self.buffer.len() {
            self.buffer.resize(most_bytes.min(2 * self.filled), 0);
        }
    }
}

/// How many bytes of `text` to hand out if more of its line follows: not the beginning of a
/// character of which the rest is missing.
fn whole_characters(text: &[u8]) -> usize {
    for n_behind in 1..=3.min(text.len().saturating_sub(1)) {
        let index = text.len() - n_behind;
        let n_bytes = match text[index] {
            0x80..0xc0 => continue,
            0xc0..0xe0 => 2,
            0xe0..0xf0 => 3,
            0xf0.. => 4,
            _ => 1,
        };
        if n_bytes > n_behind {
            return index;
        }
        break;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of the pieces, with `|` before each that begins a record.
    fn pieces(section: &mut UnitLines<impl Read>) -> String {
        let mut got = Vec::new();
        loop {
            let piece = section.peek().unwrap();
            if piece.text.is_empty() {
                return String::from_utf8(got).unwrap();
            }
            if piece.begins_record() {
                got.push(b'|');
            }
            assert!(str::from_utf8(piece.text).is_ok(), "{piece:?}");
            got.extend(piece.text);
            let n_bytes = piece.text.len();
            section.consume(n_bytes);
        }
    }

    fn check(text: &str, range: std::ops::Range<u64>, expect: &str) {
        for buffer_bytes in [8, 9, 11, 100] {
            let inner = &text.as_bytes()[range.start as usize..];
            let mut section = UnitLines::with_buffer(inner, range.start, range.end, buffer_bytes);
            if range.start > 0 {
                section.skip_to_first_record().unwrap();
            }
            let got = pieces(&mut section);
            assert_eq!(
                got, expect,
                "{text:?} {range:?}, a buffer of {buffer_bytes} bytes"
            );
            assert!(section.buffer.len() <= buffer_bytes);
        }
    }

    #[test]
    fn a_section_ends_before_the_first_record_of_the_next_unit() {
        let text = ">a\nAA\n>b\nBB\n>c\nCC";
        check(text, 0..1, "|>a\nAA\n");
        check(text, 0..5, "|>a\nAA\n");
        // The line feed before `>b` is byte 5.
        check(text, 0..6, "|>a\nAA\n|>b\nBB\n");
        check(text, 5..6, "|>b\nBB\n");
        check(text, 6..12, "|>c\nCC");
        check(text, 6..11, "");
        check(text, 12..18, "");
        check(text, 0..18, "|>a\nAA\n|>b\nBB\n|>c\nCC");
    }

    #[test]
    fn a_byte_order_mark_belongs_to_the_record_that_it_precedes() {
        let text = "\u{feff}>a\nAA\n\u{feff}>b\nBB\n";
        check(text, 0..8, "|\u{feff}>a\nAA\n");
        check(text, 0..9, "|\u{feff}>a\nAA\n|\u{feff}>b\nBB\n");
        check(text, 8..9, "|\u{feff}>b\nBB\n");
        check(text, 9..19, "");
    }

    #[test]
    fn a_greater_than_inside_a_line_is_no_record() {
        let text = ">a >x\nAA>y\n A>>>>>>>>>>>>>>>>>>>>>\r\r\r\nA\r>A\n>b\n";
        let expect = "|>a >x\nAA>y\n A>>>>>>>>>>>>>>>>>>>>>\r\r\r\nA\r>A\n|>b\n";
        check(text, 0..100, expect);
        check(text, 0..7, &expect[..expect.len() - 4]);
    }

    #[test]
    fn a_record_may_be_longer_than_a_unit() {
        let text = format!(">a\n{}\n>b\nB", "A".repeat(50));
        check(&text, 0..10, &format!("|{}", &text[..54]));
        check(&text, 10..20, "");
        check(&text, 50..56, "|>b\nB");
    }

    #[test]
    fn a_piece_never_ends_within_a_character() {
        check(
            &format!(">a\n{}", "A\u{e9}\u{20ac}\u{1f600}".repeat(9)),
            0..99,
            &format!("|>a\n{}", "A\u{e9}\u{20ac}\u{1f600}".repeat(9)),
        );
    }

    #[test]
    fn a_whole_line_costs_no_more_than_its_limit() {
        for (n_bytes, fits) in [
            (1, true),
            (99, true),
            (100, true),
            (101, false),
            (9999, false),
        ] {
            let text = [&vec![b'A'; n_bytes - 1][..], b"\nB\n"].concat();
            let mut section = UnitLines::with_buffer(&text[..], 0, 1 << 20, 8);
            let line = section.peek_line(100).unwrap().map(<[u8]>::len);
            assert_eq!(line, fits.then_some(n_bytes));
            assert!(section.buffer.len() <= 100);
            assert_eq!(pieces(&mut section).len(), text.len());
        }
    }
}
