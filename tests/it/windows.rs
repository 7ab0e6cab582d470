//! Long sequences in windows, and whole ones: what their rows are.

use crate::{DEMO, ROOT, RUNNER, child::finish, resume::job::proteins};
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, Float32Array, ListArray, RecordBatch, UInt32Array,
    cast::AsArray, types::UInt32Type,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use runner::reader::PROGRAM_VARIABLE;
use std::{
    collections::BTreeMap,
    env,
    fmt::Write,
    fs::{self, File},
    process::Command,
};
use tempfile::TempDir;

const WINDOW: usize = 100;
const OVERLAP: usize = 30;
const REJECTED: i32 = 7;

/// A folder in which scripts run.
struct Place(TempDir);

/// What a row has beside its id: the numbers of each column, one after the other.
type Row = BTreeMap<String, Vec<f32>>;

impl Place {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Self(folder)
    }

    /// Runs a script to its end, and gives what it printed.
    fn run(&self, script: &str, code: i32) -> String {
        fs::write(self.0.path().join("job.rhai"), script).unwrap();
        // A bundle for another machine names the program.
        let named = env::var_os(PROGRAM_VARIABLE);
        let mut command = Command::new(named.unwrap_or_else(|| RUNNER.into()));
        command
            .args(["exec", "-q", "job.rhai"])
            .current_dir(self.0.path())
            .env_remove("RUST_LOG");
        let output = finish(&mut command, b"");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The rows of an output, in its order.
    fn rows(&self, name: &str) -> Vec<(String, Row)> {
        let file = File::open(self.0.path().join(name)).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let mut rows = Vec::new();
        for batch in reader.build().unwrap() {
            let batch: RecordBatch = batch.unwrap();
            let ids = batch.column_by_name("id").unwrap().as_string::<i32>();
            for n in 0..batch.num_rows() {
                let fields = batch.schema();
                let columns = fields.fields().iter().zip(batch.columns());
                let numbers = columns
                    .filter_map(|(field, array)| Some((field.name().clone(), numbers(array, n)?)));
                rows.push((ids.value(n).to_owned(), numbers.collect()));
            }
        }
        rows
    }
}

/// The numbers of a row, if the column has some.
fn numbers(array: &ArrayRef, row: usize) -> Option<Vec<f32>> {
    let any = array.as_any();
    let of = |array: ArrayRef| {
        let all = (0..array.len()).filter_map(|n| numbers(&array, n));
        Some(all.flatten().collect())
    };
    if let Some(list) = any.downcast_ref::<ListArray>() {
        return of(list.value(row));
    }
    if let Some(list) = any.downcast_ref::<FixedSizeListArray>() {
        return of(list.value(row));
    }
    if any.is::<UInt32Array>() {
        return Some(vec![array.as_primitive::<UInt32Type>().value(row) as f32]);
    }
    let values = any.downcast_ref::<Float32Array>()?;
    Some(vec![values.value(row)])
}

/// A protein of so many residues.
fn protein(n_residues: usize, seed: usize) -> String {
    let all: String = proteins(60)
        .split('>')
        .skip(1)
        .flat_map(|record| record.lines().skip(1))
        .collect();
    all.chars()
        .cycle()
        .skip(97 * seed)
        .take(n_residues)
        .collect()
}

/// Where windows of a long sequence begin.
fn starts(n_residues: usize) -> Vec<usize> {
    let rest = n_residues - WINDOW;
    let last = rest.div_ceil(WINDOW - OVERLAP);
    (0..=last).map(|n| n * rest / last).collect()
}

/// The means of what windows say, weighted by the distance to the nearer end of each. The first `n_special` vectors
/// of a window and the last ones are of special tokens.
fn joined(n_residues: usize, windows: &[&[f32]], width: usize, n_special: usize) -> Vec<f32> {
    let n_tokens = n_residues + 2 * n_special;
    let (mut sums, mut weights) = (vec![0f64; n_tokens * width], vec![0f64; n_tokens]);
    let starts = starts(n_residues);
    assert_eq!(starts.len(), windows.len());
    for (n_window, (start, window)) in starts.iter().zip(windows).enumerate() {
        for (n, vector) in window.chunks(width).enumerate() {
            let weight = match n.checked_sub(n_special) {
                None if n_window == 0 => 1.0,
                None => 0.0,
                Some(n) if n < WINDOW => (n + 1).min(WINDOW - n) as f64,
                Some(_) if n_window + 1 == windows.len() => 1.0,
                Some(_) => 0.0,
            };
            weights[start + n] += weight;
            let sums = &mut sums[(start + n) * width..][..width];
            for (sum, &x) in sums.iter_mut().zip(vector) {
                *sum += weight * f64::from(x);
            }
        }
    }
    let means = sums.chunks(width).zip(weights);
    means
        .flat_map(|(sums, weight)| sums.iter().map(move |sum| (sum / weight) as f32))
        .collect()
}

/// The mean, the largest, the standard deviation and the first of vectors: of all but the first and the last one.
fn pooled(tokens: &[f32], width: usize) -> [Vec<f32>; 4] {
    let residues = &tokens[width..tokens.len() - width];
    let of = |f: &dyn Fn(Vec<f64>) -> f64| -> Vec<f32> {
        let column = |n: usize| {
            residues
                .iter()
                .skip(n)
                .step_by(width)
                .map(|&x| f64::from(x))
        };
        (0..width).map(|n| f(column(n).collect()) as f32).collect()
    };
    let mean = |column: &[f64]| column.iter().sum::<f64>() / column.len() as f64;
    let variance = |column: &[f64]| {
        let mean = mean(column);
        let squares = column.iter().map(|x| (x - mean).powi(2));
        squares.sum::<f64>() / column.len() as f64
    };
    [
        of(&|column| mean(&column)),
        of(&|column| column.into_iter().fold(f64::NEG_INFINITY, f64::max)),
        of(&|column| variance(&column).sqrt()),
        tokens[..width].to_vec(),
    ]
}

/// The probabilities of contacts from those of windows, weighted by the product of both residues' weights.
fn joined_contacts(n_residues: usize, windows: &[&[f32]]) -> Vec<f32> {
    let mut sums = vec![(0f64, 0f64); n_residues * n_residues];
    for (start, window) in starts(n_residues).into_iter().zip(windows) {
        for (n, &probability) in window.iter().enumerate() {
            let (i, j) = (n / WINDOW, n % WINDOW);
            let weight = |n: usize| (n + 1).min(WINDOW - n) as f64;
            let (sum, weights) = &mut sums[(start + i) * n_residues + start + j];
            *sum += weight(i) * weight(j) * f64::from(probability);
            *weights += weight(i) * weight(j);
        }
    }
    let means = sums.into_iter().map(|(sum, weight)| match weight {
        0.0 => 0.0,
        weight => (sum / weight) as f32,
    });
    means.collect()
}

fn check_close(what: &str, got: &[f32], expect: &[f32]) {
    assert_eq!(got.len(), expect.len(), "{what}");
    for (n, (got, expect)) in got.iter().zip(expect).enumerate() {
        let is_close = (got - expect).abs() <= 2e-5 * expect.abs().max(1.0);
        assert!(is_close, "{what} {n}: {got} instead of {expect}");
    }
}

#[test]
fn rows_are_windows_that_are_joined() {
    check_joined("device: \"cpu\"");
}

#[test]
#[ignore = "needs a GPU"]
fn rows_of_a_gpu_are_windows_that_are_joined() {
    for dtype in ["f32", "bf16"] {
        check_joined(&format!("device: \"cuda\", dtype: \"{dtype}\""));
    }
}

/// Compares rows with those of windows that are records of their own, by a model with these options.
fn check_joined(model: &str) {
    let lengths = [60, WINDOW, WINDOW + 1, 250, 3, 480];
    let (mut records, mut windows) = (String::new(), String::new());
    for (n, n_residues) in lengths.into_iter().enumerate() {
        let sequence = protein(n_residues, n);
        writeln!(records, ">p{n} number {n}\n{sequence}").unwrap();
        if n_residues <= WINDOW {
            writeln!(windows, ">p{n}\n{sequence}").unwrap();
            continue;
        }
        for start in starts(n_residues) {
            writeln!(windows, ">p{n}\n{}", &sequence[start..start + WINDOW]).unwrap();
        }
    }
    let place = Place::with(&[("records.fa", &records), ("windows.fa", &windows)]);
    let printed = place.run(
        &format!(
            "let model = esm2(\"{ROOT}/tests/golden/hd64\", #{{ {model} }});
            let options = #{{ token_budget: 256, residues: true, special_tokens: true, output_dtype: \"f32\",
                layers: [1, -1], pooling: [\"mean\", \"max\", \"std\", \"cls\"], logits: true, contacts: true }};
            let windows = embed(model, fasta(\"windows.fa\").long_sequences(\"error\", 126), options + #{{ output: \"windows.parquet\" }});
            let records = fasta(\"records.fa\").long_sequences(\"window\", {WINDOW}, #{{ overlap: {OVERLAP} }});
            let run = embed(model, records, options + #{{ output: \"records.parquet\" }});
            let pairs = embed(model, records, #{{ token_budget: 128, contacts: true, threshold: 0.02,
                min_separation: 3, output: \"pairs.parquet\" }});
            print(`${{run.records}} ${{run.sequences}} ${{run.residues}} ${{run.tokens}} ${{windows.tokens}}`);"
        ),
        0,
    );
    let n_residues: usize = lengths.iter().sum();
    let n_tokens: usize = windows
        .lines()
        .skip(1)
        .step_by(2)
        .map(|line| line.len() + 2)
        .sum();
    assert_eq!(
        printed.trim(),
        format!("6 6 {n_residues} {n_tokens} {n_tokens}"),
        "records, rows, residues and tokens"
    );
    let rows = place.rows("records.parquet");
    let mut of_windows = place.rows("windows.parquet").into_iter();
    let pairs = place.rows("pairs.parquet");
    assert_eq!(rows.len(), lengths.len());
    for (n, n_residues) in lengths.into_iter().enumerate() {
        let (id, row) = &rows[n];
        assert_eq!(*id, format!("p{n}"));
        assert_eq!(row["length"], [n_residues as f32]);
        let n_windows = match n_residues {
            0..=WINDOW => 1,
            longer => starts(longer).len(),
        };
        assert_eq!(row["windows"], [n_windows as f32], "{id}");
        let windows: Vec<Row> = of_windows
            .by_ref()
            .take(n_windows)
            .map(|(_, row)| row)
            .collect();
        let column = |name: &str| -> Vec<&[f32]> {
            windows
                .iter()
                .map(|window| window[name].as_slice())
                .collect()
        };
        if n_windows == 1 {
            // Bit by bit.
            let mut row = row.clone();
            row.remove("windows");
            assert_eq!(row, windows[0], "{id}");
        } else {
            for layer in ["1", "2"] {
                let name = format!("residues_{layer}");
                let states = joined(n_residues, &column(&name), 128, 1);
                check_close(&name, &row[&name], &states);
                let poolings = ["mean", "max", "std", "cls"];
                for (pooling, expect) in poolings.into_iter().zip(pooled(&states, 128)) {
                    let name = format!("embedding_{layer}_{pooling}");
                    check_close(&name, &row[&name], &expect);
                }
            }
            check_close(
                "logits",
                &row["logits"],
                &joined(n_residues, &column("logits"), 33, 1),
            );
            let contacts = joined_contacts(n_residues, &column("contacts"));
            check_close("contacts", &row["contacts"], &contacts);
        }
        // Lists of pairs are those of the matrices.
        let contacts = row["contacts"].chunks(n_residues).enumerate();
        let likely = contacts.flat_map(|(i, row)| {
            let row = row.iter().enumerate().skip(i + 3);
            row.filter(|(_, probability)| **probability >= 0.02)
                .map(move |(j, probability)| (i + 1, j + 1, *probability))
        });
        let likely: Vec<_> = likely.collect();
        let (_, listed) = &pairs[n];
        let found = (listed["i"].iter())
            .zip(&listed["j"])
            .zip(&listed["probability"]);
        let found = found.map(|((&i, &j), &probability)| (i as usize, j as usize, probability));
        assert_eq!(found.collect::<Vec<_>>(), likely, "{id}");
        assert!(n_residues < 50 || !likely.is_empty(), "{id}");
    }
    assert!(of_windows.next().is_none());
}

#[test]
fn lanes_batches_and_shards_change_nothing() {
    let mut text = String::new();
    for n in 0..40 {
        let n_residues = if n % 7 == 3 { 5000 } else { 40 + 11 * n };
        writeln!(text, ">p{n}\n{}", protein(n_residues, n)).unwrap();
    }
    let place = Place::with(&[("in.fa", &text)]);
    let dataset = "fasta(\"in.fa\").long_sequences(\"window\", 60).min_length(60)";
    let run = |mock: &str, options: &str, output: &str| {
        let printed = place.run(
            &format!(
                "let model = esm2(\"{DEMO}\", #{{ device: \"mock\", mock: #{{ {mock} }} }});
                let run = embed(model, {dataset}, #{{ pooling: [\"mean\", \"std\"], residues: true, {options}
                    output: \"{output}\" }});
                print(`${{run.records}} ${{run.sequences}} ${{run.rejected}}`);"
            ),
            REJECTED,
        );
        assert_eq!(printed.trim(), "40 38 2", "{mock} {options}");
        place.rows(output)
    };
    let expect = run("", "", "one.parquet");
    assert_eq!(expect.len(), 38);
    assert_eq!(
        expect[1].1["windows"],
        [1.0 + (5000f32 - 60.0) / 45.0].map(f32::ceil)
    );
    let lanes = "lanes: 3, tokens_per_sec: 300_000, jitter: 0.8, last_speed: 0.3";
    let fails = "lanes: 3, tokens_per_sec: 300_000, fail_lanes: 1, fail_after: 5, fail_with: \"lost in flight\"";
    assert!(run(lanes, "token_budget: 128,", "lanes.parquet") == expect);
    assert!(run(fails, "token_budget: 200,", "fails.parquet") == expect);
    assert!(run("", "packing: false, token_budget: 500,", "padded.parquet") == expect);
    // Two processes, one after the other, and a merge.
    let script = format!(
        "let model = esm2(\"{DEMO}\", #{{ device: \"mock\" }});
        embed(model, {dataset}, #{{ pooling: [\"mean\", \"std\"], residues: true, output: \"shards/\" }});"
    );
    fs::write(place.0.path().join("shards.rhai"), script).unwrap();
    let runner = |args: &[&str]| {
        let mut command = Command::new(RUNNER);
        let output = finish(command.args(args).current_dir(place.0.path()), b"");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = ["0/2", "1/2"].map(|shard| runner(&["exec", "-q", "--shard", shard, "shards.rhai"]));
    let merged = runner(&["merge", "shards/", "shards.parquet"]);
    assert!(place.rows("shards.parquet") == expect, "{said:?} {merged}");
}

#[test]
fn a_giant_costs_no_more_memory_than_its_row() {
    // As long as titin, between proteins of usual length.
    let mut text = String::new();
    for n in 0..6 {
        writeln!(
            text,
            ">p{n}\n{}\n>titin{n}\n{}",
            protein(300, n),
            protein(34_350, n)
        )
        .unwrap();
    }
    let place = Place::with(&[("in.fa", &text)]);
    let peak = |long_sequences: &str| {
        let printed = place.run(
            &format!(
                "let model = esm2(\"{DEMO}\", #{{ device: \"mock\" }});
                let proteins = fasta(\"in.fa\").long_sequences({long_sequences});
                let run = embed(model, proteins, #{{ token_budget: 8192, output: \"out.parquet\", overwrite: true }});
                print(`${{run.sequences}} ${{run.peak_memory_bytes}}`);"
            ),
            0,
        );
        let (sequences, bytes) = printed.trim().split_once(' ').unwrap();
        assert_eq!(sequences, "12");
        bytes.parse::<f64>().unwrap() / 1e6
    };
    let (usual, windows) = (peak("\"truncate\", 1022"), peak("\"window\""));
    // The states of one: 34,350 vectors of 160 numbers. Batches on their way have so many in each 34,350 tokens, too.
    let row = 34_350.0 * 160.0 * 4.0 / 1e6;
    assert!(
        windows < usual + 6.0 * row,
        "{usual:.0} MB, {windows:.0} MB with windows"
    );
    let rows = place.rows("out.parquet");
    assert_eq!(rows[1].1["windows"], [45.0]);
    assert_eq!(rows[1].1["length"], [34_350.0]);
}

#[test]
fn whole_sequences_are_embedded_up_to_a_batch() {
    let records = [40, 300, 298, 299].map(|n| format!(">p{n}\n{}\n", protein(n, n)));
    let place = Place::with(&[("in.fa", &records.concat())]);
    let run = |dataset: &str, options: &str| {
        place.run(
            &format!(
                "let model = esm2(\"{DEMO}\", #{{ device: \"mock\" }});
                let run = embed(model, {dataset}, #{{ {options} output: \"out.parquet\", overwrite: true }});
                print(`${{run.token_budget}} ${{run.sequences}} ${{run.truncated}} ${{run.rejected}}`);"
            ),
            if options.is_empty() { 0 } else { REJECTED },
        )
    };
    let whole = "fasta(\"in.fa\").long_sequences(\"full\")";
    assert_eq!(run(whole, "").trim(), "65536 4 0 0");
    assert_eq!(run(whole, "token_budget: 300,").trim(), "300 2 0 2");
    let listed = fs::read_to_string(place.0.path().join("out.parquet.rejects.tsv")).unwrap();
    for n in [299, 300] {
        let line = format!("p{n}\t{n} residues, more than the 298 that a batch holds");
        assert!(listed.contains(&line), "{listed}");
    }
}
