//! Files that each shard writes for itself.

use super::place::Place;
use std::{fs, thread};

const SCRIPT: &str = r#"
    report("report.html");
    trace("trace.json");
    let table = sweep("points", #{ folder: "sweeps" });
    for readers in [1, 2] {
        table.run(#{ readers: readers }, || embed(model, proteins, #{ readers: readers }));
    }
    table.save("table.csv");
    table.plot("table.html");
"#;
const FLAGS: [&str; 4] = ["--metrics", "metrics.csv", "--prometheus", "gauges.prom"];
const FILES: [&str; 8] = [
    "gauges.SHARD.prom",
    "metrics.SHARD.csv",
    "report.SHARD.html",
    "sweeps/points.SHARD.csv",
    "sweeps/points.SHARD.parquet",
    "table.SHARD.csv",
    "table.SHARD.html",
    "trace.SHARD.json",
];

#[test]
fn each_shard_has_files_of_its_own() {
    let place = Place::new();
    // A file of a run that is no shard, or of another program, is nobody's business here.
    fs::write(place.path("report.html"), "mine").unwrap();
    let run = |n: usize| {
        place.run(
            "exec",
            &FLAGS,
            &[("RUNNER_SHARD", &format!("{n}/2"))],
            SCRIPT,
        )
    };
    thread::scope(|scope| {
        let running = [0, 1].map(|n| scope.spawn(move || run(n)));
        for left in running {
            let left = left.join().unwrap();
            assert_eq!(left.code, Some(0), "{}", left.stderr);
        }
    });
    let mut expect = vec!["report.html".to_owned(), "sweeps".to_owned()];
    for shard in ["shard-00000-of-00002", "shard-00001-of-00002"] {
        expect.extend(FILES.map(|name| name.replace("SHARD", shard)));
    }
    expect.sort();
    assert_eq!(place.names(), expect);
    let page = fs::read_to_string(place.path("report.shard-00001-of-00002.html")).unwrap();
    assert!(
        page.contains("shard</dt><dd>1&#x2f;2</dd>"),
        "it says which shard it is about"
    );
    assert!(page.contains("<h1>job.rhai, shard 1&#x2f;2</h1>"), "{page}");
    // All shards of a machine may be collected together.
    for n in [0, 1] {
        let name = format!("gauges.shard-0000{n}-of-00002.prom");
        let gauges = fs::read_to_string(place.path(&name)).unwrap();
        let series = gauges.lines().filter(|line| !line.starts_with('#'));
        let label = format!("shard=\"{n}/2\"");
        assert!(series.clone().count() > 10 && series.clone().all(|line| line.contains(&label)));
    }
    // A sweep that is run again takes its own points over.
    let table =
        || fs::read_to_string(place.path("sweeps/points.shard-00001-of-00002.csv")).unwrap();
    let before = table();
    assert_eq!(run(1).code, Some(0));
    assert_eq!(table(), before);
}

#[test]
fn files_of_others_are_not_replaced() {
    let place = Place::new();
    let path = place.path("report.shard-00000-of-00002.html");
    fs::write(&path, "mine").unwrap();
    for verb in ["exec", "check"] {
        let left = place.run(verb, &[], &[("RUNNER_SHARD", "0/2")], SCRIPT);
        assert_eq!(left.code, Some(3), "{}", left.stderr);
        let part = "report.shard-00000-of-00002.html";
        assert!(left.stderr.contains(part), "{}", left.stderr);
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    assert_eq!(place.names(), ["report.shard-00000-of-00002.html"]);
}
