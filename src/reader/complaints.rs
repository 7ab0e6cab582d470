//! What a reader writes to stderr, a line at a time and no more than anyone would read.

use crate::text::printable_line;
use std::io;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::ChildStderr,
};

/// Bytes of a line that are kept.
const MOST_LINE_BYTES: usize = 1000;

/// The lines that a reader writes to stderr.
pub(super) struct Complaints {
    stderr: BufReader<ChildStderr>,
    /// The beginning of the current line. It stays here when nobody waits for its end any more.
    line: Vec<u8>,
}

impl Complaints {
    pub(super) fn new(stderr: ChildStderr) -> Self {
        Self {
            stderr: BufReader::new(stderr),
            line: Vec::new(),
        }
    }

    /// The next line, shortened if it is long, without anything that a terminal would obey. `None`
    /// at the end.
    pub(super) async fn next(&mut self) -> io::Result<Option<String>> {
        loop {
            let text = self.stderr.fill_buf().await?;
            let at_end = text.is_empty();
            let line_end = text.iter().position(|byte| *byte == b'\n');
            let (line, n_bytes) = match line_end {
                Some(index) => (&text[..index], index + 1),
                None => (text, text.len()),
            };
            // One byte more than is shown tells that there was more.
            let n_wanted = (MOST_LINE_BYTES + 1).saturating_sub(self.line.len());
            self.line.extend(&line[..line.len().min(n_wanted)]);
            self.stderr.consume(n_bytes);
            if at_end && self.line.is_empty() {
                return Ok(None);
            }
            if at_end || line_end.is_some() {
                let line = shown(&self.line);
                self.line.clear();
                return Ok(Some(line));
            }
        }
    }
}

fn shown(line: &[u8]) -> String {
    let kept = &line[..line.len().min(MOST_LINE_BYTES)];
    let text = String::from_utf8_lossy(kept);
    let mut shown = printable_line(text.trim_end()).into_owned();
    if kept.len() < line.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_short_and_harmless() {
        assert_eq!(shown(b"no such luck\r"), "no such luck");
        assert_eq!(shown(b"\x1b[31mred\xff"), "\\u{1b}[31mred\u{fffd}");
        assert_eq!(
            shown(&[b'x'; MOST_LINE_BYTES + 1]).chars().count(),
            MOST_LINE_BYTES + 1
        );
    }
}
