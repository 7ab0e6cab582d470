//! A library that the loader opens, or why it does not.

use nix::libc;
use std::{
    env,
    ffi::{CStr, CString},
    os::unix::ffi::OsStrExt,
    path::Path,
};

/// What the loader says of a name that it finds nowhere, behind the name.
const NOWHERE: &str = "cannot open shared object file: No such file or directory";

/// Opens a library for the life of the process, so that whoever asks for it by its name gets it.
///
/// # Errors
/// What the loader says.
pub(super) fn open(path: &Path) -> Result<(), String> {
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
    // SAFETY: the name ends with a zero byte. A library's own beginning runs, as it would when it is opened by
    // its name.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    if !handle.is_null() {
        return Ok(());
    }
    // SAFETY: it gives the text of this thread's last error, or nothing.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return Err("the loader does not say why".to_owned());
    }
    // SAFETY: the text ends with a zero byte, and stays until this thread calls the loader again.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    // It begins with the path.
    let text = text.strip_prefix(&*path.to_string_lossy()).unwrap_or(&text);
    Err(text.trim_start_matches([':', ' ']).to_owned())
}

/// Which of the files of these names is there and does not open, and why, for people. None is open.
pub(super) fn refused(names: &[String]) -> Vec<String> {
    names.iter().filter_map(|name| refusal(name)).collect()
}

fn refusal(name: &str) -> Option<String> {
    let reason = open(Path::new(name)).err()?;
    if reason != NOWHERE {
        // Of a file that it found it says where.
        return Some(match reason.split_once(": ") {
            Some((file, reason)) if Path::new(file).ends_with(name) => {
                format!("`{file}`: {reason}")
            }
            _ => format!("`{name}`: {reason}"),
        });
    }
    // It passes by what is for another kind of processor, without a word.
    let folders = env::var_os("LD_LIBRARY_PATH")?;
    let files = env::split_paths(&folders).map(|folder| folder.join(name));
    let file = files.into_iter().find(|file| file.is_file())?;
    Some(format!(
        "`{}`: the loader does not take it, as one for another kind of processor",
        file.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_the_loader_says_is_told() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let fake = folder.path().join("libnvrtc.so.13");
        // Shorter ones are told as such.
        fs::write(&fake, "no library ".repeat(100)).expect("a file");
        let said = open(&fake).expect_err("it is no library");
        assert!(said.contains("invalid ELF header"), "{said}");
        assert!(!said.contains("libnvrtc"), "{said}");
        let said = open(&folder.path().join("none.so")).expect_err("it is not there");
        assert!(said.contains("No such file"), "{said}");
    }
}
