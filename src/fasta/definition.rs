//! Definition lines: `>id description`.

use super::oddity::Oddity;
use memchr::memchr;
use noodles_fasta::{io::Reader, record::Definition};
use std::{borrow::Cow, io};

/// A longer definition line is no definition line.
pub(super) const MOST_DEFINITION_BYTES: usize = 1 << 20;
/// What programs of Windows write before text in UTF-8. Where files were joined, it stands inside.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// What PIR writes before the `;` and the id: the kind of a sequence.
const PIR_KINDS: [&[u8]; 9] = [
    b"P1", b"F1", b"DL", b"DC", b"RL", b"RC", b"N1", b"N3", b"XX",
];

/// What a definition line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DefinitionLine {
    /// The first word, empty if there is none.
    pub(super) id: String,
    /// The rest.
    pub(super) description: String,
    pub(super) n_nul_bytes: usize,
}

/// Whether a line is a definition line.
pub(super) fn begins_record(line: &[u8]) -> bool {
    without_marks(line).first() == Some(&b'>')
}

/// A line without the byte order marks that it begins with.
pub(super) fn without_marks(mut line: &[u8]) -> &[u8] {
    while let Some(rest) = line.strip_prefix(BYTE_ORDER_MARK) {
        line = rest;
    }
    line
}

impl DefinitionLine {
    /// Reads a definition line.
    ///
    /// # Errors
    /// The oddity that stops the run.
    pub(super) fn read(line: &[u8]) -> Result<Self, Oddity> {
        let line = without_marks(line).trim_ascii_end();
        if memchr(b'\r', line).is_some() {
            return Err(Oddity::CarriageReturn);
        }
        if is_pir(line) {
            return Err(Oddity::Pir);
        }
        let definition = parse(line).unwrap_or_else(|_| without_name(line));
        Ok(Self {
            id: escape(definition.name()).into_owned(),
            description: definition
                .description()
                .map_or_else(Cow::default, |description| escape(description))
                .into_owned(),
            n_nul_bytes: memchr::memchr_iter(0, line).count(),
        })
    }
}

/// Whether the kind of a sequence and a `;` stand before the id.
fn is_pir(line: &[u8]) -> bool {
    let text = line.get(1..).unwrap_or_default().trim_ascii_start();
    text.split_at_checked(2).is_some_and(|(kind, rest)| {
        rest.first() == Some(&b';')
            && PIR_KINDS
                .iter()
                .any(|known| kind.eq_ignore_ascii_case(known))
    })
}

fn parse(line: &[u8]) -> io::Result<Definition> {
    let mut definition = Definition::default();
    Reader::new(line).read_definition(&mut definition)?;
    Ok(definition)
}

/// Reads a definition line that noodles-fasta refuses, because nothing or a blank follows its `>`.
/// The first word behind blanks is the id, as in Biopython; there may be none.
fn without_name(line: &[u8]) -> Definition {
    let text = line.get(1..).unwrap_or_default().trim_ascii();
    let id_len = text
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(text.len());
    let (id, description) = text.split_at(id_len);
    Definition::new(id, Some(description.trim_ascii().into()))
}

/// Text with the bytes that are not UTF-8 written as `\xNN`.
fn escape(text: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(text) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for chunk in text.utf8_chunks() {
        escaped.push_str(chunk.valid());
        for byte in chunk.invalid() {
            escaped.push_str(&format!("\\x{byte:02X}"));
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_no_fasta_are_told() {
        let check = |line: &str, expect: Option<Oddity>| {
            assert_eq!(
                DefinitionLine::read(line.as_bytes()).err(),
                expect,
                "{line:?}"
            );
        };
        check(">a b\r\n", None);
        check(">a b\r\r\n", None);
        check(">a\rMKT\r\n", Some(Oddity::CarriageReturn));
        check(">P1;DEMO\n", Some(Oddity::Pir));
        check("\u{feff}>F1;DEMO\n", Some(Oddity::Pir));
        check(">dl;DEMO\n", Some(Oddity::Pir));
        check("> P1; DEMO\n", Some(Oddity::Pir));
        check(">P1 ;DEMO\n", None);
        check(">P1\n", None);
        check(">P12;x\n", None);
        check(">", None);
    }

    #[test]
    fn the_limit_is_the_one_that_the_message_names() {
        let limit = MOST_DEFINITION_BYTES.to_string();
        assert!(Oddity::LongDefinition.rule().text[0].contains(&limit));
    }
}
