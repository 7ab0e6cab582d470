//! Where a path leads.

use std::{
    env, fs,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

/// Links on the way of a path at most, as on Linux.
const MOST_LINKS: usize = 40;

/// Where a path leads, through links and `..`, whether anything is there yet or not. Two paths by
/// which a file would be created twice lead to the same place.
pub fn destination(path: &Path) -> PathBuf {
    let mut place = env::current_dir().unwrap_or_default();
    follow(path, &mut place, &mut 0);
    place
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

/// The device and the inode of what a path leads to, if anything is there.
pub(super) fn file_id(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
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
}
