//! From the name of a model to its folder.

use super::ModelError;
use std::{
    env,
    path::{Path, PathBuf},
};

/// The folder of the model that `source` names: a folder, or an id of the Hugging Face Hub whose
/// files are in the cache that HF's own tools fill.
///
/// # Errors
/// If there is no such folder; for an id, the message says how to fetch the files.
pub(super) fn locate(source: &str) -> Result<PathBuf, ModelError> {
    let folder = Path::new(source);
    if folder.is_dir() {
        return Ok(folder.to_path_buf());
    }
    let Some(id) = hub_id(source) else {
        return Err(ModelError::NotFound(source.to_owned()));
    };
    cache_folders()
        .iter()
        .find_map(|cache| snapshot(cache, &id))
        .ok_or(ModelError::NotDownloaded { id })
}

/// The model's name for people: the id of a model of the Hub, else the name of its folder.
pub(super) fn display_name(source: &str, folder: &Path) -> String {
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
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_read = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let endings = [".safetensors", ".bin", ".pt", ".index.json"];
        ["config.json", "vocab.txt"].contains(&&*name)
            || endings.iter().any(|end| name.ends_with(end))
    };
    entries.map(|entry| entry.path()).filter(is_read).collect()
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

/// Where HF's tools keep what they downloaded, by their own environment variables.
fn cache_folders() -> Vec<PathBuf> {
    let variable = |name| env::var_os(name).map(PathBuf::from);
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
    let repository = cache.join(format!("models--{}", id.replace('/', "--")));
    let revision = std::fs::read_to_string(repository.join("refs/main")).ok()?;
    let folder = repository.join("snapshots").join(revision.trim());
    folder.join("config.json").is_file().then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        check("/models/esm2", None);
        check("a model", None);
    }

    #[test]
    fn the_cache_of_other_tools_is_used() {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let id = "facebook/esm2_t6_8M_UR50D";
        let repository = cache.path().join("models--facebook--esm2_t6_8M_UR50D");
        let folder = repository.join("snapshots/abc123");
        std::fs::create_dir_all(&folder).expect("snapshot");
        std::fs::create_dir_all(repository.join("refs")).expect("refs");
        std::fs::write(repository.join("refs/main"), "abc123\n").expect("main");
        assert_eq!(snapshot(cache.path(), id), None, "no config.json yet");
        std::fs::write(folder.join("config.json"), "{}").expect("config");
        assert_eq!(snapshot(cache.path(), id), Some(folder));
    }
}
