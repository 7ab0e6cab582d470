//! What the kernel says of this process and of its readers.

use crate::meter::{Metric, Sample};
use procfs::process::Process;
use std::{collections::HashMap, time::Instant};

/// Follows the memory and the CPU time of this process and of its readers.
pub(super) struct Host {
    /// CPU seconds of each process at the last look, by process id.
    cpu_seconds: HashMap<i32, f64>,
    last_look: Instant,
}

/// What a process uses at a moment.
struct Usage {
    memory_bytes: u64,
    cpu_seconds: f64,
}

impl Host {
    /// A look at this process and the readers with these process ids, to compare the next one with.
    pub(super) fn new(readers: &[u32]) -> Self {
        let mut host = Self {
            cpu_seconds: HashMap::new(),
            last_look: Instant::now(),
        };
        host.measure(readers, &mut Sample::new(0.0));
        host
    }

    /// Adds the figures of this moment to a sample, as far as the system tells them.
    pub(super) fn measure(&mut self, readers: &[u32], sample: &mut Sample) {
        let now = Instant::now();
        let seconds = now.duration_since(self.last_look).as_secs_f64();
        let mut seen = HashMap::new();
        let mut cores = |pid: i32, usage: &Usage| {
            seen.insert(pid, usage.cpu_seconds);
            let before = self.cpu_seconds.get(&pid)?;
            (seconds > 0.0).then(|| (usage.cpu_seconds - before).max(0.0) / seconds)
        };
        if let Ok(process) = Process::myself() {
            if let Some(usage) = usage(&process) {
                sample.set(Metric::MemoryBytes, usage.memory_bytes as f64);
                sample.set(Metric::CpuCores, cores(process.pid, &usage));
            }
            if let Ok(files) = process.fd_count() {
                sample.set(Metric::OpenFiles, files as f64);
            }
        }
        // A reader that has ended meanwhile counts for nothing.
        let readers = readers.iter().filter_map(|&pid| i32::try_from(pid).ok());
        let readers: Vec<_> = readers
            .filter_map(|pid| Some((pid, usage(&Process::new(pid).ok()?)?)))
            .collect();
        if !readers.is_empty() {
            let memory: u64 = readers.iter().map(|(_, usage)| usage.memory_bytes).sum();
            sample.set(Metric::ReadersMemoryBytes, memory as f64);
            let largest = readers.iter().map(|(_, usage)| usage.memory_bytes).max();
            sample.set(
                Metric::LargestReaderMemoryBytes,
                largest.map(|bytes| bytes as f64),
            );
            let cores: Vec<f64> = readers
                .iter()
                .filter_map(|(pid, usage)| cores(*pid, usage))
                .collect();
            if !cores.is_empty() {
                sample.set(Metric::ReadersCpuCores, cores.iter().sum::<f64>());
            }
        }
        self.cpu_seconds = seen;
        self.last_look = now;
    }
}

/// The largest resident memory of this process so far, in bytes; 0 where the system does not tell.
pub fn peak_memory_bytes() -> u64 {
    let status = Process::myself().and_then(|process| process.status());
    // The kernel counts in KiB.
    let kibibytes = status.ok().and_then(|status| status.vmhwm);
    kibibytes.unwrap_or(0) * 1024
}

/// The resident memory of this process, in bytes; 0 where the system does not tell.
pub fn resident_memory_bytes() -> u64 {
    let pages = Process::myself().and_then(|process| process.statm());
    pages.map_or(0, |pages| pages.resident * procfs::page_size())
}

fn usage(process: &Process) -> Option<Usage> {
    let stat = process.stat().ok()?;
    Some(Usage {
        memory_bytes: stat.rss * procfs::page_size(),
        cpu_seconds: (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{process::Command, time::Duration};

    #[test]
    fn the_peak_covers_what_was_used_and_given_back() {
        let n_bytes = 256 << 20;
        let before = resident_memory_bytes();
        let block = std::hint::black_box(vec![1_u8; n_bytes]);
        let during = resident_memory_bytes();
        // Other tests of this process use memory, too, and give it back, but none of them that much.
        assert!(during > before.saturating_sub(n_bytes as u64 / 2) + n_bytes as u64 / 2);
        drop(block);
        let peak = peak_memory_bytes();
        assert!(peak >= n_bytes as u64, "{peak}");
        assert!(peak < 16 << 30, "{peak}");
    }

    #[test]
    fn processes_are_followed() {
        let mut busy = Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn()
            .unwrap();
        let mut host = Host::new(&[busy.id()]);
        let mut sample = Sample::new(0.3);
        // The kernel counts in hundredths of a second, and others use the cores, too.
        for _ in 0..50 {
            std::thread::sleep(Duration::from_millis(200));
            host.measure(&[busy.id()], &mut sample);
            if sample.get(Metric::ReadersCpuCores) > Some(0.0) {
                break;
            }
        }
        busy.kill().unwrap();
        busy.wait().unwrap();
        let of = |metric| sample.get(metric).unwrap();
        assert!(of(Metric::MemoryBytes) > 1e6);
        assert!(of(Metric::ReadersMemoryBytes) > 1e5);
        assert_eq!(
            of(Metric::LargestReaderMemoryBytes),
            of(Metric::ReadersMemoryBytes),
            "there is only one"
        );
        assert!(of(Metric::OpenFiles) >= 3.0);
        let cores = of(Metric::ReadersCpuCores);
        assert!(cores > 0.0 && cores < 1.5, "{sample:?}");
        // It is gone, which is no error.
        host.measure(&[busy.id()], &mut sample);
    }
}
