//! What a lock says: which process owns an output, and how far it has come.

use super::{Beat, LastWords, Living, line};
use crate::file::Process;
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Bytes of a claim. It is written in its own place, in one step, and always as long as this.
pub(super) const CLAIM_BYTES: usize = 896;
/// How often a claim is read that may be on its way, and how long after another.
const MOST_TRIES: usize = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// What a lock says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Claim {
    pub(super) process: Process,
    /// When it was made, as in RFC 3339.
    since: String,
    /// When it was made, exactly: it tells claims of one process apart.
    moment: u64,
    /// Counts the beats. It moves as long as the owner lives.
    pub(super) n_beats: u64,
    pub(super) beat: Beat,
    /// What the owner before said last, as long as the ledger does not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) left: Option<LastWords>,
}

#[derive(Serialize, Deserialize)]
struct Written<T> {
    owner: T,
}

impl Claim {
    /// A claim of this process, which hands on what was left by the one before.
    pub(super) fn new(left: Option<LastWords>) -> Self {
        let now = SystemTime::now();
        let moment = now
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        Self {
            process: Process::this(),
            since: humantime::format_rfc3339_seconds(now).to_string(),
            moment: u64::try_from(moment).unwrap_or_default(),
            n_beats: 0,
            beat: Beat::default(),
            left,
        }
    }

    /// The last words that are not in the ledger: those of its owner, or, if that had not begun, those that
    /// were left to it.
    pub(super) fn last_words(&self) -> LastWords {
        self.left.unwrap_or_else(|| self.beat.into())
    }

    /// Whether both are the same one, at different moments.
    pub(super) fn is(&self, other: &Self) -> bool {
        (&self.process, self.moment) == (&other.process, other.moment)
    }

    /// Whose it is.
    pub(super) fn living(&self) -> Living {
        Living {
            host: self.process.host.clone(),
            pid: self.process.pid,
            since: self.since.clone(),
            beat: self.beat,
        }
    }

    pub(super) fn write(&self, file: &File) -> io::Result<()> {
        let mut text = line::write(&Written { owner: self });
        assert!(text.len() < CLAIM_BYTES, "names are short");
        text.extend(std::iter::repeat_n(' ', CLAIM_BYTES - 1 - text.len()));
        text.push('\n');
        file.write_all_at(text.as_bytes(), 0)
    }

    /// The claim in a lock, if there is a whole one. One that is just being written is waited for.
    pub(super) fn read(file: &File) -> Option<Self> {
        for n_tries in 1..=MOST_TRIES {
            let mut text = [0; CLAIM_BYTES];
            match file.read_at(&mut text, 0) {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
            let text = line::checked(text.trim_ascii_end());
            let written = text.and_then(|text| serde_json::from_str(&text).ok());
            if let Some(Written { owner }) = written {
                return Some(owner);
            }
            if n_tries < MOST_TRIES {
                thread::sleep(BETWEEN_TRIES);
            }
        }
        None
    }
}
