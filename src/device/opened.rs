//! Which file of a library is open in this process.

use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// The file of a library that is open in this process, whose name begins so.
pub fn opened_library(begin: &str) -> Option<PathBuf> {
    let maps = fs::read("/proc/self/maps").ok()?;
    let maps = String::from_utf8_lossy(&maps);
    let mut paths = maps.lines().filter_map(|line| {
        let start = line.find('/')?;
        Some(Path::new(&line[start..]))
    });
    let is_it = |path: &&Path| {
        path.file_name()
            .unwrap_or_default()
            .as_bytes()
            .starts_with(begin.as_bytes())
    };
    paths.find(is_it).map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_an_open_library_is_known() {
        let path = opened_library("libc.so").expect("every process has it");
        assert!(path.is_file(), "{path:?}");
        assert_eq!(opened_library("libnone.so"), None);
    }
}
