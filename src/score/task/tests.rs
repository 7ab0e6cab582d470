use super::*;
use crate::{
    cancel::StopReason,
    job::{MutantsTable, PerplexityMethod, ScoreMethod},
};
use std::fs;

#[test]
fn a_task_knows_its_extent_and_its_plan() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fa");
    let long = "M".repeat(1500);
    fs::write(&path, format!(">a\nMKT\n>b\nM*\n>c\n{long}\n")).unwrap();
    let survey = |method| {
        let dataset = Dataset::new(vec![path.to_string_lossy().into_owned()]);
        let dataset = dataset.min_length(2).unwrap();
        let mutants = Mutants::AllSingle(dataset);
        let question = ScoreQuestion::Mutants(mutants, method);
        let task = Task::new(&question, &CancelToken::default()).unwrap();
        let Survey { extent, hash, .. } = task.survey().unwrap();
        (extent, hash)
    };
    let (masked, hash) = survey(ScoreMethod::MaskedMarginals);
    let expect = Extent {
        scores: 19 * 1503,
        proteins: 2,
        rejected: 1,
        truncated: 0,
        sequences: 1503,
        tokens: 3 * 5 + 1500 * 1024,
        longest: 1022,
        // `a,M1A,` and so on: one to four digits.
        text_bytes: 19 * (3 * 6 + 9 * 6 + 90 * 7 + 900 * 8 + 501 * 9),
    };
    assert_eq!(masked, expect);
    assert_eq!(survey(ScoreMethod::MaskedMarginals).1, hash);
    let (unmasked, other) = survey(ScoreMethod::WtMarginals);
    assert_eq!((unmasked.sequences, unmasked.scores), (1 + 479, 19 * 1503));
    assert_ne!(hash, other);
    fs::write(&path, format!(">a\nMKV\n>c\n{long}\n")).unwrap();
    assert_ne!(survey(ScoreMethod::MaskedMarginals).1, hash);
}

#[test]
fn all_that_can_be_in_a_table_is_in_its_hash() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let hash = |question| {
        let task = Task::new(&question, &CancelToken::default()).unwrap();
        task.survey().unwrap().hash
    };
    let of_column = |text: &str, column: &str, offset: i64| {
        fs::write(at("a.csv"), text).unwrap();
        let options = [
            ("sequence".to_owned(), "MMMM".into()),
            ("column".to_owned(), column.into()),
            ("offset".to_owned(), offset.into()),
        ];
        let table = MutantsTable::from_map(at("a.csv").as_ref(), options.into()).unwrap();
        let method = ScoreMethod::PseudoLikelihood;
        hash(ScoreQuestion::Mutants(Mutants::Table(table), method))
    };
    let of_records = |text: &str, residues: i64| {
        fs::write(at("a.fa"), text).unwrap();
        let dataset = Dataset::new(vec![at("a.fa")]).min_length(3).unwrap();
        let dataset = dataset.long_sequences("truncate", Some(residues), Default::default());
        let method = PerplexityMethod::OnePass;
        hash(ScoreQuestion::Perplexity(dataset.unwrap(), method))
    };
    let table = "mutant,other\nM2A,M3C\n";
    let differing = [
        [of_column(table, "mutant", 1), of_column(table, "other", 1)],
        [of_column(table, "mutant", 1), of_column(table, "mutant", 2)],
        [
            of_column(table, "mutant", 1),
            of_column("mutant,other\nM2A,M2A\n", "mutant", 1),
        ],
        // The same residues of a protein of another length.
        [of_records(">a\nMKTV\n", 4), of_records(">a\nMKTVAA\n", 4)],
        [of_records(">a\nMKTVA\n", 4), of_records(">a\nMKTVAA\n", 4)],
        // The same proteins beside rejected records of another name or length.
        [
            of_records(">a\nM\n>b\nMKT\n", 4),
            of_records(">c\nM\n>b\nMKT\n", 4),
        ],
        [
            of_records(">a\nM\n>b\nMKT\n", 4),
            of_records(">a\nMK\n>b\nMKT\n", 4),
        ],
    ];
    for (number, [one, other]) in differing.into_iter().enumerate() {
        assert_ne!(one, other, "{number}");
    }
    assert_eq!(of_records(">a\nMKTVA\n", 4), of_records(">a\nMKTVA\n", 4));
}

#[test]
fn no_two_columns_have_one_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fa");
    fs::write(&path, ">a\nMKT\n").unwrap();
    let dataset = Dataset::new(vec![path.to_string_lossy().into_owned()]);
    let mutants = Mutants::AllSingle(dataset.clone());
    let mutants = ScoreQuestion::Mutants(mutants, ScoreMethod::WtMarginals);
    let proteins = ScoreQuestion::Perplexity(dataset, PerplexityMethod::Exact);
    let check = |question: &ScoreQuestion, model: &str, expect: bool| {
        let task = Task::new(question, &CancelToken::default()).unwrap();
        assert_eq!(task.check_column(model, true).is_ok(), expect, "{model}");
    };
    check(&mutants, "seq_id", false);
    check(&mutants, "mut_name", false);
    check(&mutants, "esm2", true);
    // Whose columns are not named after models.
    check(&proteins, "length", true);
}

#[test]
fn whoever_is_told_to_stop_writes_no_plan() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fa");
    fs::write(&path, ">a\nMKT\n").unwrap();
    let dataset = Dataset::new(vec![path.to_string_lossy().into_owned()]);
    let question = ScoreQuestion::Perplexity(dataset, PerplexityMethod::Exact);
    let cancel = CancelToken::default();
    let task = Task::new(&question, &cancel).unwrap();
    let kept = folder.path().join("kept");
    cancel.cancel(StopReason::Terminated);
    let is_stopped = |error| matches!(error, Some(ScoreError::Stopped(StopReason::Terminated)));
    assert!(is_stopped(task.write_plan(&kept.join("plan")).err()));
    assert!(is_stopped(task.survey().err()));
    assert_eq!(kept.read_dir().unwrap().count(), 0);
}

#[test]
fn what_is_odd_is_told_of_the_files_of_the_user() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    fs::write(at("a.fa"), ">a\nMK1T\n>b\nM-K\n").unwrap();
    fs::write(at("b.fa"), ">c\nMK\n>d\nM-KK\n").unwrap();
    let dataset = Dataset::new(vec![at("a.fa"), at("b.fa")]);
    let question = ScoreQuestion::Perplexity(dataset, PerplexityMethod::Exact);
    let task = Task::new(&question, &CancelToken::default()).unwrap();
    let warnings = task.survey().unwrap().warnings;
    let has = |file: &str, text: &str| {
        let mut warnings = warnings.iter();
        warnings.any(|warning| warning.contains(file) && warning.contains(text))
    };
    assert!(
        has("a.fa", "`1`") && has("a.fa", "gaps") && has("b.fa", "gaps"),
        "{warnings:?}"
    );
    assert!(has("b.fa", "record 2 (`d`)"), "{warnings:?}");
}
