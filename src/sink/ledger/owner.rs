//! The one process that may write an output.

use super::{Beat, LastWords, LedgerError, Living, claim::Claim};
use crate::{
    file::{self, Life},
    sink::SinkError,
};
use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How long an owner is watched before it is taken for dead, where nothing else tells. Owners beat every
/// few seconds, and at least three times within that.
const BEFORE_TAKING: Duration = Duration::from_secs(12);
/// The same, for those who only look.
const WHILE_LOOKING: Duration = Duration::from_secs(4);
/// How long others get to claim the same output, where there are no locks.
const TO_SETTLE: Duration = Duration::from_millis(300);
/// Nobody can have been taken for dead that beat so lately, so that it need not look.
const SURELY_ALIVE: Duration = Duration::from_secs(1);
/// How often a watched lock is looked at.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
/// How often a lock may vanish while it is taken.
const MOST_TRIES: usize = 1000;

/// The right to write an output, which one process has at a time. It is held as long as this lives, and
/// dropping it leaves nothing behind. The death of the process gives it back, and leaves what the process
/// said last.
#[derive(Debug)]
pub struct Owner {
    path: PathBuf,
    /// The lock is on it.
    file: File,
    claim: Claim,
    /// When the claim was written.
    said: Instant,
}

/// How it is found out whether an owner lives.
struct Means {
    lock: fn(&File) -> Result<(), TryLockError>,
    before_taking: Duration,
    to_settle: Duration,
}

impl Owner {
    /// Takes the lock at `path`, which is made with the folders that it needs. If its last owner died, what
    /// it said last comes with it. Where an owner on another machine may be alive, and nothing but its
    /// beats tells, this takes some seconds.
    ///
    /// # Errors
    /// - If another process has it.
    /// - If the file system refuses.
    pub fn take(path: &Path) -> Result<(Self, Option<LastWords>), SinkError> {
        let means = Means {
            lock: File::try_lock,
            before_taking: BEFORE_TAKING,
            to_settle: TO_SETTLE,
        };
        Self::take_by(&means, path)
    }

    fn take_by(means: &Means, path: &Path) -> Result<(Self, Option<LastWords>), SinkError> {
        let io = |error| SinkError::io("lock", path, error);
        let owned = |claim: Option<Claim>| LedgerError::Owned {
            lock: path.to_owned(),
            living: claim.map(|claim| Box::new(claim.living())),
        };
        if let Some(folder) = path.parent() {
            file::create_folder(folder)?;
        }
        for _ in 0..MOST_TRIES {
            let file = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
                .map_err(io)?;
            let has_lock = match (means.lock)(&file) {
                Ok(()) => true,
                Err(TryLockError::WouldBlock) => {
                    if !is_named(&file, path) {
                        continue;
                    }
                    return Err(owned(Claim::read(&file)).into());
                }
                // The file system has no locks.
                Err(TryLockError::Error(_)) => false,
            };
            let found = Claim::read(&file);
            // Without a lock that all obey, others may claim it at the same moment.
            let mut is_certain = has_lock;
            if let Some(claim) = &found {
                let life = match claim.process.life() {
                    // The system has taken its lock from it.
                    Life::Lives | Life::Elsewhere
                        if has_lock && claim.process.is_of_this_machine() =>
                    {
                        Life::Ended
                    }
                    life => life,
                };
                is_certain &= life == Life::Ended;
                let lives = match life {
                    Life::Lives => true,
                    Life::Ended => false,
                    Life::Elsewhere => is_moving(path, claim, means.before_taking),
                };
                if lives {
                    return Err(owned(found).into());
                }
            }
            // Whoever ends removes the file, which may be this one.
            if !is_named(&file, path) {
                continue;
            }
            let left = found.as_ref().map(Claim::last_words);
            let claim = Claim::new(left);
            let said = Instant::now();
            claim.write(&file).map_err(io)?;
            if !is_certain {
                thread::sleep(means.to_settle);
                let now = read(path);
                if !now.as_ref().is_some_and(|now| now.is(&claim)) {
                    return Err(owned(now).into());
                }
            }
            let owner = Self {
                path: path.to_owned(),
                file,
                claim,
                said,
            };
            return Ok((owner, left));
        }
        Err(owned(None).into())
    }

    /// Says that this process lives, and how far the work has come. It is to be called every few seconds.
    /// What cannot be written is not said, and no reason to stop.
    ///
    /// # Errors
    /// If another process has taken this one for dead, and the lock over.
    pub fn beat(&mut self, beat: &Beat) -> Result<(), SinkError> {
        if let Some(other) = read(&self.path)
            && !other.is(&self.claim)
        {
            return Err(LedgerError::TakenOver {
                lock: self.path.clone(),
                living: Box::new(other.living()),
            }
            .into());
        }
        self.write(beat);
        Ok(())
    }

    /// Says how far the work has come, at the cost of writing to memory: that outlives the process, though not
    /// the machine. An owner that did not [`beat`](Self::beat) lately is silent, as another one may have come.
    pub fn note(&mut self, beat: &Beat) {
        if self.silent() < SURELY_ALIVE {
            self.write(beat);
        }
    }

    /// How long ago it last said anything.
    pub fn silent(&self) -> Duration {
        self.said.elapsed()
    }

    /// A stretch is about to be the next entry of a ledger that has so many, and to say what the owner before
    /// said last. Whatever becomes of this process, that counts once.
    pub fn announce(&mut self, n_stretches: usize) {
        if let Some(left) = &mut self.claim.left {
            left.n_stretches = Some(n_stretches);
            let beat = self.claim.beat;
            self.write(&beat);
        }
    }

    /// The ledger has what the owner before said last, which is not handed on any more from the next beat on.
    pub fn begin(&mut self) {
        self.claim.left = None;
    }

    fn write(&mut self, beat: &Beat) {
        self.claim.n_beats += 1;
        self.claim.beat = *beat;
        self.said = Instant::now();
        let _ = self.claim.write(&self.file);
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let is_ours = Claim::read(&self.file).is_some_and(|found| found.is(&self.claim));
        // While the lock is held: whoever has just opened this file finds out that it is gone.
        if is_ours && is_named(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The process that owns an output, if one does, for onlookers: nothing is changed, and it is not
/// disturbed. Where only its beats tell, this takes some seconds.
pub fn look(path: &Path) -> Option<Living> {
    look_for(path, WHILE_LOOKING)
}

fn look_for(path: &Path, patience: Duration) -> Option<Living> {
    let claim = read(path)?;
    let lives = match claim.process.life() {
        Life::Lives => true,
        Life::Ended => false,
        Life::Elsewhere => is_moving(path, &claim, patience),
    };
    // What it said last is newer than what was read first.
    lives.then(|| read(path).unwrap_or(claim).living())
}

/// Whether somebody beats within that time. The file is opened anew each time: a file system of several
/// machines shows what others wrote to those who open it after that.
fn is_moving(path: &Path, claim: &Claim, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        thread::sleep(BETWEEN_LOOKS.min(patience));
        match read(path) {
            // It has ended well meanwhile.
            None => return false,
            Some(now) if now != *claim => return true,
            Some(_) => {}
        }
    }
    false
}

fn read(path: &Path) -> Option<Claim> {
    Claim::read(&file::open(path).ok()?)
}

/// Whether a file is the one that has this name, and not one that has been removed.
fn is_named(file: &File, path: &Path) -> bool {
    match (file.metadata(), path.metadata()) {
        (Ok(file), Ok(named)) => (file.dev(), file.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
