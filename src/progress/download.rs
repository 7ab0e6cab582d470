//! The figures of the download in progress.

use crate::{
    event::Event,
    text::{self, bytes, counted},
};
use indicatif::HumanDuration;
use std::time::{Duration, Instant};

/// The figures of the download in progress.
#[derive(Debug)]
pub(super) struct Download {
    started: Instant,
    pub(super) model: String,
    file: String,
    /// What was there of the files so far before they were fetched.
    bytes_before: u64,
    bytes: u64,
    of: u64,
    /// Why nothing comes.
    waiting: Option<String>,
}

impl Download {
    /// The figures of a download that begins, if this is one of anything.
    pub(super) fn started(event: &Event) -> Option<Self> {
        let Event::DownloadStarted { model, files, .. } = event else {
            return None;
        };
        (*files > 0).then(|| Self {
            started: Instant::now(),
            model: model.clone(),
            file: String::new(),
            bytes_before: 0,
            bytes: 0,
            of: 0,
            waiting: None,
        })
    }

    pub(super) fn add(&mut self, event: &Event) {
        match event {
            Event::Download {
                file,
                file_bytes,
                bytes,
                of,
                ..
            } => {
                if self.of == 0 {
                    // What was read of what is there has taken its time, too.
                    (self.started, self.bytes_before) = (Instant::now(), *bytes);
                } else if *file != self.file {
                    // The first that is said of a file is what was there of it.
                    self.bytes_before = self.bytes_before.saturating_add(*file_bytes);
                }
                self.file.clone_from(file);
                // One that arrived damaged begins anew.
                self.bytes_before = self.bytes_before.min(*bytes);
                (self.bytes, self.of) = (*bytes, *of);
                self.waiting = None;
            }
            Event::DownloadWaiting { file, reason, .. } => {
                self.waiting = Some(format!("{file}: {reason}"));
            }
            _ => {}
        }
    }

    /// Time since it began.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// How much of it is done, from 0 to 1.
    pub(super) fn done(&self) -> f64 {
        match self.of {
            0 => 0.0,
            of => self.bytes as f64 / of as f64,
        }
    }

    /// How much has come.
    fn come(&self) -> u64 {
        self.bytes.saturating_sub(self.bytes_before)
    }

    /// How it ended, if it did with this event.
    pub(super) fn finished(&self, event: &Event) -> Option<String> {
        let Event::DownloadFinished {
            model,
            seconds,
            error,
            stopped,
            ..
        } = event
        else {
            return None;
        };
        let end = match (error, stopped) {
            (None, _) => {
                let come = bytes(self.come());
                return Some(format!("downloaded {model} in {seconds:.1} s: {come}"));
            }
            (Some(_), true) => "stopped",
            (Some(_), false) => "failed",
        };
        if self.of == 0 {
            return Some(format!(
                "the download of {model} {end} before anything was fetched"
            ));
        }
        let (there, of) = (bytes(self.bytes), bytes(self.of));
        Some(format!(
            "the download of {model} {end} after {seconds:.1} s: {there} of {of} are there, and stay"
        ))
    }

    /// How far it is after this time, on one line, the most important first, because narrow terminals cut the
    /// end.
    pub(super) fn line(&self, elapsed: Duration) -> String {
        let come = self.come();
        let per_second = come as f64 / elapsed.as_secs_f64().max(1e-3);
        let mut line = format!("{} of {}", bytes(self.bytes), bytes(self.of));
        if let Some(reason) = &self.waiting {
            line = format!("{line}, {reason}");
        } else if come > 0 {
            let left = (self.of - self.bytes.min(self.of)) as f64 / per_second;
            let left = HumanDuration(Duration::from_secs_f64(left.min(1e9)));
            let rate = bytes(per_second as u64);
            line = format!("{left:#} left, {rate}/s, {line}, {}", self.file);
        }
        line
    }
}

/// The line for the beginning or the end of a download, if there is one.
pub(super) fn news(event: &Event) -> Option<String> {
    match event {
        Event::DownloadStarted {
            model,
            files,
            bytes,
            ..
        } if *files > 0 => {
            let files = counted(*files as u64, "file", "files");
            let come = text::bytes(*bytes);
            Some(format!("downloading {model}: {files}, {come}"))
        }
        Event::DownloadWaiting {
            model,
            file,
            reason,
        } => Some(format!("waiting for {file} of {model}: {reason}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(bytes: u64) -> Event {
        progress_of("model.safetensors", bytes, bytes)
    }

    fn progress_of(file: &str, file_bytes: u64, bytes: u64) -> Event {
        Event::Download {
            model: "a/b".to_owned(),
            file: file.to_owned(),
            file_bytes,
            file_of: 4 << 20,
            bytes,
            of: 4 << 20,
        }
    }

    fn started() -> Event {
        Event::DownloadStarted {
            model: "a/b".to_owned(),
            commit: "c".to_owned(),
            files: 1,
            bytes: 3 << 20,
        }
    }

    #[test]
    fn what_begins_anew_has_not_come() {
        let mut download = Download::started(&started()).unwrap();
        let line = |download: &Download| download.line(Duration::from_secs(1));
        download.add(&progress(2 << 20));
        download.add(&progress(0));
        assert_eq!(line(&download), "0 bytes of 4.0 MiB");
        download.add(&progress(1 << 20));
        assert!(line(&download).contains("1.0 MiB/s"), "{}", line(&download));
    }

    #[test]
    fn what_is_there_of_a_later_file_has_not_come() {
        let mut download = Download::started(&started()).unwrap();
        for (file, file_bytes, bytes) in [
            ("a", 0, 0),
            ("a", 1 << 20, 1 << 20),
            ("b", 1 << 20, 2 << 20),
            ("b", 2 << 20, 3 << 20),
        ] {
            download.add(&progress_of(file, file_bytes, bytes));
        }
        let line = download.line(Duration::from_secs(1));
        assert!(line.contains("2.0 MiB/s, 3.0 MiB of"), "{line}");
    }

    #[test]
    fn speed_is_that_of_what_has_come() {
        let started = started();
        assert_eq!(
            news(&started).as_deref(),
            Some("downloading a/b: 1 file, 3.0 MiB")
        );
        let mut download = Download::started(&started).unwrap();
        let line = |download: &Download| download.line(Duration::from_secs(2));
        assert_eq!(line(&download), "0 bytes of 0 bytes");
        // A quarter was there.
        download.add(&progress(1 << 20));
        assert_eq!(line(&download), "1.0 MiB of 4.0 MiB");
        download.add(&progress(2 << 20));
        assert_eq!(
            line(&download),
            "4s left, 512.0 KiB/s, 2.0 MiB of 4.0 MiB, model.safetensors"
        );
        assert_eq!(download.done(), 0.5);
        let waiting = Event::DownloadWaiting {
            model: "a/b".to_owned(),
            file: "model.safetensors".to_owned(),
            reason: "the Hub is busy".to_owned(),
        };
        download.add(&waiting);
        assert_eq!(
            line(&download),
            "2.0 MiB of 4.0 MiB, model.safetensors: the Hub is busy"
        );
        download.add(&progress(4 << 20));
        assert_eq!(
            line(&download),
            "0s left, 1.5 MiB/s, 4.0 MiB of 4.0 MiB, model.safetensors"
        );
        let end = |error: Option<&str>, stopped| Event::DownloadFinished {
            model: "a/b".to_owned(),
            folder: None,
            seconds: 2.5,
            error: error.map(str::to_owned),
            stopped,
        };
        let said = |event: &Event| download.finished(event).unwrap();
        assert_eq!(said(&end(None, false)), "downloaded a/b in 2.5 s: 3.0 MiB");
        assert_eq!(
            said(&end(Some("by SIGTERM"), true)),
            "the download of a/b stopped after 2.5 s: 4.0 MiB of 4.0 MiB are there, and stay"
        );
    }

    #[test]
    fn what_is_there_already_is_no_download() {
        let started = Event::DownloadStarted {
            model: "a/b".to_owned(),
            commit: "c".to_owned(),
            files: 0,
            bytes: 0,
        };
        assert!(Download::started(&started).is_none());
        assert_eq!(news(&started), None);
    }
}
