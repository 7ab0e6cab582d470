//! One file, fetched into its blob.

use super::{
    client::{Client, Head},
    failure::{Asked, Failure},
    partial::{Finished, KEEP, Partial},
    reporter::{INTERVAL, Reporter},
    stream::{Next, Piece, Stream},
};
use crate::{
    file::{FileError, free_bytes},
    hub::{error::HubError, remote::Content, step::Wait},
};
use std::{
    io,
    time::{Duration, Instant},
};

/// Tries that bring too little together.
const MOST_TRIES: u32 = 6;
/// What is enough to go on trying, in bytes, if it is not a small file.
const ENOUGH: u64 = 1 << 20;
/// The part of a small file that is enough: one of so many.
const ENOUGH_OF: u64 = 16;
/// Times that a file may arrive damaged.
const MOST_DAMAGED: u32 = 2;
/// Larger files are not read again to see whether they are JSON.
const MOST_JSON_BYTES: u64 = 64 << 20;
/// The longest pause, also if the server wants a longer one.
const MOST_PAUSE: Duration = Duration::from_secs(300);

/// A file that is to come into its blob.
pub(super) struct Fetch<'a> {
    pub client: &'a Client,
    pub address: &'a str,
    pub name: &'a str,
    /// Its size.
    pub n_bytes: u64,
    /// What it holds.
    pub content: &'a Content,
    pub asked: Asked<'a>,
}

/// Why a try did not bring all.
enum Setback {
    /// What came cannot be right.
    Damaged(String),
    /// It ended too early.
    Failed(Failure),
}

impl Fetch<'_> {
    /// Fetches what is missing, and gives the blob its name.
    ///
    /// # Errors
    /// - If the file does not come, or arrives damaged twice.
    /// - If the cache cannot be written.
    /// - If whoever looks on wants no more of it.
    pub(super) fn run(
        &self,
        mut partial: Partial,
        reporter: &mut Reporter,
    ) -> Result<(), HubError> {
        let (mut n_tries, mut n_damaged) = (0, 0);
        // How far it ever was: a server that always begins anew and never comes to an end brings nothing new.
        let mut furthest = partial.n_bytes();
        loop {
            let Some(setback) = self.attempt(&mut partial, reporter)? else {
                return Ok(());
            };
            // A server that sends a byte and hangs up would keep us for years.
            let enough = (self.n_bytes / ENOUGH_OF).clamp(1, ENOUGH);
            if partial.n_bytes() >= furthest.saturating_add(enough) {
                furthest = partial.n_bytes();
                n_tries = 0;
            }
            n_tries += 1;
            // Whoever is told how it ends, or why it waits, knows how much is there.
            reporter.say(self.name, partial.n_bytes(), self.n_bytes)?;
            let pause = self.client.environment().pause * 2_u32.pow(n_tries.min(MOST_TRIES) - 1);
            let (reason, after) = match setback {
                Setback::Failed(failure) => {
                    let after = failure.after().unwrap_or(pause).max(pause);
                    if !failure.is_transient() || n_tries >= MOST_TRIES || after > MOST_PAUSE {
                        return Err(self.given_up(failure, &partial));
                    }
                    (failure.reason(), after)
                }
                Setback::Damaged(reason) => {
                    n_damaged += 1;
                    furthest = 0;
                    if n_damaged == MOST_DAMAGED {
                        partial.remove();
                        let name = self.name.to_owned();
                        return Err(HubError::Damaged { name, reason });
                    }
                    partial.restart()?;
                    (format!("it arrived damaged ({reason})"), pause)
                }
            };
            let wait = Wait::Retry { reason, after };
            self.wait(&mut partial, &wait, after, reporter)?;
        }
    }

    /// Waits, but has what is there all the while.
    fn wait(
        &self,
        partial: &mut Partial,
        wait: &Wait,
        time: Duration,
        reporter: &mut Reporter,
    ) -> Result<(), HubError> {
        let end = Instant::now() + time;
        loop {
            partial.keep();
            let left = end.saturating_duration_since(Instant::now());
            reporter.wait(self.name, wait, left.min(KEEP))?;
            if left <= KEEP {
                return Ok(());
            }
        }
    }

    /// Tries once to have it all, and gives it its name.
    fn attempt(
        &self,
        partial: &mut Partial,
        reporter: &mut Reporter,
    ) -> Result<Option<Setback>, HubError> {
        if partial.n_bytes() < self.n_bytes
            && let Some(setback) = self.receive(partial, reporter)?
        {
            return Ok(Some(setback));
        }
        // Nothing else tells what a proxy made of a file of git, of which the hash is not computed.
        let is_text = self.name.ends_with(".json") && partial.n_bytes() <= MOST_JSON_BYTES;
        if is_text && matches!(self.content, Content::Git(_)) && !partial.is_json() {
            return Ok(Some(Setback::Damaged("it is no JSON".to_owned())));
        }
        Ok(match partial.finish()? {
            Finished::Whole => None,
            Finished::Damaged(reason) => Some(Setback::Damaged(reason)),
        })
    }

    /// Asks for what is missing, and adds what comes.
    fn receive(
        &self,
        partial: &mut Partial,
        reporter: &mut Reporter,
    ) -> Result<Option<Setback>, HubError> {
        let stream = Stream::open(self.client, self.address, partial.n_bytes());
        loop {
            match stream.next(INTERVAL) {
                Next::Nothing => {}
                Next::Piece(Piece::Head(head)) => {
                    if let Err(reason) = self.begin(&head, partial)? {
                        return Ok(Some(Setback::Damaged(reason)));
                    }
                }
                Next::Piece(Piece::Bytes(bytes)) => {
                    if partial.n_bytes() + bytes.len() as u64 > self.n_bytes {
                        let reason = format!("it has more than {} bytes", self.n_bytes);
                        return Ok(Some(Setback::Damaged(reason)));
                    }
                    if let Err(error) = partial.add(&bytes) {
                        let error = self.not_written(error, partial);
                        // Why it ends matters more than that nobody wants it any more.
                        let _ = reporter.say(self.name, partial.n_bytes(), self.n_bytes);
                        return Err(error);
                    }
                }
                Next::Failed(Failure::Status(refusal)) if refusal.status == 416 => {
                    let reason = format!("it has no more than {} bytes", partial.n_bytes());
                    return Ok(Some(Setback::Damaged(reason)));
                }
                Next::Failed(failure) => return Ok(Some(Setback::Failed(failure))),
                Next::End if partial.n_bytes() == self.n_bytes => return Ok(None),
                Next::End => {
                    return Ok(Some(Setback::Failed(Failure::Cut {
                        host: String::new(),
                        reason: "the connection was cut".to_owned(),
                    })));
                }
            }
            partial.keep();
            reporter.progress(self.name, partial.n_bytes(), self.n_bytes)?;
        }
    }

    /// Looks at what is said of what comes, and goes back to the first byte if all comes again.
    fn begin(&self, head: &Head, partial: &mut Partial) -> Result<Result<(), String>, HubError> {
        // Hashes of git are not computed here. What else is a tag is of no use, or verified by its hash.
        if let (Content::Git(expected), Some(Content::Git(found))) = (self.content, &head.content)
            && found != expected
        {
            return Ok(Err(format!("its ETag is {found}, not {expected}")));
        }
        let has_other_size = |n_bytes: u64| n_bytes != self.n_bytes;
        let wrong = |n_bytes| Ok(Err(format!("it has {n_bytes} bytes, not {}", self.n_bytes)));
        if !head.is_part {
            if let Some(n_bytes) = head.n_bytes.filter(|n_bytes| has_other_size(*n_bytes)) {
                return wrong(n_bytes);
            }
            if partial.n_bytes() > 0 {
                // The server does not know of parts.
                partial.restart()?;
            }
            return Ok(Ok(()));
        }
        match head.range {
            Some((_, Some(n_bytes))) if has_other_size(n_bytes) => wrong(n_bytes),
            Some((first, _)) if first == partial.n_bytes() => Ok(Ok(())),
            _ => Ok(Err("another part came than was asked for".to_owned())),
        }
    }

    fn given_up(&self, failure: Failure, partial: &Partial) -> HubError {
        match failure {
            Failure::Cut { reason, .. } => HubError::Cut {
                name: self.name.to_owned(),
                bytes: partial.n_bytes(),
                of: self.n_bytes,
                reason,
            },
            failure => failure.into_error(self.asked),
        }
    }

    fn not_written(&self, error: io::Error, partial: &Partial) -> HubError {
        let cache = &self.client.environment().cache;
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => HubError::Full {
                folder: cache.clone(),
                needed: self.n_bytes.saturating_sub(partial.n_bytes()),
                free: free_bytes(cache).unwrap_or(0),
            },
            _ => FileError::io("write", cache, error).into(),
        }
    }
}
