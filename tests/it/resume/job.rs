//! A job that is ended and run again.

use super::{
    content::{Content, files_in},
    running::{Done, Running, read},
};
use crate::{DEMO, ROOT, RUNNER};
use serde_json::Value;
use std::{
    fmt::Write,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// A device that takes three seconds for the input, and one that does not let anybody wait.
pub const SLOW: u32 = 25_000;
pub const FAST: u32 = 1_000_000_000;
/// How a job ends that has rejected records.
pub const REJECTED: i32 = 7;
/// Records of an input, of which each tenth and the last three are rejected.
pub const N_RECORDS: usize = 600;
/// Commits after which a job is ended that is to have some.
const SOME_COMMITS: usize = 4;

/// A job, and the folder that it runs in. All that it does can be changed between two runs.
pub struct Job {
    folder: TempDir,
    /// What `esm2` gets.
    pub model: String,
    pub device: String,
    pub mock: String,
    /// The dataset of the script.
    pub dataset: String,
    pub batches: String,
    pub options: String,
    pub output: String,
    /// What stands before the program.
    pub wrapper: Vec<String>,
    pub stdin: Option<PathBuf>,
    pub is_told: bool,
}

/// Proteins of the project, turned round so that no two are alike, and between them short ones.
pub fn proteins(n: usize) -> String {
    let text = fs::read_to_string(Path::new(ROOT).join("examples/data/proteins.fasta")).unwrap();
    let known: Vec<(&str, String)> = text
        .split('>')
        .skip(1)
        .map(|record| {
            let (name, residues) = record.split_once('\n').unwrap();
            (name, residues.split_whitespace().collect())
        })
        .collect();
    let mut text = String::new();
    for n_record in 0..n {
        let (name, residues) = &known[n_record % known.len()];
        if n_record % 10 == 7 || n_record + 3 >= n {
            writeln!(text, ">short{n_record}\nMKV").unwrap();
            continue;
        }
        let (end, begin) = residues.split_at(7 * (n_record / known.len()) % residues.len());
        writeln!(text, ">p{n_record} turned {name}\n{begin}{end}").unwrap();
    }
    text
}

/// The commits of a ledger, if it is there.
pub fn commits_in(ledger: &Path) -> Vec<Value> {
    let text = read(ledger);
    let lines = text.lines().map(serde_json::from_str::<Value>);
    let commits = lines.flatten().map(|mut line| line["commit"].take());
    commits.filter(|commit| !commit.is_null()).collect()
}

/// Rows of commits.
pub fn n_rows(commits: &[Value]) -> usize {
    let rows = commits
        .iter()
        .map(|commit| commit["rows"].as_u64().unwrap());
    rows.sum::<u64>() as usize
}

impl Job {
    /// A job with one output file.
    pub fn new() -> Self {
        Self::on(&proteins(N_RECORDS))
    }

    /// A job on a text in `in.fa`.
    pub fn on(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["work", "reference", "tmp"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("work/in.fa"), text).unwrap();
        Self {
            folder,
            model: DEMO.to_owned(),
            device: "mock".to_owned(),
            mock: String::new(),
            dataset: "fasta(\"in.fa\").min_length(10).long_sequences(\"truncate\", 126)".to_owned(),
            batches: "token_budget: 256, commit_every: 0.01,".to_owned(),
            options: String::new(),
            output: "out.parquet".to_owned(),
            wrapper: Vec::new(),
            stdin: None,
            is_told: false,
        }
    }

    /// Does something with a job of each kind of output.
    pub fn of_both_kinds(check: impl Fn(Self)) {
        for output in ["out.parquet", "out/"] {
            let mut job = Self::new();
            output.clone_into(&mut job.output);
            check(job);
        }
    }

    /// A path in the folder where the job runs.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("work").join(name)
    }

    pub fn output_path(&self) -> PathBuf {
        self.path(self.output.trim_end_matches('/'))
    }

    pub fn is_folder(&self) -> bool {
        self.output.ends_with('/')
    }

    /// The folder of the ledger.
    pub fn bookkeeping(&self) -> PathBuf {
        let ending = if self.is_folder() { "ledger" } else { "parts" };
        self.path(&format!("{}.{ending}", self.output.trim_end_matches('/')))
    }

    pub fn ledger(&self) -> PathBuf {
        self.bookkeeping().join("ledger.jsonl")
    }

    /// The commits of the ledger, as long as it is there.
    pub fn commits(&self) -> Vec<Value> {
        commits_in(&self.ledger())
    }

    /// Rows that are committed.
    pub fn n_committed(&self) -> usize {
        n_rows(&self.commits())
    }

    /// The file of rows of a commit.
    pub fn part(&self, commit: &Value) -> PathBuf {
        let folder = if self.is_folder() {
            self.output_path()
        } else {
            self.bookkeeping()
        };
        folder.join(commit["file"]["name"].as_str().unwrap())
    }

    pub fn script(&self, tokens_per_sec: u32, output: &str) -> String {
        let Self {
            model,
            device,
            mock,
            dataset,
            batches,
            options,
            ..
        } = self;
        let mock = match device.as_str() {
            "mock" => format!("mock: #{{ tokens_per_sec: {tokens_per_sec}, {mock} }},"),
            _ => String::new(),
        };
        format!(
            "let model = esm2(\"{model}\", #{{ device: \"{device}\", {mock} }});
            let run = embed(model, {dataset}, #{{ {batches} {options} output: \"{output}\" }});
            print(`resumed ${{run.resumed}} computed ${{run.sequences}}`);"
        )
    }

    /// Starts the job on a device that is so fast.
    pub fn start(&self, tokens_per_sec: u32) -> Running {
        self.start_script("job", &self.script(tokens_per_sec, &self.output))
    }

    /// Starts the job while it runs.
    pub fn start_again(&self, tokens_per_sec: u32) -> Running {
        self.start_as("again", tokens_per_sec)
    }

    /// Starts the job as a process of that name.
    pub fn start_as(&self, name: &str, tokens_per_sec: u32) -> Running {
        self.start_script(name, &self.script(tokens_per_sec, &self.output))
    }

    /// Starts a script. The name tells processes apart that run at the same time.
    pub fn start_script(&self, name: &str, script: &str) -> Running {
        let at = |ending: &str| self.folder.path().join(format!("{name}.{ending}"));
        fs::write(at("rhai"), script).unwrap();
        // A program that signals end, also where these tests run under `nohup`.
        let mut command = Command::new("env");
        command
            .arg("--default-signal=HUP,INT,TERM")
            .args(&self.wrapper);
        let told = if self.is_told { "--json" } else { "-q" };
        let stdin = match &self.stdin {
            Some(path) => Stdio::from(File::open(path).unwrap()),
            None => Stdio::null(),
        };
        let child = command
            .args([RUNNER, "exec", told])
            .arg(at("rhai"))
            .current_dir(self.path(""))
            .env("TMPDIR", self.folder.path().join("tmp"))
            .env_remove("RUST_LOG")
            .stdin(stdin)
            .stdout(File::create(at("stdout")).unwrap())
            .stderr(File::create(at("stderr")).unwrap())
            .spawn()
            .unwrap();
        Running {
            child,
            stdout: at("stdout"),
            stderr: at("stderr"),
        }
    }

    /// Runs the job to its end.
    pub fn run(&self) -> Done {
        self.start(FAST).done()
    }

    /// Runs the job until it has committed some, and kills it. Gives the rows that it has committed.
    pub fn interrupt(&self) -> usize {
        let n_before = self.commits().len();
        let mut running = self.start(SLOW);
        running.wait_until(|| self.commits().len() >= n_before + SOME_COMMITS);
        running.killed();
        let n_rows = self.n_committed();
        assert!(!self.is_published(), "it was to be ended before");
        n_rows
    }

    pub fn is_published(&self) -> bool {
        match self.is_folder() {
            true => self.bookkeeping().join("manifest.json").exists(),
            false => self.output_path().exists(),
        }
    }

    /// What the job leaves if nobody disturbs it.
    pub fn undisturbed(&self) -> Content {
        let output = format!("../reference/{}", self.output);
        let done = self
            .start_script("reference", &self.script(FAST, &output))
            .done();
        assert!(
            [Some(0), Some(REJECTED)].contains(&done.code),
            "{}",
            done.stderr
        );
        let content = Content::of(&self.path(output.trim_end_matches('/')));
        let reference = self.folder.path().join("reference");
        fs::remove_dir_all(&reference).unwrap();
        fs::create_dir(reference).unwrap();
        content
    }

    /// Checks that the output is that of a job that nobody disturbed, and that nothing else is left. Gives
    /// its content.
    pub fn check_whole(&self) -> Content {
        let content = Content::of(&self.output_path());
        content.check_is(&self.undisturbed());
        self.check_clean(&content);
        self.check_verified();
        content
    }

    /// Runs the job to its end, and checks what it leaves.
    pub fn check_ends_well(&self) -> Done {
        let done = self.run();
        assert!(
            [Some(0), Some(REJECTED)].contains(&done.code),
            "{}",
            done.stderr
        );
        let content = self.check_whole();
        let code = if content.n_rejected() > 0 {
            REJECTED
        } else {
            0
        };
        done.check_code(code)
    }

    /// As [`check_ends_well`](Self::check_ends_well) for a job of which so many rows are done: the others
    /// are computed.
    pub fn check_goes_on(&self, n_resumed: usize) {
        let done = self.check_ends_well();
        let n_rows = Content::of(&self.output_path()).rows.len();
        let figures = (done.figure("resumed"), done.figure("computed"));
        assert_eq!(figures, (n_resumed, n_rows - n_resumed));
    }

    /// Names in the folder where the job runs that belong to its output, or to nobody.
    pub fn names(&self) -> Vec<String> {
        let mut names = names_in(&self.path(""));
        names.retain(|name| name.starts_with("out") || name.starts_with('.'));
        names
    }

    fn check_clean(&self, content: &Content) {
        let name = self.output.trim_end_matches('/');
        let mut expect = vec![name.to_owned()];
        if self.is_folder() {
            expect.push(format!("{name}.ledger"));
        }
        if content.n_rejected() > 0 {
            expect.push(format!("{name}.rejects.tsv"));
        }
        assert_eq!(self.names(), expect);
        if self.is_folder() {
            let commits = self.commits();
            let files = |key: &str| -> Vec<String> {
                let names = commits
                    .iter()
                    .filter_map(|commit| commit[key]["name"].as_str());
                let mut names: Vec<_> = names.map(str::to_owned).collect();
                names.sort();
                names.dedup();
                names
            };
            let is_there = |name: &String| names_in(&self.output_path()).contains(name);
            assert!(
                names_in(&self.output_path())
                    .iter()
                    .all(|name| files("file").contains(name))
            );
            assert!(files("file").iter().any(is_there) || content.rows.is_empty());
            let mut others = names_in(&self.bookkeeping());
            others.retain(|name| !files("rejects").contains(name));
            assert_eq!(others, ["ledger.jsonl", "manifest.json"]);
        }
    }

    fn check_verified(&self) {
        let mut command = Command::new(RUNNER);
        let verified = command
            .arg("verify")
            .arg(self.output_path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert!(
            verified.status.success(),
            "{said}{}",
            String::from_utf8_lossy(&verified.stderr)
        );
    }

    /// What `runner status` says.
    pub fn status(&self) -> Value {
        let mut command = Command::new(RUNNER);
        let said = command
            .args(["--json", "status"])
            .arg(self.output_path())
            .output()
            .unwrap();
        serde_json::from_slice(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"))
    }

    /// The same of an output that must be finished.
    pub fn status_of_finished(&self) -> Value {
        let status = self.status();
        assert_eq!(status["state"], "finished", "{status}");
        status
    }

    /// Removes the output and all that belongs to it.
    pub fn remove(&self) {
        for name in self.names() {
            let path = self.path(&name);
            match path.is_dir() {
                true => fs::remove_dir_all(path).unwrap(),
                false => fs::remove_file(path).unwrap(),
            }
        }
    }

    /// All files of the output, with what is in them.
    pub fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        for name in self.names() {
            let path = self.path(&name);
            let mut files = Vec::new();
            let mut paths = vec![path];
            while let Some(path) = paths.pop() {
                match path.is_dir() {
                    true => paths.extend(files_in(&path)),
                    false => files.push(path),
                }
            }
            found.extend(files.into_iter().map(|path| {
                let bytes = fs::read(&path).unwrap();
                (path, bytes)
            }));
        }
        // What a killed process left half written is the next one's to remove.
        let is_temporary = |path: &Path| path.to_str().unwrap().ends_with(".partial");
        found.retain(|(path, _)| !path.ends_with("lock") && !is_temporary(path));
        found
    }
}

pub fn names_in(folder: &Path) -> Vec<String> {
    let paths = files_in(folder).into_iter();
    let names = paths.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
    names.collect()
}
