//! Where an output goes: a file, or a folder of parts.

use super::{OutputFormat, Problem, check_file_name, check_name};
use std::path::{Path, PathBuf};

/// Where an output goes, as far as its name says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputTarget {
    /// The file, or the folder, as the script names it.
    pub path: PathBuf,
    /// What is written into the file, or into the parts.
    pub format: OutputFormat,
    /// Whether it is one file.
    pub kind: OutputKind,
}

/// What an output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// One file.
    File,
    /// A folder of parts, which are read as one data set, and in which nothing else is.
    Folder,
}

impl OutputKind {
    /// What the name of the folder of what is kept of an output has behind that of the output.
    pub fn kept_ending(self) -> &'static str {
        match self {
            Self::File => ".parts",
            Self::Folder => ".ledger",
        }
    }
}

impl OutputTarget {
    /// What a name stands for: one that ends in `/` is that of a folder.
    ///
    /// # Errors
    /// The name cannot be that of a file or a folder, or stands for no format that is written.
    pub fn of(path: &Path) -> Result<Self, Problem> {
        let is_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        let (format, kind) = match is_folder {
            true => {
                check_folder_name(path)?;
                (OutputFormat::OF_PARTS, OutputKind::Folder)
            }
            false => {
                let format = OutputFormat::of(path).map_err(|problem| or_folder(path, problem));
                (format?, OutputKind::File)
            }
        };
        Ok(Self {
            path: path.to_owned(),
            format,
            kind,
        })
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(ending);
        self.path.with_file_name(name)
    }
}

/// The folder of what is kept of an output while it is made. That of a folder stays.
pub fn parts_beside(output: &OutputTarget) -> PathBuf {
    output.beside(output.kind.kept_ending())
}

/// The list of the records that are rejected on the way to `output`.
pub fn rejects_beside(output: &OutputTarget) -> PathBuf {
    output.beside(".rejects.tsv")
}

/// What is wrong with the name of a file: one without an ending may be meant to be that of a folder.
fn or_folder(path: &Path, problem: Problem) -> Problem {
    match check_file_name(path).is_ok() && path.extension().is_none() {
        true => Problem {
            hint: problem
                .hint
                .map(|hint| format!("{hint}, or with `/` for a folder of parts")),
            ..problem
        },
        false => problem,
    }
}

/// Checks that a path can be that of a folder that is an output. Something else lies beside it, so it
/// must have a name.
fn check_folder_name(path: &Path) -> Result<(), Problem> {
    check_name(path)?;
    if path.file_name().is_some() {
        return Ok(());
    }
    let shown = path.display();
    Err(Problem {
        message: format!("`{shown}` is no folder of its own, and an output shares none"),
        hint: Some(format!("name a folder in it: `{shown}embeddings/`")),
        option: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_makes_a_folder_of_parts() {
        let check = |path: &str, kind: OutputKind, parts: &str, rejects: &str| {
            let target = OutputTarget::of(Path::new(path)).unwrap();
            assert_eq!((target.kind, target.format), (kind, OutputFormat::Parquet));
            assert_eq!(target.path.as_os_str(), path);
            assert_eq!(parts_beside(&target), Path::new(parts));
            assert_eq!(rejects_beside(&target), Path::new(rejects));
        };
        use OutputKind::{File, Folder};
        check("x.pq", File, "x.pq.parts", "x.pq.rejects.tsv");
        check(
            "a/x.parquet",
            File,
            "a/x.parquet.parts",
            "a/x.parquet.rejects.tsv",
        );
        check("x/", Folder, "x.ledger", "x.rejects.tsv");
        check("/a/x//", Folder, "/a/x.ledger", "/a/x.rejects.tsv");
        check("../x/./", Folder, "../x.ledger", "../x.rejects.tsv");
        check(
            "x.parquet/",
            Folder,
            "x.parquet.ledger",
            "x.parquet.rejects.tsv",
        );
    }

    #[test]
    fn names_that_an_output_cannot_have() {
        let check = |path: &str, expect: &str, hint: &str| {
            let problem = OutputTarget::of(Path::new(path)).unwrap_err();
            assert!(problem.message.contains(expect), "{path}: {problem:?}");
            assert!(problem.hint.unwrap().contains(hint), "{path}");
        };
        check("./", "`./` is no folder of its own", "`./embeddings/`");
        check("a/../", "no folder of its own", "`a/../embeddings/`");
        check("/", "no folder of its own", "`/embeddings/`");
        check("s3://bucket/x/", "an address", "copy it there");
        check("~/x/", "begins with `~`", "args[0]");
        check(
            "x",
            "does not say in which format",
            "with `/` for a folder of parts",
        );
        check("x/..", "names a folder", "name of a file");
        check("x.csv", "ends like CSV", "name it `x.parquet`");
    }
}
