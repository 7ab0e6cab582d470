//! A check, run so that it can neither end the program nor hold it up.

use super::{finding::Finding, machine::Machine};
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
    /// Whether it calls the driver of GPUs, which may hang.
    pub(super) asks_driver: bool,
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
        if self.asks_driver && machine.driver_hangs() {
            told_of(Finding::note(
                self.name,
                "not looked at, as the driver does not answer",
            ));
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
                Err(RecvTimeoutError::Timeout) if machine.is_abandoned() => {
                    if self.asks_driver {
                        // Nobody waits to see whether it would have answered.
                        machine.set_driver_hangs();
                    }
                    return;
                }
                Err(RecvTimeoutError::Timeout) if last.elapsed() < self.limit => {}
                Err(RecvTimeoutError::Timeout) => {
                    let seconds = self.limit.as_secs_f64();
                    let text = format!("no answer within {seconds:.0} s");
                    if self.asks_driver {
                        machine.set_driver_hangs();
                        let remedy = "does `nvidia-smi` answer? If not, the driver has to be started again, or the machine";
                        told_of(Finding::failure(self.name, text, remedy));
                    } else {
                        let remedy = "a file system that does not answer may hold it up";
                        told_of(Finding::warning(self.name, text, remedy));
                    }
                    // The thread is left to itself, and ends with the program.
                    return;
                }
            }
        }
        if let Err(panic) = thread.join() {
            let text = format!("the check broke down: {}", words(&*panic));
            told_of(Finding::failure(
                self.name,
                text,
                "please report it with this output",
            ));
        }
    }
}

/// How often it is looked whether anybody still wants to know.
const STEP: Duration = Duration::from_millis(100);

/// Room for the libraries of a driver, which take more than a thread usually has.
const STACK_BYTES: usize = 8 << 20;

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{super::finding::State, *};

    fn run(look: fn(&Machine, Tell), asks_driver: bool, machine: &Arc<Machine>) -> Vec<Finding> {
        let check = Check {
            section: "section",
            name: "check",
            limit: Duration::from_millis(200),
            asks_driver,
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
        let findings = run(look, false, &Arc::default());
        let [first, second] = findings.as_slice() else {
            panic!("{findings:?}");
        };
        assert_eq!((first.section, first.state), ("section", State::Good));
        assert_eq!(second.state, State::Failure);
        assert!(second.text.contains("no more luck"), "{second:?}");
    }

    #[test]
    fn a_check_that_hangs_is_left_and_the_driver_is_not_asked_again() {
        let look: fn(&Machine, Tell) = |_, tell| {
            tell(Finding::good("first", "well"));
            thread::sleep(Duration::from_secs(600));
        };
        let machine = Arc::default();
        let findings = run(look, true, &machine);
        let states: Vec<_> = findings.iter().map(|finding| finding.state).collect();
        assert_eq!(states, [State::Good, State::Failure]);
        assert!(findings[1].text.contains("no answer"), "{findings:?}");
        let findings = run(look, true, &machine);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].state, State::Note);
        // What asks no driver goes on.
        let findings = run(|_, tell| tell(Finding::good("a", "b")), false, &machine);
        assert_eq!(findings[0].state, State::Good);
    }
}
