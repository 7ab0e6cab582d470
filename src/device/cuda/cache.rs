//! Files that are made once for a machine: compiled kernels, choices of algorithms.

use crate::file::{self, FileError, Keep};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Bytes in a file of the cache before its content: the content's BLAKE3.
const HASH_BYTES: usize = blake3::OUT_LEN;

/// A folder of files, each named by a hash of what it was made from. Without a folder that can be
/// written, everything is made again.
pub(crate) struct Cache {
    folder: Option<PathBuf>,
}

impl Cache {
    /// The folder of this user: `$RUNNER_CACHE_DIR`, else `runner` in the user's cache folder.
    pub(crate) fn of_user() -> Self {
        let variable = |name| {
            env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let folder = variable("RUNNER_CACHE_DIR")
            .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("runner")))
            .or_else(|| Some(variable("HOME")?.join(".cache/runner")));
        Self { folder }
    }

    /// The content made from `origin`, or what `make` makes from it. A damaged file counts as none.
    ///
    /// # Errors
    /// If `make` fails.
    pub(crate) fn get_or_make<E>(
        &self,
        origin: &[&[u8]],
        make: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<Vec<u8>, E> {
        let path = self
            .folder
            .as_ref()
            .map(|folder| folder.join(file_name(origin)));
        if let Some(content) = path.as_ref().and_then(read) {
            return Ok(content);
        }
        let content = make()?;
        if let Some(path) = path
            && let Err(error) = write(&path, &content)
        {
            // It costs time at the next start, nothing else.
            tracing::info!("{error}");
        }
        Ok(content)
    }
}

fn file_name(origin: &[&[u8]]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in origin {
        // The length separates the parts.
        hasher
            .update(&(part.len() as u64).to_le_bytes())
            .update(part);
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// The content of a file that is there and whole.
fn read(path: &PathBuf) -> Option<Vec<u8>> {
    let bytes = fs::read(path).ok()?;
    let (hash, content) = bytes.split_at_checked(HASH_BYTES)?;
    (blake3::hash(content).as_bytes() == hash).then(|| content.to_vec())
}

/// Writes a file under another name first, so that no other process finds half of it.
fn write(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let hash = blake3::hash(content);
    let bytes = [hash.as_bytes(), content].concat();
    file::replace(path, &bytes, Keep::Safely)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(cache: &Cache, origin: &str, content: &str) -> String {
        let made = cache.get_or_make::<()>(&[origin.as_bytes()], || Ok(content.into()));
        String::from_utf8(made.expect("it is made")).expect("text")
    }

    #[test]
    fn a_content_is_made_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = Cache {
            folder: Some(folder.path().join("new")),
        };
        assert_eq!(make(&cache, "a", "first"), "first");
        assert_eq!(make(&cache, "a", "second"), "first");
        assert_eq!(make(&cache, "b", "third"), "third");
    }

    #[test]
    fn a_damaged_file_is_made_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = Cache {
            folder: Some(folder.path().to_path_buf()),
        };
        make(&cache, "a", "first");
        let file = fs::read_dir(folder.path()).expect("the folder").next();
        let path = file.expect("a file").expect("a file").path();
        for damage in [b"".as_slice(), b"short", &[0; 40]] {
            fs::write(&path, damage).expect("damaged");
            assert_eq!(make(&cache, "a", "again"), "again");
        }
    }

    #[test]
    fn no_folder_is_no_error() {
        assert_eq!(make(&Cache { folder: None }, "a", "x"), "x");
        let folder = Some(PathBuf::from("/proc/none"));
        assert_eq!(make(&Cache { folder }, "a", "x"), "x");
    }
}
