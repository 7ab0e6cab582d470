//! Main memory.

use crate::{
    doctor::{check::Tell, finding::Finding, machine::Machine},
    text,
};
use std::{fs, path::Path};

/// What the smaller published models, readers and queues take together.
const ENOUGH_BYTES: u64 = 2 << 30;

/// How much there is, how much is free, and what a container leaves of it.
pub(super) fn look(_: &Machine, tell: Tell) {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let (Some(total), Some(free)) = (
        kibibytes(&info, "MemTotal:"),
        kibibytes(&info, "MemAvailable:"),
    ) else {
        tell(Finding::note("memory", "the system does not tell"));
        return;
    };
    let limit = limit().filter(|limit| *limit < total);
    let mut text = format!("{} of {} free", text::bytes(free), text::bytes(total));
    if let Some(limit) = limit {
        text.push_str(&format!("; a control group allows {}", text::bytes(limit)));
    }
    let finding = match free.min(limit.unwrap_or(free)) < ENOUGH_BYTES {
        false => Finding::good("memory", text),
        true => Finding::warning(
            "memory",
            text,
            "small models need 2 GiB, with readers and queues",
        ),
    };
    let finding = finding
        .with("total_bytes", total)
        .with("free_bytes", free)
        .with("limit_bytes", limit);
    tell(finding);
}

fn kibibytes(info: &str, name: &str) -> Option<u64> {
    let line = info.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(number * 1024)
}

/// The lowest limit of the control groups that this process is in, of either version.
fn limit() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let limits = groups.lines().flat_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let controllers = parts.next().unwrap_or_default();
        let group = parts.next().unwrap_or_default().trim_start_matches('/');
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
        };
        // A limit of a group holds for all below it. Containers see their own at the top.
        let folder = Path::new(root).join(group);
        let folders = folder
            .ancestors()
            .take_while(|folder| folder.starts_with(root));
        let limits = folders.filter_map(|folder| {
            let text = fs::read_to_string(folder.join(file)).ok()?;
            text.trim().parse::<u64>().ok()
        });
        limits.collect::<Vec<_>>()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_list_is_read() {
        let info = "MemTotal:       16384 kB\nMemFree:  1 kB\nMemAvailable:    1024 kB\n";
        assert_eq!(kibibytes(info, "MemTotal:"), Some(16 << 20));
        assert_eq!(kibibytes(info, "MemAvailable:"), Some(1 << 20));
        assert_eq!(kibibytes(info, "Swap:"), None);
    }
}
