//! The script of a command, read and run.

use super::{
    args::{Global, ScriptArgs},
    ending,
    shard::{self, ChosenShard},
    work_args::Work,
};
use crate::{
    cancel::CancelToken,
    error::exit_code,
    host::Host,
    progress::Console,
    script::{self, Diagnostic, Finished, Script, ScriptError},
};

impl ScriptArgs {
    /// Reads the script.
    ///
    /// # Errors
    /// It cannot be read, or is no script.
    pub(super) fn read(&self) -> Result<Script, Diagnostic> {
        Script::read(&self.script, self.args.clone())
    }
}

impl Work {
    /// Runs the script that `read` gives, on the host that `host` makes for it and for the shard that this
    /// process is. What it prints goes to `output`, if there is one.
    ///
    /// # Errors
    /// The exit code, if signals cannot be listened to or nobody knows which shard this is; that has been
    /// reported.
    pub(super) fn run(
        &self,
        global: &Global,
        console: &Console,
        read: impl FnOnce() -> Result<Script, Diagnostic>,
        output: Option<Console>,
        host: impl FnOnce(&Script, Option<ChosenShard>, &CancelToken) -> Box<dyn Host>,
    ) -> Result<Result<Finished, ScriptError>, u8> {
        let shard = shard::choose(self.shard).map_err(|error| {
            let hint = Some(error.hint().to_owned());
            let diagnostic = Diagnostic::of_the_program(error.to_string(), hint, exit_code::USAGE);
            ending::failed(global, console, &diagnostic)
        })?;
        // Before signals are caught: a script that comes through a pipe may never come.
        let script = read();
        // A rehearsal makes a folder for temporary files, too.
        let cancel = super::stopped_by_signals(global, console)?;
        Ok(match script {
            Err(diagnostic) => Err(ScriptError::Failed(Box::new(diagnostic))),
            Ok(script) => {
                let host = host(&script, shard, &cancel);
                script::run(&script, &self.recordings.files(), host, output, cancel)
            }
        })
    }
}
