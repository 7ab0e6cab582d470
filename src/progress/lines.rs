//! Progress for log files.

use super::{Console, Listener, Tally, news, warning};
use crate::{event::Event, text::printable};
use std::time::{Duration, Instant};

/// How often a run that goes on says so.
const INTERVAL: Duration = Duration::from_secs(30);

/// A line when a call of `embed` or a download begins, one every 30 seconds, and one when it ends; or
/// warnings only.
pub(super) struct Lines {
    console: Console,
    only_warnings: bool,
    /// When the run in progress last said something.
    last_line: Option<Instant>,
    /// When the download in progress did.
    last_of_download: Option<Instant>,
}

impl Lines {
    pub(super) fn new(console: Console) -> Self {
        Self {
            console,
            only_warnings: false,
            last_line: None,
            last_of_download: None,
        }
    }

    pub(super) fn only_warnings(console: Console) -> Self {
        Self {
            only_warnings: true,
            ..Self::new(console)
        }
    }
}

impl Listener for Lines {
    fn hear(&mut self, event: &Event, tally: &Tally) {
        if let Some(warning) = warning(event) {
            self.console.note(&warning);
        }
        if self.only_warnings {
            return;
        }
        match event {
            Event::RunStarted {
                inputs,
                model,
                device,
                ..
            } => {
                self.last_line = Some(Instant::now());
                let line = format!("embedding {inputs} with {model} on {device}");
                self.console.note(&printable(&line));
            }
            // A run that never began has no figures; its error is reported where it goes.
            Event::RunFinished {
                error,
                stopped,
                seconds,
                ..
            } if self.last_line.take().is_some() => {
                self.console
                    .note(&tally.ending(error.is_none(), *stopped, *seconds));
            }
            Event::Comparing {
                model,
                sequences: 0,
                of,
            } => {
                let line = format!("asking {model} about {of} sequences");
                self.console.note(&printable(&line));
            }
            Event::DownloadStarted { .. } => {
                self.last_of_download = tally.download().map(|_| Instant::now());
            }
            Event::DownloadFinished { .. } if self.last_of_download.take().is_some() => {
                let said = tally
                    .download()
                    .and_then(|download| download.finished(event));
                self.console.note(&printable(&said.unwrap_or_default()));
            }
            _ => {}
        }
        if let Some(news) = news(event) {
            self.console.note(&news);
        }
    }

    fn tick(&mut self, tally: &Tally) {
        if let Some(download) = tally.download()
            && self
                .last_of_download
                .is_some_and(|last| last.elapsed() >= INTERVAL)
        {
            self.last_of_download = Some(Instant::now());
            let line = format!("{}: {}", download.model, download.line(download.elapsed()));
            self.console.note(&printable(&line));
        }
        if self
            .last_line
            .is_some_and(|last| last.elapsed() >= INTERVAL)
        {
            self.last_line = Some(Instant::now());
            self.console.note(&tally.line(tally.elapsed()));
            for line in tally.lanes().iter().filter(|line| !line.is_empty()) {
                self.console.note(&format!("  {line}"));
            }
        }
    }
}
