//! From the sources of a dataset, as a script names them, to paths.

use super::{error::InputError, pattern};
use crate::file::Home;
use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

/// How standard input is named in scripts and messages.
pub(super) const STDIN: &str = "-";

/// Patterns that one source may stand for by its braces.
const MOST_ALTERNATIVES: usize = 1000;
/// A longer source is no path of this system.
const MOST_SOURCE_BYTES: usize = 4096;

/// The paths that a source stands for. What exists by that very name is meant literally.
///
/// # Errors
/// The source is no path and no valid pattern, or matches nothing.
pub(super) fn paths_of(source: &str) -> Result<Vec<PathBuf>, InputError> {
    let path = PathBuf::from(source);
    let is_too_long = source.len() > MOST_SOURCE_BYTES;
    if source == STDIN || is_too_long || path.symlink_metadata().is_ok() {
        return Ok(vec![path]);
    }
    refuse_url(source)?;
    let patterns = alternatives(&at_home(source)?)
        .map_err(|message| InputError::new(source, message, BRACES))?;
    if patterns.is_empty() {
        return Err(InputError::new(
            source,
            "stands for too many patterns",
            BRACES,
        ));
    }
    let mut paths = Vec::new();
    for pattern in &patterns {
        if pattern::is_pattern(pattern) && !Path::new(pattern).exists() {
            search(source, pattern, &mut paths)?;
        } else {
            paths.push(PathBuf::from(pattern));
        }
    }
    if paths.is_empty() {
        return Err(InputError::new(
            source,
            "matches no file",
            format!(
                "the pattern is relative to {}; hidden files are matched only by a `.` at the \
                 beginning of a name",
                current_folder()
            ),
        ));
    }
    if patterns.len() > 1 {
        paths.sort();
        paths.dedup();
    }
    Ok(paths)
}

/// Whether the patterns of a source would match a file whose path leads to `place`, were there one.
pub fn could_match(source: &str, place: &Path) -> bool {
    let is_literal = source == STDIN
        || source.len() > MOST_SOURCE_BYTES
        || Path::new(source).symlink_metadata().is_ok();
    if is_literal {
        return false;
    }
    // What is wrong with a source is said when it is searched.
    let patterns = at_home(source).ok().and_then(|at| alternatives(&at).ok());
    patterns.unwrap_or_default().iter().any(|pattern| {
        pattern::is_pattern(pattern)
            && !Path::new(pattern).exists()
            && pattern::could_match(pattern, place)
    })
}

const BRACES: &str = "braces hold alternatives, as `{a,b}.fasta`, or a range of at most 1000 numbers, as `{01..12}.fasta`";

/// Refuses what names a place elsewhere.
fn refuse_url(source: &str) -> Result<(), InputError> {
    let Some((scheme, rest)) = source.split_once("://") else {
        return Ok(());
    };
    if scheme.is_empty()
        || !scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '+')
    {
        return Ok(());
    }
    let hint = match scheme.to_ascii_lowercase().as_str() {
        "file" => format!("name the path: `{rest}`"),
        "s3" => {
            format!("pipe it: `aws s3 cp {source} - | runner exec job.rhai`, with `fasta(\"-\")`")
        }
        "gs" => format!(
            "pipe it: `gcloud storage cat {source} | runner exec job.rhai`, with `fasta(\"-\")`"
        ),
        _ => format!("pipe it: `curl -s {source} | runner exec job.rhai`, with `fasta(\"-\")`"),
    };
    Err(InputError::new(
        source,
        "is a URL, and inputs are files or pipes",
        hint,
    ))
}

/// The source with the user's home folder in place of `~`.
fn at_home(source: &str) -> Result<String, InputError> {
    match Home::of(source) {
        None => Ok(source.to_owned()),
        Some(Home::Own(Some(path))) => Ok(path),
        Some(Home::OfUser) => Err(InputError::new(
            source,
            "begins with `~` and the name of a user",
            "write the path of that user's folder; `~/` is your own",
        )),
        Some(Home::Own(None)) => Err(InputError::new(
            source,
            "begins with `~`, and `HOME` is not set",
            "write the path of the folder",
        )),
    }
}

/// The patterns that a pattern with braces stands for, as in a shell. None if they are too many.
fn alternatives(pattern: &str) -> Result<Vec<String>, &'static str> {
    let Some((before, choices, after)) = first_braces(pattern)? else {
        return Ok(vec![pattern.to_owned()]);
    };
    let rests = alternatives(after)?;
    let mut all = Vec::new();
    for choice in choices {
        for inner in alternatives(&choice)? {
            for rest in &rests {
                all.push(format!("{before}{inner}{rest}"));
            }
            if all.len() > MOST_ALTERNATIVES {
                return Ok(Vec::new());
            }
        }
    }
    Ok(all)
}

type Braces<'a> = (&'a str, Vec<Cow<'a, str>>, &'a str);

/// What stands before, in and behind the first braces with alternatives.
fn first_braces(pattern: &str) -> Result<Option<Braces<'_>>, &'static str> {
    let mut from = 0;
    while let Some(open) = pattern[from..].find('{').map(|index| from + index) {
        let inside = &pattern[open + 1..];
        let Some((choices, end)) = choices(inside) else {
            return Err("has a `{` without its `}`");
        };
        let found = match choices[..] {
            // Braces around a single name are part of it.
            [only] => range(only)?,
            _ => Some(choices.into_iter().map(Cow::Borrowed).collect()),
        };
        if let Some(choices) = found {
            return Ok(Some((&pattern[..open], choices, &inside[end + 1..])));
        }
        from = open + 1;
    }
    Ok(None)
}

/// What stands between the commas up to the closing brace, and where that is.
fn choices(inside: &str) -> Option<(Vec<&str>, usize)> {
    let (mut depth, mut begin) = (0, 0);
    let mut choices = Vec::new();
    for (index, character) in inside.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                choices.push(&inside[begin..index]);
                begin = index + 1;
                if character == '}' {
                    return Some((choices, index));
                }
            }
            _ => {}
        }
    }
    None
}

/// The numbers of a range such as `01..12`, with as many digits. `None` if it is none.
fn range(text: &str) -> Result<Option<Vec<Cow<'_, str>>>, &'static str> {
    let Some((first, last)) = text.split_once("..") else {
        return Ok(None);
    };
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u64>().ok()).flatten()
    };
    match (number(first), number(last)) {
        (Some(from), Some(to)) if from <= to && to - from < MOST_ALTERNATIVES as u64 => {
            let is_padded = first.len() > 1 && first.starts_with('0');
            let width = if is_padded { first.len() } else { 0 };
            Ok(Some(
                (from..=to)
                    .map(|number| format!("{number:0width$}").into())
                    .collect(),
            ))
        }
        _ => Err("has a range in braces that is not understood"),
    }
}

/// Adds the files that a pattern matches, in alphabetical order.
fn search(source: &str, pattern: &str, paths: &mut Vec<PathBuf>) -> Result<(), InputError> {
    glob::Pattern::new(pattern).map_err(|error| {
        InputError::new(
            source,
            format!("is no valid pattern: {error}"),
            "`*`, `?`, `[abc]`, `{a,b}` and `**` as a whole folder name are understood",
        )
    })?;
    let found = pattern::files(pattern).map_err(|(folder, error)| {
        InputError::new(
            folder.display().to_string(),
            format!("cannot be searched for `{source}`: {error}"),
            "check the folder's permissions",
        )
    })?;
    paths.extend(found);
    Ok(())
}

/// The folder that relative paths start at, for messages.
pub(super) fn current_folder() -> String {
    std::env::current_dir().map_or_else(
        |_| "the current folder".to_owned(),
        |folder| format!("`{}`", folder.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Hint;

    #[test]
    fn braces_stand_for_alternatives() {
        let check = |pattern: &str, expect: &[&str]| {
            assert_eq!(alternatives(pattern).unwrap(), expect, "{pattern}");
        };
        check("a.fa", &["a.fa"]);
        check("{a,b}.fa", &["a.fa", "b.fa"]);
        check(
            "x{,y}.{fa,fasta}",
            &["x.fa", "x.fasta", "xy.fa", "xy.fasta"],
        );
        check("{a,b{c,d}}", &["a", "bc", "bd"]);
        check("{a}.{b,c}", &["{a}.b", "{a}.c"]);
        check("{8..10}.fa", &["8.fa", "9.fa", "10.fa"]);
        check("{08..10}", &["08", "09", "10"]);
        let many = "{a,b}".repeat(20);
        check(&many, &[]);
        for pattern in ["{a", "{a,b}{c", "{a..c}", "{3..1}", "{0..1000}", "{1..}"] {
            assert!(alternatives(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn places_elsewhere_are_refused() {
        for (source, part) in [
            ("s3://bucket/a.fa", "aws s3 cp"),
            ("https://example.org/a.fa.gz", "curl -s https://"),
            ("file:///tmp/a.fa", "`/tmp/a.fa`"),
        ] {
            let error = paths_of(source).unwrap_err().in_full();
            assert!(error.contains("is a URL"), "{error}");
            assert!(error.contains(part), "{error}");
        }
    }
}
