//! What a sweep finds, keeps and says.

use super::{Better, Row, Sweep, row::value_of};
use crate::{
    hint::Hint,
    job::{OptionMap, SweepPlan},
    report::RunSummary,
};
use std::{fs, num::NonZeroUsize, path::Path};

/// A run of 1,000 tokens that took `seconds`.
pub(super) fn summary(seconds: f64) -> RunSummary {
    RunSummary {
        records: 10,
        sequences: 9,
        rejected: 1,
        residues: 982,
        tokens: 1_000,
        batches: 1,
        packing_fill: 0.25,
        seconds,
        encoder_seconds: seconds / 2.0,
        wait_seconds: seconds / 4.0,
        tflops: Some(1.0),
        peak_memory_bytes: 1 << 20,
        ..RunSummary::default()
    }
}

fn params(values: &[(&str, &str)]) -> OptionMap {
    values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value_of(value)))
        .collect()
}

/// A point whose runs took so many seconds.
pub(super) fn measured(values: &[(&str, &str)], seconds: &[f64]) -> Row {
    let runs: Vec<_> = seconds.iter().map(|seconds| summary(*seconds)).collect();
    let runs: Vec<_> = runs.iter().collect();
    Row::measured(params(values), runs.len(), &runs, None)
}

/// A point that failed at once.
pub(super) fn failed(values: &[(&str, &str)], error: &str) -> Row {
    Row::measured(params(values), 1, &[], Some(error.to_owned()))
}

/// Five points, one of which failed.
pub(super) fn sweep() -> Sweep {
    let mut sweep = Sweep::new("readers");
    for row in [
        measured(&[("pooling", "mean"), ("readers", "1")], &[2.0, 2.1]),
        measured(&[("pooling", "mean"), ("readers", "2")], &[1.0, 1.0]),
        measured(&[("pooling", "max"), ("readers", "1")], &[1.9, 1.9]),
        measured(&[("pooling", "max"), ("readers", "2")], &[1.0, 1.1]),
        failed(&[("readers", "300")], "<b> & c\nat most 256"),
    ] {
        sweep.add(row).unwrap();
    }
    sweep
}

fn plan(folder: &Path, resume: bool) -> SweepPlan {
    SweepPlan {
        folder: Some(folder.to_owned()),
        resume,
        ..SweepPlan::new("readers")
    }
}

#[test]
fn the_best_in_both_directions() {
    let sweep = sweep();
    let check = |figure: &str, readers: &str, pooling: &str| {
        let best = sweep.best(figure, Better::of(figure).unwrap()).unwrap();
        let expect = params(&[("pooling", pooling), ("readers", readers)]);
        assert_eq!(best.params, expect, "{figure}");
    };
    check("tokens_per_sec", "2", "mean");
    check("seconds", "2", "mean");
    check("wait_seconds", "2", "mean");
    // The first one of equals.
    check("packing_fill", "1", "mean");
    assert_eq!(sweep.best("gpu_idle", Better::Smaller), None);
    let why = sweep.why_no_best("gpu_idle").to_string();
    assert!(why.contains("no point of the sweep `readers` has"), "{why}");

    let mut sweep = Sweep::new("a");
    let why = sweep.why_no_best("seconds").to_string();
    assert_eq!(why, "the sweep `a` has no points");
    sweep.add(failed(&[], "too large")).unwrap();
    assert_eq!(sweep.best("seconds", Better::Smaller), None);
    let why = sweep.why_no_best("seconds").to_string();
    assert!(why.ends_with("failed; the first one: too large"), "{why}");
}

#[test]
fn figures_are_means() {
    let row = measured(&[("readers", "1")], &[1.0, 2.0]);
    assert_eq!((row.repeat, row.n_ok), (2, 2));
    assert_eq!(row.figure("seconds"), Some(1.5));
    assert_eq!(row.figure("tokens_per_sec"), Some(750.0));
    let sd = row.tokens_per_sec_sd().unwrap();
    assert!((sd - 500.0 / 2.0_f64.sqrt()).abs() < 1e-9, "{sd}");
    assert_eq!(row.figure("gpu_idle"), None);
    assert_eq!(row.figure("colour"), None);
}

#[test]
fn a_sweep_as_text() {
    let text = sweep().to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "sweep readers: 5 points, 1 failed");
    let heads: Vec<_> = lines[1].split_whitespace().collect();
    let expect = [
        "pooling",
        "readers",
        "tokens/s",
        "relative",
        "sequences/s",
        "filled",
        "waited",
        "took",
    ];
    assert_eq!(heads, expect, "{text}");
    let cells: Vec<_> = lines[3].split_whitespace().collect();
    assert_eq!(
        cells[..6],
        ["*", "mean", "2", "1,000", "±", "0.0"],
        "{text}"
    );
    assert!(!lines[2].contains('*'), "{text}");
    assert!(
        lines[6].contains("300") && lines[6].contains("failed"),
        "{text}"
    );
    assert_eq!(
        lines[7],
        "* pooling mean, readers 2 was 2.05 ± 0.07 times faster than pooling mean, readers 1",
        "{text}"
    );
    assert_eq!(
        lines[8], "failed: readers 300: <b> & c at most 256",
        "{text}"
    );
    assert_eq!(Sweep::new("none").to_string(), "sweep none: 0 points");
}

#[test]
fn labels_leave_out_what_is_the_same() {
    let mut sweep = Sweep::new("a");
    for readers in ["1", "2"] {
        let seconds = if readers == "1" { 2.0 } else { 1.0 };
        let values = [("prefetch", "4"), ("readers", readers)];
        sweep.add(measured(&values, &[seconds])).unwrap();
    }
    let text = sweep.to_string();
    let expect = "\n* readers 2 was 2.00 times faster than readers 1";
    assert!(text.ends_with(expect), "{text}");
}

#[test]
fn a_lead_within_the_noise_is_called_so() {
    let mut sweep = Sweep::new("a");
    sweep.add(measured(&[("a", "1")], &[1.0, 2.0])).unwrap();
    sweep.add(measured(&[("a", "2")], &[1.0, 2.1])).unwrap();
    let text = sweep.to_string();
    assert!(text.ends_with(", which is no more than noise"), "{text}");
}

#[test]
fn resuming_skips_what_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("sweeps");
    let point = |readers: &str| params(&[("readers", readers)]);

    let mut first = Sweep::open(&plan(&folder, true)).unwrap();
    assert!(!first.take_finished(&point("1"), 1));
    for readers in ["1", "2"] {
        first
            .add(measured(&[("readers", readers)], &[1.5]))
            .unwrap();
    }
    first.add(failed(&[("readers", "300")], "no")).unwrap();
    let names = |folder: &Path| {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    assert_eq!(names(&folder), ["readers.csv", "readers.parquet"]);

    let mut second = Sweep::open(&plan(&folder, true)).unwrap();
    assert!(second.rows().is_empty());
    // Points may come in another order, and only those count that are really finished.
    assert!(second.take_finished(&point("2"), 1));
    assert!(!second.take_finished(&point("2"), 1));
    assert!(!second.take_finished(&point("300"), 1));
    assert!(!second.take_finished(&point("1"), 2));
    assert_eq!(second.rows(), &first.rows()[1..2]);
    let text = second.to_string();
    let expect = "sweep readers: 1 point, 1 from an earlier run\n";
    assert!(text.starts_with(expect), "{text}");

    // What was measured stays in the file until this run has come to it.
    let row = measured(&[("note", "x"), ("readers", "3")], &[1.0]);
    second.add(row).unwrap();
    let third = Sweep::open(&plan(&folder, true)).unwrap();
    let readers: Vec<_> = third.earlier.iter().map(|row| row.params.clone()).collect();
    let x3 = params(&[("note", "x"), ("readers", "3")]);
    assert_eq!(readers, [point("2"), x3, point("1"), point("300")]);

    let mut afresh = Sweep::open(&plan(&folder, false)).unwrap();
    assert!(!afresh.take_finished(&point("2"), 1));
    afresh.add(failed(&[("readers", "2")], "no")).unwrap();
    let text = fs::read_to_string(folder.join("readers.csv")).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn a_file_that_is_no_table_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("readers.csv");
    fs::write(&path, "id,name\n1,a\n").unwrap();
    let error = Sweep::open(&plan(folder.path(), true)).unwrap_err();
    assert!(
        error.to_string().contains("is no table of a sweep"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "id,name\n1,a\n");
}

#[test]
fn saving_goes_by_the_ending() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, begins: &[u8]| {
        let path = folder.path().join(name);
        assert_eq!(Sweep::check_ending(&path), Ok(()));
        sweep().save(&path).unwrap();
        assert!(fs::read(&path).unwrap().starts_with(begins), "{name}");
    };
    check("a.csv", b"param.pooling,param.readers,repeat,");
    check("a.parquet", b"PAR1");
    for name in ["a.txt", "csv", "a.csv.gz"] {
        let problems = Sweep::check_ending(Path::new(name)).unwrap_err();
        assert!(problems.in_full().contains("end it with `.csv`"));
    }
}

#[test]
fn more_repeats_than_one() {
    let mut plan = SweepPlan::new("a");
    plan.repeat = NonZeroUsize::MIN.saturating_add(2);
    let runs = [summary(1.0), summary(2.0)];
    let error = Some("out of memory".to_owned());
    let row = Row::measured(
        OptionMap::new(),
        plan.repeat.get(),
        &[&runs[0], &runs[1]],
        error,
    );
    assert_eq!((row.repeat, row.n_ok), (3, 2));
    let mut sweep = Sweep::new("a");
    sweep.add(row).unwrap();
    // A point that failed half way is no candidate.
    assert_eq!(sweep.best("seconds", Better::Smaller), None);
    assert!(
        sweep
            .to_string()
            .starts_with("sweep a: 1 point, 1 failed, each measured 3 times")
    );
}
