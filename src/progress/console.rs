//! The terminal: the one place that writes to it.

use indicatif::{MultiProgress, ProgressDrawTarget};
use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Standard output and standard error, with bars that step aside while anything else is written.
/// Clones share them.
#[derive(Clone, Debug)]
pub struct Console {
    bars: MultiProgress,
    is_closed: Arc<AtomicBool>,
}

impl Default for Console {
    fn default() -> Self {
        Self {
            // Bars hide themselves where standard error is no terminal.
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
            is_closed: Arc::default(),
        }
    }
}

impl Console {
    /// Writes what a script prints to standard output.
    pub fn print(&self, text: &str) {
        let result = self.aside(|| {
            let mut output = io::stdout().lock();
            writeln!(output, "{text}").and_then(|()| output.flush())
        });
        if result.is_err() {
            self.is_closed.store(true, Ordering::Release);
        }
    }

    /// Whether standard output is gone, for instance because `head` has seen enough.
    pub fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Writes lines to standard error, without colours where they are not wanted.
    pub fn note(&self, text: &str) {
        // Nobody can be told that standard error is gone.
        let _ = self.aside(|| writeln!(anstream::stderr().lock(), "{text}"));
    }

    /// Writes while bars, if there are any, step aside. Where there are none nobody waits for whoever
    /// writes to a standard error that is not read.
    fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        if self.bars.is_hidden() {
            write()
        } else {
            self.bars.suspend(write)
        }
    }

    /// Writes a line to standard error where no bars are. Unlike [`note`](Self::note) it holds nobody up
    /// who prints meanwhile, even if whoever reads standard error stands still.
    pub(super) fn line(&self, text: &str) {
        // Nobody can be told that standard error is gone.
        let _ = writeln!(anstream::stderr().lock(), "{text}");
    }

    /// A writer for log lines.
    pub fn log_writer(&self) -> LogWriter {
        LogWriter(self.clone())
    }

    pub(super) fn bars(&self) -> &MultiProgress {
        &self.bars
    }
}

/// Writes whole log lines to standard error.
pub struct LogWriter(Console);

impl Write for LogWriter {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.0.aside(|| anstream::stderr().write(lines))
    }

    fn flush(&mut self) -> io::Result<()> {
        anstream::stderr().flush()
    }
}
