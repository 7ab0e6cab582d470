//! A process, told from every other one: also from those of other machines and other times.

use nix::{
    errno::Errno,
    sys::signal::kill,
    unistd::{Pid, getpid},
};
use serde::{Deserialize, Serialize};
use std::{fs, io, process, sync::LazyLock};

/// Characters of a host's name that are kept.
const LONGEST_HOST: usize = 64;
/// The state and the start of a process, as fields behind its name in `/proc/<pid>/stat`.
const STATE_FIELD: usize = 0;
const START_FIELD: usize = 19;

/// The name of this machine, of characters that a file name may have.
static HOST: LazyLock<String> = LazyLock::new(|| {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || ['.', '-', '_'].contains(c);
    let name: String = name.chars().filter(is_plain).take(LONGEST_HOST).collect();
    if name.is_empty() {
        "localhost".to_owned()
    } else {
        name
    }
});

/// The name of this machine, of characters that a file name may have.
pub fn host_name() -> &'static str {
    &HOST
}

/// A process, told from every other one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The machine's name.
    pub host: String,
    /// The number by which it can be stopped.
    pub pid: u32,
    /// The machine, from when it was switched on until it is switched off.
    boot: String,
    /// Within which the number means this process: a container has numbers of its own.
    namespace: String,
    /// When it began, in ticks of the machine's clock. Numbers are used again.
    start: u64,
}

/// What is known of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It lives.
    Lives,
    /// It is dead.
    Ended,
    /// It is, or was, on another machine or in another container.
    Elsewhere,
}

impl Process {
    /// This one.
    pub fn this() -> Self {
        let pid = process::id();
        Self {
            host: HOST.clone(),
            pid,
            boot: read_short("/proc/sys/kernel/random/boot_id"),
            namespace: fs::read_link("/proc/self/ns/pid")
                .map(|namespace| namespace.to_string_lossy().into_owned())
                .unwrap_or_default(),
            start: start_of(pid).ok().flatten().unwrap_or_default(),
        }
    }

    /// Whether it is on this machine, or was since that was switched on.
    pub fn is_of_this_machine(&self) -> bool {
        let this = Self::this();
        (&self.host, &self.boot) == (&this.host, &this.boot)
    }

    /// Whether it lives.
    pub fn life(&self) -> Life {
        if !self.is_of_this_machine() || self.namespace != Self::this().namespace {
            return Life::Elsewhere;
        }
        let lives = match start_of(self.pid) {
            Ok(start) => start == Some(self.start),
            // Others may not look at it.
            Err(error) if error.kind() != io::ErrorKind::NotFound => true,
            Err(_) => i32::try_from(self.pid).is_ok_and(|pid| {
                Pid::from_raw(pid) != getpid()
                    && kill(Pid::from_raw(pid), None) == Err(Errno::EPERM)
            }),
        };
        match lives {
            true => Life::Lives,
            false => Life::Ended,
        }
    }
}

/// When a process began. Nothing, if it has ended and its parent has not asked yet how.
fn start_of(pid: u32) -> io::Result<Option<u64>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name stands in parentheses, and may have any character.
    let behind_name = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
    let fields: Vec<_> = behind_name.split_whitespace().collect();
    if fields
        .get(STATE_FIELD)
        .is_some_and(|state| ["Z", "X"].contains(state))
    {
        return Ok(None);
    }
    Ok(fields.get(START_FIELD).and_then(|start| start.parse().ok()))
}

fn read_short(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.trim().chars().take(LONGEST_HOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_living_are_told_from_the_dead_and_from_those_elsewhere() {
        let this = Process::this();
        assert_eq!((this.pid, this.life()), (process::id(), Life::Lives));
        assert!(this.start > 0);
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let other = Process {
            pid: child.id(),
            start: start_of(child.id()).unwrap().unwrap(),
            ..this.clone()
        };
        assert_eq!(other.life(), Life::Lives);
        child.kill().unwrap();
        // Its parent has not asked yet how it ended.
        while start_of(child.id()).unwrap().is_some() {}
        assert_eq!(other.life(), Life::Ended);
        child.wait().unwrap();
        assert_eq!(other.life(), Life::Ended);
        // Another process has its number now.
        let earlier = Process {
            start: this.start - 1,
            ..this.clone()
        };
        assert_eq!(earlier.life(), Life::Ended);
        for elsewhere in [
            Process {
                boot: "another".to_owned(),
                ..this.clone()
            },
            Process {
                namespace: "pid:[1]".to_owned(),
                ..this.clone()
            },
        ] {
            assert_eq!(elsewhere.life(), Life::Elsewhere);
        }
    }
}
