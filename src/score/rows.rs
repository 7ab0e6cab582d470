//! Rows of a text with delimiters, in which every quote has to make sense.
//!
//! A quote at the beginning of a field opens it, and one alone closes it; two of them are one that belongs to the text.
//! Where a field begins with another letter, quotes are letters. Whoever writes tables with tabs does the same.

use super::ScoreError;
use ::csv::ByteRecord;
use std::io::{BufRead, Read};

/// No row is longer: where a quote is never closed, nobody wants to read all that follows.
const MOST_BYTES: usize = 16 << 20;

/// Reads rows one after the other.
pub(super) struct Rows<R> {
    reader: R,
    /// As people know it.
    name: String,
    delimiter: u8,
    /// Lines read so far.
    n_lines: u64,
    line: Vec<u8>,
    field: Vec<u8>,
    spanning: Spanning,
}

/// Fields in quotes that go over several lines.
#[derive(Default)]
struct Spanning {
    n_fields: u64,
    /// The lines of the first one.
    first: (u64, u64),
}

impl<R: BufRead> Rows<R> {
    /// Those of a text that people know by a name.
    pub(super) fn new(reader: R, name: &str, delimiter: u8) -> Self {
        Self {
            reader,
            name: name.to_owned(),
            delimiter,
            n_lines: 0,
            line: Vec::new(),
            field: Vec::new(),
            spanning: Spanning::default(),
        }
    }

    /// Reads the next row, and gives the number of its first line, from 1. Nothing, at the end. Lines of blanks are no
    /// rows.
    ///
    /// # Errors
    /// It cannot be read, is too long, or has a quote that makes no sense.
    pub(super) fn next(&mut self, row: &mut ByteRecord) -> Result<Option<u64>, ScoreError> {
        row.clear();
        loop {
            self.line.clear();
            if !self.read_line(self.n_lines + 1)? {
                return Ok(None);
            }
            let delimiter = self.delimiter;
            let is_blank = |byte: &u8| byte.is_ascii_whitespace() && *byte != delimiter;
            if !self.line.iter().all(is_blank) {
                break;
            }
        }
        let first = self.n_lines;
        let mut at = 0;
        loop {
            self.field.clear();
            let end = match self.line.get(at) {
                Some(b'"') => self.quoted(at + 1)?,
                _ => at,
            };
            let rest = &self.line[end..];
            let is_end = |byte: &u8| [self.delimiter, b'\n'].contains(byte);
            let length = rest.iter().position(is_end).unwrap_or(rest.len());
            let text = &rest[..length];
            let is_last = rest.get(length) != Some(&self.delimiter);
            let text = match is_last {
                true => text.strip_suffix(b"\r").unwrap_or(text),
                false => text,
            };
            self.field.extend_from_slice(text);
            row.push_field(&self.field);
            if is_last {
                return Ok(Some(first));
            }
            at = end + length + 1;
        }
    }

    /// Reads a field in quotes from behind its first one, and says where its last one ends in the line at hand.
    fn quoted(&mut self, mut at: usize) -> Result<usize, ScoreError> {
        let opened = self.n_lines;
        loop {
            let rest = &self.line[at..];
            let Some(length) = rest.iter().position(|byte| *byte == b'"') else {
                self.field.extend_from_slice(rest);
                self.line.clear();
                at = 0;
                if self.field.len() > MOST_BYTES || !self.read_line(opened)? {
                    return Err(self.wrong(
                        opened,
                        "a quote opens a field here, and nothing closes it".to_owned(),
                    ));
                }
                continue;
            };
            self.field.extend_from_slice(&rest[..length]);
            at += length + 1;
            if self.line.get(at) == Some(&b'"') {
                self.field.push(b'"');
                at += 1;
                continue;
            }
            break;
        }
        let behind = self.line[at..].iter();
        let mut behind = behind.take_while(|byte| ![self.delimiter, b'\n'].contains(byte));
        if !behind.all(u8::is_ascii_whitespace) {
            let of = match opened == self.n_lines {
                true => String::new(),
                false => format!(" of the field that a quote opens in line {opened}"),
            };
            let message = format!("text follows the closing quote{of}");
            return Err(self.wrong(self.n_lines, message));
        }
        if opened != self.n_lines {
            if self.spanning.n_fields == 0 {
                self.spanning.first = (opened, self.n_lines);
            }
            self.spanning.n_fields += 1;
        }
        Ok(at)
    }

    /// Reads the next line, of a row that begins in line `first`. Says whether there is one.
    fn read_line(&mut self, first: u64) -> Result<bool, ScoreError> {
        let mut reader = (&mut self.reader).take(MOST_BYTES as u64 + 1);
        let read = reader.read_until(b'\n', &mut self.line);
        let n_bytes = read.map_err(|error| ScoreError::unread(&self.name, &error))?;
        if n_bytes > MOST_BYTES {
            return Err(ScoreError::Table {
                file: self.name.clone(),
                line: Some(first),
                message: format!("a row of more than {} MiB", MOST_BYTES >> 20),
                hint: Some("give a CSV or TSV file".to_owned()),
            });
        }
        self.n_lines += u64::from(n_bytes > 0);
        Ok(n_bytes > 0)
    }

    fn wrong(&self, line: u64, message: String) -> ScoreError {
        let hint = "close each quote; one that belongs to a text is written twice, and the text stands in quotes: \
                    `\"5\"\" primer\"`";
        ScoreError::Table {
            file: self.name.clone(),
            line: Some(line),
            message,
            hint: Some(hint.to_owned()),
        }
    }

    /// What is odd about the rows that were read, for people.
    pub(super) fn warning(&self) -> Option<String> {
        let Spanning {
            n_fields,
            first: (from, to),
        } = self.spanning;
        let what = match n_fields {
            0 => return None,
            1 => "a field in quotes goes".to_owned(),
            n => format!("{n} fields in quotes go"),
        };
        Some(format!(
            "{what} over several lines, such as that of lines {from} to {to} (if these are rows of their own, a quote is \
             one too many)"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Hint;

    type Table = (Vec<Vec<String>>, Vec<u64>, Option<String>);

    fn read(text: &str, delimiter: u8) -> Result<Table, String> {
        let mut rows = Rows::new(text.as_bytes(), "a.csv", delimiter);
        let mut row = ByteRecord::new();
        let (mut found, mut lines) = (Vec::new(), Vec::new());
        while let Some(line) = rows.next(&mut row).map_err(|error| error.in_full())? {
            let fields = row.iter();
            let fields = fields.map(|field| String::from_utf8_lossy(field).into_owned());
            found.push(fields.collect());
            lines.push(line);
        }
        Ok((found, lines, rows.warning()))
    }

    #[test]
    fn fields_are_told_apart() {
        let check = |text: &str, expect: &[&[&str]]| {
            for tabs in [false, true] {
                let (text, delimiter) = match tabs {
                    true => (text.replace(',', "\t"), b'\t'),
                    false => (text.to_owned(), b','),
                };
                let (rows, _, warning) = read(&text, delimiter).unwrap();
                assert_eq!(rows, expect, "{text:?}");
                assert_eq!(warning, None);
            }
        };
        check("a,b\n1,2", &[&["a", "b"], &["1", "2"]]);
        check("a,\"b\"\r\n\"1\",2\r\n", &[&["a", "b"], &["1", "2"]]);
        check("\"a\"\"\",\"\"\n", &[&["a\"", ""]]);
        check("5\" primer,3\"\n", &[&["5\" primer", "3\""]]);
        check("\"a\" ,b\n", &[&["a ", "b"]]);
        check("a,\n,\n", &[&["a", ""], &["", ""]]);
        check("a,b\n\n  \r\n1,2\n", &[&["a", "b"], &["1", "2"]]);
        check("\"\"\n", &[&[""]]);
        check("", &[]);
    }

    #[test]
    fn quotes_that_make_no_sense_have_a_line() {
        let check = |text: &str, line: u64, expect: &str| {
            for (text, delimiter) in [(text.to_owned(), b','), (text.replace(',', "\t"), b'\t')] {
                let message = read(&text, delimiter).unwrap_err();
                let place = format!("`a.csv`, line {line}: ");
                assert!(
                    message.starts_with(&place) && message.contains(expect),
                    "{message}"
                );
                assert!(message.contains("written twice"), "{message}");
            }
        };
        check("a,b\n1,\"5 prime\n2,ok\n3,ok\n", 2, "nothing closes it");
        check("a,b\n1,\"", 2, "nothing closes it");
        check(
            "a,b\n1,\"5\" primer\n",
            2,
            "text follows the closing quote (",
        );
        check(
            "a,b\n1,\"5 prime\n2,ok\n3,3\" end\n4,ok\n",
            4,
            "the closing quote of the field that a quote opens in line 2",
        );
        check(
            "a,b\n1,\"5 prime\n2,\"ok\n",
            3,
            "of the field that a quote opens in line 2",
        );
    }

    #[test]
    fn fields_of_several_lines_are_told_of() {
        let (rows, lines, warning) = read("a,b\n1,\"x\ny\"\n\n2,\"x\n\n\"\n3,z\n", b',').unwrap();
        assert_eq!(rows[1], ["1", "x\ny"]);
        assert_eq!(rows[3], ["3", "z"]);
        assert_eq!(lines, [1, 2, 5, 8]);
        let warning = warning.unwrap();
        assert!(
            warning.contains("2 fields") && warning.contains("lines 2 to 3"),
            "{warning}"
        );
    }

    #[test]
    fn nobody_reads_on_for_ever() {
        let text = format!("a,b\n1,\"x\n{}", "2,y\n".repeat(MOST_BYTES / 4 + 1));
        let message = read(&text, b',').unwrap_err();
        assert!(
            message.contains("line 2: ") && message.contains("nothing closes it"),
            "{message}"
        );
        let message = read(&"x".repeat(MOST_BYTES + 1), b',').unwrap_err();
        assert!(message.contains("line 1: a row of more"), "{message}");
    }
}
