//! Why a request came to nothing.

use crate::hub::{
    error::{Denial, HubError, Obstacle},
    repository::Repository,
};
use std::{io, time::Duration};

/// Why a request came to nothing, and whether it may be another time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is no connection.
    Unreachable {
        host: String,
        obstacle: Obstacle,
        reason: String,
    },
    /// The connection broke while an answer came.
    Cut { host: String, reason: String },
    /// The server says no.
    Status(Refusal),
    /// The answer makes no sense.
    Odd { host: String, reason: String },
}

/// A server that says no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub host: String,
    pub status: u16,
    /// What the Hub calls it.
    pub code: Option<String>,
    /// What the Hub says of it.
    pub message: Option<String>,
    /// When to ask again.
    pub after: Option<Duration>,
    /// Whether a token was sent.
    pub has_token: bool,
}

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub repository: &'a Repository,
    /// The page of the repository.
    pub page: &'a str,
    /// A file, and the commit that it is of.
    pub file: Option<(&'a str, &'a str)>,
}

impl Failure {
    /// What a client says.
    pub(super) fn of(error: ureq::Error, host: &str, proxy: Option<&str>) -> Self {
        let (obstacle, reason) = match error {
            ureq::Error::Io(error) => of_io(&error),
            ureq::Error::HostNotFound => (Obstacle::Name, "its name is not known here".to_owned()),
            ureq::Error::Timeout(timeout) => {
                (Obstacle::Timeout, format!("no answer in time ({timeout})"))
            }
            ureq::Error::ConnectProxyFailed(reason) => {
                (Obstacle::Proxy, format!("the proxy says: {reason}"))
            }
            ureq::Error::InvalidProxyUrl => (
                Obstacle::Proxy,
                "the address of the proxy is none".to_owned(),
            ),
            ureq::Error::Rustls(error) => (Obstacle::Certificate, error.to_string()),
            ureq::Error::Tls(reason) => (Obstacle::Certificate, reason.to_owned()),
            ureq::Error::ConnectionFailed => (Obstacle::Connection, "no connection".to_owned()),
            other => {
                return Self::Odd {
                    host: host.to_owned(),
                    reason: other.to_string(),
                };
            }
        };
        let way = proxy.map_or_else(String::new, |proxy| {
            format!(" (through the proxy `{proxy}`)")
        });
        Self::Unreachable {
            host: host.to_owned(),
            obstacle,
            reason: reason + way.as_str(),
        }
    }

    /// What a client says while it reads an answer.
    pub(super) fn cut(error: io::Error, host: &str) -> Self {
        let reason = match ureq::Error::from(error) {
            ureq::Error::Timeout(_) => "the server is silent",
            _ => "the connection was cut",
        };
        Self::Cut {
            host: host.to_owned(),
            reason: reason.to_owned(),
        }
    }

    /// Whether it may be another time.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Cut { .. } => true,
            Self::Unreachable { obstacle, .. } => {
                ![Obstacle::Certificate, Obstacle::Proxy].contains(obstacle)
            }
            Self::Status(refusal) => matches!(refusal.status, 408 | 429 | 500 | 502..=504),
            Self::Odd { .. } => false,
        }
    }

    /// Whether it hardly is a moment later, as this machine has no network most likely: whoever has none need not
    /// wait to be told so.
    pub(super) fn is_lasting(&self) -> bool {
        let obstacles = [Obstacle::Name, Obstacle::Refused];
        matches!(self, Self::Unreachable { obstacle, .. } if obstacles.contains(obstacle))
    }

    /// When the server wants to be asked again.
    pub(super) fn after(&self) -> Option<Duration> {
        match self {
            Self::Status(refusal) => refusal.after,
            _ => None,
        }
    }

    /// In a few words.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Unreachable { host, reason, .. } => format!("cannot reach `{host}`: {reason}"),
            Self::Cut { reason, .. } => reason.clone(),
            Self::Status(Refusal { host, status, .. }) => match status {
                429 => format!("`{host}` has had too many requests from here"),
                _ => format!("`{host}` answers {status}"),
            },
            Self::Odd { host, reason } => format!("`{host}`: {reason}"),
        }
    }

    /// What it means for whoever asked.
    pub(super) fn into_error(self, asked: Asked) -> HubError {
        match self {
            Self::Unreachable {
                host,
                obstacle,
                reason,
            } => HubError::Unreachable {
                host,
                obstacle,
                reason,
            },
            Self::Cut { host, reason } => HubError::Unreachable {
                host,
                obstacle: Obstacle::Connection,
                reason,
            },
            Self::Odd { host, reason } => HubError::Answer { host, reason },
            Self::Status(refusal) => refusal.into_error(asked),
        }
    }
}

impl Refusal {
    fn into_error(self, asked: Asked) -> HubError {
        let Asked {
            repository,
            page,
            file,
        } = asked;
        let id = repository.id.clone();
        let denied = |reason| HubError::Denied {
            id: repository.id.clone(),
            page: page.to_owned(),
            reason,
        };
        let no_repository = HubError::NoRepository {
            id: id.clone(),
            host: self.host.clone(),
            has_token: self.has_token,
        };
        let no_revision = HubError::NoRevision {
            id: id.clone(),
            revision: repository.revision().to_owned(),
            page: page.to_owned(),
        };
        let is_bad_token = self
            .message
            .as_deref()
            .is_some_and(|message| message.contains("credentials"));
        match (self.status, self.code.as_deref()) {
            (_, Some("GatedRepo")) if self.has_token => denied(Denial::Gated),
            (_, Some("GatedRepo")) => denied(Denial::GatedWithoutToken),
            (_, Some("RevisionNotFound")) => no_revision,
            (401, _) if self.has_token && is_bad_token => denied(Denial::BadToken),
            (_, Some("RepoNotFound")) => no_repository,
            (401, _) if self.has_token => denied(Denial::BadToken),
            (401 | 403, _) if !self.has_token => denied(Denial::NoToken),
            (403, _) => denied(Denial::WeakToken),
            (404 | 410, code) => match file {
                Some((commit, name)) => HubError::NoFile {
                    id,
                    commit: commit.to_owned(),
                    name: name.to_owned(),
                },
                // Mirrors do not say which of both is missing.
                None if code.is_none() && repository.revision.is_some() => no_revision,
                None => no_repository,
            },
            (429, _) => HubError::Busy {
                host: self.host,
                after: self.after,
                has_token: self.has_token,
            },
            (408 | 500..=599, _) => HubError::Server {
                host: self.host,
                status: self.status,
            },
            (status, _) => HubError::Answer {
                host: self.host,
                reason: format!("it answers {status}"),
            },
        }
    }
}

/// What the system says of a connection.
fn of_io(error: &io::Error) -> (Obstacle, String) {
    let text = error.to_string();
    match error.kind() {
        // The system's resolver has no kinds of errors.
        _ if text.contains("lookup address") => {
            (Obstacle::Name, "its name could not be resolved".to_owned())
        }
        io::ErrorKind::ConnectionRefused => {
            (Obstacle::Refused, "it refuses the connection".to_owned())
        }
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            (Obstacle::Timeout, "no answer in time".to_owned())
        }
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            (Obstacle::Connection, "it closes the connection".to_owned())
        }
        // What verifies certificates wraps its errors into those of the system.
        io::ErrorKind::InvalidData if text.contains("certificate") => (Obstacle::Certificate, text),
        _ => (Obstacle::Connection, text),
    }
}
