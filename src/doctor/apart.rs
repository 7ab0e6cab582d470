//! A check in a process of its own, as a library that it opens may hang, or end its process.

use super::{finding::Finding, machine::Machine};
use crate::file::TemporaryFolder;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{
    env,
    io::{self, BufRead, BufReader},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

/// The hidden subcommand that makes this program make the check that the next two words name.
pub const SUBCOMMAND: &str = "__doctor";

/// How often it is looked whether anybody still wants to know, and whether a process has ended.
const STEP: Duration = Duration::from_millis(100);
const SHORT_STEP: Duration = Duration::from_millis(5);

/// A check in a process of its own, which ends with this.
pub(super) struct Apart {
    child: Child,
    /// What it finds, and nothing at its end.
    findings: Receiver<Option<Finding>>,
    /// Its temporary files.
    _place: Option<TemporaryFolder>,
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It has looked at all.
    Whole,
    /// Nothing came of it within the time.
    Late,
    /// Something ended its process, in words.
    Died(String),
    /// Nobody wants to know any more.
    Abandoned,
}

impl Apart {
    /// Starts this program for a check.
    ///
    /// # Errors
    /// If no process or no thread can be started.
    pub(super) fn start(section: &str, name: &str) -> io::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        // The toolkit is looked for beside the name that the program was called by.
        if let Some(called) = env::args_os().next() {
            command.arg0(called);
        }
        // What it leaves when it is ended is removed with this.
        let place = TemporaryFolder::new().ok();
        if let Some(place) = &place {
            command.env("TMPDIR", place.path());
        }
        Self::of(command.args([SUBCOMMAND, section, name]), place)
    }

    fn of(command: &mut Command, place: Option<TemporaryFolder>) -> io::Result<Self> {
        // In a group of its own, as this process decides what Ctrl-C means.
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let (sender, findings) = mpsc::channel();
        let text = child.stdout.take().map(BufReader::new);
        let apart = Self {
            child,
            findings,
            _place: place,
        };
        let text = text.ok_or(io::ErrorKind::BrokenPipe)?;
        thread::Builder::new().spawn(move || receive(text, &sender))?;
        Ok(apart)
    }

    /// Tells what it finds, and how it ends. From one finding to the next it may take so long.
    pub(super) fn follow(
        &mut self,
        limit: Duration,
        machine: &Machine,
        tell: &mut dyn FnMut(Finding),
    ) -> Ending {
        let (mut last, mut is_whole) = (Instant::now(), false);
        loop {
            match self.findings.recv_timeout(STEP) {
                Ok(Some(finding)) => {
                    tell(finding);
                    last = Instant::now();
                    continue;
                }
                Ok(None) => {
                    is_whole = true;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) if is_whole => return Ending::Whole,
                Err(RecvTimeoutError::Disconnected) => {
                    if let Ok(Some(status)) = self.child.try_wait() {
                        return Ending::Died(words(status));
                    }
                    thread::sleep(SHORT_STEP);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if machine.is_abandoned() {
                return Ending::Abandoned;
            }
            if last.elapsed() >= limit {
                return Ending::Late;
            }
        }
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // With what libraries have started in it. A driver may hold it up even then: it is not waited for.
        if let Ok(group) = i32::try_from(self.child.id()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _ = self.child.try_wait();
    }
}

/// Libraries may write, too: what is no finding is left out.
fn receive(text: impl BufRead, sender: &Sender<Option<Finding>>) {
    for line in text.split(b'\n').map_while(Result::ok) {
        if let Ok(finding) = serde_json::from_slice(&line)
            && sender.send(finding).is_err()
        {
            return;
        }
    }
}

fn words(status: ExitStatus) -> String {
    match status.signal().map(Signal::try_from) {
        Some(Ok(signal)) => format!("{signal}"),
        _ => format!("{status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(script: &str) -> (Vec<String>, Ending) {
        let mut apart = Apart::of(Command::new("sh").args(["-c", script]), None).unwrap();
        let mut texts = Vec::new();
        let limit = Duration::from_millis(300);
        let ending = apart.follow(limit, &Machine::default(), &mut |finding| {
            texts.push(finding.text);
        });
        (texts, ending)
    }

    #[test]
    fn a_process_that_hangs_or_dies_is_told_and_what_it_found_stays() {
        let finding = serde_json::to_string(&Finding::good("a", "well")).unwrap();
        let well = vec!["well".to_owned()];
        let say = format!("echo noise; echo '{finding}'");
        assert_eq!(
            follow(&format!("{say}; echo null")),
            (well.clone(), Ending::Whole)
        );
        assert_eq!(
            follow(&format!("{say}; exec sleep 60")),
            (well.clone(), Ending::Late)
        );
        let died = |text: &str| Ending::Died(text.to_owned());
        assert_eq!(
            follow(&format!("{say}; kill -SEGV $$")),
            (well, died("SIGSEGV"))
        );
        assert_eq!(follow("exit 0"), (Vec::new(), died("exit status: 0")));
    }
}
