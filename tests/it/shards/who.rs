//! Who says which shard a process is, and what cannot be divided.

use super::place::{N_RECORDS, Place};

const COUNT: &str = "let run = embed(model, proteins); print(`${run.records} ${run.shard}`);";
const TASK: [(&str, &str); 4] = [
    ("SLURM_ARRAY_TASK_ID", "3"),
    ("SLURM_ARRAY_TASK_MIN", "1"),
    ("SLURM_ARRAY_TASK_COUNT", "4"),
    ("SLURM_ARRAY_TASK_STEP", "1"),
];

#[test]
fn a_process_is_the_shard_that_it_is_told_to_be() {
    let place = Place::new();
    let check = |flags: &[&str], env: &[(&str, &str)], shard: Option<&str>, by: &str| {
        let left = place.run("exec", flags, env, COUNT);
        assert_eq!(left.code, Some(0), "{}", left.stderr);
        let (n_records, found) = left.stdout.trim_end_matches('\n').split_once(' ').unwrap();
        assert_eq!(found, shard.unwrap_or_default(), "{flags:?} {env:?}");
        let n_records: usize = n_records.parse().unwrap();
        let is_whole = n_records == N_RECORDS;
        assert_eq!(is_whole, shard.is_none(), "{n_records}");
        match shard {
            Some(shard) => {
                let told = format!("shard {shard} ({by})");
                assert!(left.stderr.starts_with(&told), "{}", left.stderr);
            }
            None => assert!(!left.stderr.contains("shard"), "{}", left.stderr),
        }
        n_records
    };
    let n_of = |n: usize| {
        check(
            &["--shard", &format!("{n}/4")],
            &[],
            Some(&format!("{n}/4")),
            "--shard",
        )
    };
    assert_eq!((0..4).map(n_of).sum::<usize>(), N_RECORDS);
    check(&[], &[("RUNNER_SHARD", "1/4")], Some("1/4"), "RUNNER_SHARD");
    check(&[], &TASK, Some("2/4"), "SLURM_ARRAY_TASK_ID 3");
    let process = [
        ("SLURM_PROCID", "1"),
        ("SLURM_NTASKS", "2"),
        ("SLURM_STEP_ID", "0"),
    ];
    check(&[], &process, Some("1/2"), "SLURM_PROCID 1");
    let both = [&TASK[..], &process].concat();
    check(
        &[],
        &both,
        Some("5/8"),
        "SLURM_ARRAY_TASK_ID 3, SLURM_PROCID 1",
    );
    check(&["--shard", "0/1"], &both, None, "");
    // The batch script of a job of two tasks.
    check(&[], &process[..2], None, "");
}

#[test]
fn programs_and_the_run_are_told_too() {
    let place = Place::new();
    let script = "print(embed(model, proteins));";
    let left = place.run("exec", &["--json"], &TASK, script);
    let events = [
        r#"{"event":"shard","shard":"2/4","by":"SLURM_ARRAY_TASK_ID 3"}"#,
        r#""shard":"2/4","readers":"#,
    ];
    for event in events {
        assert!(left.stderr.contains(event), "{event}\n{}", left.stderr);
    }
    assert!(left.stdout.contains("read; shard 2/4"), "{}", left.stdout);
}

#[test]
fn a_check_says_which_shard_it_is() {
    let place = Place::new();
    let left = place.run("check", &[], &TASK, COUNT);
    let told = "; shard 2/4 (SLURM_ARRAY_TASK_ID 3)";
    assert!(left.stdout.contains(told), "{}", left.stdout);
    let left = place.run("check", &["--json"], &TASK, COUNT);
    let told = r#""shard":"2/4","shard_by":"SLURM_ARRAY_TASK_ID 3""#;
    assert!(left.stdout.contains(told), "{}", left.stdout);
    let left = place.run("check", &["--json"], &[], COUNT);
    assert!(!left.stdout.contains("shard"), "{}", left.stdout);
}

#[test]
fn nonsense_is_a_matter_of_usage() {
    let place = Place::new();
    for verb in ["exec", "check"] {
        for (flags, env, part) in [
            (
                &["--shard", "4/4"][..],
                ("A", ""),
                "the shards of 4 are 0 to 3",
            ),
            (&["--shard", "x"], ("A", ""), "is no shard"),
            (
                &[],
                ("RUNNER_SHARD", "4/4"),
                "RUNNER_SHARD: there is no shard 4 of 4",
            ),
            (
                &[],
                ("SLURM_ARRAY_TASK_ID", "1"),
                "SLURM_ARRAY_TASK_COUNT is not",
            ),
        ] {
            let left = place.run(verb, flags, &[env], COUNT);
            assert_eq!(left.code, Some(2), "{}", left.stderr);
            assert!(left.stderr.contains(part), "{part}: {}", left.stderr);
            assert_eq!(left.stdout, "");
        }
    }
}

#[test]
fn what_cannot_be_divided_is_refused_by_a_check_too() {
    let place = Place::new();
    for verb in ["exec", "check"] {
        let refused = |env: &[(&str, &str)], script: &str, code: i32, parts: &[&str]| {
            let left = place.run(verb, &[], env, script);
            assert_eq!(left.code, Some(code), "{verb}: {}", left.stderr);
            for part in parts {
                assert!(left.stderr.contains(part), "{part}: {}", left.stderr);
            }
        };
        let shard = [("RUNNER_SHARD", "0/2")];
        let fifo = place.path("pipe.fa");
        if !fifo.exists() {
            nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        }
        let pipe = "embed(model, fasta(\"pipe.fa\"));";
        refused(
            &shard,
            pipe,
            4,
            &[
                "pipe.fa",
                "a pipe cannot be divided among shards",
                "`--shard 0/1`",
            ],
        );
        let take = "embed(model, proteins.take(5));";
        refused(
            &shard,
            take,
            3,
            &["`take` counts records", "leave `.take(n)` out"],
        );
        refused(&[("RUNNER_SHARD", "0/1")], take, 0, &[]);
    }
}
