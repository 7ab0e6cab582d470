//! The texts of a script and of the modules that it imports.

use crate::{fasta::Compression, file};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::Path,
    rc::Rc,
};

/// A longer script is something else.
const MOST_BYTES: u64 = 16 << 20;

/// Texts by the name under which errors refer to them. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Sources(Rc<RefCell<BTreeMap<String, Rc<str>>>>);

impl Sources {
    pub(super) fn add(&self, name: &str, text: &str) {
        self.0.borrow_mut().insert(name.to_owned(), text.into());
    }

    pub(super) fn get(&self, name: &str) -> Option<Rc<str>> {
        self.0.borrow().get(name).cloned()
    }
}

/// Why a file cannot be run as a script.
#[derive(Debug)]
pub(super) struct Unreadable {
    /// What the file is or does, to stand after its name.
    pub(super) message: String,
    pub(super) hint: Option<String>,
    pub(super) is_missing: bool,
}

impl Unreadable {
    fn new(message: &str, hint: &str) -> Self {
        Self {
            message: message.to_owned(),
            hint: Some(hint.to_owned()),
            is_missing: false,
        }
    }
}

/// Reads the text of a script or a module, as the engine takes it: without a byte order mark, with a
/// comment in place of `#!`, and with line ends that it counts.
///
/// # Errors
/// The file cannot be read, or is no script.
pub(super) fn read(path: &Path) -> Result<String, Unreadable> {
    read_opened(path, |path| File::open(path))
}

/// As [`read`], of a file. Nobody waits for what may come through a pipe.
///
/// # Errors
/// As [`read`], and if it is no file.
pub(super) fn read_module(path: &Path) -> Result<String, Unreadable> {
    read_opened(path, file::open)
}

fn read_opened(
    path: &Path,
    open: impl FnOnce(&Path) -> io::Result<File>,
) -> Result<String, Unreadable> {
    let is_folder = path.is_dir();
    if is_folder {
        return Err(Unreadable::new(
            "is a folder",
            "name a script in it, a file that ends with `.rhai`",
        ));
    }
    let mut bytes = Vec::new();
    open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| Unreadable {
            message: format!("cannot be read: {error}"),
            hint: None,
            is_missing: error.kind() == io::ErrorKind::NotFound,
        })?;
    if let Some((message, hint)) = looks_like(&bytes) {
        return Err(Unreadable::new(message, hint));
    }
    if bytes.len() as u64 > MOST_BYTES {
        return Err(Unreadable::new(
            "is larger than 16 MiB, which no script is",
            "is it the right file? data belongs into files of its own",
        ));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        Unreadable::new(
            &format!("is not UTF-8 text: see line {line}"),
            "save it as UTF-8",
        )
    })?;
    Ok(as_engine_text(&text))
}

fn as_engine_text(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // A shell's line becomes a comment of the same length. Three slashes would be documentation.
    let text = match text.strip_prefix("#!") {
        Some(rest) => match rest.strip_prefix('/') {
            Some(rest) => format!("// {rest}"),
            None => format!("//{rest}"),
        },
        None => text.to_owned(),
    };
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// What a file is that cannot be a script, and what to do about it.
fn looks_like(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let is_script = "is it the right file? a script is text in Rhai";
    if Compression::sniff(bytes) != Compression::None {
        return Some(("is compressed", is_script));
    }
    let known: [(&[u8], &str, &str); 5] = [
        (b"PK\x03\x04", "is a zip archive", is_script),
        (b"\x7fELF", "is a program", is_script),
        (b"PAR1", "is a Parquet file", is_script),
        (b"\xff\xfe", "is UTF-16 text", "save it as UTF-8"),
        (b"\xfe\xff", "is UTF-16 text", "save it as UTF-8"),
    ];
    let found = known.iter().find(|(magic, ..)| bytes.starts_with(magic));
    if let Some((_, what, hint)) = found {
        return Some((what, hint));
    }
    if bytes.contains(&0) {
        return Some(("is binary", is_script));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = bytes.trim_ascii_start();
    let begins = |start: &str| {
        let head = &text[..text.len().min(start.len())];
        head.eq_ignore_ascii_case(start.as_bytes())
    };
    if begins(">") {
        return Some((
            "is FASTA",
            "a script reads it: `let proteins = fasta(\"proteins.fa\");`",
        ));
    }
    if begins("<!doctype") || begins("<html") || begins("<?xml") {
        return Some(("is a web page", is_script));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_bytes(bytes: &[u8]) -> Result<String, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        read(file.path()).map_err(|unreadable| unreadable.message)
    }

    #[test]
    fn texts_become_what_the_engine_counts() {
        let check = |bytes: &[u8], expect: &str| {
            assert_eq!(read_bytes(bytes).as_deref(), Ok(expect));
        };
        check(b"let a = 1;\nb", "let a = 1;\nb");
        check(b"\xef\xbb\xbflet a;", "let a;");
        check(b"#!/usr/bin/env runner\nx", "// usr/bin/env runner\nx");
        check(b"\xef\xbb\xbf#! /bin/x\r\ny\rz", "// /bin/x\ny\nz");
        check(b"", "");
    }

    #[test]
    fn files_that_are_no_scripts() {
        let check = |bytes: &[u8], expect: &str| {
            assert_eq!(read_bytes(bytes).unwrap_err(), expect);
        };
        check(b">sp|P1\nMKV\n", "is FASTA");
        check(b"\n<!DOCTYPE html>", "is a web page");
        check(b"\x1f\x8b\x08\0", "is compressed");
        check(b"let a\0", "is binary");
        check(b"a\nb\xff", "is not UTF-8 text: see line 2");
        check(b"\xff\xfea\0", "is UTF-16 text");
        check(
            &vec![b' '; 16 * 1024 * 1024 + 1],
            "is larger than 16 MiB, which no script is",
        );
        let device = read_module(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(device.message, "cannot be read: it is not a file");
        assert_eq!(read(Path::new("/")).unwrap_err().message, "is a folder");
        assert!(read(Path::new("no/such")).unwrap_err().is_missing);
    }
}
