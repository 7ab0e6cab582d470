//! Which program this is.

use crate::doctor::{check::Tell, finding::Finding, machine::Machine};
use std::env::{self, consts};

/// Its version, what it was built with, and for what.
pub(super) fn look(_: &Machine, tell: Tell) {
    let features = [
        ("cuda", cfg!(feature = "cuda")),
        ("download", cfg!(feature = "download")),
    ];
    let built = features.iter().filter(|(_, is_built)| *is_built);
    let built: Vec<&str> = built.map(|(name, _)| *name).collect();
    let library = if cfg!(target_env = "musl") {
        "musl"
    } else {
        "gnu"
    };
    let target = format!("{}-{}-{library}", consts::ARCH, consts::OS);
    let version = env!("CARGO_PKG_VERSION");
    let with = match built.as_slice() {
        [] => "without features".to_owned(),
        built => format!("with {}", built.join(" and ")),
    };
    let program = env::current_exe();
    let path = program.map_or_else(|_| "unknown".to_owned(), |path| path.display().to_string());
    let finding = Finding::good("runner", format!("{version} for {target}, {with}: {path}"))
        .with("version", version)
        .with("target", target)
        .with("features", built)
        .with("path", path);
    tell(finding);
}
