//! What a file that is written may be called, and in which format its name has it written.

use super::Problem;
use crate::file::Home;
use std::path::Path;

/// A format of embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// Apache Parquet: a row a sequence.
    Parquet,
}

/// Endings of formats that embeddings come in elsewhere, and what their users call them.
const OTHER_FORMATS: [(&str, &str); 24] = [
    ("csv", "CSV"),
    ("tsv", "TSV"),
    ("txt", "plain text"),
    ("npy", "NumPy"),
    ("npz", "NumPy"),
    ("h5", "HDF5"),
    ("hdf5", "HDF5"),
    ("pt", "PyTorch"),
    ("pth", "PyTorch"),
    ("bin", "raw binary"),
    ("pkl", "pickle"),
    ("pickle", "pickle"),
    ("safetensors", "safetensors"),
    ("json", "JSON"),
    ("jsonl", "JSON lines"),
    ("zarr", "Zarr"),
    ("arrow", "Arrow IPC"),
    ("ipc", "Arrow IPC"),
    ("feather", "Feather"),
    ("h5ad", "AnnData"),
    ("lance", "Lance"),
    ("db", "a database"),
    ("duckdb", "a database"),
    ("xlsx", "Excel"),
];

/// Endings of inputs.
const INPUTS: [&str; 12] = [
    "fa", "fasta", "faa", "fas", "pep", "seq", "gz", "bgz", "zst", "bz2", "xz", "rhai",
];

impl OutputFormat {
    /// The format of the parts in a folder.
    pub const OF_PARTS: Self = Self::Parquet;

    /// What it is called in a ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
        }
    }

    /// How the names of its files end, without the dot.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
        }
    }

    /// The format that the end of a file's name stands for. It is the one place that decides.
    ///
    /// # Errors
    /// The name cannot be that of a file, or stands for no format that is written.
    pub fn of(path: &Path) -> Result<Self, Problem> {
        check_file_name(path)?;
        let shown = path.display();
        let ending = path
            .extension()
            .map(|ending| ending.to_string_lossy().to_lowercase())
            .unwrap_or_default();
        if ["parquet", "pq"].contains(&ending.as_str()) {
            return Ok(Self::Parquet);
        }
        let renamed = path.with_extension("parquet");
        let renamed = renamed.display();
        let other = OTHER_FORMATS.iter().find(|(other, _)| *other == ending);
        Err(match other {
            Some((_, format)) => problem(
                format!("`{shown}` ends like {format}, which is not written"),
                format!(
                    "Parquet is written: name it `{renamed}`; polars and pandas read it, and \
                     convert it"
                ),
            ),
            None if INPUTS.contains(&ending.as_str()) => problem(
                format!("`{shown}` ends like an input, and embeddings are written as Parquet"),
                "end the path with `.parquet`".to_owned(),
            ),
            None => problem(
                format!("`{shown}` does not say in which format to write"),
                "Parquet is written: end the path with `.parquet`, or with `/` for a folder of parts"
                    .to_owned(),
            ),
        })
    }
}

/// Checks that a path can be that of a file to write.
///
/// # Errors
/// It is empty, a folder by its looks, standard output, an address, or a home folder that only a
/// shell would find.
pub fn check_file_name(path: &Path) -> Result<(), Problem> {
    check_name(path)?;
    let shown = path.display();
    let text = path.to_string_lossy();
    let is_folder = text.ends_with('/')
        || ["/.", "/.."].iter().any(|end| text.ends_with(end))
        || [".", ".."].contains(&&*text);
    if is_folder {
        return Err(problem(
            format!("`{shown}` names a folder"),
            "end the path with the name of a file".to_owned(),
        ));
    }
    Ok(())
}

/// Checks that a path can be that of a folder or a file to write.
///
/// # Errors
/// It is empty, standard output, an address, or a home folder that only a shell would find.
pub fn check_name(path: &Path) -> Result<(), Problem> {
    let shown = path.display();
    let text = path.to_string_lossy();
    if text.trim().is_empty() {
        return Err(problem(
            "the path is empty".to_owned(),
            "give the path of a file".to_owned(),
        ));
    }
    if text.contains(char::is_control) {
        return Err(problem(
            format!("{text:?} holds a control character"),
            "give the file a name that can be shown".to_owned(),
        ));
    }
    let is_descriptor = ["/dev/fd/", "/proc/self/fd/"]
        .iter()
        .any(|folder| text.starts_with(folder));
    if is_descriptor || ["-", "/dev/stdout", "/dev/stderr", "/dev/tty"].contains(&&*text) {
        return Err(problem(
            format!("`{shown}` is no file, and nothing but what the script prints goes there"),
            "give the path of a file".to_owned(),
        ));
    }
    if let Some((scheme, rest)) = text.split_once(":/")
        && is_scheme(scheme)
    {
        let hint = match scheme.eq_ignore_ascii_case("file") {
            true => format!("give the path alone: `/{}`", rest.trim_start_matches('/')),
            false => "write a file here, and copy it there when the run has ended".to_owned(),
        };
        return Err(problem(
            format!("`{shown}` is an address, and files are written to paths"),
            hint,
        ));
    }
    let first = text.split('/').next().unwrap_or_default();
    let is_variable = first.strip_prefix('$').is_some_and(|name| {
        let name = name.trim_start_matches('{');
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
    });
    if is_variable || Home::of(&text).is_some() {
        return Err(problem(
            format!("`{shown}` begins with `{first}`, which only a shell replaces"),
            "write the whole path, or give it to the script as an argument: `args[0]`".to_owned(),
        ));
    }
    Ok(())
}

/// Whether a text is the scheme of an address, such as `s3`.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

fn problem(message: String, hint: String) -> Problem {
    Problem {
        message,
        hint: Some(hint),
        option: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_says_the_format() {
        for path in ["a.parquet", "out/a.pq", "A.PARQUET", "a.b.parquet", "~a.pq"] {
            let format = OutputFormat::of(Path::new(path));
            assert_eq!(format, Ok(OutputFormat::Parquet), "{path}");
        }
        let check = |path: &str, expect: &str, hint: &str| {
            let problem = OutputFormat::of(Path::new(path)).unwrap_err();
            assert!(problem.message.contains(expect), "{path}: {problem:?}");
            assert!(problem.hint.unwrap().contains(hint), "{path}");
        };
        check("o.csv", "ends like CSV", "name it `o.parquet`");
        check("o.NPY", "ends like NumPy", "convert");
        check("o.h5", "ends like HDF5", "Parquet is written");
        check("in.fa", "ends like an input", "`.parquet`");
        check("o.parquet.gz", "ends like an input", "`.parquet`");
        check("embeddings", "does not say in which format", "`.parquet`");
        check(".parquet", "does not say in which format", "`.parquet`");
        check("o.xyz", "does not say in which format", "`.parquet`");
        check("newdir/", "`newdir/` names a folder", "name of a file");
        check("out/..", "names a folder", "name of a file");
        check("", "empty", "the path of a file");
        check(" ", "empty", "the path of a file");
        check("-", "`-` is no file", "the path of a file");
        check("/dev/stdout", "no file", "the path of a file");
        check("s3://bucket/o.parquet", "an address", "copy it there");
        check("GS://bucket/o.parquet", "an address", "copy it there");
        check("s3:/bucket/o.parquet", "an address", "copy it there");
        check("file:///tmp/o.parquet", "an address", "`/tmp/o.parquet`");
        check("~/o.parquet", "begins with `~`", "args[0]");
        check("~me/o.parquet", "begins with `~me`", "args[0]");
        check("$HOME/o.parquet", "begins with `$HOME`", "args[0]");
        check("${OUT}/o.parquet", "only a shell", "args[0]");
        check("a\u{1b}[31m.parquet", "control character", "can be shown");
    }

    #[test]
    fn folders_have_names_too() {
        for path in ["sweeps", "sweeps/", ".", "../a b", "a:b", "C:\\out", "$"] {
            assert_eq!(check_name(Path::new(path)), Ok(()), "{path}");
        }
        assert!(check_name(Path::new("s3://bucket/sweeps/")).is_err());
    }
}
