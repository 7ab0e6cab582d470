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
/// How often something is asked.
const MOST_TRIES: u32 = 3;
/// Nobody waits longer for an answer.
const MOST_PAUSE: Duration = Duration::from_secs(30);

/// Asks the Hub what a repository has.
///
/// # Errors
/// If it does not say so.
pub(super) fn look(client: &Client, repository: &Repository) -> Result<Remote, HubError> {
    let endpoint = &client.environment().endpoint;
    let (id, revision) = (&repository.id, quoted(repository.revision(), ""));
    let address = format!("{endpoint}/api/models/{id}/revision/{revision}?blobs=true");
    let asked = Asked {
        repository,
        page: &page(client, repository),
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
    repository: &Repository,
    remote: &Remote,
    name: &str,
    most_bytes: u64,
) -> Result<String, HubError> {
    let asked = Asked {
        repository,
        page: &page(client, repository),
        file: Some((&remote.commit, name)),
    };
    let address = file_address(client, repository, remote, name);
    let answered = ask(client, &address, most_bytes);
    Ok(answered.map_err(|failure| failure.into_error(asked))?.0)
}

/// The text at an address, and who has it.
fn ask(client: &Client, address: &str, most_bytes: u64) -> Result<(String, String), Failure> {
    patiently(client, || ask_once(client, address, most_bytes))
}

/// Asks something again that may be answered another time.
///
/// # Errors
/// If it is not.
pub(super) fn patiently<T>(
    client: &Client,
    ask: impl Fn() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut n_tries = 0;
    loop {
        let failure = match ask() {
            Err(failure) if failure.is_transient() => failure,
            answered => return answered,
        };
        // Whoever has no network need not wait to be told so.
        let is_hopeless = matches!(failure, Failure::Unreachable { .. });
        let pause = client.environment().pause * 2_u32.pow(n_tries);
        let pause = failure.after().unwrap_or(pause).max(pause);
        n_tries += 1;
        if is_hopeless || n_tries == MOST_TRIES || pause > MOST_PAUSE {
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
    read.map_err(|error| Failure::cut(error, &host))?;
    let reason = match String::from_utf8(bytes) {
        Ok(text) if text.len() as u64 <= most_bytes => return Ok((text, host)),
        Ok(_) => format!("it says more than {most_bytes} bytes"),
        Err(_) => "what it says is no text".to_owned(),
    };
    Err(Failure::Odd { host, reason })
}

/// The page of a repository, for people.
pub(super) fn page(client: &Client, repository: &Repository) -> String {
    format!("{}/{}", client.environment().endpoint, repository.id)
}

/// Where a file of a commit is.
pub(super) fn file_address(
    client: &Client,
    repository: &Repository,
    remote: &Remote,
    name: &str,
) -> String {
    let page = page(client, repository);
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
