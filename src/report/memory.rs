//! Memory of this process, as the kernel counts it.

/// The largest resident memory of this process so far, in bytes; 0 where the system does not tell.
pub fn peak_memory_bytes() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| parse_memory(&status, "VmHWM:"))
        .unwrap_or(0)
}

/// The resident memory of this process, in bytes; 0 where the system does not tell.
pub fn resident_memory_bytes() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| parse_memory(&status, "VmRSS:"))
        .unwrap_or(0)
}

/// An entry of a `/proc/<pid>/status`, which is in KiB.
fn parse_memory(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_form_is_understood() {
        let status = "VmPeak:\t  9000 kB\nVmHWM:\t    1234 kB\nVmRSS:\t 1000 kB\n";
        assert_eq!(parse_memory(status, "VmHWM:"), Some(1234 * 1024));
        assert_eq!(parse_memory(status, "VmRSS:"), Some(1000 * 1024));
        assert_eq!(parse_memory("VmRSS:\t 1000 kB\n", "VmHWM:"), None);
        assert!(resident_memory_bytes() > 0);
    }

    #[test]
    fn the_peak_covers_what_was_used_and_given_back() {
        let before = peak_memory_bytes();
        let n_bytes = 256 << 20;
        let block = std::hint::black_box(vec![1_u8; n_bytes]);
        drop(block);
        let peak = peak_memory_bytes();
        // Other tests of this process use memory, too, but none of them that much.
        assert!(peak >= before.max(n_bytes as u64), "{peak} after {before}");
        assert!(peak < 16 << 30, "{peak}");
    }
}
