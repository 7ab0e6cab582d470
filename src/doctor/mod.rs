//! Looks whether a machine has what the program needs.
//!
//! *Input*: the machine. *Output*: findings, each with how to mend what is wrong. *Owns*: the table of checks, the
//! self-test. *Never*: hangs or dies of a library that does, or shows a secret.

mod apart;
mod check;
mod checks;
mod child;
mod finding;
mod machine;
mod mask;
mod report;
mod self_test;

pub use apart::SUBCOMMAND;
pub use child::look_apart;
pub use finding::{Finding, State};
pub use report::Report;

use crate::cancel::CancelToken;
use machine::Machine;
use std::sync::Arc;

/// Looks at the machine, and calls `found` with every finding as it comes. It ends soon after `cancel` says so.
pub fn examine(cancel: &CancelToken, mut found: impl FnMut(&Finding)) -> Report {
    let machine = Arc::new(Machine::new(cancel.clone()));
    let mut findings = Vec::new();
    for check in checks::ALL {
        check.run(&machine, &mut |finding| {
            found(&finding);
            findings.push(finding);
        });
    }
    Report { findings }
}
