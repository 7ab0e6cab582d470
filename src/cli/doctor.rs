//! `runner doctor`.

use super::{args::Global, ending};
use crate::{
    doctor,
    error::{Error, exit_code},
    progress::Console,
    signal,
};
use std::panic;

/// Says what of the machine suits the program and what does not, and returns the exit code.
pub(super) fn doctor(global: &Global, console: &Console) -> u8 {
    let cancel = match super::stopped_by_signals(global, console) {
        Ok(cancel) => cancel,
        Err(exit_code) => return exit_code,
    };
    // A check that panics is a finding.
    panic::set_hook(Box::new(|panic| tracing::debug!("{panic}")));
    let is_text = !global.is_json();
    let mut section = "";
    let report = doctor::examine(&cancel, |finding| {
        if is_text && (!global.is_quiet() || finding.needs_care()) {
            if finding.section != section {
                let gap = if section.is_empty() { "" } else { "\n" };
                section = finding.section;
                console.print(&format!("{gap}{section}"));
            }
            console.print(&finding.lines(console.columns()));
        }
    });
    let exit_code = match cancel.reason() {
        Some(reason) => ending::of_error(global, console, &Error::Stopped(reason)),
        None => {
            match is_text {
                true => {
                    let gap = if section.is_empty() { "" } else { "\n" };
                    console.print(&format!("{gap}{}", report.summary()));
                }
                false => console.print(&report.json()),
            }
            match ending::unprinted(global, console) {
                exit_code::OK => report.exit_code(),
                unprinted => unprinted,
            }
        }
    };
    if report.driver_hangs {
        signal::end_at_once(exit_code);
    }
    exit_code
}
