//! A machine that has nothing yet, and a Hub that it can reach.

use crate::{DEMO, RUNNER, hub::server::Server};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Output, Stdio},
};
use tempfile::TempDir;

/// A model that Meta has published. Here it is the demo.
pub const ID: &str = "facebook/esm2_t6_8M_UR50D";
/// What of its repository is needed.
pub const NEEDED: [&str; 3] = ["config.json", "vocab.txt", "model.safetensors"];

pub const OK: i32 = 0;
pub const UNEXPECTED: i32 = 1;
pub const SCRIPT: i32 = 3;
pub const MODEL: i32 = 5;

/// A machine that has nothing yet, and a Hub that it can reach.
pub struct Place {
    folder: TempDir,
    pub server: Server,
    pub environment: Vec<(&'static str, String)>,
}

/// What a command left.
#[derive(Debug)]
pub struct Done {
    pub exit_code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A command whose events are read.
pub struct Running {
    pub child: Child,
    stderr: BufReader<ChildStderr>,
    pub events: Vec<Value>,
}

impl Place {
    /// The Hub has the model, beside files that nobody needs.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "tmp"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(
            folder.path().join("in.fa"),
            ">p\nMKTAYIAKQR\n>q\nMKVLAAGICE\n",
        )
        .unwrap();
        let server = Server::start();
        for (name, is_large) in [
            ("config.json", false),
            ("vocab.txt", false),
            ("model.safetensors", true),
        ] {
            let bytes = fs::read(Path::new(DEMO).join(name)).unwrap();
            server.put(ID, name, &bytes, is_large);
        }
        server.put(ID, "README.md", b"a model", false);
        server.put(ID, "pytorch_model.bin", b"PK\x03\x04 and more", true);
        Self {
            folder,
            environment: vec![("HF_ENDPOINT", server.endpoint.clone())],
            server,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of the repository of a model in the cache.
    pub fn repository(&self, id: &str) -> PathBuf {
        let name = format!("models--{}", id.replace('/', "--"));
        self.path("home/.cache/huggingface/hub").join(name)
    }

    /// The folder of the files of a model at the commit that the Hub has.
    pub fn snapshot(&self, id: &str) -> PathBuf {
        self.repository(id)
            .join("snapshots")
            .join(self.server.commit(id))
    }

    fn command(&self, program: &[&str], args: &[&str]) -> Command {
        let mut command = Command::new(program[0]);
        command
            .args(&program[1..])
            .arg(RUNNER)
            .args(args)
            .current_dir(self.folder.path())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for name in [
            "HF_HUB_CACHE",
            "HF_HOME",
            "HF_TOKEN",
            "HF_HUB_OFFLINE",
            "TRANSFORMERS_OFFLINE",
            "XDG_CACHE_HOME",
            "RUST_LOG",
            "HTTP_PROXY",
            "http_proxy",
            "HTTPS_PROXY",
            "https_proxy",
            "ALL_PROXY",
            "all_proxy",
        ] {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    pub fn runner(&self, args: &[&str]) -> Done {
        let mut command = self.command(&["timeout", "60"], args);
        Done::of(command.output().unwrap())
    }

    pub fn script(&self, script: &str) -> &Self {
        fs::write(self.path("job.rhai"), script).unwrap();
        self
    }

    /// Runs `runner exec` or `check` on a script.
    pub fn run(&self, command: &str, script: &str) -> Done {
        self.script(script).runner(&[command, "job.rhai"])
    }

    /// Starts a command with `--json`.
    pub fn start(&self, args: &[&str]) -> Running {
        let args = [&["--json"], args].concat();
        // Signals end it, also where these tests run under `nohup` or in the background.
        let program = ["env", "--default-signal=HUP,INT,TERM"];
        let mut child = self.command(&program, &args).spawn().unwrap();
        Running {
            stderr: BufReader::new(child.stderr.take().unwrap()),
            child,
            events: Vec::new(),
        }
    }

    /// The files that the Hub was asked for since this was called last: the last parts of their addresses.
    pub fn asked(&self) -> Vec<String> {
        let requests = self.server.take_requests();
        let mut names: Vec<_> = requests
            .iter()
            .filter(|request| !request.is_store)
            .map(|request| {
                let path = request.path.split('?').next().unwrap_or_default();
                path.rsplit('/').next().unwrap_or_default().to_owned()
            })
            .collect();
        names.sort();
        names
    }

    /// All files in the home of the user, by their names.
    pub fn files_at_home(&self) -> Vec<String> {
        let mut folders = vec![self.path("home")];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                match entry.file_type().unwrap().is_dir() {
                    true => folders.push(entry.path()),
                    false => files.push(entry.file_name().to_string_lossy().into_owned()),
                }
            }
        }
        files.sort();
        files
    }
}

impl Done {
    pub fn of(output: Output) -> Self {
        Self {
            exit_code: output.status.code().expect("no signal ends the program"),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Checks how it ended, and that all of these parts were said.
    pub fn check(&self, exit_code: i32, parts: &[&str]) {
        assert_eq!(self.exit_code, exit_code, "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "{part}: {}", self.stderr);
        }
    }
}

impl Running {
    /// Reads events until there is one that fits.
    pub fn wait_for(&mut self, fits: impl Fn(&Value) -> bool) -> &Value {
        while self.events.last().is_none_or(|last| !fits(last)) {
            let mut line = String::new();
            self.stderr.read_line(&mut line).unwrap();
            assert_ne!(line, "", "it does not happen: {:?}", self.events);
            self.events.push(serde_json::from_str(&line).unwrap());
        }
        self.events.last().unwrap()
    }

    /// Waits until it ends: its exit code.
    pub fn end(&mut self) -> i32 {
        for line in (&mut self.stderr).lines() {
            self.events
                .push(serde_json::from_str(&line.unwrap()).unwrap());
        }
        self.child
            .wait()
            .unwrap()
            .code()
            .expect("no signal ends the program")
    }

    /// The last event of a kind.
    pub fn last(&self, kind: &str) -> &Value {
        let mut events = self.events.iter().rev();
        let found = events.find(|event| event["event"] == kind);
        found.unwrap_or_else(|| panic!("no {kind}: {:?}", self.events))
    }
}
