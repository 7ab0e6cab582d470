//! What runs write about themselves, and scripts that follow them, through the program.

use crate::{ROOT, RUNNER};
use nix::{
    pty::openpty,
    sys::{
        signal::{Signal, kill},
        stat::Mode,
    },
    unistd::{Pid, mkfifo},
};
use runner::meter::{Metric, Throttle};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{Read, Write},
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A job of 25 batches that takes half a second and measures ten times a second.
const JOB: &str = r#"
    let model = esm2(ROOT + "/examples/models/esm2_t6_2M_demo", #{
        device: "mock", mock: #{ tokens_per_sec: 60_000 },
    });
    let proteins = fasta(ROOT + "/examples/data/proteins.fasta").min_length(70);
    let options = #{ token_budget: 1024, monitor_hz: 10 };
"#;

fn job(rest: &str) -> String {
    (JOB.to_owned() + rest).replace("ROOT", &format!("{ROOT:?}"))
}

fn command(folder: &TempDir, flags: &[&str], script: &str) -> Command {
    fs::write(folder.path().join("job.rhai"), script).unwrap();
    let mut command = Command::new(RUNNER);
    command
        .args(["exec", "job.rhai"])
        .args(flags)
        .current_dir(folder.path())
        .env_remove("RUST_LOG");
    command
}

fn exec(folder: &TempDir, flags: &[&str], script: &str) -> Output {
    command(folder, flags, script).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn header() -> String {
    let names: Vec<_> = Metric::all().map(Metric::name).collect();
    format!("run,gpu,{},{}", names.join(","), Throttle::NAME)
}

/// A job of 200 batches for three devices that takes half a second, the last of which is as fast as it says.
fn job_of_lanes(folder: &TempDir, last_speed: f64, rest: &str) -> String {
    let record = |n: usize| format!(">p{n}\n{}\n", &"MKVLAAGICW".repeat(26)[..254]);
    let input: String = (0..400).map(record).collect();
    fs::write(folder.path().join("many.fa"), input).unwrap();
    let model = format!(
        "let model = esm2(ROOT + \"/examples/models/esm2_t6_2M_demo\", #{{
            device: \"mock\", mock: #{{ lanes: 3, tokens_per_sec: 80_000, jitter: 0.1, last_speed: {last_speed} }},
        }});
        let proteins = fasta(\"many.fa\").long_sequences(\"truncate\", 510);
        options.token_budget = 512;"
    );
    job(&(model + rest))
}

fn parsed(lines: &str) -> Vec<Value> {
    let lines = lines.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

#[test]
fn every_lane_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let script = job_of_lanes(
        &folder,
        1.0,
        r#"metrics("m.jsonl"); prometheus("p.prom"); report("r.html");
        options.metrics_every = 5;
        let seen = 0;
        options.on_sample = |sample| seen = max(seen, sample.lanes.len());
        let run = embed(model, proteins, options);
        let tokens = 0; let share = 0.0;
        for lane in run.lanes {
            print(`${lane.device} ${lane.state} ${lane.tokens > 0} ${lane.encoder_idle >= 0.0} ${lane.energy_joules}`);
            tokens += lane.tokens; share += lane.token_share;
        }
        print(`${seen} ${tokens == run.tokens} ${share > 0.999} ${run.samples[0].lanes.len()}`);
        print(run.bottleneck.message.contains("lags"));
        print(run);"#,
    );
    let output = exec(&folder, &["--json"], &script);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    let mut lines = printed.lines();
    for lane in 0..3 {
        let expect = format!("mock:{lane} worked true true ");
        assert_eq!(lines.next(), Some(expect.as_str()), "{printed}");
    }
    assert_eq!(lines.next(), Some("3 true true 3"));
    assert_eq!(
        lines.next(),
        Some("false"),
        "lanes that differ by chance do not lag"
    );
    let table: Vec<_> = lines
        .filter(|line| line.trim().starts_with("lane "))
        .collect();
    assert_eq!(table.len(), 3, "{printed}");
    assert!(
        table[2].contains("mock:2: 3"),
        "a third of the tokens: {}",
        table[2]
    );

    // The whole run at the moment, and each lane of it, add up.
    let lines = parsed(&fs::read_to_string(folder.path().join("m.jsonl")).unwrap());
    assert!(lines.len() >= 4 * 4, "{lines:?}");
    for moment in lines.chunks(4) {
        let gpus: Vec<_> = moment.iter().map(|line| line["gpu"].as_u64()).collect();
        assert_eq!(gpus, [None, Some(0), Some(1), Some(2)]);
        let tokens = |line: &Value| line["tokens"].as_u64().unwrap();
        assert_eq!(
            tokens(&moment[0]),
            moment[1..].iter().map(tokens).sum::<u64>()
        );
        assert!(moment[1..].iter().all(|lane| lane["records"].is_null()));
        assert!(
            moment
                .iter()
                .all(|line| line["seconds"] == moment[0]["seconds"])
        );
    }

    let events = parsed(&text(&output.stderr));
    let started = events.iter().find(|event| event["event"] == "run_started");
    let devices = serde_json::json!(["mock:0", "mock:1", "mock:2"]);
    assert_eq!(started.unwrap()["lanes"], devices);
    let sample = events
        .iter()
        .find(|event| event["event"] == "sample")
        .unwrap();
    assert_eq!(sample["lanes"][2]["gpu"], 2);

    let gauges = fs::read_to_string(folder.path().join("p.prom")).unwrap();
    let n_lines = |start: &str| {
        gauges
            .lines()
            .filter(|line| line.starts_with(start))
            .count()
    };
    assert_eq!(n_lines("# TYPE runner_lane_tokens gauge"), 1, "{gauges}");
    assert_eq!(
        n_lines("runner_lane_tokens{run=\"1\",gpu=\"2\",device=\"mock:2\",uuid=\"\"} "),
        1
    );
    assert_eq!(n_lines("runner_tokens{run=\"1\"} "), 1);

    let page = fs::read_to_string(folder.path().join("r.html")).unwrap();
    assert!(
        page.contains("<i class=\"l2\"></i>mock:2</td>"),
        "the table of devices"
    );
    assert!(page.contains("<b>Tokens per second, by device</b>"));
}

#[test]
fn a_lane_that_lags_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let script = job_of_lanes(
        &folder,
        0.4,
        "print(embed(model, proteins, options).bottleneck);",
    );
    let output = exec(&folder, &["-q"], &script);
    let printed = text(&output.stdout);
    assert!(
        printed.starts_with("device mock:2 lags behind: it embeds "),
        "{printed}"
    );
    assert!(
        printed.contains("at their pace the run would be"),
        "{printed}"
    );
}

/// Checks the files of two runs of [`JOB`].
fn check_files(folder: &Path, n_batches: u64) {
    let csv = fs::read_to_string(folder.join("m.csv")).unwrap();
    let mut lines = csv.lines();
    assert_eq!(lines.next().unwrap(), header());
    let column = |name: &str| header().split(',').position(|n| n == name).unwrap();
    let cell = |line: &str, name: &str| line.split(',').nth(column(name)).unwrap().to_owned();
    let batches: Vec<_> = lines
        .map(|line| (cell(line, "run"), cell(line, "batches")))
        .collect();
    let expect: Vec<_> = ["1", "2"]
        .iter()
        .flat_map(|run| {
            let ends = (10..=n_batches).step_by(10);
            ends.map(|batch| ((*run).to_owned(), batch.to_string()))
        })
        .collect();
    assert_eq!(batches, expect);

    let trace = fs::read(folder.join("t.json")).unwrap();
    let events: Vec<Value> = serde_json::from_slice(&trace).unwrap();
    for run in [1, 2] {
        let batches = events
            .iter()
            .filter(|event| event["name"] == "batch" && event["pid"] == run);
        assert_eq!(batches.count() as u64, n_batches, "run {run}");
    }

    let gauges = fs::read_to_string(folder.join("p.prom")).unwrap();
    assert!(
        gauges.contains(&format!("runner_batches{{run=\"2\"}} {n_batches}\n")),
        "{gauges}"
    );

    let page = fs::read_to_string(folder.join("r.html")).unwrap();
    assert!(page.contains("id=\"run-2\""), "both runs have a section");
    assert!(page.contains("The encoder is the limit, as it should be"));
    assert!(
        page.contains("fewer than"),
        "the rejected records have reasons"
    );
    for missing in ["<script", "http", "url(", "@import", "src="] {
        assert!(!page.contains(missing), "{missing}");
    }
    assert!(page.len() < 1_000_000);
}

const TWICE: &str =
    "let a = embed(model, proteins, options); let b = embed(model, proteins, options);
    print(b.batches); print(b.bottleneck.severity);";

#[test]
fn flags_write_files() {
    let folder = tempfile::tempdir().unwrap();
    let flags = [
        "--report",
        "r.html",
        "--metrics",
        "m.csv",
        "--trace",
        "t.json",
        "--prometheus",
        "p.prom",
        "-q",
    ];
    let output = exec(&folder, &flags, &job(TWICE));
    // Seven: the job rejects short records.
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    let (n_batches, severity) = printed.trim().split_once('\n').unwrap();
    assert_eq!(severity, "good");
    check_files(folder.path(), n_batches.parse().unwrap());
}

#[test]
fn functions_write_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let script = job(&format!(
        "report(\"r.html\"); metrics(\"m.csv\"); trace(\"t.json\"); prometheus(\"p.prom\"); {TWICE}"
    ));
    let output = exec(&folder, &["-q"], &script);
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    let n_batches = printed.lines().next().unwrap();
    check_files(folder.path(), n_batches.parse().unwrap());
}

#[test]
fn lines_come_as_often_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let script = job("metrics(\"m.jsonl\"); options.metrics_every = 4;
        print(embed(model, proteins, options).batches);");
    let output = exec(&folder, &["-q"], &script);
    let n_batches: usize = text(&output.stdout).trim().parse().unwrap();
    let lines = fs::read_to_string(folder.path().join("m.jsonl")).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), n_batches / 4);
    assert!(lines.iter().all(|line| line["tokens_per_sec"].is_number()));
    assert!(lines.iter().all(|line| line["gpu_power_watts"].is_null()));
    // Sampled before the first line, ten times a second.
    assert!(lines.last().unwrap()["memory_bytes"].as_u64().unwrap() > 1_000_000);
}

#[test]
fn files_that_cannot_be_written_stop_the_job_before_it_begins() {
    let check = |flags: &[&str], script: &str, exit_code: i32, expect: &str| {
        let folder = tempfile::tempdir().unwrap();
        let output = exec(&folder, flags, script);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(exit_code), "{stderr}");
        assert!(stderr.contains(expect), "{stderr}");
        assert_eq!(text(&output.stdout), "", "nothing was run");
    };
    let ending = "neither with .csv nor with .jsonl";
    check(&["--metrics", "m.txt"], "print(1);", 3, ending);
    check(&[], "metrics(\"m.txt\"); print(1);", 3, ending);
    for (flag, path) in [
        ("--trace", "/proc/none/t.json"),
        ("--report", "/proc/none/r.html"),
        ("--prometheus", "/proc/none/p.prom"),
        ("--metrics", "/proc/none/m.csv"),
    ] {
        check(&[flag, path], "print(1);", 1, "/proc/none");
    }
}

#[test]
fn closures_follow_a_run_and_can_stop_it() {
    let folder = tempfile::tempdir().unwrap();
    let script = job(r#"
        // Slow enough for some samples on a busy machine.
        let model = esm2(ROOT + "/examples/models/esm2_t6_2M_demo", #{
            device: "mock", mock: #{ tokens_per_sec: 20_000 },
        });
        let seen = 0;
        let last = ();
        options.on_sample = |sample| { seen += 1; last = sample; };
        let run = embed(model, proteins, options);
        print(`${seen >= 3} ${last.tokens > 0} ${last.gpu_power_watts == ()} ${run.samples.len >= seen}`);

        options.output = "out.parquet";
        options.on_sample = |sample| if sample.batches > 2 { throw "enough"; };
        try { embed(model, proteins, options); } catch (err) { print(`stopped: ${err}`); }

        options.on_sample = |sample| embed(model, proteins);
        try { embed(model, proteins, options); } catch (err) { print(err); }

        options.on_sample = |sample| sample.tokns;
        embed(model, proteins, options);
    "#);
    let output = exec(&folder, &["-q"], &script);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(
        stdout,
        "true true true true\nstopped: enough\na closure that follows a run can neither load or unload models, \
         start runs nor ask for files\n",
        "{stderr}"
    );
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr.contains("tokns"), "{stderr}");
    assert!(!folder.path().join("out.parquet").exists());
}

#[test]
fn samples_and_verdicts_are_events() {
    let folder = tempfile::tempdir().unwrap();
    // The device is fast, and what it is given comes slowly.
    let slow = folder.path().join("slow.fa");
    mkfifo(&slow, Mode::S_IRWXU).unwrap();
    let pipe = slow.clone();
    thread::spawn(move || {
        let mut pipe = File::options().write(true).open(pipe).unwrap();
        for n in 0..4_000 {
            // The job ends when it knows enough.
            if writeln!(pipe, ">p{n}\n{}", "MKVLAAGIC".repeat(80)).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(4));
        }
    });
    let script = job(r#"
        let model = esm2(ROOT + "/examples/models/esm2_t6_2M_demo", #{ device: "mock" });
        options.on_bottleneck = |found| throw found.stage;
        embed(model, fasta("slow.fa"), options);
    "#);
    let output = exec(&folder, &["--json"], &script);
    let events: Vec<Value> = text(&output.stderr)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let samples: Vec<_> = events.iter().filter(|e| e["event"] == "sample").collect();
    assert!(samples.len() >= 3, "{events:?}");
    for metric in Metric::all() {
        assert!(samples[0].get(metric.name()).is_some(), "{}", metric.name());
    }
    let found = events.iter().find(|e| e["event"] == "bottleneck").unwrap();
    assert_eq!(found["stage"], "reading");
    assert_eq!(found["severity"], "critical");
    assert!(
        found["message"]
            .as_str()
            .unwrap()
            .contains("reading is the bottleneck")
    );
    assert!(found["remedy"].as_str().unwrap().contains("pipe"));
    let finished = events
        .iter()
        .find(|e| e["event"] == "run_finished")
        .unwrap();
    assert_eq!(
        finished["error"],
        "stopped by the script: reading; nothing was published"
    );
}

#[test]
fn closures_take_one_parameter() {
    let folder = tempfile::tempdir().unwrap();
    let script = job("embed(model, proteins, options + #{
        on_sample: |a, b| 1,
    });");
    let output = exec(&folder, &["-q"], &script);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(
        stderr.contains("`on_sample` must be a closure with one parameter"),
        "{stderr}"
    );
    assert!(!stderr.contains("anon$"), "{stderr}");
}

#[test]
fn a_run_whose_input_stalls_is_stopped_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let stalled = folder.path().join("stalled.fa");
    mkfifo(&stalled, Mode::S_IRWXU).unwrap();
    let pipe = stalled.clone();
    let (end, wait) = std::sync::mpsc::channel::<()>();
    let writer = thread::spawn(move || {
        let mut pipe = File::options().write(true).open(pipe).unwrap();
        for n in 0..2_000 {
            writeln!(pipe, ">p{n}\n{}", "MKVLAAGIC".repeat(80)).unwrap();
        }
        // It stays open, and says nothing more.
        let _ = wait.recv_timeout(Duration::from_secs(60));
    });
    let script = job(r#"
        let model = esm2(ROOT + "/examples/models/esm2_t6_2M_demo", #{ device: "mock" });
        options.on_sample = |sample| if sample.batches > 10 { throw "enough"; };
        embed(model, fasta("stalled.fa"), options);
    "#);
    let start = Instant::now();
    let output = exec(&folder, &["-q", "--report", "r.html"], &script);
    assert!(
        text(&output.stderr).contains("enough"),
        "{}",
        text(&output.stderr)
    );
    assert!(
        start.elapsed() < Duration::from_secs(30),
        "{:?}",
        start.elapsed()
    );
    drop(end);
    writer.join().unwrap();
    let page = fs::read_to_string(folder.path().join("r.html")).unwrap();
    assert!(page.contains("stopped by the script: enough"));
    assert!(page.contains("Until it failed, the run had embedded"));
}

#[test]
fn a_trace_that_begins_anew_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let script = job("trace(\"t.json\"); embed(model, proteins, options);
        trace(\"t.json\"); embed(model, proteins, options);");
    let output = exec(&folder, &["-q", "--trace", "t.json"], &script);
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    let trace = fs::read(folder.path().join("t.json")).unwrap();
    let events: Vec<Value> = serde_json::from_slice(&trace).unwrap();
    let runs: BTreeSet<_> = events
        .iter()
        .filter_map(|event| event["pid"].as_u64())
        .collect();
    assert_eq!(
        runs,
        [2].into(),
        "the second run, by its number in the script"
    );
}

/// The batches that a trace shows, which must be whole.
fn traced_batches(folder: &TempDir) -> usize {
    let trace = fs::read(folder.path().join("t.json")).unwrap();
    let events: Vec<Value> = serde_json::from_slice(&trace).unwrap();
    events.iter().filter(|e| e["name"] == "batch").count()
}

#[test]
fn a_trace_is_whole_however_a_job_ends() {
    let folder = tempfile::tempdir().unwrap();
    let stopped = job(
        "options.on_sample = |sample| if sample.batches > 3 { throw \"enough\"; };
        embed(model, proteins, options);",
    );
    let output = exec(&folder, &["-q", "--trace", "t.json"], &stopped);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(traced_batches(&folder) > 3);

    let endless = job("metrics(\"m.jsonl\"); options.metrics_every = 1;
        loop { embed(model, proteins, options); }");
    let mut command = command(&folder, &["-q", "--trace", "t.json"], &endless);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let n_lines = || {
        let text = fs::read_to_string(folder.path().join("m.jsonl"));
        text.map_or(0, |text| text.lines().count())
    };
    while n_lines() < 30 {
        assert!(child.try_wait().unwrap().is_none(), "it still runs");
        thread::sleep(Duration::from_millis(10));
    }
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(75));
    // A line for each batch, and all of both is there.
    assert_eq!(traced_batches(&folder), n_lines());
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "whoever looks at the tests should know"
)]
fn a_full_disk_costs_measurements_and_not_the_run() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("disk")).unwrap();
    let script = job(
        "let model = esm2(ROOT + \"/examples/models/esm2_t6_2M_demo\", #{ device: \"mock\" });
        options.metrics_every = 1; options.output = \"out.parquet\";
        for n in 0..20 { options.overwrite = n > 0; embed(model, proteins, options); }",
    );
    let mount = "mount -t tmpfs -o size=64k tmpfs disk || exit; echo mounted
        exec \"$0\" exec --json job.rhai --trace disk/t.json --metrics disk/m.jsonl";
    fs::write(folder.path().join("job.rhai"), script).unwrap();
    let done = Command::new("unshare")
        .args(["-m", "sh", "-c", mount, RUNNER])
        .current_dir(folder.path())
        .output();
    let done = match done {
        Ok(done) if done.stdout.starts_with(b"mounted") => done,
        _ => {
            println!("skipped: only root can mount a small disk, and not everywhere");
            return;
        }
    };
    let stderr = text(&done.stderr);
    assert_eq!(done.status.code(), Some(7), "{stderr}");
    assert!(folder.path().join("out.parquet").exists());
    let mut files: Vec<_> = stderr
        .lines()
        .filter_map(|line| line.split_once("write measurements to `"))
        .filter(|(_, rest)| rest.contains("the run goes on without this file"))
        .filter_map(|(_, rest)| Some(rest.split_once('`')?.0))
        .collect();
    files.sort_unstable();
    assert_eq!(files, ["disk/m.jsonl", "disk/t.json"], "{stderr}");
}

/// Log lines without what differs from run to run.
fn normalised(log: &str) -> Vec<String> {
    let lines = log.lines().filter(|line| line.contains("runner::metrics"));
    lines
        .map(|line| {
            let line = &line[line.find("INFO").unwrap()..];
            let no_digits = line
                .chars()
                .map(|c| if c.is_ascii_digit() { '0' } else { c });
            let mut text: String = no_digits.collect();
            while text.contains("00") {
                text = text.replace("00", "0");
            }
            text.trim_end().to_owned()
        })
        .collect()
}

#[test]
fn logs_are_the_same_with_and_without_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let script = job("embed(model, proteins, options);");
    let flags = ["-v", "--color", "never"];
    let plain = exec(&folder, &flags, &script);
    let plain = normalised(&text(&plain.stderr));

    let pty = openpty(None, None).unwrap();
    let mut child = command(&folder, &flags, &script)
        .env("TERM", "xterm")
        .stderr(Stdio::from(pty.slave))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut drawn = Vec::new();
    // The end of a terminal is an error.
    let _ = File::from(pty.master).read_to_end(&mut drawn);
    child.wait().unwrap();
    let drawn = text(&drawn);
    assert!(drawn.contains("packing"), "the bars were drawn: {drawn}");
    // What moves the cursor and clears lines is no content.
    let mut content = String::new();
    let mut rest = drawn.as_str();
    while let Some(start) = rest.find('\u{1b}') {
        content += &rest[..start];
        let end = rest[start + 2..].find(|c: char| c.is_ascii_alphabetic());
        rest = &rest[start + 2 + end.unwrap() + 1..];
    }
    content += rest;
    let content = content.replace('\r', "\n");
    let on_terminal = normalised(&content);
    assert!(plain.len() >= 2, "{plain:?}");
    assert_eq!(on_terminal, plain);
}

#[test]
fn the_example_runs() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(RUNNER)
        .args(["-q", "exec", "examples/watching.rhai", "--"])
        .arg(folder.path())
        .current_dir(ROOT)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("verdict  good"),
        "{}",
        text(&output.stdout)
    );
    let checked = Command::new(RUNNER)
        .args(["check", "examples/watching.rhai"])
        .current_dir(ROOT)
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    for name in ["run.html", "run.csv", "trace.json"] {
        assert!(
            folder.path().join(name).metadata().unwrap().len() > 100,
            "{name}"
        );
    }
}
