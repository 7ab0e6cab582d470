//! From the name of a model to its folder.

pub(in crate::model) mod absent;
mod hub_name;
mod missing_folder;
pub(in crate::model) mod needed;
mod published;

use super::{
    ModelError,
    error::Reason,
    fair_esm,
    file_names::{ADAPTER_CONFIG, CONFIG, MOST_INDEX_BYTES, VOCABULARY},
    foreign, plain_file,
};
use crate::{
    file::Home,
    hub::{Hub, Repository, Snapshot},
    job::{DeviceChoice, ModelSpec},
};
use absent::Absent;
use hub_name::hub_repository;
use missing_folder::why_missing;
use needed::{Need, Needed, needed};
use serde::Deserialize;
use std::{
    fs, io,
    iter::successors,
    path::{Path, PathBuf},
};

/// A model whose files are on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Here {
    /// Their folder, or the only file, as fair-esm has it.
    pub(super) folder: PathBuf,
    /// The model's name for people: the id of a model of the Hub, else the name of its folder.
    pub(super) name: String,
    /// Where it comes from, if that is known.
    pub(super) origin: Option<Origin>,
}

/// Where the files of a model come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The repository of the Hub.
    pub repository: String,
    /// The branch, tag or commit that was asked for.
    pub revision: String,
    /// The commit.
    pub commit: String,
}

/// Where the files of a model are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On this machine.
    Here(Here),
    /// On the Hub, some of them at least.
    Absent(Absent),
}

/// Which model an adapter changes.
#[derive(Deserialize)]
pub(super) struct Base {
    #[serde(rename = "base_model_name_or_path")]
    pub(super) source: String,
    #[serde(default)]
    pub(super) revision: Option<String>,
}

/// What is said of names that are no ids.
const NO_ID: &str = "ids are like `owner/name`";

/// How many models a name may lead to: an adapter, and the one that it changes.
pub(super) const MOST_MODELS: usize = 2;

/// Where the files are of the model that a script names, as far as `need` says: in a folder, or, by an id of the
/// Hugging Face Hub, in the cache that HF's own tools use. Nobody is asked.
///
/// # Errors
/// If there is no such folder, or it has no `config.json`, and the name is no id; the message says what is there
/// instead.
pub(super) fn locate(
    source: &str,
    revision: Option<&str>,
    need: Need,
) -> Result<Place, ModelError> {
    let path = Path::new(source);
    match path.metadata() {
        Ok(_) => {
            return match revision {
                None => in_place(path).map(Place::Here),
                Some(revision) => Err(ModelError::RevisionOfFolder {
                    folder: path.to_path_buf(),
                    revision: revision.to_owned(),
                }),
            };
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
    // Ids do not end as files of fair-esm do.
    let repository = hub_repository(source, revision).filter(|_| !fair_esm::is_called_so(path));
    let Some(repository) = repository else {
        return Err(ModelError::NoFolder {
            source_text: source.to_owned(),
            reason: match hub_name::meant(source) {
                Some(meant) if !fair_esm::is_called_so(path) => not_as_an_id(meant),
                _ => hub_name::elsewhere(source).unwrap_or_else(|| Reason {
                    text: why_missing(path),
                    hint: published::hint(source),
                }),
            },
        });
    };
    let snapshot = Hub::of_process().cached(&repository);
    if let Some(snapshot) = snapshot.filter(|snapshot| is_whole(&snapshot.folder, need)) {
        return Ok(Place::Here(Here::cached(&repository, snapshot)));
    }
    let no_folder = |reason| {
        Err(ModelError::NoFolder {
            source_text: source.to_owned(),
            reason,
        })
    };
    match (
        hub_name::is_local(path),
        published::unpublished(&repository.id),
    ) {
        (true, None) => no_folder(Reason {
            text: why_missing(path),
            hint: Some(hub_name::hint_of_a_path(path, &repository)),
        }),
        (true, Some(Reason { text, hint })) => no_folder(Reason {
            text: format!("{}, and {text}", why_missing(path)),
            hint,
        }),
        (false, Some(reason)) => no_folder(reason),
        (false, None) => Ok(Place::Absent(Absent {
            may_be_folder: !published::is_metas(&repository.id),
            repository,
            need,
        })),
    }
}

/// The repository of the Hub that a name stands for, whatever is on this machine.
///
/// # Errors
/// If it can be none, or there is no such model.
pub(super) fn on_the_hub(source: &str, revision: Option<&str>) -> Result<Absent, ModelError> {
    let no_id = |reason| ModelError::NoId {
        source_text: source.to_owned(),
        reason,
    };
    let repository = hub_repository(source, revision).ok_or_else(|| {
        let is_folder = Path::new(source).is_dir();
        no_id(match hub_name::meant(source) {
            _ if revision == Some("") || source.ends_with('@') => {
                "its revision is empty: leave it out, or name a branch, a tag or a commit".into()
            }
            Some(meant) if !is_folder => not_as_an_id(meant),
            _ => hub_name::elsewhere(source).unwrap_or_else(|| Reason {
                text: match is_folder {
                    true => "it is a folder, which is on this machine".to_owned(),
                    false => NO_ID.to_owned(),
                },
                hint: published::hint(source),
            }),
        })
    })?;
    match published::unpublished(&repository.id) {
        Some(reason) => Err(no_id(reason)),
        None => Ok(Absent {
            repository,
            need: Need::Weights,
            may_be_folder: false,
        }),
    }
}

/// What is said of a name that would be an id, were it written as one.
fn not_as_an_id(meant: Repository) -> Reason {
    Reason::new(NO_ID, format!("did you mean `{meant}`?"))
}

/// Where the model is that `spec` names and, if it is an adapter, those that it changes, as far as that is known
/// here.
pub(super) fn chain(spec: &ModelSpec) -> impl Iterator<Item = Result<Place, ModelError>> {
    let need = need(spec);
    let first = locate(&spec.source, spec.revision.as_deref(), need);
    let next = move |place: &Result<Place, ModelError>| match place {
        Ok(Place::Here(here)) => {
            let base = Base::of_folder(&here.folder)?;
            Some(base.locate(&here.folder, need))
        }
        _ => None,
    };
    successors(Some(first), next).take(MOST_MODELS)
}

/// How much of its model a spec needs.
pub(super) fn need(spec: &ModelSpec) -> Need {
    match spec.device {
        DeviceChoice::Mock => Need::Config,
        _ => Need::Weights,
    }
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
        [CONFIG, VOCABULARY, ADAPTER_CONFIG].contains(&&*name)
            || endings.iter().any(|end| name.ends_with(end))
    };
    entries.map(|entry| entry.path()).filter(is_read).collect()
}

impl Here {
    /// A model in the cache.
    pub(super) fn cached(repository: &Repository, snapshot: Snapshot) -> Self {
        Self {
            folder: snapshot.folder,
            name: repository.id.clone(),
            origin: Some(Origin {
                repository: repository.id.clone(),
                revision: repository.revision().to_owned(),
                commit: snapshot.commit,
            }),
        }
    }

    /// A model in a folder that was named.
    fn folder(path: &Path) -> Self {
        // A link is called as whoever made it calls it. `canonicalize` gives a name to `.` and `..`.
        let whole = || path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let named = match path.file_name() {
            Some(_) => path.to_path_buf(),
            None => whole(),
        };
        let name = named.file_name().unwrap_or(path.as_os_str());
        Self {
            folder: path.to_path_buf(),
            name: name.to_string_lossy().into_owned(),
            origin: None,
        }
    }

    /// A model in a file of fair-esm.
    fn file(path: PathBuf) -> Self {
        Self {
            name: fair_esm::name(&path),
            folder: path,
            origin: None,
        }
    }
}

/// The model at a path where there is something: a folder with a `config.json` or of an adapter, or a file of
/// fair-esm, which may be in a folder.
fn in_place(path: &Path) -> Result<Here, ModelError> {
    let has = |name: &str| plain_file::exists(&path.join(name));
    if has(CONFIG) || has(ADAPTER_CONFIG) {
        return Ok(Here::folder(path));
    }
    if let Some(file) = fair_esm::file_at(path) {
        return Ok(Here::file(file));
    }
    if !path.is_dir() {
        return Err(ModelError::NotAFolder {
            path: path.to_path_buf(),
            reason: foreign::instead_of_a_folder(path),
        });
    }
    Err(ModelError::NoConfig {
        folder: path.to_path_buf(),
        found: fair_esm::several_in(path).or_else(|| foreign::in_the_folder(path)),
    })
}

/// Whether a snapshot of the cache has all that is needed. A link to a file that is gone is none.
fn is_whole(folder: &Path, need: Need) -> bool {
    let has = |name: &str| folder.join(name).is_file();
    let read = |name: &str| plain_file::read(&folder.join(name), MOST_INDEX_BYTES);
    // A model may have no such file, but this one had it.
    if !has(VOCABULARY) && plain_file::exists(&folder.join(VOCABULARY)) {
        return false;
    }
    needed(need, has, read)
        .is_ok_and(|Needed { names, lacks }| lacks.is_none() && names.iter().all(|name| has(name)))
}

/// Whether a folder is that of an adapter.
pub(super) fn is_adapter(folder: &Path) -> bool {
    needed::is_adapter(|name| plain_file::exists(&folder.join(name)))
}

impl Base {
    /// That of the adapter in a folder, if there is one.
    pub(super) fn of_folder(folder: &Path) -> Option<Self> {
        if !is_adapter(folder) {
            return None;
        }
        let text = plain_file::read(&folder.join(ADAPTER_CONFIG), MOST_INDEX_BYTES).ok()?;
        Self::of_text(&text)
    }

    /// That of an adapter by the text of its configuration. One that makes no sense is complained of by who
    /// loads the adapter.
    fn of_text(text: &str) -> Option<Self> {
        let base: Option<Self> = serde_json::from_str(text).ok();
        base.filter(|base| !base.source.trim().is_empty())
    }

    /// That of the adapter in a folder, if there is one.
    ///
    /// # Errors
    /// If there is one that names none.
    pub(super) fn of_adapter(folder: &Path) -> Result<Option<Self>, ModelError> {
        match Self::of_folder(folder) {
            None if is_adapter(folder) => {
                let path = folder.join(ADAPTER_CONFIG);
                let text = plain_file::read(&path, MOST_INDEX_BYTES)?;
                let reason = Self::why_none(&text);
                Err(ModelError::BadFile { path, reason })
            }
            base => Ok(base),
        }
    }

    /// Why the text of an adapter's configuration names none.
    fn why_none(text: &str) -> Reason {
        match serde_json::from_str::<serde_json::Value>(text) {
            // Python writes numbers that JSON does not have.
            Err(error) => format!("it is not valid JSON: {error}").into(),
            Ok(_) => Reason::new(
                "it names no model that the adapter changes",
                "write the id or the folder of that model as its `base_model_name_or_path`",
            ),
        }
    }

    /// Where it is. A folder is looked for from the working directory on, as PEFT does, and then from the folder of
    /// the adapter on, which may have been moved together with its model.
    ///
    /// # Errors
    /// As [`locate`].
    pub(super) fn locate(&self, adapter: &Path, need: Need) -> Result<Place, ModelError> {
        let Self { source, revision } = self;
        let here = Path::new(source);
        let beside = adapter.join(source);
        let located = match (here.is_dir(), beside.is_dir()) {
            (true, _) => locate(source, None, need),
            (false, true) => locate(&beside.to_string_lossy(), None, need),
            _ => locate(source, revision.as_deref(), need),
        };
        located.map_err(|error| match error {
            ModelError::NoFolder { .. } | ModelError::NotAFolder { .. } => ModelError::BadAdapter {
                folder: adapter.to_path_buf(),
                reason: Reason::new(
                    format!(
                        "it changes the model `{source}` (`base_model_name_or_path` in its `{ADAPTER_CONFIG}`), and \
                         that is not here, nor beside it: {error}"
                    ),
                    "write the folder of that model there, or its id, such as `facebook/esm2_t6_8M_UR50D`",
                ),
            },
            error => error,
        })
    }
}
