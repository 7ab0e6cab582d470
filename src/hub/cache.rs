//! The folder of a repository in the cache, laid out as `huggingface_hub` does it.

use super::{
    environment::read_short,
    remote::{Content, RemoteFile},
    repository::{DEFAULT_REVISION, Repository, Snapshot, is_commit, is_hexadecimal},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What the names of the folders of models begin with.
const MODEL: &str = "models--";
/// What the slash of an id is in the name of a folder. No id has two dashes.
const SLASH: &str = "--";

/// The name of the folder of a model in the cache.
pub(super) fn folder_of_id(id: &str) -> String {
    format!("{MODEL}{}", id.replace('/', SLASH))
}

/// The model whose folder in the cache is called so.
pub fn id_of_folder(name: &str) -> Option<String> {
    Some(name.strip_prefix(MODEL)?.replacen(SLASH, "/", 1))
}

/// The repository of a file in a snapshot of a cache. Its revision is left out if it is what `main` was last.
pub fn repository_of_file(path: &Path) -> Option<Repository> {
    let snapshot = path.parent()?;
    let commit = snapshot.file_name()?.to_str()?.to_owned();
    let snapshots = snapshot.parent()?;
    let folder = snapshots.parent()?;
    let id = id_of_folder(folder.file_name()?.to_str()?)?;
    if snapshots.file_name()? != "snapshots" || !is_commit(&commit) {
        return None;
    }
    let main = read_short(&folder.join("refs").join(DEFAULT_REVISION));
    let is_main = main.is_some_and(|main| main.trim() == commit);
    Some(Repository {
        id,
        revision: (!is_main).then_some(commit),
    })
}

/// The folder of a repository in the cache:
/// - `blobs/<hash>`: what its files hold;
/// - `snapshots/<commit>/<name>`: its files at a commit, as links to blobs;
/// - `refs/<revision>`: the commit that a branch or a tag was at when it was last looked at.
///
/// The locks of the blobs are in a folder beside it.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    cache: PathBuf,
    name: String,
}

impl Folder {
    /// That of a repository whose id was checked.
    pub(super) fn of(cache: &Path, repository: &Repository) -> Self {
        Self {
            cache: cache.to_owned(),
            name: folder_of_id(&repository.id),
        }
    }

    /// The cache that it is in.
    pub(super) fn cache(&self) -> &Path {
        &self.cache
    }

    /// Where the blobs are.
    pub(super) fn blobs(&self) -> PathBuf {
        self.path().join("blobs")
    }

    /// Where what a file holds is to be.
    pub(super) fn blob(&self, content: &Content) -> PathBuf {
        self.blobs().join(content.name())
    }

    /// Its lock.
    pub(super) fn lock(&self, content: &Content) -> PathBuf {
        let locks = self.cache.join(".locks").join(&self.name);
        locks.join(format!("{}.lock", content.name()))
    }

    /// Where the commit of a branch or a tag is noted.
    pub(super) fn reference(&self, revision: &str) -> PathBuf {
        self.path().join("refs").join(revision)
    }

    /// Where the files of a commit are.
    pub(super) fn snapshot(&self, commit: &str) -> Snapshot {
        Snapshot {
            folder: self.path().join("snapshots").join(commit),
            commit: commit.to_owned(),
        }
    }

    /// What is here of a revision, whatever files that is.
    pub(super) fn cached(&self, revision: &str) -> Option<Snapshot> {
        let commit = match is_commit(revision) {
            true => revision.to_owned(),
            false => read_short(&self.reference(revision))?.trim().to_owned(),
        };
        // It becomes a part of a path.
        let is_plain = !commit.is_empty() && is_hexadecimal(&commit);
        let snapshot = is_plain.then(|| self.snapshot(&commit))?;
        snapshot.folder.is_dir().then_some(snapshot)
    }

    /// The file of a commit, if it is here: a whole one, as no other gets a name.
    pub(super) fn file(&self, commit: &str, file: &RemoteFile) -> Option<PathBuf> {
        let path = self.snapshot(commit).folder.join(&file.name);
        let found = path.metadata().ok().filter(|found| found.is_file())?;
        let is_same = file.content.is_none() || found.len() == file.n_bytes;
        is_same.then_some(path)
    }

    /// The branches and tags that were looked at, and the commits that begin as a name does, as far as files of
    /// them are here.
    pub(super) fn revisions_like(&self, name: &str) -> Vec<String> {
        let snapshots = names_in(&self.path().join("snapshots"));
        let mut commits: Vec<_> = snapshots
            .filter(|commit| commit.starts_with(name))
            .collect();
        let mut folders = vec![String::new()];
        let mut names = Vec::new();
        while let Some(folder) = folders.pop() {
            let path = self.reference(&folder);
            for entry in names_in(&path) {
                let is_folder = path.join(&entry).is_dir();
                let revision = format!("{folder}{entry}");
                match is_folder {
                    true => folders.push(revision + "/"),
                    false => names.push(revision),
                }
            }
        }
        names.retain(|name| self.cached(name).is_some());
        names.sort();
        commits.sort();
        commits.append(&mut names);
        commits
    }

    fn path(&self) -> PathBuf {
        self.cache.join(&self.name)
    }
}

/// The names of what is in a folder.
fn names_in(folder: &Path) -> impl Iterator<Item = String> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn folders_are_called_as_their_models() {
        for id in ["o/m", "gpt2", "o/a-b_c"] {
            assert_eq!(id_of_folder(&folder_of_id(id)).as_deref(), Some(id));
        }
        assert_eq!(folder_of_id("o/m"), "models--o--m");
        assert_eq!(id_of_folder("datasets--o--m"), None);
    }

    #[test]
    fn snapshots_are_found_by_branch_and_by_commit() {
        let cache = tempfile::tempdir().unwrap();
        let repository = Repository {
            id: "o/m".to_owned(),
            revision: None,
        };
        let folder = Folder::of(cache.path(), &repository);
        let commit = "c1".repeat(20);
        assert_eq!(folder.cached("main"), None);
        let snapshot = cache.path().join("models--o--m/snapshots").join(&commit);
        fs::create_dir_all(&snapshot).unwrap();
        assert_eq!(folder.cached(&commit).unwrap().folder, snapshot);
        assert_eq!(folder.cached("main"), None);
        let reference = folder.reference("refs/pr/1");
        fs::create_dir_all(reference.parent().unwrap()).unwrap();
        fs::write(&reference, format!("{commit}\n")).unwrap();
        assert_eq!(folder.cached("refs/pr/1").unwrap().commit, commit);
        for text in ["", "../snapshots", &"c2".repeat(20)] {
            fs::write(&reference, text).unwrap();
            assert_eq!(folder.cached("refs/pr/1"), None, "{text}");
        }
    }

    #[test]
    fn files_of_another_size_and_links_to_nothing_are_not_here() {
        let cache = tempfile::tempdir().unwrap();
        let repository = Repository {
            id: "o/m".to_owned(),
            revision: None,
        };
        let folder = Folder::of(cache.path(), &repository);
        let snapshot = folder.snapshot("c1").folder;
        fs::create_dir_all(&snapshot).unwrap();
        fs::write(snapshot.join("a"), "four").unwrap();
        symlink("../../blobs/gone", snapshot.join("b")).unwrap();
        let has = |name: &str, n_bytes| {
            let content = Some(Content::Git("a".repeat(40)));
            let name = name.to_owned();
            let file = RemoteFile {
                name,
                n_bytes,
                content,
            };
            folder.file("c1", &file).is_some()
        };
        assert!(has("a", 4));
        assert!(!has("a", 5) && !has("b", 4) && !has("c", 4));
    }
}
