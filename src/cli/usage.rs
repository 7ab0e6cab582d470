//! What to type instead of a command line that makes no sense.

use super::call::CALLS;
use crate::job::nearest;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsString;

/// Whether a word of a command was refused that can only be an argument for the script.
pub(super) fn is_for_the_script(
    error: &clap::Error,
    mut args: impl Iterator<Item = OsString>,
) -> bool {
    let has_script = args.any(|arg| arg == "exec" || arg == "check");
    let word = error.get(ContextKind::InvalidArg);
    let is_word = matches!(word, Some(ContextValue::String(word)) if !word.starts_with('-'));
    has_script && error.kind() == ErrorKind::UnknownArgument && is_word
}

/// The flag of `runner embed` or the like that does what other programs call otherwise, as `--batch-size`, where such a one was
/// refused.
pub(super) fn known_elsewhere(
    error: &clap::Error,
    mut args: impl Iterator<Item = OsString>,
) -> Option<String> {
    // What is only misspelt is told already.
    let is_unknown = error.kind() == ErrorKind::UnknownArgument
        && error.get(ContextKind::SuggestedArg).is_none();
    if !is_unknown {
        return None;
    }
    let call = args.find_map(|arg| CALLS.into_iter().find(|call| arg == call.name))?;
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let name = given
        .strip_prefix("--")?
        .split('=')
        .next()?
        .replace('-', "_");
    let names: Vec<_> = call.names().collect();
    let meant = nearest(&name, &names)?;
    Some(format!("--{}", meant.replace('_', "-")))
}

/// The command line that was most likely meant, where a script stands in the place of a command.
pub(super) fn proposal(mut args: impl Iterator<Item = OsString>) -> Option<String> {
    let _program = args.next();
    let rest: Vec<_> = args.map(|arg| arg.to_string_lossy().into_owned()).collect();
    let first = rest.iter().position(|arg| !arg.starts_with('-'))?;
    let is_script = rest[first].ends_with(".rhai");
    let verb = ["run", "execute", "start"].contains(&rest[first].as_str());
    let mut words: Vec<_> = rest.iter().map(|word| quoted(word)).collect();
    if is_script {
        words.insert(first, "exec".to_owned());
        // What stands behind the script can only be for the script.
        let is_for_script = |word: &&String| !word.starts_with('-');
        if words.get(first + 2).as_ref().is_some_and(is_for_script) {
            words.insert(first + 2, "--".to_owned());
        }
    } else if verb {
        words[first] = "exec".to_owned();
    } else {
        return None;
    }
    Some(format!("runner {}", words.join(" ")))
}

/// A word as a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_run_by_exec() {
        let check = |args: &[&str], expect: Option<&str>| {
            let args = args.iter().map(OsString::from);
            assert_eq!(proposal(args).as_deref(), expect);
        };
        check(&["runner", "job.rhai"], Some("runner exec job.rhai"));
        check(
            &["runner", "-q", "a job.rhai", "x"],
            Some("runner -q exec 'a job.rhai' -- x"),
        );
        check(
            &["runner", "job.rhai", "--report", "r.html"],
            Some("runner exec job.rhai --report r.html"),
        );
        check(&["runner", "run", "job.rhai"], Some("runner exec job.rhai"));
        check(&["runner", "check"], None);
        check(&["runner"], None);
    }
}
