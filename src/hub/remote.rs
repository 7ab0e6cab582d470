//! What the Hub says of a repository.

use super::repository::{is_commit, is_hexadecimal, is_path_within};
use serde::Deserialize;

/// Digits of a SHA-256, and of the SHA-1 that git gives to what it keeps.
const SHA256_DIGITS: usize = 64;
const GIT_DIGITS: usize = 40;

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
    /// What it holds. Some mirrors do not say it here, or not its size, but only when the file is asked for.
    pub content: Option<Content>,
}

/// What a file holds, as a hash. It is the name of the file's blob in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A file of LFS: the SHA-256 of what it holds.
    Sha256(String),
    /// A file of git: the SHA-1 of a header and what it holds. It is not computed here, as the program has no
    /// SHA-1, which no longer proves anything against whoever means harm: such a file is one of a commit that
    /// the Hub named over a connection that is trusted. Its size is verified, and that the server which sends it
    /// says the same hash in its `ETag`, if that is one of git.
    Git(String),
}

impl Content {
    /// The content that an entity tag names: it has quotes, and may be called weak.
    pub(super) fn of_tag(tag: &str) -> Option<Self> {
        let hash = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
        match hash.len() {
            _ if !is_hexadecimal(hash) => None,
            SHA256_DIGITS => Some(Self::Sha256(hash.to_owned())),
            GIT_DIGITS => Some(Self::Git(hash.to_owned())),
            _ => None,
        }
    }

    /// The name of the blob.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Sha256(hash) | Self::Git(hash) => hash,
        }
    }
}

impl Remote {
    /// The file of that name.
    pub fn file(&self, name: &str) -> Option<&RemoteFile> {
        self.files.iter().find(|file| file.name == name)
    }

    /// What the Hub's answer says. Files whose names lead elsewhere are left out: nobody needs them.
    ///
    /// # Errors
    /// What is odd about the answer.
    pub(super) fn of_answer(text: &str) -> Result<Self, String> {
        let answer: Answer = serde_json::from_str(text)
            .map_err(|error| format!("it says nothing of a model ({error})"))?;
        if !is_commit(&answer.sha) {
            return Err("it names no commit".to_owned());
        }
        let files = answer.siblings.into_iter();
        let files = files.filter(|file| is_path_within(&file.rfilename));
        Ok(Self {
            commit: answer.sha,
            files: files.map(Sibling::file).collect(),
        })
    }
}

/// What the Hub answers about a commit.
#[derive(Deserialize)]
struct Answer {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

/// What it says of a file.
#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    #[serde(rename = "blobId")]
    blob_id: Option<String>,
    lfs: Option<Lfs>,
}

/// What it says of a file of LFS, of which git has only a pointer.
#[derive(Deserialize)]
struct Lfs {
    sha256: String,
    size: Option<u64>,
}

impl Sibling {
    fn file(self) -> RemoteFile {
        let lfs_size = self.lfs.as_ref().and_then(|lfs| lfs.size);
        let n_bytes = lfs_size.or(self.size);
        let hash = match self.lfs {
            Some(lfs) => Some(lfs.sha256),
            None => self.blob_id,
        };
        RemoteFile {
            name: self.rfilename,
            n_bytes: n_bytes.unwrap_or(0),
            // Of a file without a size it is of no use: both are asked for.
            content: n_bytes.and(hash).and_then(|hash| Content::of_tag(&hash)),
        }
    }
}

/// A sum of sizes, which are what a server says and may be any number.
pub fn total(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_names_in_them_are_not_trusted() {
        let (sha, git, lfs) = ("c".repeat(40), "a".repeat(40), "b".repeat(64));
        let text = format!(
            r#"{{"id": "o/m", "sha": "{sha}", "gated": false, "siblings": [
                {{"rfilename": "config.json", "size": 7, "blobId": "{git}"}},
                {{"rfilename": "a/model.safetensors", "size": 9, "blobId": "{git}",
                  "lfs": {{"sha256": "{lfs}", "size": 9, "pointerSize": 134}}}},
                {{"rfilename": "plain"}},
                {{"rfilename": "of no size", "blobId": "{git}"}},
                {{"rfilename": "odd", "size": 1, "blobId": "../../x"}},
                {{"rfilename": "../up", "size": 1, "blobId": "{git}"}},
                {{"rfilename": "/etc/passwd", "size": 1, "blobId": "{git}"}},
                {{"rfilename": "a\u0000b", "size": 1, "blobId": "{git}"}}]}}"#
        );
        let remote = Remote::of_answer(&text).unwrap();
        assert_eq!(remote.commit, sha);
        let file = |name: &str, n_bytes, content| RemoteFile {
            name: name.to_owned(),
            n_bytes,
            content,
        };
        let expect = [
            file("config.json", 7, Some(Content::Git(git))),
            file("a/model.safetensors", 9, Some(Content::Sha256(lfs))),
            file("plain", 0, None),
            file("of no size", 0, None),
            file("odd", 1, None),
        ];
        assert_eq!(remote.files, expect);
        for text in [
            "",
            "<html>",
            "[]",
            r#"{"sha": "../x"}"#,
            r#"{"sha": "abc"}"#,
        ] {
            assert!(Remote::of_answer(text).is_err(), "{text}");
        }
    }

    #[test]
    fn tags_name_contents() {
        let (git, lfs) = ("a".repeat(40), "b".repeat(64));
        let check = |tag: String, expect: Option<Content>| {
            assert_eq!(Content::of_tag(&tag), expect, "{tag}");
        };
        check(format!("\"{git}\""), Some(Content::Git(git.clone())));
        check(format!("W/\"{git}\""), Some(Content::Git(git)));
        check(format!("\"{lfs}\""), Some(Content::Sha256(lfs.clone())));
        check(format!("\"{lfs}-2\""), None);
        check("..".repeat(20), None);
    }
}
