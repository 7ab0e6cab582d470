//! Steps of a download, told to whoever looks on.

use crate::hub::{
    error::HubError,
    step::{Step, Wait},
};
use std::{
    ops::ControlFlow,
    thread,
    time::{Duration, Instant},
};

/// How often something is said.
pub(super) const INTERVAL: Duration = Duration::from_millis(100);

/// Tells the steps of a download to whoever looks on, some ten a second.
pub(super) struct Reporter<'a> {
    on_step: &'a mut dyn FnMut(Step) -> ControlFlow<()>,
    /// What the files before this one have.
    before: u64,
    /// What all files have.
    of: u64,
    /// When something was said.
    last: Instant,
}

impl<'a> Reporter<'a> {
    /// For files of so many bytes, of which some are here already.
    pub(super) fn new(
        on_step: &'a mut dyn FnMut(Step) -> ControlFlow<()>,
        before: u64,
        of: u64,
    ) -> Self {
        Self {
            on_step,
            before,
            of,
            last: Instant::now(),
        }
    }

    /// So much of a file is there. Says nothing if something was just said.
    ///
    /// # Errors
    /// Whoever looks on wants no more of it.
    pub(super) fn progress(
        &mut self,
        file: &str,
        file_bytes: u64,
        file_of: u64,
    ) -> Result<(), HubError> {
        if self.last.elapsed() < INTERVAL {
            return Ok(());
        }
        self.say(file, file_bytes, file_of)
    }

    /// What is there of a file is being read. Says nothing if something was just said.
    ///
    /// # Errors
    /// Whoever looks on wants no more of it.
    pub(super) fn reading(&mut self, file: &str) -> Result<(), HubError> {
        if self.last.elapsed() < INTERVAL {
            return Ok(());
        }
        let wait = &Wait::Reading;
        self.tell(Step::Waiting { file, wait })
    }

    /// A file is there.
    ///
    /// # Errors
    /// Whoever looks on wants no more of it.
    pub(super) fn done(&mut self, file: &str, file_of: u64) -> Result<(), HubError> {
        let said = self.say(file, file_of, file_of);
        self.before = self.before.saturating_add(file_of);
        said
    }

    /// Nothing comes for so long.
    ///
    /// # Errors
    /// Whoever looks on wants no more of it.
    pub(super) fn wait(&mut self, file: &str, wait: &Wait, time: Duration) -> Result<(), HubError> {
        let end = Instant::now() + time;
        loop {
            self.tell(Step::Waiting { file, wait })?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(INTERVAL));
        }
    }

    /// So much of a file is there, which is said in any case.
    ///
    /// # Errors
    /// Whoever looks on wants no more of it.
    pub(super) fn say(
        &mut self,
        file: &str,
        file_bytes: u64,
        file_of: u64,
    ) -> Result<(), HubError> {
        self.tell(Step::Progress {
            file,
            file_bytes,
            file_of,
            bytes: self.before.saturating_add(file_bytes),
            of: self.of,
        })
    }

    fn tell(&mut self, step: Step) -> Result<(), HubError> {
        self.last = Instant::now();
        match (self.on_step)(step) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(HubError::Interrupted),
        }
    }
}
