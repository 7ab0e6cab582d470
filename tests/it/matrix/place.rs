//! The folder in which a question is asked.

use super::{
    content::Content,
    table::{Ending, Input, Question},
};
use crate::{
    DEMO, ROOT, RUNNER,
    child::finish,
    resume::{
        job::{commits_in, n_rows},
        running::{Done, Running, read},
    },
};
use std::{
    fmt::Write as _,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// How a job ends that has rejected records.
pub const REJECTED: i32 = 7;
/// The mock device, as fast as it can be, and the CPU: as it is, and with several batches at once.
pub const FAST: &str = "device: \"mock\"";
pub const CPU: &str = "device: \"cpu\"";
pub const CPU_AT_ONCE: &str = "device: \"cpu\", threads: 4";
/// Batches that are as small as can be, and those that leave in the order of the input, one by one.
pub const SMALL: &str = "token_budget: 128";
pub const IN_ORDER: &str = "token_budget: 128, packing: false";
/// In main memory, where it can be: hundreds of jobs would wait for the disk.
const IN_MEMORY: &str = "/dev/shm";

/// A folder with the input of a question.
pub struct Place<'a> {
    question: &'a Question,
    folder: TempDir,
    /// Ids and residues of the input.
    records: Vec<(String, String)>,
}

/// A mock device that takes its time.
pub fn mock(tokens_per_sec: u32, more: &str) -> String {
    format!("device: \"mock\", mock: #{{ tokens_per_sec: {tokens_per_sec}, {more} }}")
}

/// Parts of the project's proteins, no two of them alike. Some are too short, or may be too long.
fn records(input: Input) -> Vec<(String, String)> {
    let text = fs::read_to_string(Path::new(ROOT).join("examples/data/proteins.fasta")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('>'));
    let all: String = lines.collect();
    let record = |n: usize| {
        let (id, length) = match (input, n) {
            (_, 3 | 23) => (format!("short{n}"), 3),
            (Input::Long, _) => (format!("p{n}"), 126),
            (_, 5) => ("sp|P5/x".to_owned(), 46),
            // An id that comes twice, one that has no pairs, and one of several windows.
            (_, 13) => ("p2".to_owned(), 33),
            (_, 17) => ("p17".to_owned(), 5),
            (_, 11) => ("p11".to_owned(), 130),
            _ => (format!("p{n}"), 16 + 7 * n % 32),
        };
        (id, all.chars().skip(61 * n).take(length).collect())
    };
    let n_records = match input {
        Input::Short => 24,
        Input::Long => 12,
    };
    (0..n_records).map(record).collect()
}

impl<'a> Place<'a> {
    pub fn new(question: &'a Question) -> Self {
        let folder = match Path::new(IN_MEMORY).is_dir() {
            true => tempfile::tempdir_in(IN_MEMORY),
            false => tempfile::tempdir(),
        };
        let place = Self {
            question,
            folder: folder.unwrap(),
            records: records(question.input),
        };
        let mut text = String::new();
        for (n, (id, residues)) in place.records.iter().enumerate() {
            writeln!(text, ">{id} number {n}\n{residues}").unwrap();
        }
        fs::write(place.path("in.fa"), text).unwrap();
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A script that asks the question for each of some outputs.
    pub fn script(&self, model: &str, batches: &str, endings: &[&Ending]) -> String {
        let Question {
            rule,
            call,
            options,
            ..
        } = self.question;
        let mut script = format!(
            "let model = esm2({DEMO:?}, #{{ {model} }});
            let proteins = fasta(\"in.fa\").min_length(4).long_sequences({rule});\n"
        );
        for Ending {
            ending,
            options: more,
            ..
        } in endings
        {
            writeln!(
                script,
                "{call}, #{{ {options} {more} output: \"out{ending}\", {batches}, \
                 commit_every: 0.01, readers: 1, monitor_hz: 0 }});"
            )
            .unwrap();
        }
        script
    }

    fn command(&self, name: &str, arguments: &[&str], script: &str) -> Command {
        let file = self.path(&format!("{name}.rhai"));
        fs::write(&file, script).unwrap();
        let mut command = Command::new(RUNNER);
        command
            .args(["exec", "--json"])
            .args(arguments)
            .arg(file)
            .current_dir(self.folder.path())
            .env_remove("RUST_LOG");
        command
    }

    /// Runs a script to its end.
    pub fn run(&self, arguments: &[&str], script: &str) -> Done {
        let output = finish(&mut self.command("job", arguments, script), b"");
        Done {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts a script beside others, which have other names.
    pub fn start(&self, name: &str, script: &str) -> Running {
        let at = |ending: &str| self.path(&format!("{name}.{ending}"));
        let child = self
            .command(name, &[], script)
            .stdin(Stdio::null())
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

    /// Rows that are committed of an output that is made; of a table, sequences that the model has seen for it.
    pub fn n_committed(&self, ending: &Ending) -> usize {
        let name = match ending.ending {
            "/" => "out.ledger".to_owned(),
            ending => format!("out{ending}.parts"),
        };
        let mut folders = vec![self.path(&name)];
        let mut n_committed = 0;
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir().into_iter().flatten().flatten() {
                let path = entry.path();
                if path.ends_with("ledger.jsonl") {
                    n_committed += n_rows(&commits_in(&path));
                } else if path.is_dir() {
                    folders.push(path);
                }
            }
        }
        n_committed
    }

    pub fn is_published(&self, ending: &Ending) -> bool {
        match ending.ending {
            "/" => self.path("out.ledger/manifest.json").exists(),
            ending => self.path(&format!("out{ending}")).exists(),
        }
    }

    /// What the model answers where nobody disturbs it: a row for each record that is not rejected, in their order.
    pub fn reference(&self, model: &str) -> Content {
        let place = Self::new(self.question);
        let ending = self.question.endings()[0];
        let script = place.script(model, SMALL, &[ending]);
        place.run(&[], &script).check_code(REJECTED);
        let content = (ending.read)(&place.output(ending), &[]);
        let mut expect = Vec::new();
        for (id, residues) in &self.records {
            if !self.question.is_rejected(residues) {
                let n_rows = (self.question.rows)(residues);
                expect.extend(std::iter::repeat_n(id.clone(), n_rows));
            }
        }
        assert_eq!(content.ids, expect, "{}", self.question.name);
        content
    }

    fn output(&self, ending: &Ending) -> PathBuf {
        self.path(format!("out{}", ending.ending).trim_end_matches('/'))
    }

    /// Checks that these outputs hold the reference, list each record that has no row, and left nothing behind.
    pub fn check(&self, endings: &[&Ending], reference: &Content) {
        let answers = reference.answers();
        let rejected = self.records.iter().enumerate();
        let rejected = rejected.filter(|(_, (_, residues))| self.question.is_rejected(residues));
        let rejected = rejected.map(|(n, (id, _))| format!("{}\t{id}", n + 1));
        let rejected: Vec<_> = rejected.collect();
        for ending in endings {
            let what = format!("{}, `{}`", self.question.name, ending.ending);
            let path = self.output(ending);
            (ending.read)(&path, &answers).check_is(reference, &what);
            let text = read(Path::new(&format!("{}.rejects.tsv", path.display())));
            let lines = text.lines().skip(1);
            let listed = lines.map(|line| line.rsplit_once('\t').unwrap().0);
            assert!(listed.eq(&rejected), "{what}: {text}");
            let left = format!("{}.parts", path.display());
            assert!(!Path::new(&left).exists(), "{what}: {left}");
        }
    }
}
