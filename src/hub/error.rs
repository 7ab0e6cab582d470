//! What can go wrong between this machine and the Hub.

use super::odd_variable::{self, OddVariable};
use crate::{
    file::{FileError, remedy},
    hint::Hint,
};
use std::{io::ErrorKind, path::PathBuf, time::Duration};

/// What can go wrong between this machine and the Hub.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The program was built without downloads.
    #[error("this program was built without downloads")]
    NotBuilt,
    /// The user wants nobody to be asked.
    #[error("nothing is downloaded, as `{variable}` is set")]
    Offline {
        /// The variable that says so.
        variable: &'static str,
    },
    /// What should be a token cannot be one. It is a secret, and not shown.
    #[error("{place} is no token: {flaw}")]
    NoToken {
        /// The variable or the file.
        place: String,
        /// What is wrong with it.
        flaw: &'static str,
        /// Whether it is a file.
        is_file: bool,
    },
    /// The address of the Hub can be none.
    #[error(transparent)]
    NoEndpoint(OddVariable),
    /// The id or the revision can be none.
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
    #[error("`{id}` may not be downloaded: {reason}")]
    Denied {
        /// The repository.
        id: String,
        /// Its page.
        page: String,
        /// Why not.
        reason: Denial,
    },
    /// There is no such repository, or it is private.
    #[error("`{host}` has no model `{id}`{}", if *has_token { " that the token may read" } else { "" })]
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
    #[error("`{host}` has had too many requests from here (429)")]
    Busy {
        /// The Hub, or where it sent us.
        host: String,
        /// When it wants to be asked again, if it says so.
        after: Option<Duration>,
        /// Whether a token was sent.
        has_token: bool,
    },
    /// The server is broken, and stays so.
    #[error("`{host}` answers {status}, also when asked again")]
    Server {
        /// The Hub, or where it sent us.
        host: String,
        /// What it answers.
        status: u16,
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
    #[error("`{name}` arrived damaged, twice: {reason}")]
    Damaged {
        /// The file.
        name: String,
        /// What differs.
        reason: String,
    },
    /// A file that is to be in memory is too large for it, or no text.
    #[error("`{name}` is not what it should be: {reason}")]
    NotSmallText {
        /// The file.
        name: String,
        /// Why not.
        reason: String,
    },
    /// The cache has no room for it.
    #[error(
        "the cache `{}` has no room: {needed} bytes are to come, and {free} are free",
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
    #[error(transparent)]
    Cache(#[from] FileError),
    /// Whoever looks on wants no more of it.
    #[error("the download was interrupted")]
    Interrupted,
}

/// What is in the way of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The name is not known.
    Name,
    /// Nobody listens.
    Refused,
    /// No way leads there, or it breaks.
    Connection,
    /// Nobody answers in time.
    Timeout,
    /// The certificate is not trusted.
    Certificate,
    /// The proxy.
    Proxy,
}

/// Why a repository is not for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// Its conditions must be accepted, and no token says who we are.
    #[error("its conditions must be accepted first")]
    GatedWithoutToken,
    /// Its conditions must be accepted by whoever has the token.
    #[error("whoever has the token that was sent has not accepted its conditions")]
    Gated,
    /// No token says who we are.
    #[error("the Hub asks for a token")]
    NoToken,
    /// The token is none, or none any more.
    #[error("the token that was sent is not valid")]
    BadToken,
    /// The token may not read it.
    #[error("the token that was sent may not read it")]
    WeakToken,
}

/// A longer time is not told in minutes: a server may say anything.
const MOST_MINUTES: u64 = 24 * 60;
/// How to say who one is.
const TOKEN: &str =
    "set `HF_TOKEN` to a token from https://huggingface.co/settings/tokens, or run `hf auth login`";

/// How the files of a model come to a machine without a network.
fn by_hand(model: &str) -> String {
    format!(
        "run `runner download {model}` on a machine that has a network, and copy its cache here, or set `HF_HOME` to \
         a folder that both see"
    )
}

impl HubError {
    /// Whether nobody has said anything of the repository, neither that it is there nor that it is not.
    pub fn is_no_answer(&self) -> bool {
        matches!(
            self,
            Self::NotBuilt
                | Self::Offline { .. }
                | Self::Unreachable { .. }
                | Self::Busy { .. }
                | Self::Server { .. }
                | Self::Answer { .. }
                | Self::NoToken { .. }
                | Self::NoEndpoint(_)
        )
    }

    /// How to mend it for who wants this model.
    pub fn hint_for(&self, model: &str) -> Option<String> {
        Some(match self {
            Self::NotBuilt => {
                "build it with the feature `download`, or fetch the model with `hf download`, whose cache is \
                 searched"
                    .to_owned()
            }
            Self::Offline { variable } => format!("unset `{variable}`, or {}", by_hand(model)),
            Self::NoToken { is_file, .. } => match is_file {
                true => "run `hf auth login`, or remove it: public models need none".to_owned(),
                false => format!("{TOKEN}, or unset it: public models need none"),
            },
            Self::NoEndpoint(odd) => return odd.hint(),
            Self::BadName { .. } => return None,
            Self::Unreachable { obstacle, .. } => obstacle.hint(model),
            Self::Denied { page, reason, .. } => reason.hint(page),
            Self::NoRepository { has_token, .. } => match has_token {
                true => "check its name; private ones need a token that may read them".to_owned(),
                false => format!("check its name; if it is private, {TOKEN}"),
            },
            Self::NoRevision { page, .. } => format!("its branches, tags and commits are at {page}"),
            Self::NoFile { .. } => return None,
            Self::Busy { after, has_token, .. } => {
                let again = after.map_or_else(
                    || "try again later".to_owned(),
                    |after| match after.as_secs().div_ceil(60) {
                        minutes @ ..=MOST_MINUTES => format!("try again in {minutes} min"),
                        _ => "try again another day".to_owned(),
                    },
                );
                match has_token {
                    true => again,
                    false => format!("{again}; who sends a token may ask more: {TOKEN}"),
                }
            }
            Self::Server { .. } => {
                "try again later, what has come is kept; https://status.huggingface.co says how the Hub is"
                    .to_owned()
            }
            Self::Answer { .. } => {
                "is `HF_ENDPOINT` right, and does no login page of a network stand between?".to_owned()
            }
            Self::Cut { .. } => "try again: it goes on where it stopped".to_owned(),
            Self::Damaged { .. } => {
                "something between here and the Hub alters files, or the repository is broken".to_owned()
            }
            Self::NotSmallText { .. } => return None,
            Self::Full { .. } => {
                "free some space, or set `HF_HOME` to a folder on another file system".to_owned()
            }
            Self::Cache(FileError::Io { error, .. }) => match error.kind() {
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                    "set `HF_HOME` to a folder that you may write to".to_owned()
                }
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                    "free some space, or set `HF_HOME` to a folder on another file system".to_owned()
                }
                ErrorKind::FileTooLarge => {
                    "raise the limit on the size of files, `ulimit -f`".to_owned()
                }
                kind => remedy(kind)?.to_owned(),
            },
            Self::Cache(error) => error.hint()?,
            Self::Interrupted => "run it again: it goes on where it stopped".to_owned(),
        })
    }
}

impl Hint for HubError {
    fn hint(&self) -> Option<String> {
        self.hint_for("MODEL")
    }
}

impl Obstacle {
    fn hint(self, model: &str) -> String {
        match self {
            Self::Name | Self::Refused | Self::Connection | Self::Timeout => format!(
                "is there a network here? if it has a proxy, set `HTTPS_PROXY`; else {}",
                by_hand(model)
            ),
            Self::Certificate => {
                if let Some(odd) = odd_variable::of_certificates() {
                    return format!("{odd}: {}", odd.remedy);
                }
                "if a proxy of your institute signs certificates, set `SSL_CERT_FILE` to its own; and check \
                 the clock of this machine"
                    .to_owned()
            }
            Self::Proxy => {
                "check `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`".to_owned()
            }
        }
    }
}

impl Denial {
    fn hint(self, page: &str) -> String {
        match self {
            Self::GatedWithoutToken => format!("accept them at {page}, then {TOKEN}"),
            Self::Gated => format!("accept them at {page}, with the account that the token is of"),
            Self::NoToken => TOKEN.to_owned(),
            Self::BadToken => format!(
                "{TOKEN}, or unset it: public models need none"
            ),
            Self::WeakToken => {
                "give it the right to read this repository at https://huggingface.co/settings/tokens".to_owned()
            }
        }
    }
}
