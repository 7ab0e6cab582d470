//! Names of models of the Hugging Face Hub.

use super::published;
use crate::{hub::Repository, model::plain_file};
use std::path::Path;

/// The repository that `source` names, if it looks like an id, behind which `@` and a revision may stand. The
/// names of Meta's ESM-2 models need no owner.
pub(super) fn hub_repository(source: &str, revision: Option<&str>) -> Option<Repository> {
    let (id, named) = match source.split_once('@') {
        Some((id, named)) => (id, Some(named)),
        None => (source, None),
    };
    let is_name = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    let id = match id.split_once('/') {
        Some((owner, name)) if is_name(owner) && is_name(name) => id.to_owned(),
        None if is_name(id) => published::owned(id)?,
        _ => return None,
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
