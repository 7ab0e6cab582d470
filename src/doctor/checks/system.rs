//! The operating system.

use crate::{
    device,
    doctor::{check::Tell, finding::Finding, machine::Machine},
};
use std::fs;

/// Its name, the kernel and the C library.
pub(super) fn look(_: &Machine, tell: Tell) {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = os_name(&release).unwrap_or_else(|| "Linux".to_owned());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.trim();
    let library = c_library();
    let mut text = format!("{name}, kernel {kernel}");
    if let Some(library) = &library {
        text.push_str(&format!(", glibc {library}"));
    }
    let finding = Finding::good("system", text)
        .with("os", name)
        .with("kernel", kernel)
        .with("glibc", library);
    tell(finding);
}

fn os_name(release: &str) -> Option<String> {
    let mut lines = release.lines();
    lines.find_map(|line| {
        let name = line.strip_prefix("PRETTY_NAME=")?;
        Some(name.trim_matches(['"', '\'']).to_owned())
    })
}

/// The version of glibc, as its file says: the one that this process has open.
fn c_library() -> Option<String> {
    const BEGIN: &[u8] = b"release version ";
    let file = fs::read(device::opened_library("libc.so.6")?).ok()?;
    let at = file
        .windows(BEGIN.len())
        .position(|window| window == BEGIN)?;
    let version = file[at + BEGIN.len()..].iter();
    let version = version.take_while(|byte| byte.is_ascii_digit() || **byte == b'.');
    let version: Vec<u8> = version.copied().collect();
    let version = String::from_utf8(version).ok()?;
    Some(version.trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_named() {
        let release = "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        assert_eq!(
            os_name(release).as_deref(),
            Some("Debian GNU/Linux 12 (bookworm)")
        );
        assert_eq!(os_name("ID=x\n"), None);
        if cfg!(target_env = "gnu") {
            let version = c_library().expect("tests are linked with glibc");
            assert!(version.starts_with("2."), "{version}");
        }
    }
}
