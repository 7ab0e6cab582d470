//! How many files a process may have open.

use crate::doctor::{check::Tell, finding::Finding, machine::Machine};
use nix::sys::resource::{Resource, getrlimit};

/// Readers have pipes, and a run a few dozen files: 256 readers need as many as this.
const ENOUGH: u64 = 1024;

/// The limit of open files.
pub(super) fn look(_: &Machine, tell: Tell) {
    let finding = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) => {
            let text = format!("{soft} at once, {hard} if asked for");
            let finding = match soft < ENOUGH {
                false => Finding::good("open files", text),
                true => Finding::warning(
                    "open files",
                    text,
                    "raise it with `ulimit -n 4096` for many readers",
                ),
            };
            finding.with("soft", soft).with("hard", hard)
        }
        Err(error) => Finding::note("open files", format!("the limit cannot be read: {error}")),
    };
    tell(finding);
}
