//! What can go wrong between this machine and the Hub.

use crate::{file::remedy, hint::Hint};
use std::{io, path::PathBuf};

/// What can go wrong between this machine and the Hub.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The program was built without downloads.
    #[error("this program was built without downloads")]
    NotBuilt,
    /// The user wants nobody to be asked.
    #[error("downloads are switched off: `{variable}` is set")]
    Offline {
        /// The variable that says so.
        variable: &'static str,
    },
    /// The id or the revision can be none of the Hub.
    #[error("`{name}` is not {what}")]
    BadName {
        /// What was asked for.
        name: String,
        /// What it should be.
        what: &'static str,
    },
    /// Nobody answers there.
    #[error("cannot reach `{host}`: {reason}")]
    Unreachable {
        /// The Hub, or where it sent us.
        host: String,
        /// What is in the way.
        obstacle: Obstacle,
        /// In words.
        reason: String,
    },
    /// The repository is not for everybody.
    #[error("the Hub does not let us have `{id}`: {reason}")]
    Denied {
        /// The repository.
        id: String,
        /// Its page.
        page: String,
        /// Why not.
        reason: Denial,
    },
    /// There is no such repository, or it is private.
    #[error("`{host}` has no model `{id}`")]
    NoRepository {
        /// The repository.
        id: String,
        /// The Hub.
        host: String,
        /// Whether a token was sent.
        has_token: bool,
    },
    /// The repository has no such revision.
    #[error("the model `{id}` has no revision `{revision}`")]
    NoRevision {
        /// The repository.
        id: String,
        /// A branch, a tag or a commit.
        revision: String,
        /// Its page.
        page: String,
    },
    /// The repository has no such file.
    #[error("the model `{id}` has no file `{name}` at commit {commit}")]
    NoFile {
        /// The repository.
        id: String,
        /// The commit.
        commit: String,
        /// The file.
        name: String,
    },
    /// Too many requests, and no end of it in sight.
    #[error("`{host}` answers too many requests (429)")]
    Busy {
        /// The Hub, or where it sent us.
        host: String,
        /// Whether a token was sent.
        has_token: bool,
    },
    /// The server is broken, and stays so.
    #[error("`{host}` answers {status}, also when asked {tries} times")]
    Server {
        /// The Hub, or where it sent us.
        host: String,
        /// What it answers.
        status: u16,
        /// How often it was asked.
        tries: u32,
    },
    /// What answers is not a Hub, or not one as we know it.
    #[error("`{host}` does not answer as the Hub does: {reason}")]
    Answer {
        /// Where.
        host: String,
        /// What is odd.
        reason: String,
    },
    /// The connection breaks, again and again.
    #[error("the download of `{name}` stopped after {bytes} of {of} bytes: {reason}")]
    Cut {
        /// The file.
        name: String,
        /// How much of it is there.
        bytes: u64,
        /// Its size.
        of: u64,
        /// In words.
        reason: String,
    },
    /// What came is not what the Hub has.
    #[error("what came of `{name}` is not what the Hub has: {reason}")]
    Damaged {
        /// The file.
        name: String,
        /// What differs.
        reason: String,
    },
    /// A file that is to be in memory is too large for it.
    #[error("`{name}` has {bytes} bytes, where {most} are the most")]
    TooLarge {
        /// The file.
        name: String,
        /// Its size.
        bytes: u64,
        /// What it may have.
        most: u64,
    },
    /// The cache has no room for it.
    #[error(
        "the cache `{}` has no room: {needed} bytes are needed, {free} are free",
        folder.display()
    )]
    Full {
        /// The cache.
        folder: PathBuf,
        /// What is to come.
        needed: u64,
        /// What is free.
        free: u64,
    },
    /// The cache cannot be read or written.
    #[error("cannot {action} `{}`: {error}", path.display())]
    Io {
        /// What was to be done, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the file system says.
        error: io::Error,
    },
    /// Whoever looks on wants no more of it.
    #[error("the download was interrupted")]
    Interrupted,
}

/// What is in the way of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The name is not known.
    Name,
    /// Nobody listens, or no way leads there.
    Connection,
    /// Nobody answers in time.
    Timeout,
    /// The certificate is not trusted.
    Certificate,
    /// The proxy.
    Proxy,
}

/// Why a repository is not for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Its conditions must be accepted, and no token says who we are.
    GatedWithoutToken,
    /// Its conditions must be accepted by whoever has the token.
    Gated,
    /// It is private, or does not exist, and no token says who we are.
    NoToken,
    /// The token is not valid.
    BadToken,
    /// The token is valid and may not read it.
    WeakToken,
}

impl Hint for HubError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Io { error, .. } => remedy(error.kind()).map(str::to_owned),
            _ => None,
        }
    }
}
