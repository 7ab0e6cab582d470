//! Definition lines: `>id description`.

use std::borrow::Cow;

/// What stands at the beginning of a record.
pub(super) enum DefinitionLine {
    /// A definition that noodles-fasta can read.
    Named,
    /// Nothing or a blank follows the `>`.
    Nameless,
    /// A carriage return that no line feed follows ends the line.
    OldMac,
}

impl DefinitionLine {
    /// Looks at the definition line that `text` begins with. `None` if there is no text.
    pub(super) fn look_at(text: &[u8]) -> Option<Self> {
        let line_end = text.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        if let Some([b'\r', next, ..]) = line_end.map(|index| &text[index..])
            && !matches!(next, b'\n' | b'\r')
        {
            return Some(Self::OldMac);
        }
        match text {
            [] => None,
            [_] => Some(Self::Nameless),
            [_, first, ..] if first.is_ascii_whitespace() => Some(Self::Nameless),
            _ => Some(Self::Named),
        }
    }
}

/// Text with the bytes that are not UTF-8 written as `\xNN`.
pub(super) fn escape(text: &[u8]) -> Cow<'_, str> {
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
