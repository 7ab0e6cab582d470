//! Addresses of the Hub, and questions that are asked there.

use super::{
    client::{Client, Part},
    error::HubError,
    failure::{Asked, Failure},
    remote::Remote,
    repository::Repository,
};
use std::{fmt::Write, io::Read, thread, time::Duration};

/// Bytes of what the Hub says of a repository at most.
const MOST_ANSWER_BYTES: u64 = 64 << 20;
/// How often something is asked, with these pauses between.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
/// Nobody waits longer for an answer.
const MOST_PAUSE: Duration = Duration::from_secs(30);

/// Asks the Hub what a repository has.
///
/// # Errors
/// If it does not say so.
pub(super) fn look(
    client: &Client,
    endpoint: &str,
    repository: &Repository,
) -> Result<Remote, HubError> {
    let (id, revision) = (&repository.id, quoted(repository.revision(), ""));
    let address = format!("{endpoint}/api/models/{id}/revision/{revision}?blobs=true");
    let asked = Asked {
        repository,
        page: &page(endpoint, repository),
        file: None,
    };
    let read = |failure: Failure| failure.into_error(asked);
    let (text, host) = ask(client, &address, MOST_ANSWER_BYTES).map_err(read)?;
    Remote::of_answer(&text).map_err(|reason| HubError::Answer { host, reason })
}

/// The text of a small file of a commit.
///
/// # Errors
/// If it does not come, or is no small text.
pub(super) fn text(
    client: &Client,
    endpoint: &str,
    repository: &Repository,
    remote: &Remote,
    name: &str,
    most_bytes: u64,
) -> Result<String, HubError> {
    let asked = Asked {
        repository,
        page: &page(endpoint, repository),
        file: Some((&remote.commit, name)),
    };
    let address = file_address(endpoint, repository, remote, name);
    let answered = ask(client, &address, most_bytes);
    Ok(answered.map_err(|failure| failure.into_error(asked))?.0)
}

/// The text at an address, and who has it.
///
/// # Errors
/// If it does not come, or is no text.
pub(super) fn ask(client: &Client, address: &str, most_bytes: u64) -> Result<(String, String), Failure> {
    let mut pauses = PAUSES.into_iter();
    loop {
        let failure = match ask_once(client, address, most_bytes) {
            Err(failure) if failure.is_transient() => failure,
            answered => return answered,
        };
        // Whoever has no network need not wait to be told so.
        let is_hopeless = matches!(failure, Failure::Unreachable { .. });
        let Some(pause) = pauses.next().filter(|_| !is_hopeless) else {
            return Err(failure);
        };
        let pause = failure.after().unwrap_or(pause).max(pause);
        if pause > MOST_PAUSE {
            return Err(failure);
        }
        thread::sleep(pause);
    }
}

fn ask_once(client: &Client, address: &str, most_bytes: u64) -> Result<(String, String), Failure> {
    let mut answer = client.get(address, Part::From(0))?;
    let host = answer.head.host;
    let mut bytes = Vec::new();
    let mut reader = answer.body.as_reader().take(most_bytes + 1);
    let read = reader.read_to_end(&mut bytes);
    if read.is_err() {
        let reason = "the connection was cut".to_owned();
        return Err(Failure::Cut { host, reason });
    }
    let reason = match String::from_utf8(bytes) {
        Ok(text) if text.len() as u64 <= most_bytes => return Ok((text, host)),
        Ok(_) => format!("it says more than {most_bytes} bytes"),
        Err(_) => "what it says is no text".to_owned(),
    };
    Err(Failure::Odd { host, reason })
}

/// The page of a repository, for people.
pub(super) fn page(endpoint: &str, repository: &Repository) -> String {
    format!("{endpoint}/{}", repository.id)
}

/// Where a file of a commit is.
pub(super) fn file_address(
    endpoint: &str,
    repository: &Repository,
    remote: &Remote,
    name: &str,
) -> String {
    let page = page(endpoint, repository);
    format!("{page}/resolve/{}/{}", remote.commit, quoted(name, "/"))
}

/// A text as a part of an address, where `kept` stay as they are.
fn quoted(text: &str, kept: &str) -> String {
    let mut quoted = String::new();
    for byte in text.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        if is_plain || kept.as_bytes().contains(&byte) {
            quoted.push(char::from(byte));
        } else {
            let _ = write!(quoted, "%{byte:02X}");
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_no_odd_characters() {
        assert_eq!(quoted("refs/pr/1", ""), "refs%2Fpr%2F1");
        assert_eq!(quoted("a b/ü?#%.bin", "/"), "a%20b/%C3%BC%3F%23%25.bin");
    }
}
