//! A Hub on this machine, with the answers of the real one, and a second server to which it sends those who
//! want large files. It fails as it is told to, and remembers what it was asked.
//!
//! Tests of the library have this file, too.

mod answer;

use answer::{Answer, hub_answer, store_answer};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

/// A Hub on this machine.
pub struct Server {
    /// Its address.
    pub endpoint: String,
    /// The name and port of the server with the large files.
    pub store: String,
    state: Arc<Mutex<State>>,
}

/// What it has and what it was asked.
#[derive(Default)]
struct State {
    repositories: BTreeMap<String, Repository>,
    tokens: Vec<String>,
    faults: Vec<(String, usize, Fault)>,
    requests: Vec<Request>,
}

/// A repository at its only commit.
#[derive(Clone, Default)]
struct Repository {
    commit: String,
    revisions: Vec<String>,
    files: BTreeMap<String, File>,
    gate: Gate,
    /// Whether the listing says what files hold.
    is_terse: bool,
    /// Whether the listing says it without sizes.
    has_no_sizes: bool,
}

#[derive(Clone)]
struct File {
    bytes: Arc<Vec<u8>>,
    hash: String,
    is_lfs: bool,
}

/// Who may read a repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    /// Everybody.
    #[default]
    Open,
    /// Only who has a token, and nobody else knows that it exists.
    Private,
    /// Everybody may know of it, and only who has a token may read it.
    Gated,
    /// As before, and no token is good enough.
    Closed,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whether it came to the server with the large files.
    pub is_store: bool,
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
}

/// How an answer goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Another status, with these headers.
    Status(u16, &'static str),
    /// The connection ends after so many bytes of the file's part.
    Cut(usize),
    /// Nothing more comes after so many bytes.
    Stall(usize),
    /// So many bytes come at a time, and a millisecond between.
    Slow(usize),
    /// A byte comes at a time, and a tenth of a second between.
    Trickle,
    /// A byte is another one.
    Altered,
    /// The file has a byte too many.
    TooLong,
    /// All comes, whatever part was asked for.
    Whole,
    /// A part comes that was not asked for.
    OtherPart,
    /// It sends to this address.
    Redirect(String),
    /// The body is this text.
    Text(&'static str),
    /// The body is this text, of an entity tag that begins with this.
    Tagged(&'static str, &'static str),
    /// The connection ends without an answer.
    HangUp,
    /// There is no answer for a while.
    Silent,
}

impl Server {
    /// A Hub that has nothing yet.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let (hub, store) = (listener(), listener());
        let address = |listener: &TcpListener| listener.local_addr().unwrap().to_string();
        let server = Self {
            endpoint: format!("http://{}", address(&hub)),
            // Another name for the same machine.
            store: format!("localhost:{}", store.local_addr().unwrap().port()),
            state: Arc::clone(&state),
        };
        for (listener, is_store) in [(hub, false), (store, true)] {
            let (state, store) = (Arc::clone(&state), server.store.clone());
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let (state, store) = (Arc::clone(&state), store.clone());
                    // A client may go away at any time.
                    thread::spawn(move || serve(&stream, &state, is_store, &store));
                }
            });
        }
        server
    }

    /// Puts a file into a repository, whose branch `main` and tag `v1` are at a new commit then.
    pub fn put(&self, id: &str, name: &str, bytes: &[u8], is_lfs: bool) -> &Self {
        let mut state = self.state();
        let repository = state.repositories.entry(id.to_owned()).or_default();
        let hash = hash(bytes);
        repository.commit = hash_of_commit(&repository.commit, name, &hash);
        repository.revisions = vec!["main".to_owned(), "v1".to_owned(), "refs/pr/1".to_owned()];
        let file = File {
            hash: if is_lfs { hash } else { hash[..40].to_owned() },
            bytes: Arc::new(bytes.to_vec()),
            is_lfs,
        };
        repository.files.insert(name.to_owned(), file);
        drop(state);
        self
    }

    /// The commit of a repository.
    pub fn commit(&self, id: &str) -> String {
        self.state().repositories[id].commit.clone()
    }

    /// What the blob of a file is called.
    pub fn hash(&self, id: &str, name: &str) -> String {
        self.state().repositories[id].files[name].hash.clone()
    }

    /// Who may read a repository.
    pub fn gate(&self, id: &str, gate: Gate) {
        self.state().repositories.get_mut(id).unwrap().gate = gate;
    }

    /// The listing does not say what files hold.
    pub fn be_terse(&self, id: &str) {
        self.state().repositories.get_mut(id).unwrap().is_terse = true;
    }

    /// The listing does not say how large files are.
    pub fn hide_sizes(&self, id: &str) {
        self.state().repositories.get_mut(id).unwrap().has_no_sizes = true;
    }

    /// A token that is valid.
    pub fn admit(&self, token: &str) {
        self.state().tokens.push(token.to_owned());
    }

    /// The next answers go wrong to requests whose addresses have this part.
    pub fn fail(&self, part: &str, n_times: usize, fault: Fault) -> &Self {
        self.state().faults.push((part.to_owned(), n_times, fault));
        self
    }

    /// What it was asked, from the first request on or since this was called.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state().requests)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Request {
    /// The first byte that was asked for.
    pub fn first_byte(&self) -> usize {
        let range = self.headers.get("range").map_or("bytes=0-", String::as_str);
        let first = range.trim_start_matches("bytes=").split('-').next();
        first.and_then(|first| first.parse().ok()).unwrap_or(0)
    }

    fn token(&self) -> Option<&str> {
        self.headers.get("authorization")?.strip_prefix("Bearer ")
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn hash_of_commit(before: &str, name: &str, content: &str) -> String {
    hash(format!("{before} {name} {content}").as_bytes())[..40].to_owned()
}

fn serve(stream: &TcpStream, state: &Mutex<State>, is_store: bool, store: &str) -> Option<()> {
    let request = read(stream, is_store)?;
    let mut state = lock(state);
    state.requests.push(request.clone());
    let mut faults = state.faults.iter_mut();
    let fault =
        faults.find(|(part, n_times, _)| *n_times > 0 && request.path.contains(part.as_str()));
    let fault = fault.map(|(_, n_times, fault)| {
        *n_times -= 1;
        fault.clone()
    });
    let answer = match &fault {
        Some(Fault::Status(status, headers)) => Answer::refusal(*status, headers),
        Some(Fault::Redirect(address)) => Answer::refusal(302, &format!("Location: {address}\r\n")),
        Some(Fault::Text(text)) => Answer::text(text),
        Some(Fault::Tagged(text, prefix)) => Answer::tagged(text, prefix),
        Some(Fault::HangUp) => return None,
        _ if is_store => store_answer(&state, &request),
        _ => hub_answer(&state, &request, store),
    };
    drop(state);
    if matches!(fault, Some(Fault::Silent)) {
        thread::sleep(Duration::from_secs(60));
    }
    answer.send(stream, &request, fault)
}

fn read(stream: &TcpStream, is_store: bool) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    Some(Request {
        is_store,
        method,
        path,
        headers,
    })
}
