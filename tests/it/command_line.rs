//! The commands beside those that run scripts: a script to begin with, a run without one, completions, manual.

use crate::{
    DEMO, RUNNER,
    child::finish,
    resume::{
        content::Content,
        job::{FAST, N_RECORDS, REJECTED, SLOW, commits_in, n_rows, proteins},
        running::Running,
    },
};
use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// The program in a folder.
fn runner(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(RUNNER);
    command
        .args(args)
        .current_dir(folder)
        .env_remove("RUST_LOG");
    command
}

/// The exit code, standard output and standard error of a run.
fn run(folder: &Path, args: &[&str]) -> (i32, String, String) {
    run_with(folder, args, "")
}

/// As [`run`], with a text on standard input.
fn run_with(folder: &Path, args: &[&str], input: &str) -> (i32, String, String) {
    let output = finish(&mut runner(folder, args), input.as_bytes());
    (
        output.status.code().expect("no signal ends the program"),
        String::from_utf8(output.stdout).expect("UTF-8"),
        String::from_utf8(output.stderr).expect("UTF-8"),
    )
}

#[track_caller]
fn ends(folder: &Path, args: &[&str], code: i32) -> (String, String) {
    let (found, stdout, stderr) = run(folder, args);
    assert_eq!(found, code, "{args:?}\n{stdout}{stderr}");
    (stdout, stderr)
}

fn text(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_new_script_runs_as_it_is() {
    let folder = folder();
    let at = folder.path();
    let (stdout, _) = ends(at, &["new", "a b/job.rhai", "--model", DEMO], 0);
    assert!(stdout.contains("\nrunner exec 'a b/job.rhai' "), "{stdout}");
    ends(at, &["check", "a b/job.rhai"], 0);
    let (stdout, _) = ends(at, &["exec", "-q", "a b/job.rhai"], 0);
    assert!(stdout.contains("85 read"), "{stdout}");
    assert!(at.join("a b/embeddings.parquet").exists());
    // Again it has nothing to do, and a shard of it can be made.
    ends(at, &["exec", "-q", "a b/job.rhai"], 0);
    ends(at, &["check", "--shard", "1/2", "a b/job.rhai"], 0);
    // What it leaves as remarks can be used.
    let script = text(at, "a b/job.rhai");
    let code = [
        "proteins",
        "report(",
        "let ",
        "for ",
        "    table.run",
        "}",
        "print(",
    ];
    let used = script.lines().map(|line| {
        let remark = line.strip_prefix("// ");
        let is_code = |remark: &&str| code.iter().any(|begin| remark.starts_with(begin));
        match (remark.filter(is_code), line.strip_prefix("    // ")) {
            (Some(code), _) => code,
            (_, Some(option)) if option.contains(": ") => option,
            _ => line,
        }
    });
    let used = used.collect::<Vec<_>>().join("\n");
    for part in [
        "\nlet vectors",
        "\nlet table",
        "\nproteins",
        "\noverwrite: true",
    ] {
        assert!(used.contains(part), "{used}");
    }
    fs::write(at.join("a b/used.rhai"), used).unwrap();
    let (stdout, _) = ends(at, &["check", "a b/used.rhai"], 0);
    assert!(stdout.contains("4 calls of `embed`"), "{stdout}");
}

#[test]
fn names_of_any_form_are_written_as_they_are_or_refused() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let folder = folder();
    let at = folder.path();
    let (stdout, _) = ends(at, &["new", "--", "-z.rhai"], 0);
    assert!(stdout.contains("runner exec ./-z.rhai"), "{stdout}");
    assert!(at.join("-z.rhai").is_file());
    let mut command = runner(at, &["new", "x.rhai", "-o"]);
    command.arg(OsStr::from_bytes(b"\xff.parquet"));
    let output = finish(&mut command, b"");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("UTF-8"), "{stderr}");
    assert!(!at.join("x.rhai").exists());
}

#[test]
fn a_system_without_room_for_a_thread_is_no_bug() {
    let folder = folder();
    let at = folder.path();
    fs::write(at.join("job.rhai"), "print(1);").unwrap();
    let load = format!("esm2({DEMO:?}, #{{ device: \"cpu\", threads: 1 }});");
    fs::write(at.join("load.rhai"), load).unwrap();
    for limited in [
        // Less than the stack of a script.
        "ulimit -v 262144; exec \"$0\" exec job.rhai",
        // Less than the stacks of the threads that read weights.
        "ulimit -v 2097152; RUST_MIN_STACK=134217728 RAYON_NUM_THREADS=64 exec \"$0\" exec load.rhai",
    ] {
        let mut command = Command::new("sh");
        let output = finish(command.args(["-c", limited, RUNNER]).current_dir(at), b"");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{limited}: {stderr}");
        for part in ["no room for another thread: ", "ulimit -u"] {
            assert!(stderr.contains(part), "{limited}: {stderr}");
        }
        for part in ["panicked", "ThreadPoolBuildError"] {
            assert!(!stderr.contains(part), "{limited}: {stderr}");
        }
    }
}

#[test]
fn a_new_script_replaces_nothing_by_accident() {
    let folder = folder();
    let at = folder.path();
    fs::write(at.join("proteins.fasta"), ">mine\nMKVLAAGIVAA\n").unwrap();
    fs::write(at.join("job.rhai"), "print(1);").unwrap();
    let (_, stderr) = ends(at, &["new", "--model", DEMO], 3);
    assert!(stderr.contains("add `--overwrite`"), "{stderr}");
    assert_eq!(text(at, "job.rhai"), "print(1);");
    let (_, stderr) = ends(at, &["new", "proteins.fasta", "--overwrite"], 3);
    assert!(stderr.contains("name it `proteins.rhai`"), "{stderr}");
    ends(at, &["new", "--model", DEMO, "--overwrite"], 0);
    ends(at, &["exec", "-q", "job.rhai"], 0);
    let (_, stderr) = ends(at, &["new", "c.rhai", "-o", "out.csv"], 3);
    assert!(stderr.contains("ends like CSV"), "{stderr}");
    assert!(!at.join("c.rhai").exists());
    let (_, stderr) = ends(at, &["new", "c.rhai", "-i", "nothere.fa"], 0);
    assert!(
        stderr.starts_with("warning: ") && stderr.contains("nothere.fa"),
        "{stderr}"
    );
    // Data stay as they are.
    assert_eq!(text(at, "proteins.fasta"), ">mine\nMKVLAAGIVAA\n");
    let args = [
        "new",
        "sub/b.rhai",
        "-i",
        "proteins.fasta",
        "-m",
        DEMO,
        "-o",
        "b/",
    ];
    ends(at, &args, 0);
    ends(at, &["exec", "-q", "sub/b.rhai"], 0);
    assert!(at.join("b").is_dir() && !at.join("sub/proteins.fasta").exists());
}

/// Flags of a run on the mock device, which is so fast.
fn flags(tokens_per_sec: u32) -> Vec<String> {
    let mock = format!("tokens_per_sec={tokens_per_sec}");
    let flags = [
        "in.fa",
        "-m",
        DEMO,
        "-o",
        "out.parquet",
        "--device",
        "mock",
        "--mock",
        &mock,
        "--min-length",
        "10",
        "--long-sequences",
        "truncate=126",
        "--token-budget",
        "256",
        "--commit-every",
        "0.01",
    ];
    flags.map(str::to_owned).into()
}

/// Begins a run, and ends it when it has committed more. Gives the rows that it found, and those that it leaves.
fn interrupted(folder: &Path) -> (u64, usize) {
    const SOME_COMMITS: usize = 4;
    let ledger = folder.join("out.parquet.parts/ledger.jsonl");
    let (stdout, stderr) = (folder.join("stdout"), folder.join("stderr"));
    let child = runner(folder, &["embed", "--json"])
        .args(flags(SLOW))
        .stdin(Stdio::null())
        .stdout(File::create(&stdout).unwrap())
        .stderr(File::create(&stderr).unwrap())
        .spawn()
        .unwrap();
    let mut running = Running {
        child,
        stdout,
        stderr,
    };
    let n_before = commits_in(&ledger).len();
    running.wait_until(|| commits_in(&ledger).len() >= n_before + SOME_COMMITS);
    let n_resumed = running.killed().sum("resumed", "rows");
    (n_resumed, n_rows(&commits_in(&ledger)))
}

#[test]
fn a_run_goes_on_by_its_command_and_by_its_script() {
    let folder = folder();
    let at = folder.path();
    fs::write(at.join("in.fa"), proteins(N_RECORDS)).unwrap();
    let (found, left) = interrupted(at);
    assert_eq!(found, 0);
    let (found, left_again) = interrupted(at);
    assert_eq!(found, left as u64);
    assert!(left_again > left);

    let mut args = vec!["embed".to_owned(), "--print-script".to_owned()];
    args.extend(flags(FAST));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (script, _) = ends(at, &args, 0);
    fs::write(at.join("job.rhai"), &script).unwrap();
    let (code, _, stderr) = run(at, &["exec", "--json", "job.rhai"]);
    assert_eq!(code, REJECTED, "{stderr}");
    let resumed = format!("\"rows\":{left_again}");
    let line = stderr.lines().find(|line| line.contains("\"resumed\""));
    assert!(
        line.is_some_and(|line| line.contains(&resumed)),
        "{left_again} {line:?}"
    );

    let whole = script.replace("out.parquet", "whole.parquet");
    fs::write(at.join("whole.rhai"), whole).unwrap();
    ends(at, &["exec", "-q", "whole.rhai"], REJECTED);
    Content::of(&at.join("out.parquet")).check_is(&Content::of(&at.join("whole.parquet")));
}

#[test]
fn a_run_says_which_script_it_is() {
    let folder = folder();
    let at = folder.path();
    let sequences = ">a\nMKTAYIAKQRQISFVK\n>b\nMSTNPKPQRKTKRNT\n";
    // A folder of the name that errors give the script is no obstacle.
    let common = ["-m", DEMO, "--device=mock", "-o", "runner embed/"];
    let args = [&["embed", "-"], &common[..]].concat();
    let (code, stdout, stderr) = run_with(at, &args, sequences);
    assert_eq!(
        (code, stdout.contains("2 read")),
        (0, true),
        "{stdout}{stderr}"
    );
    assert!(
        stderr.contains("\nlet proteins = fasta(\"-\");\n"),
        "{stderr}"
    );
    assert!(at.join("runner embed").is_dir());

    // Names that would mean something to a shell or to a script are names.
    let odd = "a\"); throw 1; fasta(\"`${1}`\\.fa";
    fs::write(at.join(odd), sequences).unwrap();
    fs::write(at.join("it's.fa"), ">c\nMKTAYIAKQRQISFVKSHFSRQ\n").unwrap();
    let common = ["-m", DEMO, "--device", "mock", "-o", "out.parquet"];
    let args = [
        &["embed", "-q", odd, "it's.fa", "--script", "kept.rhai"],
        &common[..],
    ]
    .concat();
    for expect in ["3 read", "3 there before"] {
        let (stdout, stderr) = ends(at, &args, 0);
        assert!(stdout.contains(expect), "{stdout}");
        assert_eq!(stderr, "");
    }
    ends(at, &["exec", "-q", "kept.rhai"], 0);
    // Another run keeps its script elsewhere.
    let args = [&args[..], &["--take", "1"]].concat();
    let (_, stderr) = ends(at, &args, 3);
    assert!(
        stderr.contains("`kept.rhai` exists, and says something else"),
        "{stderr}"
    );

    let args = [&["embed", "it's.fa", "--layers", "0,9"], &common[..]].concat();
    let (_, stderr) = ends(at, &args, 3);
    assert!(
        stderr.contains("error: the model has no layer 9"),
        "{stderr}"
    );
    assert!(stderr.contains("    layers: [0, 9],\n"), "{stderr}");
    let args = [&["embed", "-q", "it's.fa", "--pooling", "max"], &common[..]].concat();
    let (_, stderr) = ends(at, &args, 1);
    assert!(
        stderr.contains("add `--overwrite` to replace it"),
        "{stderr}"
    );
    let args = [&["embed", "it's.fa", "--resume", "false"], &common[..]].concat();
    let (_, stderr) = ends(at, &args, 2);
    assert!(stderr.contains("`--resume=false`"), "{stderr}");
    let (help, _) = ends(at, &["embed", "--help"], 0);
    assert!(!help.contains("figures only"), "{help}");
    let help: Vec<_> = help.split_whitespace().collect();
    let help = help.join(" ");
    assert!(help.contains("`cuda:0,cuda:2`, these GPUs"), "{help}");
    let args = [&["embed", "it's.fa", "--readers", "0"], &common[..]].concat();
    let (_, stderr) = ends(at, &args, 2);
    assert!(stderr.contains("a whole number from 1 to 256"), "{stderr}");
}

#[test]
fn hints_of_a_run_are_flags() {
    let folder = folder();
    let at = folder.path();
    fs::write(at.join("long.fa"), format!(">a\n{}\n", "MKT".repeat(200))).unwrap();
    fs::write(at.join("odd.fa"), ">a\nMK1\n").unwrap();
    let common = ["-m", DEMO, "-o", "out.parquet", "--device", "mock"];
    let check = |args: &[&str], code: i32, told: &str| {
        let (_, stderr) = ends(at, &[&["embed"], args, &common[..]].concat(), code);
        // Behind the script, which is shown first.
        let said = stderr.split("error: ").last().unwrap();
        assert!(said.contains(told), "{told}: {stderr}");
        assert!(
            !said.contains("fasta(\"-\")") && !said.contains("`."),
            "{said}"
        );
    };
    let error = ["long.fa", "--long-sequences", "error=498"];
    check(&error, 4, "`--long-sequences truncate=498`");
    check(&error, 4, "`--long-sequences skip=498`");
    let error = ["odd.fa", "--unknown-residues", "error"];
    check(&error, 4, "`--unknown-residues unk`");
    let budget = ["long.fa", "--token-budget", "500"];
    check(&budget, 3, "`--long-sequences truncate=498`");
    check(
        &["https://example.org/a.fa"],
        4,
        "`curl -s https://example.org/a.fa | runner embed - …`",
    );
    check(
        &["long.fa", "--batch-size", "8"],
        2,
        "did you mean `--token-budget`?",
    );
    check(
        &["long.fa", "--long-sequences", "full=9"],
        2,
        "write `--long-sequences full`",
    );
    let (_, stderr) = ends(
        at,
        &["embed", "long.fa", "-m", DEMO, "-o", "~/out.parquet"],
        2,
    );
    assert!(stderr.contains("write the whole path)"), "{stderr}");
    let (_, stderr) = ends(
        at,
        &[
            "embed", "long.fa", "-m", DEMO, "-o", "o.pq", "--device", "cuda:99",
        ],
        6,
    );
    assert!(!stderr.contains("set `"), "{stderr}");
}

#[test]
fn a_recording_of_nothing_is_remarked_on() {
    let folder = folder();
    let at = folder.path();
    fs::write(at.join("a.rhai"), "print(1);").unwrap();
    let (_, stderr) = ends(at, &["exec", "a.rhai", "--report", "x.html"], 0);
    assert!(stderr.contains("`x.html` was not written"), "{stderr}");
    let said = |args: &[&str]| ends(at, args, 2).1.contains("stands behind `--`");
    assert!(said(&["exec", "a.rhai", "foo"]) && !said(&["doctor", "foo"]));
}

#[test]
fn a_run_can_be_one_of_several() {
    let folder = folder();
    let at = folder.path();
    fs::write(at.join("in.fa"), proteins(40)).unwrap();
    let args = [
        "embed",
        "-q",
        "in.fa",
        "-m",
        DEMO,
        "-o",
        "out.parquet",
        "--device",
        "mock",
    ];
    for shard in ["0/2", "1/2"] {
        ends(
            at,
            &[&args[..], &["--shard", shard, "--report", "run.html"]].concat(),
            0,
        );
    }
    assert!(at.join("run.shard-00001-of-00002.html").exists());
    let (stdout, _) = ends(at, &["merge", "out.parquet"], 0);
    assert!(stdout.contains("40 rows"), "{stdout}");
}

/// The commands that people see, as the help lists them.
pub fn commands() -> Vec<String> {
    let (help, _) = ends(Path::new("."), &["--help"], 0);
    let list = help
        .split("\nCommands:\n")
        .nth(1)
        .expect("a list of commands");
    let list = list.split("\n\n").next().expect("it ends");
    let names = list.lines().filter_map(|line| line.strip_prefix("  "));
    let names = names.filter(|line| !line.starts_with(' '));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn shells_complete_every_command() {
    let folder = folder();
    let at = folder.path();
    let commands = commands();
    assert!(commands.len() >= 10, "{commands:?}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (script, _) = ends(at, &["completions", shell], 0);
        for command in &commands {
            assert!(script.contains(command.as_str()), "{shell} {command}");
        }
        assert!(
            script.contains("token-budget") && !script.contains("__reader"),
            "{shell}"
        );
    }
    let (script, _) = ends(at, &["completions", "bash"], 0);
    // There is such a command only while a line is completed.
    let checks = "set -eu\ncompopt() { :; }\nCOMP_WORDS=(runner embed --pooling m); COMP_CWORD=3\n\
                  _runner runner m --pooling; echo \"${COMPREPLY[@]}\"\n\
                  COMP_WORDS=(runner em); COMP_CWORD=1\n_runner runner em runner; echo \"${COMPREPLY[@]}\"\n";
    let output = finish(
        &mut Command::new("bash"),
        (script + "\n" + checks).as_bytes(),
    );
    let found = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(found, "mean max\nembed\n", "{errors}");
}

#[test]
fn the_manual_has_every_command() {
    let folder = folder();
    let at = folder.path();
    let commands = commands();
    let (page, _) = ends(at, &["man"], 0);
    ends(at, &["man", "pages"], 0);
    // Pages of another version are replaced, and what is no page is not.
    ends(at, &["man", "pages"], 0);
    for command in &commands {
        let name = format!("runner\\-{command}(1)");
        assert!(page.contains(&name), "{command}");
        let own = text(at, &format!("pages/runner-{command}.1"));
        let head = format!(
            ".TH runner-{command} 1  \"runner {}\"",
            env!("CARGO_PKG_VERSION")
        );
        assert!(own.contains(&head), "{own}");
    }
    assert_eq!(text(at, "pages/runner.1").trim_end(), page.trim_end());
    assert!(text(at, "pages/runner-embed.1").contains("\\-\\-token\\-budget"));
    fs::write(at.join("pages/runner.1"), "mine").unwrap();
    let (_, stderr) = ends(at, &["man", "pages"], 3);
    assert!(
        stderr.contains("was not written by runner as a page"),
        "{stderr}"
    );
    let warnings = Command::new("groff")
        .args(["-man", "-Tutf8", "-ww", "runner-embed.1"])
        .current_dir(at.join("pages"))
        .output();
    // Not every machine has it.
    if let Ok(output) = warnings {
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert!(output.status.success());
    }
}
