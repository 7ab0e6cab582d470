//! Names of models of the Hugging Face Hub.

use super::published;
use crate::{
    hub::Repository,
    model::{error::Reason, plain_file},
};
use std::path::Path;

/// The repository that `source` names, if it looks like an id, behind which `@` and a revision may stand. The
/// names of Meta's ESM-2 models need no owner.
pub(super) fn hub_repository(source: &str, revision: Option<&str>) -> Option<Repository> {
    let (id, named) = match source.split_once('@') {
        Some((id, named)) => (id, Some(named)),
        None => (source, None),
    };
    if !Repository::is_id(id) {
        return None;
    }
    let id = match id.contains('/') {
        true => id.to_owned(),
        false => published::owned(id)?,
    };
    let revision = named.or(revision);
    if revision == Some("") {
        return None;
    }
    Some(Repository {
        id,
        revision: revision.map(str::to_owned),
    })
}

/// The repository that is meant by its address, or by an id with something around it, as people paste them.
pub(super) fn meant(source: &str) -> Option<Repository> {
    const HOSTS: [&str; 4] = [
        "huggingface.co/",
        "hf.co/",
        "git@huggingface.co:",
        "git@hf.co:",
    ];
    let text = source.trim();
    let path = match text.split_once("://") {
        Some(("hf", path)) => path,
        Some(("http" | "https" | "ssh" | "git", rest)) => rest.split_once('/')?.1,
        Some(_) => return None,
        None => HOSTS
            .iter()
            .find_map(|host| text.strip_prefix(host))
            .unwrap_or(text),
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = path.trim_end_matches('/').trim_end_matches(".git");
    let parts: Vec<&str> = path.split('/').collect();
    let (id, revision) = match parts.as_slice() {
        ["datasets" | "spaces", ..] => return None,
        [name] => ((*name).to_owned(), None),
        [owner, name] => (format!("{owner}/{name}"), None),
        [
            owner,
            name,
            "tree" | "blob" | "resolve" | "commit" | "commits",
            revision,
            ..,
        ] => (format!("{owner}/{name}"), Some(*revision)),
        _ => return None,
    };
    let repository = hub_repository(&id, revision.filter(|name| *name != "main"))?;
    (repository.to_string() != source && !is_local(Path::new(&repository.id))).then_some(repository)
}

/// What is said of an address that is not one of a model of the Hub, if it is an address.
pub(super) fn elsewhere(source: &str) -> Option<Reason> {
    let is_scheme = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '+')
    };
    let has_scheme = source
        .trim()
        .split_once("://")
        .is_some_and(|(scheme, _)| is_scheme(scheme));
    if !has_scheme && !source.trim().starts_with("git@") {
        return None;
    }
    let end = source
        .trim()
        .trim_end_matches('/')
        .rsplit(['/', ':'])
        .next();
    let name = end.and_then(|end| end.split('.').next());
    let id = name
        .filter(|name| published::is_published(name))
        .unwrap_or("esm2_t33_650M_UR50D");
    Some(Reason::new(
        "it is an address, and models are folders, files or ids of the Hub",
        format!("download the file and name it, or write an id, such as `{id}`"),
    ))
}

/// Whether a name that could be an id of the Hub is meant as a path: the folder that it would be in is
/// there, or is called as people call such folders.
pub(super) fn is_local(path: &Path) -> bool {
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

/// What is said of such a name: how it is meant as a path, and how the model of the Hub is had nonetheless.
pub(super) fn hint_of_a_path(path: &Path, repository: &Repository) -> String {
    let parent = path.parent().unwrap_or(path);
    let why = match plain_file::exists(parent) {
        true => "as there is a folder of that name here",
        false => "as many folders of models are called so",
    };
    format!(
        "names that begin with `{}/` are taken for paths, {why}; if `{repository}` is an id of the Hugging Face Hub, \
         `runner download {repository}` fetches it, and scripts find it from then on",
        parent.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_addresses_are_understood() {
        let check = |source: &str, expect: Option<&str>| {
            let found = meant(source).map(|repository| repository.to_string());
            assert_eq!(found.as_deref(), expect, "{source}");
        };
        for source in [
            "https://huggingface.co/a/b",
            "https://huggingface.co/a/b/",
            "https://huggingface.co/a/b/tree/main",
            "https://huggingface.co/a/b/blob/main/config.json?download=true",
            "http://mirror:8080/a/b#files",
            "huggingface.co/a/b",
            "hf://a/b",
            "git@hf.co:a/b",
            "git@huggingface.co:a/b.git",
            "ssh://git@hf.co/a/b",
            " a/b",
            "a/b/",
        ] {
            check(source, Some("a/b"));
        }
        check("https://hf.co/a/b/tree/v1", Some("a/b@v1"));
        check("hf://a/b@v1", Some("a/b@v1"));
        check(
            "https://huggingface.co/a/b/commit/0123abc",
            Some("a/b@0123abc"),
        );
        check("esm2_t6_8M_UR50D/", Some("facebook/esm2_t6_8M_UR50D"));
        check("https://huggingface.co/datasets/a/b", None);
        check("s3://a/b", None);
        check("a/b", None);
        check("./a/b/", None);
        check("/a/b/", None);
        check("models/b/", None);
    }

    #[test]
    fn addresses_of_others_are_no_models() {
        let hint = |source: &str| elsewhere(source).and_then(|reason| reason.hint);
        for (source, id) in [
            (
                "https://dl.fbaipublicfiles.com/fair-esm/models/esm2_t12_35M_UR50D.pt",
                "`esm2_t12_35M_UR50D`",
            ),
            ("s3://bucket/weights/", "`esm2_t33_650M_UR50D`"),
            ("git@github.com:a/b", "`esm2_t33_650M_UR50D`"),
        ] {
            assert!(meant(source).is_none(), "{source}");
            let hint = hint(source).expect("an address");
            assert!(
                hint.contains("download the file") && hint.contains(id),
                "{hint}"
            );
        }
        for source in ["a/b", "./a", "://a", "C:a"] {
            assert_eq!(hint(source), None, "{source}");
        }
    }

    #[test]
    fn ids_are_recognised() {
        let check = |source, want: Option<(&str, Option<&str>)>| {
            let found = hub_repository(source, None);
            let found = found.as_ref();
            let found = found.map(|found| (found.id.as_str(), found.revision.as_deref()));
            assert_eq!(found, want, "{source}");
        };
        check(
            "facebook/esm2_t33_650M_UR50D",
            Some(("facebook/esm2_t33_650M_UR50D", None)),
        );
        check(
            "esm2_t6_8M_UR50D",
            Some(("facebook/esm2_t6_8M_UR50D", None)),
        );
        check(
            "esm2_t6_8M_UR50D@v1",
            Some(("facebook/esm2_t6_8M_UR50D", Some("v1"))),
        );
        check("a/b@refs/pr/1", Some(("a/b", Some("refs/pr/1"))));
        check("a/b@", None);
        check("esm2", None);
        check("./models/esm2", None);
        check("../esm2", None);
        check("models/esm2/8M", None);
        check("models/esm2/", None);
        check("/models/esm2", None);
        check("a model", None);
        let given = hub_repository("a/b", Some("v2")).expect("an id");
        assert_eq!(given.to_string(), "a/b@v2");
    }
}
