//! The cores of a CPU: how many are used, what that costs, and that nothing else depends on it.

use crate::{
    DEMO, RUNNER,
    child::finish,
    resume::{job::proteins, running::read},
};
use runner::embeddings::Embeddings;
use std::{fs, path::PathBuf, process::Command};
use tempfile::TempDir;

const PLAN: i32 = 3;
const REJECTED: i32 = 7;

/// A folder with an input, in which scripts run.
struct Place(TempDir);

/// What a script left behind.
struct Done {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Place {
    fn new(n_proteins: usize) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::write(place.path("in.fa"), proteins(n_proteins)).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a script with what stands before the program, which knows only these variables of Slurm and the like.
    fn run(&self, before: &[&str], variables: &[(&str, &str)], script: &str) -> Done {
        fs::write(self.path("job.rhai"), script).unwrap();
        let words: Vec<&str> = [before, &[RUNNER, "exec", "-q", "job.rhai"]].concat();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .current_dir(self.0.path())
            .env_remove("SLURM_CPUS_PER_TASK")
            .env_remove("RAYON_NUM_THREADS")
            .env_remove("RUST_LOG")
            .envs(variables.iter().copied());
        let output = finish(&mut command, b"");
        Done {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A model on the CPU.
fn model(options: &str) -> String {
    format!("let model = esm2({DEMO:?}, #{{ device: \"cpu\", {options} }});\n")
}

/// The first processor that this process may use.
fn first_processor() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mut lines = status.lines();
    let list = lines.find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let first = list.unwrap().trim().split([',', '-']).next();
    first.unwrap().to_owned()
}

#[test]
fn threads_and_lanes_change_no_bit() {
    let place = Place::new(70);
    let outputs = [
        "threads: 1",
        "threads: 3, cpu_lanes: 1",
        "threads: 4",
        "threads: 3, cpu_lanes: 2",
    ]
    .map(|options| {
        let script = model(options)
            + "let proteins = fasta(\"in.fa\").min_length(10).long_sequences(\"truncate\", 300);
            let run = embed(model, proteins, #{ output: \"out.parquet\", overwrite: true, token_budget: 512 });
            print(run.batches);";
        let done = place.run(&[], &[], &script);
        assert_eq!(done.code, Some(REJECTED), "{options}: {}", done.stderr);
        // Several for each of them.
        let n_batches: usize = done.stdout.trim().parse().unwrap();
        assert!(n_batches > 16, "{options}: {n_batches}");
        let found = Embeddings::read(&place.path("out.parquet")).unwrap();
        let bits = |row| {
            let values = found.vector(row).iter();
            values
                .map(|value: &f32| value.to_bits())
                .collect::<Vec<_>>()
        };
        let rows: Vec<_> = (0..found.ids().len()).map(bits).collect();
        let rejects = read(&place.path("out.parquet.rejects.tsv"));
        assert!(rejects.lines().count() > 5, "{options}: {rejects}");
        (options, found.ids().to_vec(), rows, rejects)
    });
    let (_, ids, rows, rejects) = &outputs[0];
    assert!(ids.len() > 50);
    for (options, other_ids, other_rows, other_rejects) in &outputs[1..] {
        assert_eq!(other_ids, ids, "{options}");
        assert!(other_rows == rows, "{options}: other bits");
        assert_eq!(other_rejects, rejects, "{options}");
    }
}

#[test]
fn there_are_as_many_threads_as_the_process_is_given_cores() {
    let place = Place::new(1);
    let processor = first_processor();
    let on_one = ["taskset", "-c", &processor];
    let check = |before: &[&str], variables: &[(&str, &str)], options: &str, expect: &str| {
        let done = place.run(
            before,
            variables,
            &(model(options) + "print(model.device);"),
        );
        let what = format!("{before:?} {variables:?} {options}: {}", done.stderr);
        assert_eq!((done.code, done.stdout.trim()), (Some(0), expect), "{what}");
    };
    check(&on_one, &[], "", "CPU (1 thread)");
    check(
        &on_one,
        &[("SLURM_CPUS_PER_TASK", "64")],
        "",
        "CPU (1 thread)",
    );
    check(&[], &[("SLURM_CPUS_PER_TASK", "1")], "", "CPU (1 thread)");
    check(&[], &[("RAYON_NUM_THREADS", "1")], "", "CPU (1 thread)");
    // Who says how many knows better.
    let slurm = [("SLURM_CPUS_PER_TASK", "1")];
    check(&[], &slurm, "threads: 3", "CPU (3 threads)");
    check(&on_one, &[], "threads: 2, cpu_lanes: 9", "CPU (2 threads)");
}

#[test]
fn a_variable_that_says_no_number_is_told() {
    let place = Place::new(1);
    for name in ["SLURM_CPUS_PER_TASK", "RAYON_NUM_THREADS"] {
        let variables = [(name, "many")];
        let done = place.run(&[], &variables, &model(""));
        assert_eq!(done.code, Some(6), "{name}");
        for part in [
            format!("{name} is \"many\", which is no number of threads"),
            "unset it, set it to a whole number, or give `threads`".to_owned(),
        ] {
            assert!(done.stderr.contains(&part), "{part}: {}", done.stderr);
        }
        // Who says how many asks no variable.
        let done = place.run(&[], &variables, &model("threads: 1"));
        assert_eq!(done.code, Some(0), "{name}: {}", done.stderr);
    }
}

#[test]
fn there_is_one_thread_at_least() {
    let place = Place::new(1);
    let done = place.run(&[], &[], &model("threads: 0, cpu_lanes: \"x\""));
    assert_eq!(done.code, Some(PLAN), "{}", done.stderr);
    for part in [
        "`threads` is 0, but must be a whole number from 1 to",
        "`cpu_lanes` is \"x\", but must be a whole number from 1 to",
    ] {
        assert!(done.stderr.contains(part), "{part}: {}", done.stderr);
    }
}

#[test]
fn each_lane_has_memory_for_its_batch_and_no_more() {
    const BUDGET: u64 = 2048;
    // Of a layer, a token has its input, that normalised, queries, keys and values, what attention makes of them, the sum
    // of both, that normalised and the output: nine times the hidden size, and twelve with what is kept for the next batch
    // and is a little too large.
    const BYTES_OF_TOKEN: u64 = 12 * 160 * 4;
    // What a task of a feed-forward layer has between its two products, and what attention has of a head.
    const BESIDE: u64 = 2 << 20;
    // What threads have that compute no batch of their own, and how much two runs differ.
    const HELPERS: u64 = 8 << 20;
    let place = Place::new(75);
    let peak = |options: &str| -> u64 {
        let script = format!(
            "{}let run = embed(model, fasta(\"in.fa\"), #{{ token_budget: {BUDGET}, readers: 1 }});
             print(`${{run.batches}} ${{run.peak_memory_bytes}}`);",
            model(options)
        );
        let done = place.run(&[], &[], &script);
        assert_eq!(done.code, Some(0), "{options}: {}", done.stderr);
        let (n_batches, bytes) = done.stdout.trim().split_once(' ').unwrap();
        assert!(n_batches.parse::<u64>().unwrap() > 8, "{n_batches}");
        bytes.parse().unwrap()
    };
    let of_a_lane = BUDGET * BYTES_OF_TOKEN + BESIDE;
    let one = peak("threads: 1");
    for (options, lanes) in [("threads: 4", 4), ("threads: 4, cpu_lanes: 1", 1)] {
        let most = one + (lanes - 1) * of_a_lane + HELPERS;
        let found = peak(options);
        assert!(found < most, "{options}: {found} bytes, at most {most}");
    }
}

#[test]
fn the_doctor_counts_the_cores_that_models_take() {
    let doctor = |told: &str| {
        let mut command = Command::new(RUNNER);
        command.arg("doctor").env("SLURM_CPUS_PER_TASK", told);
        let output = finish(&mut command, b"");
        String::from_utf8(output.stdout).unwrap()
    };
    let line = |text: &str| {
        let mut lines = text.lines();
        let line = lines.find(|line| line.contains(" cores "));
        line.unwrap_or_else(|| panic!("no cores: {text}"))
            .to_owned()
    };
    let one = line(&doctor("1"));
    assert!(
        one.contains(" 1 core of ") || one.contains(" 1 of "),
        "{one}"
    );
    let rubbish = line(&doctor("4(x2)"));
    let expect = "SLURM_CPUS_PER_TASK is \"4(x2)\", which is no number of threads";
    assert!(rubbish.contains(expect), "{rubbish}");
}
