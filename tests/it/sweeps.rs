//! Parameter sweeps through the program: tables, files, errors, and going on after an end.

use crate::{ROOT, RUNNER};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

/// Twelve points, one of which fails. Each point says when it is run.
const TWELVE: &str = r#"
    let model = esm2(args[0] + "/examples/models/esm2_t6_2M_demo", #{ device: "mock" });
    let proteins = fasta(args[0] + "/examples/data/proteins.fasta");
    let table = sweep("twelve", #{ folder: "sweeps" });
    for readers in [1, 2, 300] {
        for prefetch in [1, 2, 4, 8] {
            let params = #{ readers: readers, prefetch: prefetch, note: "a \"b\", c" };
            if readers == 300 { params.readers = if prefetch == 8 { 300 } else { 3 }; }
            table.run(params, || {
                print(`readers ${params.readers}, prefetch ${params.prefetch}`);
                let options = params;
                options.remove("note");
                embed(model, proteins, options)
            });
        }
    }
    print(table);
    print(`best: ${type_of(table.best("tokens_per_sec").params.readers)}`);
    table.save("saved/twelve.csv");
    table.save("saved/twelve.parquet");
    table.plot("saved/twelve.html");
"#;

fn command(folder: &TempDir, verb: &str, script: &str) -> Command {
    fs::write(folder.path().join("job.rhai"), script).unwrap();
    let mut command = Command::new(RUNNER);
    command
        .args(["--quiet", verb, "job.rhai", "--", ROOT])
        .current_dir(folder.path())
        .env_remove("RUST_LOG");
    command
}

/// Runs a script in `folder` and gives the exit code, standard output and standard error.
fn run(folder: &TempDir, verb: &str, script: &str) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command(folder, verb, script).output().unwrap();
    (
        status.code(),
        String::from_utf8(stdout).unwrap(),
        String::from_utf8(stderr).unwrap(),
    )
}

/// What a script prints, which must succeed.
fn exec(folder: &TempDir, script: &str) -> String {
    let (exit_code, stdout, stderr) = run(folder, "exec", script);
    assert_eq!(exit_code, Some(0), "{stderr}");
    stdout
}

fn n_points_run(stdout: &str) -> usize {
    let is_point = |line: &&str| line.starts_with("readers ");
    stdout.lines().filter(is_point).count()
}

fn n_parquet_rows(path: &Path) -> usize {
    let file = File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let batches = reader.build().unwrap();
    batches.map(|batch| batch.unwrap().num_rows()).sum()
}

#[test]
fn twelve_points_become_files_and_are_not_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let stdout = exec(&folder, TWELVE);
    assert_eq!(n_points_run(&stdout), 12, "{stdout}");
    assert!(
        stdout.contains("sweep twelve: 12 points, 1 failed\n"),
        "{stdout}"
    );
    assert!(stdout.contains(" times faster than "), "{stdout}");
    let failure = "failed: prefetch 8, readers 300: `readers` is 300, but must be a whole number";
    assert!(stdout.contains(failure), "{stdout}");
    let marked = stdout
        .lines()
        .filter(|line| line.trim_start().starts_with('*'));
    assert_eq!(marked.count(), 2, "a row and the comparison: {stdout}");
    assert!(stdout.contains("best: i64\n"), "{stdout}");

    for name in ["sweeps/twelve.csv", "saved/twelve.csv"] {
        let text = fs::read_to_string(folder.path().join(name)).unwrap();
        let header = "param.note,param.prefetch,param.readers,repeat,n_ok,tokens_per_sec,";
        assert!(text.starts_with(header), "{text}");
        assert_eq!(text.lines().count(), 13, "{text}");
        assert!(text.contains("\n\"a \"\"b\"\", c\",8,300,1,0,,"), "{text}");
    }
    for name in ["sweeps/twelve.parquet", "saved/twelve.parquet"] {
        assert_eq!(n_parquet_rows(&folder.path().join(name)), 12, "{name}");
    }
    let page = fs::read_to_string(folder.path().join("saved/twelve.html")).unwrap();
    assert!(page.contains("<svg") && page.len() < 200_000, "{page}");

    // The point that failed is tried again, and nothing else.
    let stdout = exec(&folder, TWELVE);
    assert_eq!(n_points_run(&stdout), 1, "{stdout}");
    let headline = "sweep twelve: 12 points, 1 failed, 11 from an earlier run\n";
    assert!(stdout.contains(headline), "{stdout}");
    let csv = fs::read_to_string(folder.path().join("sweeps/twelve.csv")).unwrap();
    assert_eq!(csv.lines().count(), 13, "{csv}");

    let afresh = TWELVE.replace("folder: \"sweeps\"", "folder: \"sweeps\", resume: false");
    assert_eq!(n_points_run(&exec(&folder, &afresh)), 12);
}

#[test]
fn a_killed_sweep_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = command(&folder, "exec", TWELVE)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The sixth point has begun, so five have ended.
    assert!(lines.nth(5).unwrap().unwrap().starts_with("readers "));
    child.kill().unwrap();
    child.wait().unwrap();

    let saved = fs::read_to_string(folder.path().join("sweeps/twelve.csv")).unwrap();
    let n_saved = saved.lines().count() - 1;
    assert!(n_saved >= 5, "{saved}");
    // If the machine is slow, the program may have been quicker than the kill; one point fails.
    let n_finished = saved
        .lines()
        .filter(|line| !line.contains("300,1,0,"))
        .count()
        - 1;
    let stdout = exec(&folder, TWELVE);
    assert_eq!(n_points_run(&stdout), 12 - n_finished, "{stdout}");
    let csv = fs::read_to_string(folder.path().join("sweeps/twelve.csv")).unwrap();
    assert_eq!(csv.lines().count(), 13, "{csv}");
}

#[test]
fn repeats_and_warmups() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"
        let model = esm2(args[0] + "/examples/models/esm2_t6_2M_demo", #{ device: "mock" });
        let proteins = fasta(args[0] + "/examples/data/proteins.fasta");
        let table = sweep("repeats", #{ repeat: 3, warmup: 1 });
        table.run(#{}, || { print("readers default"); embed(model, proteins) });
        table.add(#{ readers: 1 }, embed(model, proteins, #{ readers: 1 }));
        let rows = table.rows;
        print(`${table.len} ${rows[0].repeat} ${rows[0].n_ok} ${rows[0].tokens_per_sec_sd > 0.0}`);
        print(`${rows[1].params} ${rows[1].n_ok} ${rows[1].tokens_per_sec_sd == ()}`);
        print(rows[0].records == 85.0);
    "#;
    let stdout = exec(&folder, script);
    assert_eq!(n_points_run(&stdout), 4, "{stdout}");
    assert!(stdout.contains("2 3 3 true\n"), "{stdout}");
    assert!(
        stdout.contains("#{\"readers\": 1} 1 true\ntrue\n"),
        "{stdout}"
    );
    // Without a folder nothing is saved by itself.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_points_throw() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"
        let table = sweep("errors");
        table.run(#{ n: 1 }, || { throw "by hand"; });
        table.run(#{ n: 2 }, || { throw #{ message: "in a map" }; });
        table.run(#{ n: 3 }, || fasta("a.fa").take(-1));
        // Constants of the program can be captured, too.
        table.run(#{ n: 4 }, || { throw `${args.len} argument`; });
        for row in table.rows { print(`${row.params.n} ${row.n_ok} ${row.error}`); }
        try { table.best("tokens_per_sec"); } catch (err) { print(err.message); }
        try { table.best("token_per_sec"); } catch (err) { print(err.message); }
        try { table.run(#{ n: 5 }, || 42); } catch (err) { print(err.message); }
        try { table.save("a.txt"); } catch (err) { print(`${err.kind}: ${err.message}`); }
        try { table.plot("/proc/no/such"); } catch (err) { print(err.kind); }
        try { sweep("a", #{ repeats: 1 }); } catch (err) { print(err.message); }
    "#;
    let stdout = exec(&folder, script);
    let lines: Vec<_> = stdout.lines().collect();
    let check = |line: usize, expect: &str| {
        assert!(lines[line].starts_with(expect), "{expect}\n{stdout}");
    };
    check(0, "1 0 by hand");
    check(1, "2 0 in a map");
    check(2, "3 0 `take` is -1");
    check(3, "4 0 1 argument");
    check(
        4,
        "every point of the sweep `errors` failed; the first one: by hand",
    );
    check(
        5,
        "runs have no figure `token_per_sec` (did you mean `tokens_per_sec`?",
    );
    check(
        6,
        "a point of a sweep must give a run, not a value of type i64",
    );
    check(7, "plan: `a.txt` does not say in which format to save");
    check(8, "output");
    check(9, "unknown option `repeats` (did you mean `repeat`?");
    assert_eq!(lines.len(), 10, "{stdout}");
}

#[test]
fn stopping_ends_a_sweep() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"
        let table = sweep("stopped", #{ folder: "sweeps" });
        for n in 0..10 { table.run(#{ n: n }, || { print("readers"); loop { } }); }
    "#;
    let mut child = command(&folder, "exec", script)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(75));
    // A point that was stopped has not failed.
    assert!(!folder.path().join("sweeps/stopped.csv").exists());
}

#[test]
fn a_rehearsal_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (exit_code, _, stderr) = run(&folder, "check", TWELVE);
    assert_eq!(exit_code, Some(0), "{stderr}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    // What would fail at every point is found before the work.
    let check = |from: &str, to: &str, expected_code: i32, expect: &str| {
        let script = TWELVE.replace(from, to);
        assert!(script != TWELVE, "{from}");
        let (exit_code, _, stderr) = run(&folder, "check", &script);
        assert_eq!(exit_code, Some(expected_code), "{stderr}");
        assert!(stderr.contains(expect), "{stderr}");
    };
    check("embed(model, p", "embde(model, p", 3, "no method `embde`");
    check("proteins.fasta", "no.fasta", 4, "no.fasta");
    check("best(\"t", "best(\"", 3, "did you mean `tokens_per_sec`?");
    let of_a_gpu = "has `gpu_idle`";
    check("best(\"tokens_per_sec", "best(\"gpu_idle", 3, of_a_gpu);
    check(
        "twelve.csv",
        "twelve.txt",
        3,
        "end it with `.csv` or `.parquet`",
    );
}

#[test]
fn the_grid_module() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"
        import "grid" as grid;
        let space = #{ b: [1, 2, 3], a: ["x", "y"] };
        let all = grid::grid(space);
        print(`${all.len} ${all[0]} ${all[1].b} ${all[3].a}`);
        for n in [1, 2, 3, 5, 6, 9] {
            let some = grid::random(space, n, 7);
            let names = #{};
            for point in some { names[`${point.a}${point.b}`] = true; }
            print(`${some.len} ${names.len()} ${some == grid::random(space, n, 7)}`);
        }
        let large = #{ a: [], b: [] };
        for n in 0..1000 { large.a.push(n); large.b.push(n); }
        let some = grid::random(large, 100, 1);
        let other = grid::random(large, 100, 2);
        print(`${some.len} ${some == other}`);
        try { grid::grid(#{ a: 1 }); } catch (err) { print(err); }
        try { grid::random(space, 0, 1); } catch (err) { print(err); }
    "#;
    let stdout = exec(&folder, script);
    let expect = "6 #{\"a\": \"x\", \"b\": 1} 2 y\n\
                  1 1 true\n2 2 true\n3 3 true\n5 5 true\n6 6 true\n6 6 true\n\
                  100 false\n\
                  `a` needs an array of values, such as [1, 2, 4]\n\
                  \"random\" takes a number of points of at least 1, not 0\n";
    assert_eq!(stdout, expect);
}

#[test]
fn the_example_works() {
    let folder = tempfile::tempdir().unwrap();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/sweep.rhai");
    let run = |verb: &str, args: &[&str]| {
        let output = Command::new(RUNNER)
            .args(["--quiet", verb, example])
            .args(args)
            .current_dir(folder.path())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        String::from_utf8(output.stdout).unwrap()
    };
    run("check", &[]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let stdout = run("exec", &["--", "kept"]);
    let headline = "sweep demo: 12 points, 1 failed, each measured 2 times\n";
    assert!(stdout.starts_with(headline), "{stdout}");
    let failure = "token_budget 512: `token_budget` is 512, but the dataset lets sequences";
    assert!(stdout.contains(failure), "{stdout}");
    for name in ["demo.csv", "demo.parquet", "demo.html"] {
        assert!(folder.path().join("kept").join(name).exists(), "{name}");
    }
}

#[test]
fn rows_say_what_their_runs_had() {
    let folder = tempfile::tempdir().unwrap();
    let start = r#"
        let model = esm2(args[0] + "/examples/models/esm2_t6_2M_demo", #{ device: "mock" });
        let proteins = fasta(args[0] + "/examples/data/proteins.fasta");
        let table = sweep("points");
    "#;
    let check = |point: &str, expect: Option<&str>| {
        for verb in ["check", "exec"] {
            let (exit_code, _, stderr) = run(&folder, verb, &format!("{start}{point}"));
            match expect {
                None => assert_eq!(exit_code, Some(0), "{verb} {point}\n{stderr}"),
                Some(expect) => {
                    assert_eq!(exit_code, Some(3), "{verb} {point}\n{stderr}");
                    assert!(stderr.contains(expect), "{verb} {stderr}");
                }
            }
        }
    };
    let point = |params: &str, options: &str| {
        format!("table.run(#{{ {params} }}, || embed(model, proteins, #{{ {options} }}));")
    };
    // What a parameter is called, and what it is.
    check(&point("readers: 2, n: 7, take: 3", ""), None);
    check(&point("layers: -1", "layers: [6]"), None);
    check(&point("layers: [0, 6]", "layers: [0, -1]"), None);
    check(&point("monitor_hz: 2", "monitor_hz: 2.0"), None);
    check(&point("device: \"mock\", dtype: \"f32\"", ""), None);
    check(&point("token_budget: 2048", "token_budget: 2048"), None);
    let differs = |name: &str, row: &str, run: &str| {
        format!("the point says that `{name}` is {row}, but its run had {run}")
    };
    let readers = differs("readers", "4", "2");
    check(&point("readers: 4", "readers: 2"), Some(&readers));
    check(&point("readers: 4", ""), Some(&readers));
    let budget = differs("token_budget", "2048", "4096");
    check(
        &point("token_budget: 2048", "token_budget: 4096"),
        Some(&budget),
    );
    let packing = differs("packing", "false", "true");
    check(&point("packing: false", ""), Some(&packing));
    let pooling = differs("pooling", "\"cls\"", "\"mean\"");
    check(&point("pooling: \"cls\"", ""), Some(&pooling));
    let device = differs("device", "\"cuda\"", "\"mock\"");
    check(&point("device: \"cuda\"", ""), Some(&device));
    check(&point("device: [\"mock\"]", ""), None);
    let devices = differs("device", "[\"cuda:0\", \"cuda:1\"]", "\"mock\"");
    let several = point("device: [\"cuda:0\", \"cuda:1\"]", "");
    check(&several, Some(&devices));
    for name in ["int8_products: \"qkv\"", "accept_accuracy: 0.9"] {
        let expect = "is for models in int8, and this one is not";
        check(&point(name, ""), Some(expect));
        check(&point(&format!("dtype: \"f32\", {name}"), ""), Some(expect));
    }
    let threads = |row: &str| {
        format!(
            "let one = esm2(args[0] + \"/examples/models/esm2_t6_2M_demo\", #{{ device: \"mock\", threads: 1 }});
             table.run(#{{ threads: {row} }}, || embed(one, proteins));"
        )
    };
    check(&threads("1"), None);
    check(&threads("2"), Some(&differs("threads", "2", "1")));
    let forgotten = differs("cpu_lanes", "2", "nothing");
    check(&point("cpu_lanes: 2", ""), Some(&forgotten));
    check(&point("gelu: \"auto\"", ""), None);
    let gelu = differs("gelu", "\"exact\"", "\"auto\"");
    check(&point("gelu: \"exact\"", ""), Some(&gelu));
    let added = "table.add(#{ readers: 3 }, embed(model, proteins));";
    check(added, Some(&differs("readers", "3", "2")));
    // Closures that are run when their variable has gone on.
    let late = "let points = [];
        let n = 1;
        while n < 4 { points.push(|| embed(model, proteins, #{ readers: n })); n += 1; }
        for (point, index) in points { table.run(#{ readers: index + 1 }, point); }";
    check(late, Some(&differs("readers", "1", "4")));
}
