//! What belongs to an output.

use crate::{
    job::{OutputKind, OutputTarget, parts_beside, rejects_beside},
    paths::{Claim, Role},
};
use std::path::PathBuf;

/// The files that lie beside a finished output, whatever it holds.
pub(super) fn sidecars(output: &OutputTarget) -> Vec<PathBuf> {
    match output.kind {
        OutputKind::File => output.format.sidecars(&output.path, false),
        OutputKind::Folder => Vec::new(),
    }
}

/// What belongs to an output.
pub(super) fn output_claims(output: &OutputTarget) -> Vec<Claim> {
    let written = Claim::new(Role::Output, &output.path);
    let mut claims = vec![
        match output.kind {
            OutputKind::File => written,
            OutputKind::Folder => written.with_contents(),
        },
        Claim::new(Role::Parts, &parts_beside(output)).with_contents(),
        Claim::new(Role::Rejects, &rejects_beside(output)),
    ];
    if output.kind == OutputKind::File {
        // One that is not always there may be there another time.
        let beside = output.format.sidecars(&output.path, true);
        claims.extend(beside.iter().map(|path| Claim::new(Role::Beside, path)));
    }
    claims
}
