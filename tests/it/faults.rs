//! Devices that fail: the others go on, and the output is what it would have been.

use crate::{DEMO, RUNNER, child::finish};
use runner::embeddings::Embeddings;
use serde_json::Value;
use std::{collections::BTreeSet, fmt::Write, fs, path::PathBuf, process::Command};
use tempfile::TempDir;

const OK: i32 = 0;
const DEVICE: i32 = 6;
const BUG: i32 = 70;

/// A folder with an input of 600 proteins, which are some 150 batches.
struct Place(TempDir);

/// What a script left behind.
struct Done {
    exit_code: i32,
    stdout: String,
    events: Vec<Value>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut text = String::new();
        for n in 0..600 {
            let sequence = &"MKVLAAGICDEFHNPQRSTWY".repeat(20)[n % 21..][..150 + n * 37 % 200];
            writeln!(text, ">p{n}\n{sequence}").unwrap();
        }
        fs::write(folder.path().join("in.fa"), text).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a script, which must end.
    fn run(&self, script: &str) -> Done {
        let begin = format!(
            "fn on_mock(mock) {{ esm2(\"{DEMO}\", #{{ device: \"mock\", mock: mock }}) }}
            fn run(model, output, options) {{
                options += #{{ token_budget: 1024, output: output }};
                embed(model, fasta(\"in.fa\"), options)
            }}\n"
        );
        fs::write(self.path("job.rhai"), begin + script).unwrap();
        let mut command = Command::new(RUNNER);
        command
            .args(["exec", "--json", "job.rhai"])
            .current_dir(self.0.path())
            .env_remove("RUST_LOG");
        let output = finish(&mut command, b"");
        let stderr = String::from_utf8(output.stderr).unwrap();
        let events = stderr.lines().map(|line| {
            let event = serde_json::from_str(line);
            event.unwrap_or_else(|_| panic!("no event: {stderr}"))
        });
        Done {
            exit_code: output.status.code().expect("it ends by itself"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            events: events.collect(),
        }
    }

    /// The ids and the bits of an output.
    fn content(&self, name: &str) -> (Vec<String>, Vec<u32>) {
        let embeddings = Embeddings::read(&self.path(name)).unwrap();
        let rows = 0..embeddings.len();
        let bits = rows.flat_map(|row| embeddings.vector(row).iter().map(|value| value.to_bits()));
        let bits = bits.collect();
        (embeddings.ids().to_vec(), bits)
    }

    fn undisturbed(&self) -> (Vec<String>, Vec<u32>) {
        let done = self.run("run(on_mock(#{}), \"undisturbed.parquet\", #{});");
        assert_eq!(done.exit_code, OK, "{:?}", done.events);
        let content = self.content("undisturbed.parquet");
        assert_eq!(content.0.len(), 600);
        content
    }
}

impl Done {
    fn warnings(&self) -> Vec<&str> {
        let warnings = self
            .events
            .iter()
            .filter(|event| event["event"] == "warning");
        warnings
            .map(|event| event["message"].as_str().unwrap())
            .collect()
    }

    fn sum(&self, kind: &str, key: &str) -> u64 {
        let of_kind = self.events.iter().filter(|event| event["event"] == kind);
        of_kind.map(|event| event[key].as_u64().unwrap()).sum()
    }

    /// Number, device and batches of each lane that failed.
    fn failed_lanes(&self) -> Vec<(u64, &str, u64)> {
        let of_lane = self.events.iter();
        let of_lane = of_lane.filter(|event| event["event"] == "lane_failed");
        let told = of_lane.map(|event| {
            let number = |key: &str| event[key].as_u64().unwrap();
            assert!(!event["reason"].as_str().unwrap().is_empty());
            (
                number("lane"),
                event["device"].as_str().unwrap(),
                number("batches"),
            )
        });
        told.collect()
    }

    fn n_restarts(&self) -> usize {
        let events = self.events.iter();
        events
            .filter(|event| event["event"] == "restarting")
            .count()
    }

    fn failure(&self) -> &Value {
        let failed = self.events.iter().find(|event| event["event"] == "failed");
        failed.unwrap()
    }

    fn error(&self) -> &str {
        self.failure()["message"].as_str().unwrap()
    }
}

const FAULTS: [&str; 4] = ["lost", "lost in flight", "memory", "panic"];

#[test]
fn the_lanes_that_are_left_come_to_the_same_output() {
    let place = Place::new();
    let undisturbed = place.undisturbed();
    for fault in FAULTS {
        for (fail_lanes, fail_after, options) in [
            (1, 0, "#{}"),
            (1, 20, "#{ prefetch: 1 }"),
            (2, 0, "#{}"),
            (2, 30, "#{ overlap: false }"),
        ] {
            let script = format!(
                "let mock = #{{
                    lanes: 3, jitter: 1.0, tokens_per_sec: 1_000_000,
                    fail_lanes: {fail_lanes}, fail_after: {fail_after}, fail_with: \"{fault}\",
                }};
                let run = run(on_mock(mock), \"out.parquet\", {options} + #{{ overwrite: true, resume: false }});
                print(`${{run.failed_lanes}} ${{run.sequences}} ${{run.records}}`);
                print(run);"
            );
            let what = format!("{fault} {fail_lanes} {fail_after} {options}");
            let done = place.run(&script);
            assert_eq!(done.exit_code, OK, "{what}: {:?}", done.events);
            let expect = format!("{fail_lanes} 600 600\n");
            assert!(done.stdout.starts_with(&expect), "{what}: {}", done.stdout);
            let expect = format!("devices  {fail_lanes} failed, the others took over");
            assert!(done.stdout.contains(&expect), "{what}: {}", done.stdout);
            assert!(place.content("out.parquet") == undisturbed, "{what}");
            // Each sequence is computed, counted and written once.
            assert_eq!(done.sum("batch_encoded", "sequences"), 600, "{what}");
            assert_eq!(done.sum("rows_written", "rows"), 600, "{what}");
            let warnings = done.warnings();
            assert_eq!(warnings.len(), fail_lanes, "{what}: {warnings:?}");
            for (lane, warning) in warnings.iter().enumerate() {
                let said = match fault {
                    "memory" => "the GPU is out of memory: the mock device was told to fail",
                    "panic" => "its encoding thread panicked: the mock device was told to panic",
                    _ => "the mock device was told to be lost",
                };
                assert!(warning.contains(said), "{what}: {warning}");
                let named =
                    (0..3).any(|lane| warning.starts_with(&format!("mock:{lane} failed, ")));
                assert!(named, "{what} {lane}: {warning}");
            }
            // The first lanes are those that fail.
            let failed: BTreeSet<u64> = (done.failed_lanes().iter())
                .map(|(lane, device, _)| {
                    assert_eq!(*device, format!("mock:{lane}"), "{what}");
                    *lane
                })
                .collect();
            assert_eq!(failed, (0..fail_lanes as u64).collect(), "{what}");
            for lane in 0..3 {
                let line = format!("lane     mock:{lane} failed: ");
                let expect = lane < fail_lanes;
                assert_eq!(
                    done.stdout.contains(&line),
                    expect,
                    "{what}: {}",
                    done.stdout
                );
            }
        }
    }
}

#[test]
fn the_last_batch_of_a_run_is_taken_over() {
    let place = Place::new();
    let undisturbed = place.undisturbed();
    // The others have nothing left to do when the slow lane fails with what it has.
    for fault in FAULTS {
        for take in [1, 5, 9] {
            let script = format!(
                "let mock = #{{ lanes: 3, tokens_per_sec: 20_000, fail_lanes: 1, fail_with: \"{fault}\" }};
                let run = embed(on_mock(mock), fasta(\"in.fa\").take({take}), #{{
                    token_budget: 1024, output: \"{fault}{take}.parquet\",
                }});
                print(run.sequences);"
            );
            let done = place.run(&script);
            assert_eq!(done.exit_code, OK, "{fault}: {:?}", done.events);
            assert_eq!(done.stdout, format!("{take}\n"));
            let (ids, bits) = place.content(&format!("{fault}{take}.parquet"));
            assert_eq!(ids, undisturbed.0[..take], "{fault}");
            assert_eq!(bits, undisturbed.1[..bits.len()], "{fault}");
        }
    }
}

#[test]
fn where_no_lane_is_left_the_next_run_goes_on() {
    let place = Place::new();
    let undisturbed = place.undisturbed();
    for fault in FAULTS {
        for lanes in [1, 3] {
            let output = format!("{fault}{lanes}.parquet");
            let run = |fail_lanes: usize| {
                place.run(&format!(
                    "let mock = #{{
                        lanes: {lanes}, jitter: 0.5, tokens_per_sec: 1_000_000,
                        fail_lanes: {fail_lanes}, fail_after: 30, fail_with: \"{fault}\",
                    }};
                    let run = run(on_mock(mock), \"{output}\", #{{}});
                    print(`${{run.resumed > 20}} ${{run.failed_lanes}} ${{run.resumed + run.sequences}}`);"
                ))
            };
            let what = format!("{fault}, {lanes} lanes");
            let done = run(lanes);
            if lanes > 1 && fault.starts_with("lost") {
                // Another process has the devices again, and goes on by itself.
                assert_eq!(done.exit_code, OK, "{what}: {:?}", done.events);
                assert!(done.stdout.starts_with("true ") && done.stdout.ends_with(" 600\n"));
                assert_eq!(done.n_restarts(), 1, "{what}: {:?}", done.events);
                assert!(place.content(&output) == undisturbed, "{what}");
                continue;
            }
            let expect = if fault == "panic" { BUG } else { DEVICE };
            assert_eq!(done.exit_code, expect, "{what}: {:?}", done.events);
            let said = match fault {
                "panic" => "the encoding thread panicked",
                "memory" => "out of memory",
                _ => "told to be lost",
            };
            assert!(done.error().contains(said), "{what}: {}", done.error());
            assert_eq!(done.failed_lanes().len(), lanes, "{what}");
            if lanes > 1 {
                let expect = format!("all {lanes} devices failed, the first one with: ");
                assert!(
                    done.error().starts_with(&expect),
                    "{what}: {}",
                    done.error()
                );
                let hint = done.failure()["hint"].as_str().unwrap();
                assert!(
                    hint.starts_with("run the same command again to go on"),
                    "{what}: {hint}"
                );
            }
            let failed = "failed, ";
            let n_warned = done
                .warnings()
                .iter()
                .filter(|text| text.contains(failed))
                .count();
            assert_eq!(n_warned, lanes - 1, "{what}: {:?}", done.warnings());
            let done = run(0);
            assert_eq!(done.exit_code, OK, "{what}: {:?}", done.events);
            assert_eq!(done.stdout, "true 0 600\n", "{what}");
            assert!(place.content(&output) == undisturbed, "{what}");
        }
    }
}

#[test]
fn devices_that_are_lost_again_and_again_end_the_run() {
    let place = Place::new();
    let script = |fail_lanes: usize| {
        format!(
            "let mock = #{{ lanes: 2, tokens_per_sec: 1_000_000, fail_lanes: {fail_lanes}, fail_after: 12 }};
            let run = run(on_mock(mock), \"out.parquet\", #{{ commit_every: 0.01 }});
            print(run.resumed > 60);"
        )
    };
    let done = place.run(&script(2));
    assert_eq!(
        (done.exit_code, done.n_restarts()),
        (DEVICE, 3),
        "{:?}",
        done.events
    );
    assert_eq!(done.stdout, "");
    let done = place.run(&script(0));
    assert_eq!((done.exit_code, done.n_restarts()), (OK, 0));
    assert_eq!(done.stdout, "true\n", "each attempt came further");
    assert!(place.content("out.parquet") == place.undisturbed());
}

#[test]
fn a_device_that_is_lost_takes_part_in_no_later_run() {
    let place = Place::new();
    let check = |fault: &str, fail_lanes: usize, expect: &str| {
        let script = format!(
            "let mock = #{{
                lanes: 3, tokens_per_sec: 1_000_000,
                fail_lanes: {fail_lanes}, fail_after: 4, fail_with: \"{fault}\",
            }};
            let model = on_mock(mock);
            let table = sweep(\"devices\");
            for n in 0..3 {{
                table.run(#{{ n: n }}, || {{
                    let made = run(model, (), #{{}});
                    print(`${{made.failed_lanes}} ${{made.sequences}}`);
                    made
                }});
            }}
            model.unload();
            print(run(model, (), #{{}}).sequences);"
        );
        let done = place.run(&script);
        assert_eq!(done.stdout, expect, "{fault}: {:?}", done.events);
        assert_eq!(done.exit_code, OK, "{fault}");
    };
    // A model that is loaded anew has its devices again: it is the mock that forgets.
    let expect = "2 600\n0 600\n0 600\n600\n";
    check("lost", 2, expect);
    check("lost in flight", 2, expect);
    check("panic", 2, expect);
    check("memory", 2, expect);
}

#[test]
fn a_script_with_no_device_left_says_why() {
    let place = Place::new();
    let script = "let mock = #{ lanes: 2, fail_lanes: 2, fail_after: 4 };
        let model = on_mock(mock);
        try { run(model, \"out.parquet\", #{}); } catch (err) { print(err.kind); }
        try { run(model, \"out.parquet\", #{}); } catch (err) { print(err.kind); print(err.message); }";
    let done = place.run(script);
    assert_eq!(done.exit_code, OK, "{:?}", done.events);
    let lines: Vec<_> = done.stdout.lines().collect();
    assert_eq!(lines[..2], ["device", "device"]);
    assert!(
        lines[2].contains("no device of the model works any more: mock: cannot compute a batch"),
        "{lines:?}"
    );
    assert_eq!(lines[2].matches("told to be lost").count(), 2, "{lines:?}");
}

#[test]
fn lanes_have_the_same_numbers_in_all_runs() {
    let place = Place::new();
    let script = "metrics(\"run.csv\");
        prometheus(\"run.prom\");
        let mock = #{ lanes: 3, tokens_per_sec: 200_000, fail_lanes: 1, fail_after: 4 };
        let model = on_mock(mock);
        for n in 0..2 {
            let made = run(model, (), #{ metrics_every: 1, monitor_hz: 10 });
            for lane in made.lanes {
                print(`${n} ${lane.device} ${lane.state} ${lane.batches > 0} ${lane.encoder_idle == ()}`);
            }
            print(made);
        }";
    let done = place.run(script);
    assert_eq!(done.exit_code, OK, "{:?}", done.events);
    let lanes: Vec<_> = (done.stdout.lines())
        .filter(|line| line.starts_with("0 ") || line.starts_with("1 "))
        .collect();
    let expect = [
        "0 mock:0 failed true false",
        "0 mock:1 worked true false",
        "0 mock:2 worked true false",
        "1 mock:0 failed false true",
        "1 mock:1 worked true false",
        "1 mock:2 worked true false",
    ];
    assert_eq!(lanes, expect);
    assert_eq!(
        done.stdout.matches(" mock:0 failed: ").count(),
        2,
        "{}",
        done.stdout
    );
    assert!(
        done.stdout.contains(", added up over 3 devices"),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout.contains(", added up over 2 devices"),
        "{}",
        done.stdout
    );
    // In the second run the first device counts nothing, and the others have their numbers.
    let metrics = fs::read_to_string(place.path("run.csv")).unwrap();
    let rows: Vec<Vec<_>> = (metrics.lines())
        .map(|line| line.split(',').collect())
        .collect();
    let column = |name: &str| rows[0].iter().position(|other| *other == name).unwrap();
    let counting: BTreeSet<_> = (rows.iter())
        .filter(|row| row[column("run")] == "2" && !row[column("tokens")].is_empty())
        .map(|row| row[column("gpu")])
        .collect();
    assert_eq!(counting, ["", "1", "2"].into());
    assert!(
        rows[1..].iter().all(|row| row[column("tflops")].is_empty()),
        "of no mock device"
    );
    let gauges = fs::read_to_string(place.path("run.prom")).unwrap();
    for (label, expect) in [
        ("gpu=\"0\"", false),
        ("gpu=\"1\",device=\"mock:1\"", true),
        ("gpu=\"2\",device=\"mock:2\"", true),
    ] {
        assert_eq!(gauges.contains(label), expect, "{label}: {gauges}");
    }
}
