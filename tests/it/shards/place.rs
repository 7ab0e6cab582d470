//! A folder with a script that several processes run.

use crate::{DEMO, RUNNER};
use std::{
    env as environment, fs,
    path::PathBuf,
    process::{Command, Output},
};
use tempfile::TempDir;

/// Records of the input of [`Place::new`].
pub const N_RECORDS: usize = 30;

pub struct Place(TempDir);

/// What a process left.
pub struct Left {
    pub code: Option<i32>,
    pub stdout: String,
    /// With the blanks that wrapping makes taken out.
    pub stderr: String,
}

impl Place {
    /// With an input `in.fa`.
    pub fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let record = |n| format!(">p{n}\n{}\n", "MKVLA".repeat(n % 7 + 1));
        let text: String = (0..N_RECORDS).map(record).collect();
        fs::write(place.path("in.fa"), text).unwrap();
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a script of which `model` and `proteins` are the model and the input.
    pub fn run(&self, verb: &str, flags: &[&str], env: &[(&str, &str)], script: &str) -> Left {
        let script = format!(
            "let model = esm2({DEMO:?}, #{{ device: \"mock\" }}); let proteins = fasta(\"in.fa\"); {script}"
        );
        fs::write(self.path("job.rhai"), script).unwrap();
        let mut command = Command::new(RUNNER);
        command
            .arg(verb)
            .args(flags)
            .arg("job.rhai")
            .current_dir(self.0.path())
            .env_remove("RUST_LOG");
        let ours = environment::vars_os().filter_map(|(name, _)| name.into_string().ok());
        for name in ours.filter(|name| name.starts_with("SLURM_") || name == "RUNNER_SHARD") {
            command.env_remove(name);
        }
        command.envs(env.iter().copied());
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        let words: Vec<_> = stderr.split_whitespace().collect();
        Left {
            code: status.code(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: words.join(" "),
        }
    }

    /// The names in the folder, but those of the input and the script.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut folders = vec![self.0.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(self.0.path()).unwrap();
                names.push(name.to_str().unwrap().to_owned());
                if path.is_dir() {
                    folders.push(path);
                }
            }
        }
        names.retain(|name| name != "in.fa" && name != "job.rhai");
        names.sort();
        names
    }
}
