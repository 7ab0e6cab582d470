//! The files that a pattern matches.

use crate::file::destination;
use glob::Pattern;
use std::{
    collections::HashSet,
    ffi::OsStr,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// A folder that cannot be searched.
pub(super) type Unsearchable = (PathBuf, io::Error);

/// A part of a pattern between two slashes.
enum Part {
    /// A name.
    Literal(String),
    /// A pattern of names, and whether it is one of hidden names.
    Names(Pattern, bool),
    /// `**`: any folders below, or none.
    Folders,
}

/// A search for the files that a pattern matches.
struct Search {
    found: Vec<PathBuf>,
    /// The folders that were searched by `**`: how many parts were left, device and inode. Links can
    /// lead around in circles.
    searched: HashSet<(usize, u64, u64)>,
}

/// Whether a path is a pattern.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The files that a valid pattern matches, in alphabetical order. Hidden names are matched by parts
/// that begin with a dot only. Names that are not UTF-8 are matched as if other characters stood in
/// place of the bytes that are none, so that no file is passed over.
///
/// # Errors
/// A folder cannot be searched.
pub(super) fn files(pattern: &str) -> Result<Vec<PathBuf>, Unsearchable> {
    let mut search = Search {
        found: Vec::new(),
        searched: HashSet::new(),
    };
    // What ends in a slash is a folder.
    if !pattern.ends_with('/') {
        let root = if pattern.starts_with('/') { "/" } else { "" };
        search.walk(Path::new(root), &parts_of(pattern))?;
    }
    search.found.sort();
    search.found.dedup();
    Ok(search.found)
}

/// Whether a search would find a file whose path leads to `place`, were there one.
pub(super) fn could_match(pattern: &str, place: &Path) -> bool {
    if pattern.ends_with('/') {
        return false;
    }
    let root = if pattern.starts_with('/') { "/" } else { "" };
    covers(&destination(Path::new(root)), &parts_of(pattern), place)
}

/// Whether the parts match what leads from a folder to `place`.
fn covers(folder: &Path, parts: &[Part], place: &Path) -> bool {
    let Some((part, rest)) = parts.split_first() else {
        return folder == place;
    };
    let next = place.strip_prefix(folder).ok();
    let next = next.and_then(|below| below.iter().next());
    match part {
        Part::Literal(name) => covers(&destination(&folder.join(name)), rest, place),
        Part::Names(pattern, is_hidden) => next.is_some_and(|name| {
            let text = name.to_string_lossy();
            pattern.matches(&text)
                && (*is_hidden || !text.starts_with('.'))
                && covers(&folder.join(name), rest, place)
        }),
        Part::Folders => {
            let is_below = |name: &OsStr| {
                let is_hidden = name.as_encoded_bytes().starts_with(b".");
                !is_hidden && covers(&folder.join(name), parts, place)
            };
            covers(folder, rest, place) || next.is_some_and(is_below)
        }
    }
}

fn parts_of(pattern: &str) -> Vec<Part> {
    let parts = pattern.split('/').filter(|part| !part.is_empty());
    parts.map(Part::of).collect()
}

impl Part {
    fn of(text: &str) -> Self {
        match Pattern::new(text) {
            _ if text == "**" => Self::Folders,
            Ok(pattern) if is_pattern(text) => Self::Names(pattern, text.starts_with('.')),
            _ => Self::Literal(text.to_owned()),
        }
    }
}

impl Search {
    /// Adds what the parts match in a folder.
    fn walk(&mut self, folder: &Path, parts: &[Part]) -> Result<(), Unsearchable> {
        let Some((part, rest)) = parts.split_first() else {
            return Ok(());
        };
        match part {
            Part::Literal(name) => self.follow(folder.join(name), rest),
            Part::Names(pattern, is_hidden) => {
                for path in entries(folder)? {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    if pattern.matches(&name) && (*is_hidden || !name.starts_with('.')) {
                        self.follow(path, rest)?;
                    }
                }
                Ok(())
            }
            Part::Folders => {
                if !self.is_new(folder, parts.len()) {
                    return Ok(());
                }
                self.walk(folder, rest)?;
                for path in entries(folder)? {
                    let name = path.file_name().unwrap_or_default();
                    if name.as_encoded_bytes().starts_with(b".") {
                        continue;
                    }
                    if path.is_dir() {
                        self.walk(&path, parts)?;
                    } else if rest.is_empty() {
                        self.found.push(path);
                    }
                }
                Ok(())
            }
        }
    }

    /// Adds a path that matched so far, or what the other parts match in it.
    fn follow(&mut self, path: PathBuf, rest: &[Part]) -> Result<(), Unsearchable> {
        if path.is_dir() {
            self.walk(&path, rest)
        } else if rest.is_empty() && path.symlink_metadata().is_ok() {
            self.found.push(path);
            Ok(())
        } else {
            Ok(())
        }
    }

    fn is_new(&mut self, folder: &Path, n_parts: usize) -> bool {
        fs::metadata(here(folder)).is_ok_and(|metadata| {
            self.searched
                .insert((n_parts, metadata.dev(), metadata.ino()))
        })
    }
}

/// What is in a folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Unsearchable> {
    let failed = |error| (here(folder).to_path_buf(), error);
    fs::read_dir(here(folder))
        .map_err(failed)?
        .map(|entry| Ok(folder.join(entry.map_err(failed)?.file_name())))
        .collect::<Result<Vec<_>, _>>()
        .map(|mut paths| {
            paths.sort();
            paths
        })
}

fn here(folder: &Path) -> &Path {
    if folder == Path::new("") {
        Path::new(".")
    } else {
        folder
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        ffi::OsStr,
        os::unix::{ffi::OsStrExt, fs::symlink},
    };

    #[test]
    fn every_file_is_found_once_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &[u8]| folder.path().join(OsStr::from_bytes(name));
        fs::create_dir_all(at(b"s/t")).unwrap();
        fs::create_dir(at(b".h")).unwrap();
        for name in [
            &b"b.fa"[..],
            b"a\xff.fa",
            b".c.fa",
            b"s/x.fa",
            b"s/t/y.fa",
            b".h/z.fa",
        ] {
            fs::write(at(name), "").unwrap();
        }
        // Circles, which would be endless.
        symlink(".", at(b"l1")).unwrap();
        symlink("..", at(b"s/l2")).unwrap();
        symlink("..", at(b"s/l3")).unwrap();
        symlink("gone", at(b"lost.fa")).unwrap();
        let check = |pattern: &str, expect: &[&[u8]]| {
            let root = folder.path().to_str().unwrap();
            let found = files(&format!("{root}/{pattern}")).unwrap();
            let expect: Vec<_> = expect.iter().map(|name| at(name)).collect();
            assert_eq!(found, expect, "{pattern}");
        };
        check("*.fa", &[b"a\xff.fa", b"b.fa", b"lost.fa"]);
        check("[ab]?.fa", &[b"a\xff.fa"]);
        check(".*.fa", &[b".c.fa"]);
        check("*/x.fa", &[b"s/x.fa"]);
        check(".h/*", &[b".h/z.fa"]);
        check("*.fa/", &[]);
        check(
            "s/**/*.fa",
            &[
                b"s/l2/a\xff.fa",
                b"s/l2/b.fa",
                b"s/l2/lost.fa",
                b"s/t/y.fa",
                b"s/x.fa",
            ],
        );
        check("nothing/*.fa", &[]);
    }

    #[test]
    fn what_is_not_there_could_match() {
        let folder = tempfile::tempdir().unwrap();
        let root = destination(folder.path());
        fs::create_dir(root.join("a")).unwrap();
        std::os::unix::fs::symlink("a", root.join("way")).unwrap();
        let check = |pattern: &str, place: &str, expect: bool| {
            let pattern = format!("{}/{pattern}", root.display());
            let found = could_match(&pattern, &root.join(place));
            assert_eq!(found, expect, "{pattern} {place}");
        };
        check("a/*", "a/new", true);
        check("way/*", "a/new", true);
        check("a/../*.x", "new.x", true);
        check("*/*", "a/new", true);
        check("a/*", "a/b/new", false);
        check("a/*", "new", false);
        check("a/*", "a", false);
        check("*.fa", "new.parquet", false);
        check("*", ".new", false);
        check(".n*", ".new", true);
        check("*/new", "a/new", true);
        check("**", "a/b/new", true);
        check("**/*.x", "new.x", true);
        check("**/*.x", "a/b/new.x", true);
        check("**/*.x", "a/.b/new.x", false);
        check("a/*/", "a/new", false);
    }
}
