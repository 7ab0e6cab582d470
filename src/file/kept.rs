//! Something temporary that is made and locked, so that others see that its process lives.

use super::temporary::{Registration, register};
use std::{
    fs::{File, TryLockError},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

/// How often what is new may be taken for something of a dead process before its lock is done without.
const MOST_TRIES: usize = 16;

/// Makes something temporary until nobody takes it for something of a dead process, which `keep` finds out.
pub(super) fn make_kept<T, K>(
    make: impl Fn() -> io::Result<T>,
    path: impl Fn(&T) -> &Path,
    keep: impl Fn(&T) -> Option<K>,
) -> io::Result<(T, Option<K>, Registration)> {
    let mut n_tries = 0;
    loop {
        let (made, registration) = register(&make, &path)?;
        n_tries += 1;
        let kept = keep(&made);
        if kept.is_some() || n_tries == MOST_TRIES {
            return Ok((made, kept, registration));
        }
        // It is on the list as long as it is there.
        drop((made, registration));
    }
}

/// Takes the lock that tells others that this process lives, and looks whether one of them was faster
/// and has removed what was made.
pub(super) fn is_kept(made: &File) -> bool {
    match made.try_lock() {
        Err(TryLockError::WouldBlock) => false,
        // Where there are no locks nobody removes anything.
        Ok(()) | Err(TryLockError::Error(_)) => {
            made.metadata().is_ok_and(|found| found.nlink() > 0)
        }
    }
}
