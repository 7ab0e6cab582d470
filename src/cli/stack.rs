//! Room for the recursion of scripts.

use super::{args::Global, ending};
use crate::progress::Console;
use std::{panic, thread};

/// Bytes of stack. They are taken from the system as they are used. Values of a script can be nested
/// as deep as its arrays may be long, and are copied, compared and dropped by recursion.
const STACK_BYTES: usize = 256 << 20;

/// The name of the thread that scripts run on.
pub(super) const NAME: &str = "script";

/// Does `work` with a stack that is large enough for everything that scripts are allowed, and returns its exit code,
/// or that of the lack of such a stack.
pub(super) fn with_room(
    global: &Global,
    console: &Console,
    work: impl FnOnce() -> u8 + Send,
) -> u8 {
    thread::scope(|scope| {
        let worker = thread::Builder::new()
            .name(NAME.to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work);
        match worker {
            Ok(worker) => worker
                .join()
                .unwrap_or_else(|panic| panic::resume_unwind(panic)),
            Err(error) => ending::no_thread(global, console, &error.to_string()),
        }
    })
}
