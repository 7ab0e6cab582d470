//! Files of a model's folder: opened only where they are files, read only where they are small.

use super::{
    ModelError,
    error::Reason,
    foreign::{Foreign, Stub},
};
use crate::file;
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// Opens a file, which has so many bytes now.
///
/// # Errors
/// If it is missing, a link to nothing, no file at all (opening a named pipe would wait for ever), or
/// cannot be opened.
pub(super) fn open(path: &Path) -> Result<(File, u64), ModelError> {
    let failed = |source| ModelError::Io {
        path: path.to_path_buf(),
        source,
    };
    let metadata = path
        .metadata()
        .map_err(|source| dangling(path, &source).unwrap_or_else(|| failed(source)))?;
    if !metadata.is_file() {
        return Err(bad(path, "it is not a file"));
    }
    let file = file::open(path).map_err(failed)?;
    let n_bytes = file.metadata().map_err(failed)?.len();
    Ok((file, n_bytes))
}

/// The text of a file of at most `most_bytes`.
///
/// # Errors
/// As [`open`], and if the file is larger, cannot be read, or is not text in UTF-8.
pub(super) fn read(path: &Path, most_bytes: u64) -> Result<String, ModelError> {
    let (file, _) = open(path)?;
    let mut bytes = Vec::new();
    file.take(most_bytes + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| ModelError::Io {
            path: path.to_path_buf(),
            source,
        })?;
    if bytes.len() as u64 > most_bytes {
        let reason = format!("it has more than {most_bytes} bytes, so it is something else");
        return Err(bad(path, reason));
    }
    // A page is complained of by who knows what the text must be.
    if let Some(Foreign::Stub(stub @ Stub::LfsPointer)) = Foreign::of(&bytes) {
        return Err(bad(path, stub.reason()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let position = error.utf8_error().valid_up_to();
        bad(path, format!("it is not UTF-8 text (byte {position})"))
    })
}

/// Whether there is anything of this name, a link to nothing included.
pub(super) fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// The error of a link to nothing, if that is why `path` was not found.
pub(super) fn dangling(path: &Path, error: &io::Error) -> Option<ModelError> {
    let target = match error.kind() {
        io::ErrorKind::NotFound => path.read_link().ok()?,
        _ => return None,
    };
    Some(ModelError::DanglingLink {
        path: path.to_path_buf(),
        target,
    })
}

fn bad(path: &Path, reason: impl Into<Reason>) -> ModelError {
    ModelError::BadFile {
        path: path.to_path_buf(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Hint;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn only_small_text_is_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("vocab.txt");
        let check = |content: &[u8], expect: &str| {
            fs::write(&path, content).expect("written");
            let error = read(&path, 100).expect_err("refused").in_full();
            assert!(error.contains(expect), "{error}");
        };
        check(&[b'a'; 101], "more than 100 bytes");
        check(b"abc\xff", "not UTF-8 text (byte 3)");
        check(
            b"version https://git-lfs.github.com/spec/v1\noid",
            "git lfs pull",
        );
        fs::write(&path, [b'a'; 100]).expect("written");
        assert_eq!(read(&path, 100).expect("small").len(), 100);
    }

    #[test]
    fn what_is_no_file_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        let check = |name: &str, expect: &str| {
            let error = open(&at(name)).expect_err("refused").to_string();
            assert!(error.contains(expect), "{error}");
        };
        symlink("blobs/abc", at("link")).expect("a link");
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        fs::create_dir(at("folder")).expect("a folder");
        check("link", "is a link to `blobs/abc`, which does not exist");
        check("pipe", "not a file");
        check("folder", "not a file");
        check("missing", "cannot read");
    }
}
