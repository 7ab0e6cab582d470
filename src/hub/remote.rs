//! What the Hub says of a repository.

/// A commit of a repository, as the Hub has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// The commit.
    pub commit: String,
    /// Its files.
    pub files: Vec<RemoteFile>,
}

/// A file of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its path in the repository. It leads to no other place.
    pub name: String,
    /// Its size.
    pub n_bytes: u64,
}

impl Remote {
    /// The file of that name.
    pub fn file(&self, name: &str) -> Option<&RemoteFile> {
        self.files.iter().find(|file| file.name == name)
    }
}
