//! Room for temporary files.

use crate::{
    doctor::{
        check::Tell,
        finding::{Finding, State},
        machine::Machine,
    },
    file::{self, TemporaryFolder},
    hint::Hint,
    text,
};
use std::path::Path;

/// Less is soon used up.
const ENOUGH_BYTES: u64 = 1 << 30;

/// The folder of temporary files, and shared memory.
pub(super) fn look(_: &Machine, tell: Tell) {
    let folder = file::temporary_place();
    let path = folder.display().to_string();
    let free = file::free_bytes(&folder);
    let finding = match TemporaryFolder::new() {
        Err(error) => Finding {
            remedy: Some(format!(
                "name a folder in TMPDIR that can be written to{}",
                error
                    .hint()
                    .map_or_else(String::new, |hint| format!("; {hint}"))
            )),
            ..Finding::new(State::Failure, "temporary files", error.to_string())
        },
        Ok(_) => {
            let free = free.unwrap_or(0);
            let text = format!("{path}: {} free", text::bytes(free));
            match free < ENOUGH_BYTES {
                false => Finding::good("temporary files", text),
                true => Finding::warning(
                    "temporary files",
                    text,
                    "name a folder with more room in TMPDIR",
                ),
            }
        }
    };
    tell(finding.with("folder", path).with("free_bytes", free));
    let shared = Path::new("/dev/shm");
    let free = file::free_bytes(shared);
    let finding = match free {
        Some(free) => Finding::note(
            "shared memory",
            format!("/dev/shm: {} free", text::bytes(free)),
        ),
        None => Finding::note(
            "shared memory",
            "there is no /dev/shm; nothing here needs it",
        ),
    };
    tell(finding.with("free_bytes", free));
}
