//! How far the path of a missing folder goes.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// How far the path of a missing folder goes.
pub(super) fn why_missing(path: &Path) -> String {
    /// Neighbours that a message lists.
    const MOST: usize = 5;
    let is_something = |ancestor: &&Path| *ancestor != Path::new("") && ancestor.exists();
    let parent = path.ancestors().skip(1).find(is_something);
    let parent = parent.unwrap_or(Path::new(""));
    let rest = path.strip_prefix(parent).unwrap_or(path);
    let missing = PathBuf::from_iter(rest.iter().take(1));
    if let Ok(target) = parent.join(&missing).read_link() {
        return format!(
            "`{}` is a link to `{}`, which does not exist",
            parent.join(&missing).display(),
            target.display()
        );
    }
    if parent == Path::new("") {
        return format!(
            "`{}` is not in the working directory, `{}`",
            missing.display(),
            env::current_dir().unwrap_or_default().display()
        );
    }
    if parent.is_file() {
        return format!("`{}` is a file", parent.display());
    }
    let mut folders: Vec<String> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| format!("`{}`", entry.file_name().to_string_lossy()))
        .filter(|name| !name.starts_with("`."))
        .collect();
    folders.sort();
    let more = if folders.len() > MOST { ", ..." } else { "" };
    folders.truncate(MOST);
    let has = if folders.is_empty() {
        String::new()
    } else {
        format!("; it has {}{more}", folders.join(", "))
    };
    format!(
        "`{}` is there, but has no `{}` in it{has}",
        parent.display(),
        missing.display()
    )
}
