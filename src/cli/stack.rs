//! Room for the recursion of scripts.

use std::{panic, thread};

/// Bytes of stack. They are taken from the system as they are used. Values of a script can be nested
/// as deep as its arrays may be long, and are copied, compared and dropped by recursion.
const STACK_BYTES: usize = 256 << 20;

/// Does `work` with a stack that is large enough for everything that scripts are allowed.
pub(super) fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let worker = thread::Builder::new()
            .name("script".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work)
            .expect("a machine that cannot start a thread runs no pipeline either");
        worker
            .join()
            .unwrap_or_else(|panic| panic::resume_unwind(panic))
    })
}
