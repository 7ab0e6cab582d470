//! A repository of models, and a commit of it that is on this machine.

use super::error::HubError;
use std::{fmt, path::PathBuf};

/// The branch that is meant when none is named.
pub(super) const DEFAULT_REVISION: &str = "main";
/// Characters of a repository's id, and of a revision.
const MOST_CHARACTERS: usize = 96;
const MOST_REVISION_CHARACTERS: usize = 250;
/// Characters of a commit: it is a SHA-1, in hexadecimal digits.
const COMMIT_CHARACTERS: usize = 40;

/// A repository of models.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Repository {
    /// Its id, `organisation/name`.
    pub id: String,
    /// A branch, a tag or a commit. Without it, `main`.
    pub revision: Option<String>,
}

/// A commit of a repository, as far as its files are on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The folder with the files.
    pub folder: PathBuf,
    /// The commit.
    pub commit: String,
}

impl Repository {
    /// The branch, tag or commit.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or(DEFAULT_REVISION)
    }

    /// Whether its revision may be the beginning of a commit, as people write it.
    pub fn is_short_commit(&self) -> bool {
        let revision = self.revision();
        (7..COMMIT_CHARACTERS).contains(&revision.len()) && is_hexadecimal(revision)
    }

    /// Whether there can be a repository of this id: a name, before which its owner and a slash may stand.
    pub fn is_id(id: &str) -> bool {
        let parts: Vec<&str> = id.split('/').collect();
        let is_plain = |part: &&str| {
            let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !part.is_empty()
                && part.bytes().all(is_known)
                && !part.starts_with(['-', '.'])
                && !part.ends_with(['-', '.'])
        };
        // Two dashes stand for the slash in the cache.
        parts.len() <= 2
            && parts.iter().all(is_plain)
            && id.len() <= MOST_CHARACTERS
            && !id.contains("--")
            && !id.contains("..")
    }

    /// Whether there can be such a repository and such a revision. Both become parts of paths.
    ///
    /// # Errors
    /// If one of them cannot.
    pub(super) fn check(&self) -> Result<(), HubError> {
        let bad = |name: &str, what| {
            Err(HubError::BadName {
                name: name.to_owned(),
                what,
            })
        };
        if !Self::is_id(&self.id) {
            return bad(
                &self.id,
                "the id of a model of the Hub, `organisation/name`",
            );
        }
        let revision = self.revision();
        if revision.is_empty() {
            return bad(
                revision,
                "a revision: leave it out, or name a branch, a tag or a commit",
            );
        }
        if !is_path_within(revision) || revision.len() > MOST_REVISION_CHARACTERS {
            return bad(
                revision,
                "a revision: it must be a branch, a tag or a commit",
            );
        }
        Ok(())
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        match &self.revision {
            Some(revision) => write!(f, "@{revision}"),
            None => Ok(()),
        }
    }
}

/// Whether a revision is a whole commit, so that it never means another one.
pub(super) fn is_commit(revision: &str) -> bool {
    revision.len() == COMMIT_CHARACTERS && is_hexadecimal(revision)
}

/// Whether a text has no other characters than lower-case hexadecimal digits.
pub(super) fn is_hexadecimal(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a name with slashes leads to a place below the folder that it is joined to, whatever is there.
pub(super) fn is_path_within(name: &str) -> bool {
    let is_part = |part: &str| !["", ".", ".."].contains(&part);
    name.split('/').all(is_part) && !name.chars().any(|c| c.is_control() || c == '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let check = |id: &str, revision: Option<&str>, expect: bool| {
            let repository = Repository {
                id: id.to_owned(),
                revision: revision.map(str::to_owned),
            };
            assert_eq!(repository.check().is_ok(), expect, "{repository}");
        };
        check("facebook/esm2_t6_8M_UR50D", None, true);
        check("gpt2", Some("v1.0"), true);
        check("a/b", Some("refs/pr/1"), true);
        for id in [
            "", "a/b/c", "../b", "a/..", "a/", "/b", "a--b/c", "a/b..c", "a b/c", "a/b\0", ".a/b",
            "a/-b",
        ] {
            check(id, None, false);
        }
        for revision in ["", "../main", "/etc", "a//b", "a\0", "a/..", "a\nb", r"a\b"] {
            check("a/b", Some(revision), false);
        }
        check(&"a".repeat(97), None, false);
    }

    #[test]
    fn only_whole_commits_are_commits() {
        assert!(is_commit(&"0a".repeat(20)));
        for revision in ["main", "0a0a", &"0A".repeat(20), &"0g".repeat(20)] {
            assert!(!is_commit(revision), "{revision}");
        }
    }
}
