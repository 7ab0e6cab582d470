//! What tests of scores run.

use crate::{DEMO, RUNNER, child::finish};
use runner::reader::PROGRAM_VARIABLE;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// A folder of a test.
pub struct Place(TempDir);

/// What a script left behind.
pub struct Done {
    pub exit_code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    /// What a command comes to.
    fn of(command: &mut Command) -> Self {
        let output = finish(command, b"");
        Self {
            exit_code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The names of what is there.
    pub fn names(&self) -> Vec<String> {
        let entries = self.0.path().read_dir().unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    /// A command in this folder with a script, which has functions for the demo model on the CPU and for a mock.
    pub fn command(&self, arguments: &[&str], script: &str) -> Command {
        let begin = format!(
            "fn demo() {{ esm2(\"{DEMO}\", #{{ device: \"cpu\" }}) }}
            fn mock(mock) {{ esm2(\"{DEMO}\", #{{ device: \"mock\", mock: mock }}) }}\n"
        );
        self.write("job.rhai", &(begin + script));
        // A bundle for another machine names its own.
        let named = env::var_os(PROGRAM_VARIABLE);
        let mut command = Command::new(named.unwrap_or_else(|| RUNNER.into()));
        command
            .args(arguments)
            .arg("job.rhai")
            .current_dir(self.0.path())
            .env_remove("RUST_LOG");
        command
    }

    /// Runs a script, which must end.
    pub fn run(&self, arguments: &[&str], script: &str) -> Done {
        Done::of(&mut self.command(arguments, script))
    }

    /// Runs a command line, which must end.
    pub fn line(&self, arguments: &[&str]) -> Done {
        let mut command = Command::new(RUNNER);
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env_remove("RUST_LOG");
        Done::of(&mut command)
    }

    /// Runs a script, which must end well.
    pub fn exec(&self, script: &str) -> String {
        let done = self.run(&["exec"], script);
        assert_eq!(done.exit_code, Some(0), "{}", done.stderr);
        done.stdout
    }

    /// Runs a script that must fail, and gives what it says.
    pub fn refused(&self, exit_code: i32, script: &str) -> String {
        let done = self.run(&["exec"], script);
        assert_eq!(done.exit_code, Some(exit_code), "{}", done.stderr);
        done.stderr
    }
}

/// The cells of a table without quotes, row by row, the header first.
pub fn cells(text: &str) -> Vec<Vec<String>> {
    let rows = text.lines();
    let rows = rows.map(|row| row.split(',').map(str::to_owned).collect());
    rows.collect()
}

/// The numbers of a column.
pub fn numbers(text: &str, column: &str) -> Vec<f64> {
    let cells = cells(text);
    let column = cells[0].iter().position(|name| name == column).unwrap();
    let rows = cells[1..].iter();
    rows.map(|row| row[column].parse().unwrap()).collect()
}

/// The records of a FASTA file: ids and sequences.
pub fn records(path: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(path).unwrap();
    let records = text.split('>').skip(1);
    let records = records.map(|record| {
        let (id, sequence) = record.split_once('\n').unwrap();
        (id.to_owned(), sequence.replace('\n', ""))
    });
    // A `>` within a line is that of a `<mask>`.
    records.filter(|(id, _)| !id.is_empty()).collect()
}
