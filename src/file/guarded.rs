//! Reading bytes of others with readers that may panic at them.

use std::{
    any::Any,
    cell::Cell,
    panic::{self, AssertUnwindSafe},
    sync::Once,
    thread,
};

thread_local! {
    /// Whether this thread is reading bytes of others.
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Reads bytes that anybody may have written or damaged, and gives what a panic said as an error. The readers of Arrow
/// and Parquet take some of what a file says of itself at its word: lengths and offsets that a checksum would have to
/// vouch for, which a file does not have, or which nobody compares. What they were at is dropped with them. Nothing is
/// printed of such a panic.
///
/// # Errors
/// If `read` panicked.
pub fn guarded<T>(read: impl FnOnce() -> T) -> Result<T, String> {
    keep_quiet();
    let was = IS_GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(read));
    IS_GUARDED.set(was);
    result.map_err(|panic| format!("it makes no sense: {}", said(&*panic)))
}

/// Has panics shown as before, but for those of guarded reading.
fn keep_quiet() {
    static HOOK: Once = Once::new();
    if thread::panicking() {
        // Hooks cannot be changed now.
        return;
    }
    HOOK.call_once(|| {
        let shown = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IS_GUARDED.get() {
                shown(panic);
            }
        }));
    });
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("its reader gave up")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(guarded(|| 7), Ok(7));
        let n = std::hint::black_box(3);
        let error = guarded(|| [1, 2][n]).unwrap_err();
        assert!(
            error.contains("it makes no sense: index out of bounds"),
            "{error}"
        );
        // What is nested is guarded until the outermost ends.
        let outer = guarded(|| {
            assert!(guarded(|| panic!("inner")).is_err());
            assert!(IS_GUARDED.get());
        });
        assert_eq!((outer, IS_GUARDED.get()), (Ok(()), false));
    }
}
