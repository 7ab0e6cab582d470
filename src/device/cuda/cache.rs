//! Files that are made once for a machine: compiled kernels, choices of algorithms.
//!
//! What is in them runs on the GPU, so a file counts only if nobody else can have written it: folder
//! and file belong to this user, who alone may write to them, and the content's hash is keyed with
//! what the content was made from.

use crate::{
    file::{self, FileError, Keep},
    hint::Hint,
};
use nix::{fcntl::OFlag, unistd::Uid};
use std::{
    env,
    fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Bytes in a file of the cache before its content: the content's keyed BLAKE3.
const HASH_BYTES: usize = blake3::OUT_LEN;
/// No kernel is larger.
const MOST_BYTES: u64 = 64 << 20;
/// Who may write besides the owner, in the mode of a file.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// A folder of files, each named by a hash of what it was made from. Without a folder that this user
/// alone can write to, everything is made again.
pub(crate) struct Cache {
    folder: Option<PathBuf>,
}

impl Cache {
    /// The folder of this user: `$RUNNER_CACHE_DIR`, else `runner` in the user's cache folder; in it a
    /// folder with the user's number, as several may share one cache.
    pub(crate) fn of_user() -> Self {
        let variable = |name| {
            env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let folder = variable("RUNNER_CACHE_DIR")
            .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("runner")))
            .or_else(|| Some(PathBuf::from(file::home_folder()?).join(".cache/runner")));
        Self {
            folder: folder.map(|folder| folder.join(format!("user-{}", Uid::effective()))),
        }
    }

    /// Its folder, if there is one, and whether files can be kept there. The folder is made if it is missing.
    pub(crate) fn check(&self) -> Option<(PathBuf, io::Result<()>)> {
        let folder = self.folder.clone()?;
        let can_keep =
            private_folder(&folder).and_then(|()| tempfile::tempfile_in(&folder).map(drop));
        Some((folder, can_keep))
    }

    /// The content made from `origin`, or what `make` makes from it. A damaged file counts as none,
    /// and so does one that others could have written.
    ///
    /// # Errors
    /// If `make` fails.
    pub(crate) fn get_or_make<E>(
        &self,
        origin: &[&[u8]],
        make: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<Vec<u8>, E> {
        let key = hash_of(origin);
        let Some(folder) = &self.folder else {
            return make();
        };
        let path = folder.join(&key.to_hex()[..32]);
        match private_folder(folder).and_then(|()| read(&path, &key)) {
            Ok(Some(content)) => return Ok(content),
            Ok(None) => {}
            Err(error) => {
                // It costs time at each start, nothing else.
                tracing::info!("cannot use the cache `{}`: {error}", folder.display());
                return make();
            }
        }
        let content = make()?;
        if let Err(error) = write(&path, &key, &content) {
            tracing::info!("{}", error.in_full());
        }
        Ok(content)
    }
}

/// A hash of the parts, which names the file and keys the hash of its content.
fn hash_of(origin: &[&[u8]]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for part in origin {
        // The length separates the parts.
        hasher
            .update(&(part.len() as u64).to_le_bytes())
            .update(part);
    }
    hasher.finalize()
}

/// Makes the folder, if it is missing, and checks that this user alone can write to it.
fn private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    // A link would be followed to a folder that its owner can exchange.
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() {
        return Err(io::Error::other("it is not a folder"));
    }
    check_private(&found)
}

fn check_private(found: &Metadata) -> io::Result<()> {
    if found.uid() != Uid::effective().as_raw() {
        return Err(io::Error::other("it belongs to another user"));
    }
    if found.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(io::Error::other("other users may write to it"));
    }
    Ok(())
}

/// The content of a file that is there, whole, and this user's own.
fn read(path: &Path, key: &blake3::Hash) -> io::Result<Option<Vec<u8>>> {
    // Neither a link nor a pipe is a file of this cache.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path);
    let file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other(format!("`{}` is no file", path.display())));
    }
    check_private(&found)?;
    Ok(content(file, key))
}

/// What stands behind the hash, provided that the hash is right.
fn content(file: File, key: &blake3::Hash) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    let (hash, content) = bytes.split_at_checked(HASH_BYTES)?;
    let expected = blake3::keyed_hash(key.as_bytes(), content);
    // Comparing with a `Hash` takes the same time wherever the first difference is.
    (expected == *<&[u8; HASH_BYTES]>::try_from(hash).ok()?).then(|| content.to_vec())
}

/// Writes a file that this user alone may write to. Nobody else can reach it before that is so, as the
/// folder is private.
fn write(path: &Path, key: &blake3::Hash, content: &[u8]) -> Result<(), FileError> {
    let hash = blake3::keyed_hash(key.as_bytes(), content);
    file::replace(path, &[hash.as_bytes(), content].concat(), Keep::Briefly)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))
        .map_err(|error| FileError::io("set the rights of", path, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn cache(folder: &Path) -> Cache {
        Cache {
            folder: Some(folder.to_path_buf()),
        }
    }

    fn make(cache: &Cache, origin: &str, content: &str) -> String {
        let made = cache.get_or_make::<()>(&[origin.as_bytes()], || Ok(content.into()));
        String::from_utf8(made.expect("it is made")).expect("text")
    }

    fn only_file(folder: &Path) -> PathBuf {
        let mut files = fs::read_dir(folder).expect("the folder");
        let file = files.next().expect("a file").expect("a file").path();
        assert!(files.next().is_none(), "one file");
        file
    }

    #[test]
    fn a_content_is_made_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = cache(&folder.path().join("new"));
        assert_eq!(make(&cache, "a", "first"), "first");
        assert_eq!(make(&cache, "a", "second"), "first");
        assert_eq!(make(&cache, "b", "third"), "third");
    }

    #[test]
    fn a_damaged_file_is_made_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = cache(folder.path());
        make(&cache, "a", "first");
        let path = only_file(folder.path());
        for damage in [b"".as_slice(), b"short", &[0; 40]] {
            fs::write(&path, damage).expect("damaged");
            assert_eq!(make(&cache, "a", "again"), "again");
            assert_eq!(make(&cache, "a", "third"), "again", "it was mended");
        }
    }

    #[test]
    fn a_file_counts_for_what_it_was_made_from_only() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = cache(folder.path());
        make(&cache, "a", "of a");
        let of_a = only_file(folder.path());
        let bytes = fs::read(&of_a).expect("the file");
        fs::remove_file(&of_a).expect("removed");
        make(&cache, "b", "of b");
        fs::write(only_file(folder.path()), bytes).expect("planted");
        assert_eq!(make(&cache, "b", "of b again"), "of b again");
    }

    #[test]
    fn what_others_can_write_does_not_count() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let private = folder.path().join("cache");
        let cache = cache(&private);
        let allow = |path: &Path, mode: u32| {
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("its owner's");
        };
        make(&cache, "a", "first");
        let mode = |path: &Path| path.metadata().expect("metadata").mode() & 0o777;
        assert_eq!(mode(&private), 0o700);
        let file = only_file(&private);
        assert_eq!(mode(&file), 0o600);

        allow(&file, 0o666);
        assert_eq!(make(&cache, "a", "second"), "second");
        allow(&file, 0o600);
        assert_eq!(make(&cache, "a", "third"), "first");
        for mode in [0o777, 0o1777, 0o770] {
            allow(&private, mode);
            assert_eq!(make(&cache, "a", "fourth"), "fourth", "{mode:o}");
        }
        allow(&private, 0o700);

        let moved = folder.path().join("moved");
        fs::rename(&file, &moved).expect("moved");
        symlink(&moved, &file).expect("a link");
        assert_eq!(make(&cache, "a", "fifth"), "fifth", "a link to a file");
        let link = folder.path().join("link");
        symlink(&private, &link).expect("a link");
        let linked = Cache { folder: Some(link) };
        assert_eq!(make(&linked, "a", "sixth"), "sixth", "a link to a folder");
    }

    #[test]
    fn no_folder_is_no_error() {
        assert_eq!(make(&Cache { folder: None }, "a", "x"), "x");
        assert_eq!(make(&cache(Path::new("/proc/none")), "a", "x"), "x");
    }
}
