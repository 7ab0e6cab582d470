//! The script of a command, read and run.

use super::args::{Global, Recordings};
use crate::{
    cancel::CancelToken,
    host::Host,
    progress::Console,
    script::{self, Finished, Script, ScriptError},
};
use std::path::Path;

/// A script as the command line names it.
pub(super) struct NamedScript<'a> {
    pub(super) path: &'a Path,
    /// What it finds in `args`.
    pub(super) args: &'a [String],
    /// What its runs write about themselves.
    pub(super) recordings: &'a Recordings,
}

impl NamedScript<'_> {
    /// Runs the script on the host that `host` makes for it. What it prints goes to `output`, if there is
    /// one.
    ///
    /// # Errors
    /// The exit code, if signals cannot be listened to; that has been reported.
    pub(super) fn run(
        &self,
        global: &Global,
        console: &Console,
        output: Option<Console>,
        host: impl FnOnce(&Script, &CancelToken) -> Box<dyn Host>,
    ) -> Result<Result<Finished, ScriptError>, u8> {
        // Before signals are caught: a script that comes through a pipe may never come.
        let script = Script::read(self.path, self.args.to_vec());
        // A rehearsal makes a folder for temporary files, too.
        let cancel = super::stopped_by_signals(global, console)?;
        Ok(match script {
            Err(diagnostic) => Err(ScriptError::Failed(Box::new(diagnostic))),
            Ok(script) => {
                let host = host(&script, &cancel);
                script::run(&script, &self.recordings.files(), host, output, cancel)
            }
        })
    }
}
