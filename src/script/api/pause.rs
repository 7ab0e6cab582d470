//! `sleep(...)`, from which a script can be woken to end.

use crate::script::{failure::RhaiResultOf, session::Session};
use rhai::{FLOAT, INT, plugin::*};
use std::time::Duration;

#[export_module]
pub(super) mod pause_api {
    use super::*;

    /// Waits for so many seconds. `runner check` does not wait.
    ///
    /// # Example
    ///
    /// ```rhai
    /// sleep(10);
    /// ```
    #[rhai_fn(name = "sleep", volatile, return_raw)]
    pub fn sleep(context: NativeCallContext, seconds: INT) -> RhaiResultOf<()> {
        let seconds = u64::try_from(seconds).unwrap_or(0);
        Session::of(&context).sleep(Duration::from_secs(seconds))
    }

    /// Waits for so many seconds and parts of one. `runner check` does not wait.
    ///
    /// # Example
    ///
    /// ```rhai
    /// sleep(0.5);
    /// ```
    #[rhai_fn(name = "sleep", volatile, return_raw)]
    pub fn sleep_parts(context: NativeCallContext, seconds: FLOAT) -> RhaiResultOf<()> {
        // What is more than any time is for ever, and less than nothing is nothing.
        let longest = match seconds > 0.0 {
            true => Duration::MAX,
            false => Duration::ZERO,
        };
        let time = Duration::try_from_secs_f64(seconds).unwrap_or(longest);
        Session::of(&context).sleep(time)
    }
}
