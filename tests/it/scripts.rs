//! Scripts through the real program: diagnostics, exit codes, what goes where.
//!
//! - `scripts/*.rhai` are wrong, each in its own way; the snapshot beside each shows how
//!   `runner check` explains it. `INSTA_UPDATE=always cargo test --release scripts` accepts changes.
//! - `scripts/good/*.rhai` are right.

use crate::child::finish;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
};

/// The program, run from the root of the project, as a user would.
fn runner(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
    command
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("RUST_LOG");
    command
}

/// The exit code, standard output and standard error of a run.
fn run(args: &[&str]) -> (i32, String, String) {
    let output = finish(&mut runner(args), b"");
    (
        output.status.code().expect("no signal ends the program"),
        String::from_utf8(output.stdout).expect("UTF-8"),
        String::from_utf8(output.stderr).expect("UTF-8"),
    )
}

#[test]
fn bad_scripts_are_explained() {
    let mut scripts: Vec<PathBuf> = fs::read_dir("tests/scripts")
        .expect("the folder of bad scripts")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "rhai"))
        .collect();
    scripts.sort();
    assert!(scripts.len() >= 25, "{} scripts", scripts.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../scripts");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for script in scripts {
        let name = script.file_stem().expect("a name").to_string_lossy();
        let path = script.to_str().expect("UTF-8");
        let (exit_code, stdout, stderr) = run(&["check", path]);
        let stderr = stderr.replace(env!("CARGO_MANIFEST_DIR"), "[project]");
        assert_eq!(stdout, "", "{name}");
        settings.bind(|| {
            insta::assert_snapshot!(&*name, format!("exit code {exit_code}\n\n{stderr}"));
        });
    }
}

#[test]
fn what_people_try_is_explained() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("job.rhai");
    const MODEL: &str = r#"let model = esm2("examples/models/esm2_t6_2M_demo");"#;
    for (text, told) in [
        (
            format!(
                "{MODEL} embed(model, fasta(\"examples/data/proteins.fasta\"), #{{ device: \"cpu\" }});"
            ),
            "it is an option of `esm2`",
        ),
        (
            "esm2(\"examples/models/esm2_t6_2M_demo\", #{ pooling: \"mean\" });".to_owned(),
            "it is an option of `embed`",
        ),
        (
            format!("{MODEL} fn name(x) {{ model.name }} print(name(1));"),
            "functions do not see variables outside of them",
        ),
        (
            "const K = 3; K = 4;".to_owned(),
            "make `K` with `let` to change it",
        ),
        (
            "print(args[0]);".to_owned(),
            "`runner exec job.rhai -- VALUE`",
        ),
    ] {
        fs::write(&path, &text).expect("a script");
        let (exit_code, _, stderr) = run(&["check", path.to_str().expect("UTF-8")]);
        assert_eq!(exit_code, 3, "{text}: {stderr}");
        // Lines are broken to fit.
        let said: Vec<_> = stderr.split_whitespace().collect();
        assert!(said.join(" ").contains(told), "{told}: {stderr}");
    }
}

#[test]
fn check_and_exec_refuse_alike() {
    for name in [
        "layer_missing",
        "options_many_problems",
        "output_exists",
        "output_of_another_format",
        "token_budget_too_small",
    ] {
        let script = format!("tests/scripts/{name}.rhai");
        let (checked, executed) = (run(&["check", &script]), run(&["exec", &script]));
        assert_eq!(checked, executed, "{name}");
        assert_eq!(checked.0, 3, "{name}");
    }
}

#[test]
fn devices_are_an_array_or_a_name() {
    let check = |devices: &str, verb: &str, expect: &str| {
        let script = tempfile::NamedTempFile::new().expect("a temporary file");
        let text = format!(
            "let model = esm2(\"tests/golden/hd16\", #{{ device: {devices}, mock: #{{ lanes: 3 }} }});
            let run = embed(model, fasta(\"tests/scripts/tiny.fa\").min_length(9));
            throw `on ${{run.device}}`;"
        );
        fs::write(script.path(), text).expect("it is written");
        let path = script.path().to_str().expect("UTF-8");
        let (exit_code, _, stderr) = run(&[verb, path]);
        assert_eq!(exit_code, 3, "{devices} {stderr}");
        let expect = format!("on {expect}");
        assert!(stderr.contains(&expect), "{devices} {stderr}");
    };
    // A rehearsal opens no device.
    check("[\"cuda:1\", \"cuda\"]", "check", "cuda:1, cuda:0");
    check("\"cuda:all\"", "check", "cuda:all");
    check("[\"mock\"]", "check", "mock");
    check("[\"mock\"]", "exec", "mock");
}

#[test]
fn definitions_are_fresh() {
    let (_, definitions, _) = run(&["script", "definitions"]);
    let shipped = fs::read_to_string("scripts/runner.d.rhai").expect("the shipped definitions");
    assert!(
        definitions == shipped,
        "run: cargo run --release -- script definitions -o scripts/runner.d.rhai"
    );
}

#[test]
fn everything_is_documented() {
    let definitions = fs::read_to_string("scripts/runner.d.rhai").expect("the definitions");
    let lines: Vec<_> = definitions.lines().collect();
    let undocumented: Vec<_> = lines
        .windows(2)
        .filter(|pair| pair[1].starts_with("fn ") || pair[1].starts_with("op "))
        .filter(|pair| !pair[0].starts_with("///"))
        .map(|pair| pair[1])
        .collect();
    assert_eq!(undocumented, Vec::<&str>::new());
}

#[test]
fn exit_codes() {
    let check = |args: &[&str], expect: i32| {
        let (exit_code, _, stderr) = run(args);
        assert_eq!(exit_code, expect, "{args:?}\n{stderr}");
    };
    check(&["--version"], 0);
    check(&["exec", "tests/scripts/good/printing.rhai"], 0);
    check(&["exec"], 2);
    check(&["exec", "a.rhai", "--colour"], 2);
    check(&["exec", "a.rhai", "b"], 2);
    check(&["exec", "no/such.rhai"], 3);
    check(&["exec", "tests/scripts/throw_text.rhai"], 3);
    check(&["exec", "tests/scripts/throw_again.rhai"], 3);
    check(&["exec", "tests/scripts/variable_typo.rhai"], 3);
    check(&["exec", "tests/scripts/input_missing.rhai"], 4);
    check(&["exec", "tests/scripts/model_missing.rhai"], 5);
    check(&["exec", "tests/scripts/good/mock_job.rhai"], 7);
}

#[test]
fn standard_output_is_the_scripts() {
    let script = "tests/scripts/good/printing.rhai";
    let expect = "args: [\"-q\", \"b c\"]\n\
                  folder: tests/scripts/good\n\
                  fasta(\"a.fa\").min_length(10).long_sequences(\"truncate\", 1022)\
                  .unknown_residues(\"unk\").take(5)\n";
    for flags in [&[][..], &["--json"], &["-q"], &["-v"], &["--no-progress"]] {
        let mut args = vec!["exec", script];
        args.extend(flags);
        args.extend(["--", "-q", "b c"]);
        let (exit_code, stdout, stderr) = run(&args);
        assert_eq!((exit_code, stdout.as_str()), (0, expect), "{flags:?}");
        // `debug` is for the log.
        assert_eq!(stderr.contains("not for standard output"), flags == ["-v"]);
    }
}

#[test]
fn events_and_errors_as_json() {
    let check = |script: &str, expect: &[&str]| {
        let (_, _, stderr) = run(&["exec", "--json", script]);
        let events: Vec<serde_json::Value> = stderr
            .lines()
            .map(|line| serde_json::from_str(line).expect(line))
            .collect();
        for name in expect {
            assert!(
                events.iter().any(|event| event["event"] == *name),
                "no {name} in {stderr}"
            );
        }
        events
    };
    check(
        "tests/scripts/good/mock_job.rhai",
        &[
            "run_started",
            "records_read",
            "batch_encoded",
            "run_finished",
        ],
    );
    let events = check("tests/scripts/take_negative.rhai", &["failed"]);
    assert_eq!(events[0]["exit_code"], 3);
    assert!(
        events[0]["message"]
            .as_str()
            .unwrap()
            .contains("`take` is -1")
    );
    // Whatever it was that failed, its remedy stands by itself.
    let failures = [
        ("model_missing", "a model is a folder with"),
        ("input_missing", "paths are relative to"),
        ("option_typo", "did you mean `prefetch`?"),
    ];
    for (script, hint) in failures {
        let failed = check(&format!("tests/scripts/{script}.rhai"), &["failed"]).pop();
        let said = failed.expect("a line")["hint"].clone();
        assert!(
            said.as_str().is_some_and(|said| said.starts_with(hint)),
            "{said}"
        );
    }
}

#[test]
fn scripts_catch_errors() {
    let (exit_code, stdout, stderr) = run(&["exec", "tests/scripts/good/catching.rhai"]);
    assert_eq!(exit_code, 0, "{stderr}");
    let lines: Vec<_> = stdout.lines().collect();
    assert!(
        lines[0].starts_with("plan: unknown option `reders`"),
        "{stdout}"
    );
    assert!(lines[1].starts_with("input: `no/such.fa`"), "{stdout}");
    assert_eq!(lines[2], "by hand");
}

#[test]
fn values_of_scripts() {
    for command in ["exec", "check"] {
        let script = "tests/scripts/good/values.rhai";
        let (exit_code, _, stderr) = run(&[command, script, "--", "a", "b"]);
        assert_eq!(exit_code, 0, "{stderr}");
    }
}

#[test]
fn a_mock_job_from_end_to_end() {
    let (exit_code, stdout, stderr) = run(&["exec", "tests/scripts/good/mock_job.rhai"]);
    assert_eq!(stdout, "2 1 1 10 12\n[\"a\"]\nRun\n", "{stderr}");
    assert_eq!(exit_code, 7, "{stderr}");
    assert!(stderr.contains("1 record was rejected"), "{stderr}");
}

#[test]
fn right_scripts_are_right_before_their_runs() {
    for command in ["check", "exec"] {
        let (exit_code, _, stderr) = run(&[command, "tests/scripts/good/rehearsed.rhai"]);
        // A record is rejected; a rehearsal reads none.
        let expect = if command == "exec" { 7 } else { 0 };
        assert_eq!(exit_code, expect, "{stderr}");
    }
}

#[test]
fn a_rehearsal_reads_what_is_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let check = |script: &str, expect: i32, message: &str| {
        let path = folder.path().join("job.rhai");
        fs::write(&path, script).expect("a script");
        let (exit_code, _, stderr) = run(&["check", path.to_str().expect("UTF-8")]);
        assert_eq!(exit_code, expect, "{stderr}");
        assert!(stderr.contains(message), "{stderr}");
    };
    check("embeddings(\"no/such.parquet\");", 4, "no/such.parquet");
    check(
        "embeddings(\"tests/scripts/existing.parquet\");",
        4,
        "existing.parquet",
    );
    let embed = "let m = esm2(\"tests/golden/hd16\", #{ device: \"mock\" });
        let d = fasta(\"tests/scripts/tiny.fa\");
        embed(m, d, #{ OPTION });";
    let with = |option: &str| embed.replace("OPTION", option);
    let parameters = "must be a closure with one parameter";
    check(&with("on_sample: |a, b| a"), 3, parameters);
    check(&with("on_bottleneck: || 1"), 3, parameters);
    check(&with("on_sample: |s| s.tokns"), 3, "tokns");
    check(&with("on_sample: |s| throw \"enough\""), 0, "");
    check(
        &with("on_bottleneck: |f| f.mesage"),
        3,
        "did you mean `message`?",
    );
    check(
        &with("output: \"/proc/none/o.parquet\""),
        1,
        "cannot create the folder `/proc/none`",
    );
}

#[test]
fn texts_of_every_editor_are_scripts() {
    for command in ["check", "exec"] {
        for (name, expect) in [
            ("shebang", "a shebang, carriage returns\n"),
            ("byte_order_mark", "a byte order mark\n"),
        ] {
            let script = format!("tests/scripts/good/{name}.rhai");
            let (exit_code, stdout, stderr) = run(&[command, &script]);
            assert_eq!(exit_code, 0, "{stderr}");
            assert_eq!(stdout == expect, command == "exec", "{stdout}");
        }
    }
}

#[test]
fn what_is_no_script_is_said_to_be_none() {
    let check = |path: &str, expect: &str| {
        let (exit_code, _, stderr) = run(&["exec", path]);
        assert_eq!(exit_code, 3, "{stderr}");
        assert!(stderr.contains(expect), "{stderr}");
    };
    check("tests/scripts", "is a folder");
    check("tests/scripts/tiny.fa", "is FASTA");
    check("tests/golden/hd16/model.safetensors", "is binary");
    check("src/report/page/report.html", "error");
}

#[test]
fn a_script_in_place_of_a_command() {
    let (exit_code, _, stderr) = run(&["tests/scripts/tiny job.rhai", "a"]);
    assert_eq!(exit_code, 2);
    let proposal = "hint: `runner exec 'tests/scripts/tiny job.rhai' -- a` runs the script";
    assert!(stderr.contains(proposal), "{stderr}");
    let (_, _, stderr) = run(&["exec", "job.rhai", "mine.fa"]);
    assert!(stderr.contains("stands behind `--`"), "{stderr}");
    let (_, _, stderr) = run(&["exec", "job.rhai", "--mine"]);
    assert!(!stderr.contains("stands behind `--`"), "{stderr}");
}

#[test]
fn escape_sequences_do_not_reach_the_terminal() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("e\u{1b}[31mred.rhai");
    let check = |text: &str| {
        fs::write(&script, text).expect("a script");
        for command in ["exec", "check"] {
            let args = [command, script.to_str().expect("UTF-8")];
            let (_, stdout, stderr) = run(&args);
            assert!(!stdout.contains('\u{1b}'), "{stdout:?}");
            assert!(!stderr.contains('\u{1b}'), "{stderr:?}");
        }
    };
    check("fasta(\"a\u{1b}[31m.fa\").take(-1); // \u{1b}[31m");
    check("throw \"\\x1b[31mred\";");
    check("esm2(\"no/\\x1b[31mred\");");
    check("let model = esm2(\"tests/golden/hd16\", #{ device: \"mock\" });
        print(embed(model, fasta(\"tests/scripts/tiny.fa\"), #{ output: temp_path(\"\\x1b[31m.parquet\") }));");
    check("embed(esm2(\"tests/golden/hd16\", #{ device: \"mock\" }), fasta(\"\\x1b[31m.fa\"));");
    check("sweep(\"\\x1b[31m\"); metrics(\"\\x1b[31m.csv\");");
    check("");
}

#[test]
fn recursion_of_any_kind_ends_with_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("job.rhai");
    for script in [
        "fn f(t) { t.run(#{ n: 1 }, || f(t)); } f(sweep(\"a\"));",
        "fn f(g) { g.call(g) } f(|g| g.call(g));",
        "let a = [1]; for n in 0..3000 { a = [a]; } print(a); throw \"deep\";",
        "let m = #{}; for n in 0..3000 { m = #{ m: m }; } print(m); throw \"deep\";",
        "let f = || 0; for n in 0..3000 { let g = f; f = || g.call(); } f.call(); throw \"deep\";",
    ] {
        fs::write(&path, script).expect("a script");
        let (exit_code, _, stderr) = run(&["exec", path.to_str().expect("UTF-8")]);
        assert_eq!(exit_code, 3, "{script}\n{stderr}");
    }
}

#[test]
fn what_a_script_holds_is_limited() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("job.rhai");
    // No value of these is larger than a value may be when it is made.
    for script in [
        "let m = #{}; for n in 0..100_000 { m[`${n}`] = blob(1_000_000, 1); }",
        "let all = []; for n in 0..4_000 { let b = blob(1_000_000, 1); all.push(|| b); }",
        "fn f(n) { let m = #{}; for i in 0..40_000 { m[`${i}`] = blob(500_000, 1); } } f(0);",
    ] {
        fs::write(&path, script).expect("a script");
        let (exit_code, _, stderr) = run(&["exec", path.to_str().expect("UTF-8")]);
        assert_eq!(exit_code, 3, "{script}\n{stderr}");
        let expect = "the script holds more than 1 GiB of memory";
        assert!(stderr.contains(expect), "{script}\n{stderr}");
    }
    // What was let go is not held.
    let script = "for n in 0..3_000 { let b = blob(1_000_000, 1); } print(1);";
    fs::write(&path, script).expect("a script");
    let (exit_code, stdout, stderr) = run(&["exec", path.to_str().expect("UTF-8")]);
    assert_eq!((exit_code, stdout.as_str()), (0, "1\n"), "{stderr}");
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("job.rhai");
    fs::write(&path, "print(1);").expect("a script");
    let script = path.to_str().expect("UTF-8");
    let definitions = ["script", "definitions"];
    for args in [
        &["exec", script][..],
        &["check", script],
        &definitions,
        &["--help"],
        &["embed", "--help"],
        &["--version"],
    ] {
        let full = fs::File::options().write(true).open("/dev/full");
        let output = Command::new(env!("CARGO_BIN_EXE_runner"))
            .args(args)
            .stdout(full.expect("a device"))
            .output()
            .expect("the program starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}\n{stderr}");
        assert!(
            stderr.contains("cannot write to standard output"),
            "{stderr}"
        );
    }
}

#[test]
fn a_terminal_gets_no_commands_from_names() {
    use std::io::Read;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("job.rhai");
    fs::write(&path, "print(\"a\\x1b[31mred\\x07\");").expect("a script");
    let terminal = nix::pty::openpty(None, None).expect("a terminal");
    let mut child = Command::new(env!("CARGO_BIN_EXE_runner"))
        .args(["exec", path.to_str().expect("UTF-8")])
        .stdout(terminal.slave)
        .spawn()
        .expect("the program starts");
    assert!(child.wait().expect("the program ends").success());
    let mut shown = [0; 64];
    let n_bytes = fs::File::from(terminal.master)
        .read(&mut shown)
        .expect("a line");
    let shown = String::from_utf8_lossy(&shown[..n_bytes]);
    assert_eq!(shown.trim_end(), r"a\u{1b}[31mred\u{7}");
}

#[test]
fn nobody_waits_for_a_module_that_may_never_come() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("job.rhai");
    let mode = nix::sys::stat::Mode::S_IRWXU;
    nix::unistd::mkfifo(&folder.path().join("pipe.rhai"), mode).expect("a pipe");
    fs::write(&path, "import \"pipe\" as pipe;").expect("a script");
    for command in ["exec", "check"] {
        let (exit_code, _, stderr) = run(&[command, path.to_str().expect("UTF-8")]);
        assert_eq!(exit_code, 3, "{stderr}");
        assert!(stderr.contains("pipe.rhai` cannot be read"), "{stderr}");
    }
}

#[test]
fn a_temporary_folder_that_is_missing_is_no_fault_of_the_script() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("job.rhai");
    fs::write(&path, "temp_path(\"a\");").expect("a script");
    let mut program = runner(&["exec", path.to_str().expect("UTF-8")]);
    program.env("TMPDIR", folder.path().join("missing"));
    let output = finish(&mut program, b"");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("cannot create a temporary folder in"));
}

#[test]
fn lists_of_many_paths_fit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("job.rhai");
    let script = "let paths = []; for n in 0..20_000 { paths.push(`proteins/part-${n}.fasta.gz`); }
        print(fasta(paths).sources.len);";
    fs::write(&path, script).expect("a script");
    let (_, stdout, stderr) = run(&["exec", path.to_str().expect("UTF-8")]);
    assert_eq!(stdout, "20000\n", "{stderr}");
}

/// The first column of the table in the README whose header begins so, without backquotes.
fn table(readme: &str, header: &str) -> Vec<String> {
    let rows = readme.lines().skip_while(|line| !line.starts_with(header));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    cells.map(|cell| cell.trim().replace('`', "")).collect()
}

#[test]
fn the_readme_has_every_exit_code() {
    let readme = fs::read_to_string("README.md").expect("the README");
    let mut found = table(&readme, "| exit code |");
    // What the system ends has the codes of signals.
    found.retain(|codes| codes != "134, 137");
    let source = fs::read_to_string("src/error.rs").expect("the exit codes");
    let code = |line: &str| {
        let (_, value) = line
            .trim()
            .strip_prefix("pub const ")?
            .split_once(": u8 = ")?;
        value.strip_suffix(';').map(str::to_owned)
    };
    let mut codes: Vec<_> = source.lines().filter_map(code).collect();
    found.sort();
    codes.sort();
    assert!(codes.len() > 10, "{codes:?}");
    assert_eq!(found, codes);
}

#[test]
fn check_does_no_work() {
    let (exit_code, stdout, stderr) = run(&["check", "tests/scripts/good/mock_job.rhai"]);
    assert_eq!(exit_code, 0, "{stderr}");
    assert_eq!(
        stdout,
        "tests/scripts/good/mock_job.rhai is fine: 1 call of `embed`, 1 input file found; models: \
         tests/golden/hd16\n"
    );
    let (_, stdout, _) = run(&["check", "--json", "tests/scripts/good/mock_job.rhai"]);
    let seen: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(seen["n_runs"], 1);
}

#[test]
fn the_quickstart_works_from_anywhere() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart.rhai");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = finish(runner(&["exec", script]).current_dir(folder.path()), b"");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        stdout.starts_with("embedded 85 sequences with esm2_t6_2M_demo, "),
        "{stdout}"
    );
    // Neighbours of a maturase are maturases.
    assert!(stdout.matches("Maturase K").count() == 4, "{stdout}");
    let left = fs::read_dir(folder.path()).expect("the folder").count();
    assert_eq!(left, 0, "the quickstart left files behind");
}

/// Runs an example in a folder to its good end, and gives what it prints.
fn run_example(script: &str, folder: &Path, verb: &str, args: &[&str]) -> String {
    let mut command = runner(&["-q", verb, script]);
    let output = finish(command.args(args).current_dir(folder), b"");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_example_of_resuming_goes_on_and_leaves_nothing() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/resume.rhai");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = |verb: &str, args: &[&str]| run_example(script, folder.path(), verb, args);
    run("check", &[]);
    let computed = "0 rows were there, and 85 were computed\n";
    assert_eq!(run("exec", &[]), computed);
    let left = fs::read_dir(folder.path()).expect("the folder").count();
    assert_eq!(left, 0, "the example left files behind");
    assert_eq!(run("exec", &["--", "kept"]), computed);
    run("check", &["--", "kept"]);
    let stdout = run("exec", &["--", "kept"]);
    assert_eq!(stdout, "Nothing was to be done: all 85 rows are there\n");
    let manifest = folder.path().join("kept/embeddings.ledger/manifest.json");
    assert!(manifest.exists());
}

#[test]
fn the_example_of_residues_reads_back_what_it_wrote() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/residues.rhai");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = |verb: &str, args: &[&str]| run_example(script, folder.path(), verb, args);
    run("check", &[]);
    let read_back = |stdout: &str| {
        let lines: Vec<_> = stdout.lines().collect();
        assert_eq!(lines.len(), 3, "{stdout}");
        assert!(lines[0].starts_with("85 proteins are in "), "{stdout}");
        assert_eq!(lines[1], "85 vectors of 160 components");
        assert!(lines[2].contains("|MATK_"), "{stdout}");
    };
    read_back(&run("exec", &[]));
    let left = fs::read_dir(folder.path()).expect("the folder").count();
    assert_eq!(left, 0, "the example left files behind");
    // The second time there is nothing to compute.
    for _ in 0..2 {
        read_back(&run("exec", &["--", "kept"]));
    }
    for name in ["residues.h5", "pooled.h5"] {
        assert!(folder.path().join("kept").join(name).exists(), "{name}");
    }
}

#[test]
fn the_ablation_shows_a_line_a_setting() {
    let (exit_code, stdout, stderr) = run(&[
        "exec",
        "examples/ablation.rhai",
        "--",
        "examples/models/esm2_t6_2M_demo",
        "examples/data/proteins.fasta",
        "5",
    ]);
    assert_eq!(exit_code, 0, "{stderr}");
    // A headline, the names of the columns, and eight settings.
    assert_eq!(stdout.lines().count(), 10, "{stdout}");
    let overlap_off = stdout.lines().filter(|line| line.starts_with("false"));
    assert_eq!(overlap_off.count(), 1, "{stdout}");
}

#[test]
fn colours_are_for_those_who_want_them() {
    let script = "tests/scripts/take_negative.rhai";
    let check = |args: &[&str], no_color: bool, expect: bool| {
        let mut command = runner(args);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let stderr = command.output().expect("the program starts").stderr;
        assert_eq!(stderr.contains(&0x1b), expect, "{args:?}");
    };
    check(&["exec", script], false, false);
    check(&["exec", script, "--color", "always"], false, true);
    check(&["exec", script, "--color", "never"], false, false);
    check(&["exec", script], true, false);
}

/// A running program whose script has printed its first line.
fn started(script: &str) -> (process::Child, BufReader<process::ChildStdout>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_runner"))
        .args(["exec", script])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a line");
    (child, stdout)
}

#[test]
fn signals_end_a_script() {
    use nix::{
        sys::signal::{Signal, kill},
        unistd::Pid,
    };
    let check = |script: &str, signal: Signal, expect: i32| {
        let (mut child, _stdout) = started(script);
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
        kill(pid, signal).expect("the program runs");
        let status = child.wait().expect("the program ends");
        assert_eq!(status.code(), Some(expect), "{signal}");
    };
    for name in ["forever", "sleeping"] {
        let script = format!("tests/scripts/good/{name}.rhai");
        check(&script, Signal::SIGINT, 75);
        check(&script, Signal::SIGTERM, 75);
    }
    let (exit_code, _, stderr) = run(&["check", "tests/scripts/good/sleeping.rhai"]);
    assert_eq!(exit_code, 0, "{stderr}");
}

#[test]
fn a_closed_pipe_ends_a_script() {
    let (mut child, stdout) = started("tests/scripts/good/chatter.rhai");
    drop(stdout);
    let status = child.wait().expect("the program ends");
    assert_eq!(status.code(), Some(141));
}
