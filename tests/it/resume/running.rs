//! A job that runs.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, ExitStatus},
    thread,
    time::{Duration, Instant},
};

/// Longer than anything here takes on a busy machine, and shorter than a run that hangs.
const PATIENCE: Duration = Duration::from_secs(100);

/// A process that is killed if the test ends before it does.
pub struct Running {
    pub child: Child,
    /// Where its standard output and error go.
    pub stdout: PathBuf,
    pub stderr: PathBuf,
}

/// How a job ended.
pub struct Done {
    /// Nothing, if a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Running {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends a signal, unless it has ended.
    pub fn send(&mut self, signal: Signal) {
        if !self.has_ended() {
            kill(pid(self.id()), signal).unwrap();
        }
    }

    /// Waits until something is so. A process that ends before is a failure.
    pub fn wait_until(&mut self, mut is_true: impl FnMut() -> bool) {
        wait_until(|| {
            if is_true() {
                return true;
            }
            assert!(!self.has_ended(), "it has ended: {}", read(&self.stderr));
            false
        });
    }

    /// Waits for its end.
    pub fn done(mut self) -> Done {
        let mut status: Option<ExitStatus> = None;
        wait_until(|| {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        Done {
            code: status.unwrap().code(),
            stdout: read(&self.stdout),
            stderr: read(&self.stderr),
        }
    }

    /// Kills it at once.
    pub fn killed(mut self) -> Done {
        self.send(Signal::SIGKILL);
        self.done()
    }

    /// Kills the processes that it has started, which are its readers.
    pub fn kill_children(&self) {
        for child in children_of(self.id()) {
            // It may just have ended.
            let _ = kill(pid(child), Signal::SIGKILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Done {
    /// Checks that it ended so.
    pub fn check_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        self
    }

    /// Checks that it failed with this code and said these things, whatever the terminal's width.
    pub fn check_refused(&self, code: i32, parts: &[&str]) {
        let words: Vec<_> = self.stderr.split_whitespace().collect();
        let message = words.join(" ");
        assert_eq!(self.code, Some(code), "{message}");
        for part in parts {
            assert!(message.contains(part), "`{part}` in: {message}");
        }
    }

    /// The figure of this name that the script printed.
    pub fn figure(&self, name: &str) -> usize {
        let mut words = self.stdout.split_whitespace();
        let found = words.find(|word| *word == name).and_then(|_| words.next());
        let found = found.unwrap_or_else(|| panic!("{name}: {}{}", self.stdout, self.stderr));
        found.parse().unwrap()
    }

    /// The sum of a key of all events of one kind.
    pub fn sum(&self, event: &str, key: &str) -> u64 {
        sum(&self.stderr, event, key)
    }
}

/// The sum of a key of all events of one kind.
pub fn sum(text: &str, event: &str, key: &str) -> u64 {
    // The last line may be cut off.
    let events = text.lines().map(serde_json::from_str::<Value>);
    let of_kind = events.flatten().filter(|found| found["event"] == event);
    of_kind.filter_map(|found| found[key].as_u64()).sum()
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).unwrap())
}

fn children_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |id: &u32| {
        let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) else {
            return false;
        };
        // Behind the name, which may hold anything: the state, then the parent.
        let rest = stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned());
        let found = rest.and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
        found == Some(parent)
    };
    ids.filter(is_child).collect()
}

pub fn wait_until(mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < PATIENCE, "it does not happen");
        thread::sleep(Duration::from_millis(2));
    }
}

pub fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}
