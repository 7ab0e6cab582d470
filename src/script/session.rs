//! What the calls of one script share.

use super::{
    failure::{RhaiResultOf, raise, raise_error, raise_with_hint},
    files::Files,
};
use crate::{
    cancel::CancelToken,
    error::Error,
    file::TemporaryFolder,
    host::{Host, Rehearsal},
    job::Shard,
};
use rhai::NativeCallContext;
use std::{
    cell::{Cell, OnceCell, RefCell, RefMut},
    path::{Path, PathBuf},
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

/// How long a script sleeps at most before it looks whether it is to stop.
const NAP: Duration = Duration::from_millis(50);

/// The state of a running script. Clones share it. It travels as the engine's tag, so that
/// registered functions need not be closures, which have no documentation.
#[derive(Clone)]
pub(super) struct Session(Rc<State>);

struct State {
    host: RefCell<Box<dyn Host>>,
    files: RefCell<Files>,
    /// Made when the script first asks for a temporary path, removed when the script ends.
    temporary: OnceCell<TemporaryFolder>,
    n_rejected: Cell<u64>,
    n_runs: Cell<u64>,
    /// Whether the script runs a point of a sweep.
    is_in_point: Cell<bool>,
    /// How often the script has asked for something that is not done by the engine.
    n_requests: Cell<u64>,
    cancel: CancelToken,
    is_rehearsal: bool,
    shard: Option<Shard>,
}

impl Session {
    pub(super) fn new(host: Box<dyn Host>, cancel: CancelToken) -> Self {
        Self::of_files(host, Files::new(), cancel)
    }

    /// A rehearsal of which only the files matter.
    pub(super) fn of_foresight(shard: Option<Shard>, cancel: CancelToken) -> Self {
        let host = Rehearsal::quick(shard, &cancel);
        Self::of_files(Box::new(host), Files::of_foresight(), cancel)
    }

    fn of_files(host: Box<dyn Host>, files: Files, cancel: CancelToken) -> Self {
        Self(Rc::new(State {
            is_rehearsal: host.is_rehearsal(),
            shard: host.shard(),
            host: RefCell::new(host),
            files: RefCell::new(files),
            temporary: OnceCell::new(),
            n_rejected: Cell::new(0),
            n_runs: Cell::new(0),
            is_in_point: Cell::new(false),
            n_requests: Cell::new(0),
            cancel,
        }))
    }

    /// The session of the script that a registered function was called from.
    pub(super) fn of(context: &NativeCallContext) -> Self {
        context
            .tag()
            .and_then(|tag| tag.clone().try_cast::<Self>())
            .expect("the engine is built with a session as its tag")
    }

    /// The host.
    ///
    /// # Errors
    /// If the script is called back by a run, which has the host for itself.
    pub(super) fn host(&self) -> RhaiResultOf<RefMut<'_, Box<dyn Host>>> {
        self.count_request();
        self.0.host.try_borrow_mut().map_err(|_| {
            raise(
                "a closure that follows a run can neither load or unload models, start runs nor ask for files"
                    .to_owned(),
            )
        })
    }

    /// The host, before the script begins.
    pub(super) fn host_alone(&self) -> RefMut<'_, Box<dyn Host>> {
        self.0.host.borrow_mut()
    }

    /// The files that the script names. They are borrowed for one question and never while the script
    /// is called back.
    pub(super) fn files(&self) -> RefMut<'_, Files> {
        self.count_request();
        self.0.files.borrow_mut()
    }

    /// How often the script has asked for something that is not done by the engine: memory that the
    /// program has taken since is not the script's.
    pub(super) fn n_requests(&self) -> u64 {
        self.0.n_requests.get()
    }

    /// Whether a run calls the script back.
    pub(super) fn is_called_back(&self) -> bool {
        self.0.host.try_borrow_mut().is_err()
    }

    fn count_request(&self) {
        self.0.n_requests.set(self.0.n_requests.get() + 1);
    }

    /// Waits, but not in a rehearsal.
    ///
    /// # Errors
    /// If the script is to stop, which it then does at once.
    pub(super) fn sleep(&self, time: Duration) -> RhaiResultOf<()> {
        let start = Instant::now();
        while !self.0.is_rehearsal
            && let Some(rest) = time.checked_sub(start.elapsed())
        {
            if let Some(reason) = self.0.cancel.reason() {
                return Err(raise_error(Error::Stopped(reason)));
            }
            thread::sleep(rest.min(NAP));
        }
        Ok(())
    }

    /// Which process runs the script, if several share its work.
    pub(super) fn shard(&self) -> Option<Shard> {
        self.0.shard
    }

    /// Where a file is that each process writes for itself, if several run the script.
    pub(super) fn own_file(&self, path: &Path) -> PathBuf {
        match self.0.shard {
            Some(shard) => shard.own_file(path),
            None => path.to_owned(),
        }
    }

    pub(super) fn add_run(&self) {
        self.0.n_runs.set(self.0.n_runs.get() + 1);
    }

    /// Runs a point of a sweep, which may run another one.
    pub(super) fn in_point<T>(&self, run: impl FnOnce() -> T) -> T {
        let before = self.0.is_in_point.replace(true);
        let result = run();
        self.0.is_in_point.set(before);
        result
    }

    /// Whether the script runs a point of a sweep.
    pub(super) fn is_in_point(&self) -> bool {
        self.0.is_in_point.get()
    }

    pub(super) fn add_rejected(&self, records: u64) {
        self.0.n_rejected.set(self.0.n_rejected.get() + records);
    }

    /// Records that policies rejected, over all runs so far.
    pub(super) fn n_rejected(&self) -> u64 {
        self.0.n_rejected.get()
    }

    /// Runs so far.
    pub(super) fn n_runs(&self) -> u64 {
        self.0.n_runs.get()
    }

    /// `name` in a folder that is removed when the script ends.
    pub(super) fn temporary_path(&self, name: &str) -> RhaiResultOf<PathBuf> {
        let is_plain = Path::new(name).file_name().is_some_and(|file| file == name);
        if !is_plain {
            return Err(raise_with_hint(
                format!("`temp_path` takes a file name without a folder, not \"{name}\""),
                "give a name such as \"run.parquet\"",
            ));
        }
        if self.0.temporary.get().is_none() {
            let folder = TemporaryFolder::new().map_err(|error| raise_error(error.into()))?;
            self.0.temporary.get_or_init(|| folder);
        }
        let folder = self.0.temporary.get().expect("it was made just above");
        Ok(folder.path().join(name))
    }
}
