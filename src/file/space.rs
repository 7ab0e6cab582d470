//! How much room a file system has.

use nix::sys::statvfs::statvfs;
use std::path::Path;

/// Bytes that may still be written where `path` is, as far as the file system tells: it knows nothing of
/// quotas.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let found = statvfs(path).ok()?;
    Some(found.blocks_available() * found.fragment_size())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_file_systems_are_full() {
        // Nobody can write there.
        assert_eq!(free_bytes(Path::new("/proc")), Some(0));
        let folder = tempfile::tempdir().unwrap();
        assert!(free_bytes(folder.path()).unwrap() > 0);
        assert_eq!(free_bytes(&folder.path().join("missing")), None);
    }
}
