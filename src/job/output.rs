//! What a file that is written may be called, and in which format its name has it written.

use super::Problem;
use crate::file::Home;
use std::path::{Path, PathBuf};

/// A format of embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// Apache Parquet: a row a sequence.
    Parquet,
    /// HDF5 with a dataset a sequence.
    Hdf5,
    /// HDF5 as scikit-bio has it: one matrix, and where the rows of each sequence are in it.
    Embed,
    /// NumPy's format of a single array, with files beside it that say which row is whose.
    Npy,
    /// A tensor a column.
    Safetensors,
    /// A file of Arrow IPC, which is Feather, too.
    Arrow,
}

/// What names say of a format. What can be done with it stands in `sink/format.rs`.
struct Named {
    format: OutputFormat,
    /// What it is called in a ledger, and in messages.
    name: &'static str,
    /// What it is called by people.
    title: &'static str,
    /// How the names of its files end, without the dot; the first one is ours.
    endings: &'static [&'static str],
    /// The files that lie beside one of it.
    sidecars: &'static [Sidecar],
}

/// A file that lies beside an output, and belongs to it.
struct Sidecar {
    /// How its name ends.
    ending: &'static str,
    /// Whether that comes behind the whole name of the output, or instead of its ending.
    is_behind: bool,
    /// Whether there is one only where a sequence has many vectors.
    is_for_many: bool,
}

#[rustfmt::skip]
const FORMATS: &[Named] = &[
    Named { format: OutputFormat::Parquet, name: "parquet", title: "Parquet", endings: &["parquet", "pq"], sidecars: &[] },
    Named { format: OutputFormat::Hdf5, name: "hdf5", title: "HDF5", endings: &["h5", "hdf5"], sidecars: &[] },
    Named { format: OutputFormat::Embed, name: "embed", title: "scikit-bio's HDF5", endings: &["embed"], sidecars: &[] },
    Named { format: OutputFormat::Npy, name: "npy", title: "NumPy", endings: &["npy"], sidecars: &[
        Sidecar { ending: ".ids.txt", is_behind: false, is_for_many: false },
        Sidecar { ending: ".offsets.npy", is_behind: false, is_for_many: true },
        Sidecar { ending: ".json", is_behind: true, is_for_many: false },
    ] },
    Named { format: OutputFormat::Safetensors, name: "safetensors", title: "safetensors", endings: &["safetensors"], sidecars: &[] },
    Named { format: OutputFormat::Arrow, name: "arrow", title: "Arrow IPC", endings: &["arrow", "feather", "ipc"], sidecars: &[] },
];

/// Endings of formats that embeddings come in elsewhere, and what their users call them.
const OTHER_FORMATS: [(&str, &str); 17] = [
    ("csv", "CSV"),
    ("tsv", "TSV"),
    ("txt", "plain text"),
    ("npz", "NumPy's archives"),
    ("pt", "PyTorch"),
    ("pth", "PyTorch"),
    ("bin", "raw binary"),
    ("pkl", "pickle"),
    ("pickle", "pickle"),
    ("json", "JSON"),
    ("jsonl", "JSON lines"),
    ("zarr", "Zarr"),
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

    fn named(self) -> &'static Named {
        let named = FORMATS.iter().find(|named| named.format == self);
        named.expect("the table has a row for each format")
    }

    /// What it is called in a ledger.
    pub fn name(self) -> &'static str {
        self.named().name
    }

    /// What people call it.
    pub fn title(self) -> &'static str {
        self.named().title
    }

    /// Whether the residues have a place in it.
    pub fn has_sequences(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow | Self::Embed)
    }

    /// How the names of its files end, without the dot.
    pub fn ending(self) -> &'static str {
        self.named().endings[0]
    }

    /// The files that lie beside `path` and belong to it, in the order in which they are published; `has_many` says
    /// whether a sequence has many vectors.
    pub fn sidecars(self, path: &Path, has_many: bool) -> Vec<PathBuf> {
        let sidecars = self.named().sidecars.iter();
        let needed = sidecars.filter(|sidecar| has_many || !sidecar.is_for_many);
        needed.map(|sidecar| sidecar.of(path)).collect()
    }

    /// The endings of all formats that are written, for messages: `.parquet, .h5 or .npy`.
    pub fn all_endings() -> String {
        let endings: Vec<_> = FORMATS
            .iter()
            .map(|named| format!("`.{}`", named.endings[0]))
            .collect();
        let (last, others) = endings.split_last().expect("there are formats");
        format!("{} or {last}", others.join(", "))
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
        let mut formats = FORMATS.iter();
        if let Some(named) = formats.find(|named| named.endings.contains(&ending.as_str())) {
            return Ok(named.format);
        }
        let renamed = path.with_extension("parquet");
        let renamed = renamed.display();
        let other = OTHER_FORMATS.iter().find(|(other, _)| *other == ending);
        Err(match other {
            Some((_, format)) => problem(
                format!("`{shown}` ends like {format}, which is not written"),
                format!(
                    "name it `{renamed}`: polars and pandas read Parquet, and convert it; or end it \
                     with another one of {}",
                    Self::all_endings()
                ),
            ),
            None if INPUTS.contains(&ending.as_str()) => problem(
                format!("`{shown}` ends like an input, and embeddings are written there"),
                format!("end the path with {}", Self::all_endings()),
            ),
            None => problem(
                format!("`{shown}` does not say in which format to write"),
                format!("end the path with {}", Self::all_endings()),
            ),
        })
    }
}

impl Sidecar {
    fn of(&self, output: &Path) -> PathBuf {
        let name = match self.is_behind {
            true => output.file_name(),
            false => output.file_stem(),
        };
        let mut name = name.unwrap_or_default().to_owned();
        name.push(self.ending);
        output.with_file_name(name)
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
        for (path, format) in [
            ("a.parquet", OutputFormat::Parquet),
            ("out/a.pq", OutputFormat::Parquet),
            ("A.PARQUET", OutputFormat::Parquet),
            ("a.b.parquet", OutputFormat::Parquet),
            ("~a.pq", OutputFormat::Parquet),
            ("a.h5", OutputFormat::Hdf5),
            ("a.hdf5", OutputFormat::Hdf5),
            ("a.embed", OutputFormat::Embed),
            ("o.NPY", OutputFormat::Npy),
            ("a.safetensors", OutputFormat::Safetensors),
            ("a.arrow", OutputFormat::Arrow),
            ("a.feather", OutputFormat::Arrow),
            ("a.ipc", OutputFormat::Arrow),
        ] {
            assert_eq!(OutputFormat::of(Path::new(path)), Ok(format), "{path}");
        }
        let check = |path: &str, expect: &str, hint: &str| {
            let problem = OutputFormat::of(Path::new(path)).unwrap_err();
            assert!(problem.message.contains(expect), "{path}: {problem:?}");
            assert!(problem.hint.unwrap().contains(hint), "{path}");
        };
        check("o.csv", "ends like CSV", "name it `o.parquet`");
        check("o.NPZ", "ends like NumPy's archives", "`.npy`");
        check("o.pt", "ends like PyTorch", "polars");
        check("in.fa", "ends like an input", "`.parquet`");
        check("o.parquet.gz", "ends like an input", "`.parquet`");
        check("embeddings", "does not say in which format", "`.parquet`");
        check(".parquet", "does not say in which format", "`.parquet`");
        check("o.xyz", "does not say in which format", "`.arrow`");
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
    fn files_lie_beside_some_formats() {
        let check = |path: &str, has_many: bool, expect: &[&str]| {
            let path = Path::new(path);
            let sidecars = OutputFormat::of(path).unwrap().sidecars(path, has_many);
            let expect: Vec<_> = expect.iter().map(PathBuf::from).collect();
            assert_eq!(sidecars, expect);
        };
        check("o.parquet", true, &[]);
        check("a/o.b.npy", false, &["a/o.b.ids.txt", "a/o.b.npy.json"]);
        let many = ["o.ids.txt", "o.offsets.npy", "o.npy.json"];
        check("o.npy", true, &many);
    }

    #[test]
    fn folders_have_names_too() {
        for path in ["sweeps", "sweeps/", ".", "../a b", "a:b", "C:\\out", "$"] {
            assert_eq!(check_name(Path::new(path)), Ok(()), "{path}");
        }
        assert!(check_name(Path::new("s3://bucket/sweeps/")).is_err());
    }
}
