//! Where the jobs of these tests run.

use crate::{DEMO, RUNNER};
use std::{
    fmt::Write as _,
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Longer than anything here takes on a busy machine, and shorter than a run that hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder with an input of 1,000 proteins, the first of which is rejected, and one for temporary files.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut text = ">short\nM\n".to_owned();
        for n in 0..999 {
            // No two are alike, so that their embeddings cannot be compressed away.
            let digit = |value: usize| b"LAGVSERTID"[value % 10] as char;
            let unique: String = [n / 100, n / 10, n].map(digit).into_iter().collect();
            writeln!(text, ">p{n}\n{unique}{}", "MKVLAAGICE".repeat(20 + n % 20)).unwrap();
        }
        fs::write(folder.path().join("in.fa"), text).unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        Self(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A job of some 300 batches on a device that takes so many tokens a second.
    pub fn job(&self, name: &str, tokens_per_sec: u32, options: &str) -> String {
        let script = format!(
            "let scratch = temp_path(\"scratch\");
            let model = esm2(\"{DEMO}\", #{{ device: \"mock\", mock: #{{ tokens_per_sec: {tokens_per_sec} }} }});
            embed(model, fasta(\"in.fa\").min_length(10), #{{ token_budget: 1024, {options} }});"
        );
        let name = format!("{name}.rhai");
        fs::write(self.path(&name), script).unwrap();
        name
    }

    /// A program that signals end, also where these tests run under `nohup` or in the background.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("env");
        command
            .args(["--default-signal=HUP,INT,TERM", program])
            .current_dir(self.0.path())
            .env("TMPDIR", self.path("tmp"))
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts a job that writes an output, and waits until it has begun to.
    pub fn started(&self, job: &str) -> Child {
        let n_before = self.n_begun();
        let child = self
            .command(RUNNER)
            .args(["exec", "-q", job])
            .spawn()
            .unwrap();
        wait_until(|| self.n_begun() == n_before + 1);
        child
    }

    /// Outputs that are being made.
    pub fn n_begun(&self) -> usize {
        let names = self.names("");
        let has_ledger = |name: &&String| {
            name.ends_with(".parts") && self.path(name).join("ledger.jsonl").exists()
        };
        names.iter().filter(has_ledger).count()
    }

    pub fn names(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(name)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Temporary files, beside outputs and in the folders of their parts.
    pub fn partial_files(&self) -> Vec<String> {
        let mut names = self.names("");
        for folder in names.clone() {
            if folder.ends_with(".parts") {
                names.extend(self.names(&folder));
            }
        }
        names.retain(|name| name.starts_with(".runner-") && name.ends_with(".partial"));
        names
    }

    /// Checks that a job left nothing behind but what it had committed.
    pub fn check_clean(&self) {
        let mut names = self.names("");
        names.retain(|name| !name.ends_with(".rhai"));
        if names.iter().any(|name| name == "out.parquet.parts") {
            let mut kept = self.names("out.parquet.parts");
            kept.retain(|name| !name.starts_with("part-"));
            assert_eq!(kept, ["ledger.jsonl"]);
            names.retain(|name| name != "out.parquet.parts");
        }
        assert_eq!(names, ["in.fa", "tmp"]);
        assert_eq!(self.names("tmp"), [""; 0]);
    }
}

pub fn wait_until(mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < PATIENCE, "it does not happen");
        thread::sleep(Duration::from_millis(10));
    }
}
