//! Addresses of the Hub, and questions that are asked there.

use super::{
    client::{Client, Part},
    failure::{Asked, Failure},
    reporter::INTERVAL,
};
use crate::hub::{
    error::{HubError, Obstacle},
    proxy::{shown, shown_in_full},
    remote::Remote,
    repository::Repository,
};
use std::{
    fmt::Write,
    io::Read,
    sync::mpsc::{RecvTimeoutError, sync_channel},
    thread,
    time::{Duration, Instant},
};

/// Bytes of what the Hub says of a repository at most.
const MOST_ANSWER_BYTES: u64 = 64 << 20;
/// How often something is asked.
const MOST_TRIES: u32 = 3;
/// Nobody waits longer for an answer.
const MOST_PAUSE: Duration = Duration::from_secs(30);

/// No answer takes longer, whatever the environment says.
const MOST_WHOLE_ANSWER: Duration = Duration::from_secs(24 * 60 * 60);
/// Bytes of an answer that are read at a time.
const PIECE_BYTES: usize = 64 << 10;

/// Whoever waits for an answer: called some ten times a second, and ends it with an error.
type GoOn<'a> = dyn FnMut() -> Result<(), HubError> + 'a;

/// Asks the Hub what a repository has.
///
/// # Errors
/// If it does not say so, or `go_on` fails.
pub(super) fn look(
    client: &Client,
    repository: &Repository,
    go_on: &mut GoOn,
) -> Result<Remote, HubError> {
    let endpoint = &client.environment().endpoint;
    let (id, revision) = (&repository.id, quoted(repository.revision(), ""));
    let address = format!("{endpoint}/api/models/{id}/revision/{revision}?blobs=true");
    let asked = Asked {
        repository,
        page: &page(client, repository),
        file: None,
    };
    let ask = move |client: &Client| ask_once(client, &address, MOST_ANSWER_BYTES);
    let (text, host) = patiently(client, asked, ask, go_on)?;
    Remote::of_answer(&text).map_err(|reason| HubError::Answer { host, reason })
}

/// The text of a small file of a commit.
///
/// # Errors
/// If it does not come, or is no small text, or `go_on` fails.
pub(super) fn text(
    client: &Client,
    repository: &Repository,
    remote: &Remote,
    name: &str,
    most_bytes: u64,
    go_on: &mut GoOn,
) -> Result<String, HubError> {
    let asked = Asked {
        repository,
        page: &page(client, repository),
        file: Some((&remote.commit, name)),
    };
    let address = file_address(client, repository, remote, name);
    let ask = move |client: &Client| ask_once(client, &address, most_bytes);
    Ok(patiently(client, asked, ask, go_on)?.0)
}

/// Asks something again that may be answered another time.
///
/// # Errors
/// If it is not, or `go_on` fails.
pub(super) fn patiently<T: Send + 'static>(
    client: &Client,
    asked: Asked,
    ask: impl Fn(&Client) -> Result<T, Failure> + Clone + Send + 'static,
    go_on: &mut GoOn,
) -> Result<T, HubError> {
    let most = client.environment().whole_answer_timeout;
    let mut n_tries = 0;
    loop {
        let start = Instant::now();
        let failure = match answer(client, ask.clone(), go_on)? {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let pause = client.environment().pause * 2_u32.pow(n_tries);
        let pause = failure.after().unwrap_or(pause).max(pause);
        n_tries += 1;
        let is_too_slow = start.elapsed() >= most;
        let is_hopeless = !failure.is_transient() || failure.is_lasting() || is_too_slow;
        if is_hopeless || n_tries == MOST_TRIES || pause > MOST_PAUSE {
            return Err(failure.into_error(asked));
        }
        let end = Instant::now() + pause;
        while let left = end.saturating_duration_since(Instant::now())
            && !left.is_zero()
        {
            go_on()?;
            thread::sleep(left.min(INTERVAL));
        }
    }
}

/// The answer to a question. A thread waits for it, so that whoever wants it can stop at any time; it ends by
/// itself when the server is silent or speaks for too long.
fn answer<T: Send + 'static>(
    client: &Client,
    ask: impl FnOnce(&Client) -> Result<T, Failure> + Send + 'static,
    go_on: &mut GoOn,
) -> Result<Result<T, Failure>, HubError> {
    let (sender, receiver) = sync_channel(1);
    let end = end(client);
    let host = shown(&client.environment().endpoint).to_owned();
    let client = client.clone();
    thread::spawn(move || {
        // Nobody may be there any more.
        let _ = sender.send(ask(&client));
    });
    loop {
        match receiver.recv_timeout(INTERVAL) {
            Ok(answer) => return Ok(answer),
            Err(RecvTimeoutError::Timeout) if Instant::now() >= end => {
                return Ok(Err(too_slow(&host)));
            }
            Err(RecvTimeoutError::Timeout) => go_on()?,
            Err(RecvTimeoutError::Disconnected) => {
                return Ok(Err(Failure::Cut {
                    host: String::new(),
                    reason: "the connection was cut".to_owned(),
                }));
            }
        }
    }
}

fn ask_once(client: &Client, address: &str, most_bytes: u64) -> Result<(String, String), Failure> {
    let mut answer = client.get(address, Part::From(0))?;
    let host = answer.head.host;
    let mut bytes = Vec::new();
    let mut reader = answer.body.as_reader().take(most_bytes + 1);
    let mut piece = vec![0; PIECE_BYTES];
    let end = end(client);
    loop {
        match reader.read(&mut piece) {
            Ok(0) => break,
            Ok(n_bytes) => bytes.extend_from_slice(&piece[..n_bytes]),
            Err(error) => return Err(Failure::cut(error, &host)),
        }
        // Nobody waits for it any more.
        if Instant::now() >= end {
            return Err(too_slow(&host));
        }
    }
    let reason = match String::from_utf8(bytes) {
        Ok(text) if text.len() as u64 <= most_bytes => return Ok((text, host)),
        Ok(_) => format!("it says more than {most_bytes} bytes"),
        Err(_) => "what it says is no text".to_owned(),
    };
    Err(Failure::Odd { host, reason })
}

/// When an answer that is asked for now has to be there, all of it.
fn end(client: &Client) -> Instant {
    let most = client.environment().whole_answer_timeout;
    // A user may set any number of seconds.
    Instant::now() + most.min(MOST_WHOLE_ANSWER)
}

fn too_slow(host: &str) -> Failure {
    Failure::Unreachable {
        host: host.to_owned(),
        obstacle: Obstacle::Timeout,
        reason: "its answer comes too slowly".to_owned(),
    }
}

/// The page of a repository, for people.
pub(super) fn page(client: &Client, repository: &Repository) -> String {
    let endpoint = shown_in_full(&client.environment().endpoint);
    format!("{endpoint}/{}", repository.id)
}

/// Where a file of a commit is.
pub(super) fn file_address(
    client: &Client,
    repository: &Repository,
    remote: &Remote,
    name: &str,
) -> String {
    let endpoint = &client.environment().endpoint;
    let (id, commit, name) = (&repository.id, &remote.commit, quoted(name, "/"));
    format!("{endpoint}/{id}/resolve/{commit}/{name}")
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
