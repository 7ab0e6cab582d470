//! The terminal: the one place that writes to it.

use crate::text::printable;
use indicatif::{MultiProgress, ProgressDrawTarget};
use std::{
    env,
    io::{self, IsTerminal, Write},
    os::fd::AsFd,
    sync::{Arc, OnceLock},
};
use terminal_size::terminal_size_of;

/// Characters in a line where no terminal says how many. Longer lines are hard to read.
const COLUMNS: usize = 100;

/// Standard output and standard error, with bars that step aside while anything else is written.
/// Clones share them.
#[derive(Clone, Debug)]
pub struct Console {
    bars: MultiProgress,
    /// Why nothing more can be printed.
    failure: Arc<OnceLock<io::Error>>,
}

impl Default for Console {
    fn default() -> Self {
        Self {
            // Bars hide themselves where standard error is no terminal.
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
            failure: Arc::default(),
        }
    }
}

impl Console {
    /// Writes what a script prints to standard output: as it is, but for what a terminal would obey.
    pub fn print(&self, text: &str) {
        let result = self.aside(|| {
            let mut output = io::stdout().lock();
            match output.is_terminal() {
                true => writeln!(output, "{}", printable(text)),
                false => writeln!(output, "{text}"),
            }?;
            output.flush()
        });
        if let Err(error) = result {
            // The first one says why.
            let _ = self.failure.set(error);
        }
    }

    /// Characters in a line of what is printed: as many as the terminal has, or the variable COLUMNS says, but not
    /// more than are easy to read.
    pub fn columns(&self) -> usize {
        let said = || env::var("COLUMNS").ok()?.parse().ok();
        let columns = columns_of(io::stdout()).or_else(said);
        columns
            .filter(|columns| *columns > 0)
            .map_or(COLUMNS, |columns| columns.min(COLUMNS))
    }

    /// Characters in a line of the terminal that notes go to, if it is one.
    pub fn note_columns(&self) -> Option<usize> {
        columns_of(io::stderr())
    }

    /// Why standard output cannot be written any more, for instance because `head` has seen enough.
    pub fn failure(&self) -> Option<&io::Error> {
        self.failure.get()
    }

    /// Writes lines to standard error, without colours where they are not wanted.
    pub fn note(&self, text: &str) {
        // Nobody can be told that standard error is gone.
        // In one piece, so that nothing gets between a line and its end.
        let line = format!("{text}\n");
        let _ = self.aside(|| anstream::stderr().lock().write_all(line.as_bytes()));
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
        let line = format!("{text}\n");
        let _ = anstream::stderr().lock().write_all(line.as_bytes());
    }

    /// A writer for log lines.
    pub fn log_writer(&self) -> LogWriter {
        LogWriter(self.clone())
    }

    pub(super) fn bars(&self) -> &MultiProgress {
        &self.bars
    }
}

fn columns_of(stream: impl AsFd) -> Option<usize> {
    let (columns, _) = terminal_size_of(stream)?;
    (columns.0 > 0).then_some(columns.0.into())
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
