//! How far the path of a missing folder goes.

use crate::model::fair_esm;
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
    if parent.is_file() {
        return format!("`{}` is a file", parent.display());
    }
    // Whoever names a file of fair-esm looks for files.
    let is_file = fair_esm::is_called_so(path);
    let is_in_place = parent == Path::new("");
    let listed = if is_in_place { Path::new(".") } else { parent };
    let mut names: Vec<String> = fs::read_dir(listed)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| match is_file {
            true => fair_esm::is_called_so(&entry.path()),
            false => !is_in_place && entry.path().is_dir(),
        })
        .map(|entry| format!("`{}`", entry.file_name().to_string_lossy()))
        .filter(|name| !name.starts_with("`."))
        .collect();
    names.sort();
    let more = if names.len() > MOST { ", ..." } else { "" };
    names.truncate(MOST);
    let has = if names.is_empty() {
        String::new()
    } else {
        format!("; it has {}{more}", names.join(", "))
    };
    if is_in_place {
        let name = match missing == path {
            true => "it".to_owned(),
            false => format!("`{}`", missing.display()),
        };
        let place = env::current_dir().unwrap_or_default();
        return format!(
            "{name} is not in the working directory, `{}`{has}",
            place.display()
        );
    }
    format!(
        "`{}` is there, but has no `{}` in it{has}",
        parent.display(),
        missing.display()
    )
}
