//! A job of the real program on some files, and what it leaves behind.

use crate::child::finish;
use arrow_array::{Array, BooleanArray, StringArray, UInt32Array, cast::AsArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

pub const MODEL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/examples/models/esm2_t6_2M_demo"
);
const OK: i32 = 0;
pub const INPUT: i32 = 4;
const REJECTED: i32 = 7;

/// A folder with input files, in which a job runs.
pub struct Job {
    pub folder: TempDir,
    /// The `fasta(...)` expression of the script.
    dataset: String,
    stdin: Vec<u8>,
    /// What is started as a reader, if it is not the program itself.
    reader: Option<PathBuf>,
    readers: usize,
}

/// What a job left behind.
pub struct Done {
    pub exit_code: i32,
    pub stderr: String,
    /// `id(description):length` for each row, `+` behind the length of a truncated one.
    pub rows: String,
    /// The lines of the rejects file.
    pub rejects: String,
}

impl Job {
    pub fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        Self {
            folder,
            dataset: "fasta(\"in.fa\")".to_owned(),
            stdin: Vec::new(),
            reader: None,
            readers: 2,
        }
    }

    pub fn dataset(mut self, dataset: &str) -> Self {
        dataset.clone_into(&mut self.dataset);
        self
    }

    pub fn stdin(mut self, content: &[u8]) -> Self {
        self.stdin = content.to_vec();
        self
    }

    /// Runs the lines of a shell script as its only reader. `$REAL` is the real program.
    pub fn reader(mut self, script: &str) -> Self {
        let path = self.folder.path().join("reader.sh");
        let real = env!("CARGO_BIN_EXE_runner");
        fs::write(&path, format!("#!/bin/sh\nREAL='{real}'\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self.reader = Some(path);
        self.readers = 1;
        self
    }

    pub fn run(&self) -> Done {
        let script = format!(
            "let model = esm2(\"{MODEL}\", #{{ device: \"mock\" }});\n\
             let run = embed(model, {}, #{{ output: \"out.parquet\", readers: {} }});\n",
            self.dataset, self.readers
        );
        let at = |name: &str| self.folder.path().join(name);
        fs::write(at("job.rhai"), script).unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_runner"));
        program
            .args(["exec", "job.rhai"])
            .current_dir(self.folder.path())
            .envs(self.reader.iter().map(|path| ("RUNNER_READER", path)));
        let output = finish(&mut program, &self.stdin);
        let rejects = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|extension| extension == "tsv"));
        Done {
            exit_code: output.status.code().unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            rows: rows(&at("out.parquet")),
            rejects: rejects.map_or_else(String::new, |path| fs::read_to_string(path).unwrap()),
        }
    }

    /// Checks that the job ends with all records.
    pub fn check(&self, rows: &str) -> Done {
        let done = self.run();
        assert_eq!((done.exit_code, &*done.rows), (OK, rows), "{}", done.stderr);
        done
    }

    /// Checks that the job stops with a message that holds the parts, and publishes nothing.
    pub fn check_stop(&self, parts: &[&str]) {
        let done = self.run();
        assert_eq!(
            (done.exit_code, &*done.rows),
            (INPUT, ""),
            "{}",
            done.stderr
        );
        done.check_message(parts);
    }

    /// Checks that the job ends with some records and lists the others.
    pub fn check_rejects(&self, rows: &str, rejects: &[&str]) {
        let done = self.run();
        assert_eq!(
            (done.exit_code, &*done.rows),
            (REJECTED, rows),
            "{}",
            done.stderr
        );
        for reject in rejects {
            assert!(
                done.rejects.contains(reject),
                "`{reject}` in: {}",
                done.rejects
            );
        }
    }
}

impl Done {
    /// What it said, whatever the terminal's width.
    fn message(&self) -> String {
        self.stderr.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub fn check_message(&self, parts: &[&str]) {
        let message = self.message();
        for part in parts {
            assert!(message.contains(part), "`{part}` in: {message}");
        }
    }

    /// How many warnings there are.
    pub fn n_warnings(&self) -> usize {
        self.message().matches("warning: ").count()
    }
}

/// The rows of a Parquet file, or nothing if there is none.
fn rows(path: &Path) -> String {
    let Ok(file) = File::open(path) else {
        return String::new();
    };
    let mut rows = Vec::new();
    let batches = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    for batch in batches.build().unwrap() {
        let batch = batch.unwrap();
        let column = |name: &str| batch.column_by_name(name).unwrap().clone();
        let ids = column("id");
        let ids: &StringArray = ids.as_string();
        let descriptions = column("description");
        let descriptions: &StringArray = descriptions.as_string();
        let lengths = column("length");
        let lengths: &UInt32Array = lengths.as_primitive();
        let truncated = column("truncated");
        let truncated: &BooleanArray = truncated.as_boolean();
        let embeddings = column("embedding");
        for row in 0..batch.num_rows() {
            assert!(embeddings.is_valid(row));
            let description = match descriptions.value(row) {
                "" => String::new(),
                text => format!("({text})"),
            };
            let more = if truncated.value(row) { "+" } else { "" };
            let (id, length) = (ids.value(row), lengths.value(row));
            rows.push(format!("{id}{description}:{length}{more}"));
        }
    }
    rows.join(" ")
}
