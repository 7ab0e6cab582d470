//! From the name of a model to its folder.

use super::{ModelError, error::Reason, fair_esm, foreign, plain_file};
use crate::{file::Home, job::nearest};
use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// The folder of the model that `source` names: a folder, or an id of the Hugging Face Hub whose
/// files are in the cache that HF's own tools fill. A model of fair-esm is a file, which a folder may hold.
///
/// # Errors
/// If there is no such folder or it has no `config.json`; the message says what is there instead, and
/// for an id how to fetch the files.
pub(super) fn locate(source: &str) -> Result<PathBuf, ModelError> {
    let path = Path::new(source);
    match path.metadata() {
        Ok(found) if found.is_dir() => return with_config(path),
        Ok(_) => {
            if let Some(file) = fair_esm::file_at(path) {
                return Ok(file);
            }
            return Err(ModelError::NotAFolder {
                path: path.to_path_buf(),
                reason: foreign::instead_of_a_folder(path),
            });
        }
        Err(error) => {
            if let Some(dangling) = plain_file::dangling(path, &error) {
                return Err(dangling);
            }
            // A file in the place of a folder on the way is found below.
            let kinds = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
            if !kinds.contains(&error.kind()) {
                return Err(ModelError::Io {
                    path: path.to_path_buf(),
                    source: error,
                });
            }
        }
    }
    if let Some(home) = Home::of(source) {
        return Err(ModelError::Tilde {
            source_text: source.to_owned(),
            home,
        });
    }
    let id = hub_id(source);
    if let Some(id) = &id
        && let Some(folder) = cache_folders().iter().find_map(|cache| snapshot(cache, id))
    {
        return Ok(folder);
    }
    match id {
        Some(id) if !is_local(path) => Err(match unpublished(&id) {
            Some(reason) => ModelError::NoFolder {
                source_text: source.to_owned(),
                reason,
            },
            None => ModelError::NotDownloaded {
                source_text: source.to_owned(),
                id,
            },
        }),
        _ => Err(ModelError::NoFolder {
            source_text: source.to_owned(),
            reason: why_missing(path).into(),
        }),
    }
}

/// The model's name for people: the id of a model of the Hub, else the name of its folder.
pub(super) fn display_name(source: &str, folder: &Path) -> String {
    if folder.is_file() {
        return fair_esm::name(folder);
    }
    if Path::new(source).is_dir() {
        // `canonicalize` gives a name to `.` and `..` too.
        let folder = folder
            .canonicalize()
            .unwrap_or_else(|_| folder.to_path_buf());
        return folder
            .file_name()
            .map_or_else(|| source.into(), |name| name.to_string_lossy().into_owned());
    }
    hub_id(source).unwrap_or_else(|| source.to_owned())
}

/// The files in a model's folder that loading it may read.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    if folder.is_file() {
        let files = [folder.to_path_buf(), fair_esm::regression(folder)];
        return files.into_iter().filter(|file| file.exists()).collect();
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_read = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let endings = [".safetensors", ".bin", ".pt", ".index.json"];
        ["config.json", "vocab.txt"].contains(&&*name)
            || endings.iter().any(|end| name.ends_with(end))
    };
    entries.map(|entry| entry.path()).filter(is_read).collect()
}

/// The folder, if it has a `config.json`.
fn with_config(folder: &Path) -> Result<PathBuf, ModelError> {
    if plain_file::exists(&folder.join("config.json")) {
        return Ok(folder.to_path_buf());
    }
    if let Some(file) = fair_esm::file_at(folder) {
        return Ok(file);
    }
    Err(ModelError::NoConfig {
        folder: folder.to_path_buf(),
        found: fair_esm::several_in(folder).or_else(|| foreign::in_the_folder(folder)),
    })
}

/// Whether a name that could be an id of the Hub is meant as a path: the folder that it would be in is
/// there, or is called as people call such folders.
fn is_local(path: &Path) -> bool {
    const FOLDERS: [&str; 16] = [
        "models",
        "model",
        "weights",
        "checkpoints",
        "checkpoint",
        "data",
        "examples",
        "esm",
        "esm2",
        "hub",
        "out",
        "output",
        "results",
        "runs",
        "tests",
        "tmp",
    ];
    match path.parent() {
        Some(parent) if parent != Path::new("") => {
            plain_file::exists(parent) || FOLDERS.iter().any(|folder| parent == Path::new(folder))
        }
        _ => false,
    }
}

/// How far the path of a missing folder goes.
fn why_missing(path: &Path) -> String {
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

/// The Hub id that `source` is, if it looks like one. The names of Meta's ESM-2 models need no
/// owner.
fn hub_id(source: &str) -> Option<String> {
    let is_name = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    match source.split_once('/') {
        Some((owner, name)) if is_name(owner) && is_name(name) => Some(source.to_owned()),
        None if source.starts_with("esm2_t") && is_name(source) => {
            Some(format!("facebook/{source}"))
        }
        _ => None,
    }
}

/// What is said of an id of Meta's that is none of the models that there are.
fn unpublished(id: &str) -> Option<Reason> {
    const PUBLISHED: [&str; 6] = [
        "esm2_t6_8M_UR50D",
        "esm2_t12_35M_UR50D",
        "esm2_t30_150M_UR50D",
        "esm2_t33_650M_UR50D",
        "esm2_t36_3B_UR50D",
        "esm2_t48_15B_UR50D",
    ];
    let name = id.strip_prefix("facebook/")?;
    if PUBLISHED.contains(&name) || !name.starts_with("esm2") {
        return None;
    }
    // `esm2_t6_8M` is nearest to the name that it begins.
    let begun = PUBLISHED.iter().copied().find(|all| all.starts_with(name));
    let meant = begun.or_else(|| nearest(name, &PUBLISHED));
    Some(Reason {
        text: format!("Meta has published no `{id}`"),
        hint: meant.map(|name| format!("did you mean `facebook/{name}`?")),
    })
}

/// Where HF's tools keep what they downloaded, by their own environment variables.
fn cache_folders() -> Vec<PathBuf> {
    // An empty variable is one that is not set.
    let variable = |name| {
        let value = env::var_os(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    };
    [
        variable("HF_HUB_CACHE"),
        variable("HF_HOME").map(|home| home.join("hub")),
        variable("XDG_CACHE_HOME").map(|cache| cache.join("huggingface/hub")),
        variable("HOME").map(|home| home.join(".cache/huggingface/hub")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The snapshot of `id` that the branch `main` of the cache points at.
fn snapshot(cache: &Path, id: &str) -> Option<PathBuf> {
    /// A commit's hash and a line end, with room to spare.
    const MOST_REVISION_BYTES: u64 = 256;
    let repository = cache.join(format!("models--{}", id.replace('/', "--")));
    let revision = plain_file::read(&repository.join("refs/main"), MOST_REVISION_BYTES).ok()?;
    let revision = revision.trim();
    let is_commit = revision.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let folder = repository.join("snapshots").join(revision);
    (is_commit && plain_file::exists(&folder.join("config.json"))).then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::joined;

    #[test]
    fn ids_are_recognised() {
        let check = |source, want: Option<&str>| {
            assert_eq!(hub_id(source).as_deref(), want, "{source}");
        };
        check(
            "facebook/esm2_t33_650M_UR50D",
            Some("facebook/esm2_t33_650M_UR50D"),
        );
        check("esm2_t6_8M_UR50D", Some("facebook/esm2_t6_8M_UR50D"));
        check("esm2", None);
        check("./models/esm2", None);
        check("../esm2", None);
        check("models/esm2/8M", None);
        check("models/esm2/", None);
        check("/models/esm2", None);
        check("a model", None);
    }

    #[test]
    fn models_that_nobody_published_are_told_from_those_that_are_not_here() {
        let check = |id: &str, expect: Option<&str>| match (unpublished(id), expect) {
            (Some(said), Some(part)) => {
                let said = joined(&said, said.hint.as_deref());
                assert!(said.contains(part), "{said}");
            }
            (said, part) => assert_eq!(said.is_some(), part.is_some(), "{id}: {said:?}"),
        };
        check("facebook/esm2_t33_650M_UR50D", None);
        check("someone/esm2_t33_650M", None);
        check("facebook/other", None);
        check("facebook/esm2_t6_8M", Some("`facebook/esm2_t6_8M_UR50D`?"));
        check(
            "facebook/esm2_t33_650M_UR50",
            Some("`facebook/esm2_t33_650M_UR50D`?"),
        );
        check(
            "facebook/esm2_t12_8M_UR50D",
            Some("Meta has published no `facebook/esm2_t12_8M_UR50D`"),
        );
    }

    #[test]
    fn the_cache_of_other_tools_is_used() {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let id = "facebook/esm2_t6_8M_UR50D";
        let repository = cache.path().join("models--facebook--esm2_t6_8M_UR50D");
        let folder = repository.join("snapshots/abc123");
        fs::create_dir_all(&folder).expect("snapshot");
        fs::create_dir_all(repository.join("refs")).expect("refs");
        let main = repository.join("refs/main");
        fs::write(&main, "abc123\n").expect("main");
        assert_eq!(snapshot(cache.path(), id), None, "no config.json yet");
        fs::write(folder.join("config.json"), "{}").expect("config");
        assert_eq!(snapshot(cache.path(), id), Some(folder));
        fs::write(&main, "../snapshots/abc123").expect("main");
        assert_eq!(snapshot(cache.path(), id), None, "not a commit");
    }
}
