//! How stages end, and what becomes of the others then.

use crate::{cancel::Abandonment, error::Error};
use std::{
    sync::mpsc::Sender,
    thread::{Scope, ScopedJoinHandle},
};

/// Why a stage ended before its input did.
#[derive(Debug)]
pub(super) enum Halt {
    /// Its own failure.
    Failed(Error),
    /// Another stage is gone, and knows why.
    Abandoned,
}

impl<E: Into<Error>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Runs stages, and abandons the run where one fails.
#[derive(Clone)]
pub(super) struct Guard(pub(super) Abandonment);

impl Guard {
    /// Runs a stage on a thread of its own. Whoever has the other end of `alive` learns that it has ended.
    pub(super) fn spawn<'scope, T: Send + 'scope>(
        &self,
        scope: &'scope Scope<'scope, '_>,
        alive: &Sender<()>,
        stage: impl FnOnce() -> Result<T, Halt> + Send + 'scope,
    ) -> ScopedJoinHandle<'scope, Result<T, Halt>> {
        let (guard, alive) = (self.clone(), alive.clone());
        scope.spawn(move || {
            let _alive = alive;
            guard.run(stage)
        })
    }

    /// Runs a stage on this thread.
    pub(super) fn run<T>(&self, stage: impl FnOnce() -> Result<T, Halt>) -> Result<T, Halt> {
        /// Declares it when it is dropped, also by a panic.
        struct Declare<'a>(Option<&'a Abandonment>);
        impl Drop for Declare<'_> {
            fn drop(&mut self) {
                if let Some(abandonment) = self.0 {
                    abandonment.declare();
                }
            }
        }
        let mut declare = Declare(Some(&self.0));
        let result = stage();
        if result.is_ok() {
            declare.0 = None;
        }
        result
    }
}

/// What a stage's thread returned, or an error in place of its panic.
pub(super) fn joined<T>(
    thread: ScopedJoinHandle<'_, Result<T, Halt>>,
    name: &'static str,
) -> Result<T, Halt> {
    let ended = thread.join();
    ended.unwrap_or_else(|_| Err(Error::Panicked(name).into()))
}

/// What a stage left, or nothing where it halted: the first failure is kept, as those that come after it
/// often come of it.
pub(super) fn kept<T>(ended: Result<T, Halt>, failure: &mut Option<Error>) -> Option<T> {
    match ended {
        Ok(left) => Some(left),
        Err(Halt::Abandoned) => None,
        Err(Halt::Failed(error)) => {
            failure.get_or_insert(error);
            None
        }
    }
}
