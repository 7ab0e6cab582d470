//! Options of `embed`, as scripts give them.

use super::*;
use crate::hint::Hint;
use crate::job::OptionValue::*;

fn read(options: &[(&str, OptionValue)]) -> Result<EmbedOptions, String> {
    let map = options
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    EmbedOptions::from_map(map).map_err(|problems| problems.in_full())
}

#[test]
fn options_that_are_not_given_keep_their_defaults() {
    assert_eq!(read(&[]), Ok(EmbedOptions::default()));
    assert_eq!(read(&[("output", Nothing)]), Ok(EmbedOptions::default()));
}

#[test]
fn every_name_is_read() {
    let options = read(&[
        ("readers", Whole(3)),
        ("prefetch", Whole(5)),
        ("token_budget", Whole(4096)),
        (
            "pooling",
            List(vec![Text("cls".to_owned()), Text("std".to_owned())]),
        ),
        ("residues", Flag(true)),
        ("logits", Flag(true)),
        ("contacts", Flag(true)),
        ("threshold", Decimal(0.25)),
        ("min_separation", Whole(4)),
        ("special_tokens", Flag(true)),
        ("output_dtype", Text("f32".to_owned())),
        ("layers", List(vec![Whole(0), Whole(-1)])),
        ("output", Text("a.parquet".to_owned())),
        ("overwrite", Flag(true)),
        ("resume", Flag(false)),
        ("commit_every", Decimal(2.5)),
        ("overlap", Flag(false)),
        ("packing", Flag(false)),
        (
            "thresholds",
            Map([("gpu_idle".to_owned(), Decimal(0.2))].into()),
        ),
        ("monitor_hz", Whole(10)),
        ("metrics_every", Whole(3)),
        ("reader_timeout", Decimal(1.5)),
        ("grace", Whole(0)),
    ]);
    let expect = EmbedOptions {
        readers: non_zero(3),
        prefetch: non_zero(5),
        token_budget: Some(non_zero(4096)),
        pooling: Some(vec![Pooling::Cls, Pooling::Std]),
        residues: true,
        logits: true,
        contacts: true,
        threshold: Some(0.25),
        min_separation: non_zero(4),
        special_tokens: true,
        output_dtype: Some(OutputDtype::F32),
        layers: vec![Layer(0), Layer(-1)],
        output: Some(PathBuf::from("a.parquet")),
        overwrite: true,
        resume: false,
        commit_every: Duration::from_millis(2500),
        overlap: false,
        packing: false,
        thresholds: Thresholds {
            gpu_idle: 0.2,
            ..Thresholds::default()
        },
        monitor_hz: 10.0,
        metrics_every: 3,
        reader_timeout: Duration::from_millis(1500),
        grace: Duration::ZERO,
        ..EmbedOptions::default()
    };
    assert_eq!(options, Ok(expect));
}

#[test]
fn values_out_of_range_are_refused() {
    let check = |name: &str, value: OptionValue, expect: &str| {
        let message = read(&[(name, value)]).unwrap_err();
        assert!(message.contains(expect), "{message}");
    };
    check("readers", Whole(0), "a whole number from 1 to 256");
    check("readers", Decimal(2.0), "`readers` is 2.0, but must be");
    check("token_budget", Whole(2), "from 3 to");
    check(
        "pooling",
        Text("means".to_owned()),
        "did you mean \"mean\"?",
    );
    check("layers", List(vec![]), "`layers` is [], but must be");
    check("monitor_hz", Whole(11), "a number from 0 to 10");
    check("on_sample", Whole(1), "must be a closure");
    check("thresholds", Whole(1), "must be a map");
    let typo = Map([("gpu_idel".to_owned(), Decimal(0.2))].into());
    check("thresholds", typo, "did you mean `gpu_idle`?");
    check("output", Text(String::new()), "must be a path");
    check("reader_timeout", Decimal(f64::NAN), "seconds from 0.1");
}

#[test]
fn a_budget_holds_the_longest_sequence() {
    let dataset = Dataset::new(vec!["-".to_owned()]);
    let check = |budget: i64, dataset: &Dataset, fits: bool| {
        let options = read(&[("token_budget", Whole(budget))]).expect("a valid budget");
        assert_eq!(options.check_fits(dataset).is_ok(), fits, "{budget}");
    };
    check(1024, &dataset, true);
    check(1023, &dataset, false);
    let short = dataset.clone().max_length(100).expect("a valid length");
    check(102, &short, true);
    check(101, &short, false);
}

#[test]
fn layers_must_exist_and_differ() {
    let check = |layers: &[i64], expect: Option<&[usize]>| {
        let options = EmbedOptions {
            layers: layers.iter().copied().map(Layer).collect(),
            ..EmbedOptions::default()
        };
        let indices = options.resolve_layers(6).ok();
        assert_eq!(indices.as_deref(), expect, "{layers:?}");
    };
    check(&[0, 3, -1], Some(&[0, 3, 6]));
    check(&[7], None);
    check(&[-8], None);
    check(&[6, -1], None);
}
