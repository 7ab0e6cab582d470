//! A check, run so that it can neither end the program nor hold it up.

use super::{
    apart::{Apart, Ending},
    finding::Finding,
    machine::Machine,
};
use std::{
    any::Any,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

/// Takes findings as they come.
pub(super) type Tell<'a> = &'a mut dyn FnMut(Finding);

/// Something to look at.
pub(super) struct Check {
    /// The part of the report that it belongs to.
    pub(super) section: &'static str,
    /// What is looked at.
    pub(super) name: &'static str,
    /// How long it may take from one finding to the next.
    pub(super) limit: Duration,
    /// What to do if a library that it opens hangs or ends its process: it looks in one of its own then.
    pub(super) apart: Option<&'static str>,
    /// Looks.
    pub(super) look: fn(&Machine, Tell),
}

impl Check {
    /// Looks, and tells what is found.
    pub(super) fn run(&self, machine: &Arc<Machine>, tell: Tell) {
        let mut told_of = |finding| {
            tell(Finding {
                section: self.section,
                ..finding
            });
        };
        if machine.is_abandoned() {
            return;
        }
        if let Some(remedy) = self.apart {
            self.run_apart(remedy, machine, &mut told_of);
            return;
        }
        let (sender, findings) = mpsc::channel();
        let (look, machine_there) = (self.look, machine.clone());
        let started = thread::Builder::new()
            .name(self.name.to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                // Nobody listens any more if it took too long.
                look(&machine_there, &mut |finding| drop(sender.send(finding)));
            });
        let thread = match started {
            Ok(thread) => thread,
            Err(error) => {
                let text = format!("no thread can be started: {error}");
                told_of(Finding::failure(
                    self.name,
                    text,
                    "raise the limit of processes, `ulimit -u`",
                ));
                return;
            }
        };
        let mut last = Instant::now();
        loop {
            match findings.recv_timeout(STEP) {
                Ok(finding) => {
                    told_of(finding);
                    last = Instant::now();
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if machine.is_abandoned() => return,
                Err(RecvTimeoutError::Timeout) if last.elapsed() < self.limit => {}
                Err(RecvTimeoutError::Timeout) => {
                    let remedy = "a file system that does not answer may hold it up";
                    told_of(Finding::warning(self.name, self.too_late(), remedy));
                    // The thread is left to itself, and ends with the program.
                    return;
                }
            }
        }
        if let Err(panic) = thread.join() {
            told_of(broke_down(self.name, &*panic));
        }
    }

    /// Looks in a process of its own.
    fn run_apart(&self, remedy: &str, machine: &Machine, tell: Tell) {
        if let Some(culprit) = machine.culprit() {
            let text = format!("not looked at, as {culprit}");
            tell(Finding::note(self.name, text));
            return;
        }
        let ending = match Apart::start(self.section, self.name) {
            Ok(mut apart) => apart.follow(self.limit, machine, tell),
            Err(error) => {
                let text = format!("no process can be started: {error}");
                let remedy = "raise the limit of processes, `ulimit -u`";
                tell(Finding::failure(self.name, text, remedy));
                return;
            }
        };
        let (text, verb) = match ending {
            Ending::Whole | Ending::Abandoned => return,
            Ending::Late => (self.too_late(), "hangs"),
            Ending::Died(how) => (
                format!("a library ends the process that opens it ({how})"),
                "dies",
            ),
        };
        tell(Finding::failure(self.name, text, remedy));
        machine.set_culprit(format!("the check of `{}` {verb}", self.name));
    }

    fn too_late(&self) -> String {
        format!("no answer within {:.0} s", self.limit.as_secs_f64())
    }
}

/// A check that panicked.
pub(super) fn broke_down(name: &str, panic: &(dyn Any + Send)) -> Finding {
    let words = words(panic);
    if words.contains(LACKS) {
        let text = format!("what is called as NVIDIA's library is none, or too old: {words}");
        let remedy = "remove it, or what leads to it, such as `LD_LIBRARY_PATH`";
        return Finding::failure(name, text, remedy);
    }
    let text = format!("the check broke down: {words}");
    Finding::failure(name, text, "please report it with this output")
}

/// What is said of a library that lacks a function.
const LACKS: &str = "Missing symbol";

/// How often it is looked whether anybody still wants to know.
const STEP: Duration = Duration::from_millis(100);

/// Room for the libraries of a driver, which take more than a thread usually has.
pub(super) const STACK_BYTES: usize = 8 << 20;

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{super::finding::State, *};

    fn run(look: fn(&Machine, Tell), machine: &Arc<Machine>) -> Vec<Finding> {
        let check = Check {
            section: "section",
            name: "check",
            limit: Duration::from_millis(200),
            apart: None,
            look,
        };
        let mut findings = Vec::new();
        check.run(machine, &mut |finding| findings.push(finding));
        findings
    }

    #[test]
    fn a_check_that_panics_is_a_failure_of_its_own() {
        let look: fn(&Machine, Tell) = |_, tell| {
            tell(Finding::good("first", "well"));
            panic!("no more {}", "luck");
        };
        let findings = run(look, &Arc::default());
        let [first, second] = findings.as_slice() else {
            panic!("{findings:?}");
        };
        assert_eq!((first.section, first.state), ("section", State::Good));
        assert_eq!(second.state, State::Failure);
        assert!(second.text.contains("no more luck"), "{second:?}");
    }

    #[test]
    fn a_check_that_hangs_is_left() {
        let look: fn(&Machine, Tell) = |_, tell| {
            tell(Finding::good("first", "well"));
            thread::sleep(Duration::from_secs(600));
        };
        let machine = Arc::default();
        let findings = run(look, &machine);
        let states: Vec<_> = findings.iter().map(|finding| finding.state).collect();
        assert_eq!(states, [State::Good, State::Warning]);
        assert!(findings[1].text.contains("no answer"), "{findings:?}");
    }

    #[test]
    fn what_has_hung_is_not_tried_again() {
        let machine = Arc::new(Machine::default());
        machine.set_culprit("the check of `driver` hangs".to_owned());
        let check = Check {
            section: "section",
            name: "check",
            limit: Duration::from_millis(200),
            apart: Some("a remedy"),
            look: |_, _| panic!("it is not called"),
        };
        let mut findings = Vec::new();
        check.run(&machine, &mut |finding| findings.push(finding));
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].state, State::Note);
        assert!(findings[0].text.contains("`driver` hangs"), "{findings:?}");
    }
}
