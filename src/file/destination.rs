//! Where a path leads.

use super::FileError;
use nix::errno::Errno;
use std::{
    env, fs,
    path::{Component, Path, PathBuf},
};

/// Links on the way of a path at most, as on Linux.
pub const MOST_LINKS: usize = 40;

/// Where a path leads, through links and `..`, whether anything is there yet or not. Two paths by
/// which a file would be created twice lead to the same place. Links that lead around in circles are
/// taken for files.
pub fn destination(path: &Path) -> PathBuf {
    let mut place = env::current_dir().unwrap_or_default();
    follow(path, &mut place, &mut 0);
    place
}

/// Where the links lead that `path` is, if it is one; nothing need be there.
///
/// # Errors
/// They lead around in circles.
pub(super) fn behind_links(path: &Path) -> Result<PathBuf, FileError> {
    // What is no link keeps the name that people know.
    if path.read_link().is_err() {
        return Ok(path.to_owned());
    }
    let place = destination(path);
    match place.read_link() {
        Ok(_) => Err(FileError::io("write", path, Errno::ELOOP.into())),
        Err(_) => Ok(place),
    }
}

fn follow(path: &Path, place: &mut PathBuf, n_links: &mut usize) {
    for component in path.components() {
        match component {
            Component::Prefix(_) | Component::CurDir => {}
            Component::RootDir => *place = PathBuf::from("/"),
            Component::ParentDir => {
                place.pop();
            }
            Component::Normal(name) => {
                place.push(name);
                if *n_links < MOST_LINKS
                    && let Ok(target) = fs::read_link(&place)
                {
                    *n_links += 1;
                    place.pop();
                    follow(&target, place, n_links);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn paths_of_one_place() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("a/b")).unwrap();
        symlink("a/b", at("link")).unwrap();
        symlink("../c/new", at("a/dangling")).unwrap();
        symlink("round", at("round")).unwrap();
        let base = destination(folder.path());
        let check = |path: &str, expect: &str| {
            assert_eq!(destination(&at(path)), base.join(expect), "{path}");
        };
        check("a/b/x", "a/b/x");
        check("a/./b//x", "a/b/x");
        check("link/x", "a/b/x");
        // Beside the folder that the link leads to, not beside the link.
        check("link/../x", "a/x");
        check("missing/../x", "x");
        check("a/dangling", "c/new");
        // It ends.
        destination(&at("round"));
        let here = env::current_dir().unwrap();
        assert_eq!(destination(Path::new("x/../y")), here.join("y"));
    }

    #[test]
    fn links_are_followed_to_their_end() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("inner")).unwrap();
        symlink("inner/second", at("first")).unwrap();
        symlink("../third", at("inner/second")).unwrap();
        symlink("round", at("round")).unwrap();
        let base = destination(folder.path());
        assert_eq!(behind_links(&at("first")).unwrap(), base.join("third"));
        assert!(behind_links(&at("round")).is_err());
        assert_eq!(behind_links(&at("inner")).unwrap(), at("inner"));
    }
}
