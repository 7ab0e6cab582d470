//! The whole job through the program: scripts in, Parquet out.

use crate::{DEMO, RUNNER};
use arrow_array::{Array, Float32Array, RecordBatch, StringArray};
use flate2::{Compression, write::GzEncoder};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use runner::{
    batch::{
        MAX_REORDER_WINDOWS, PackedBatch, Packer, Padder, Ragged, Rows, Values, WINDOW_TEXT_BYTES,
    },
    fasta::Record,
    sink::ReorderBuffer,
};
use safetensors::SafeTensors;
use std::{
    fmt::Write,
    fs::{self, File},
    io::{self, Write as _},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::Command,
    thread,
};
use tempfile::TempDir;

/// Runs a script in `folder`, which must succeed, and gives what it printed.
fn exec(folder: &TempDir, script: &str) -> String {
    let job = folder.path().join("job.rhai");
    fs::write(&job, script).unwrap();
    let output = Command::new(RUNNER)
        .args(["--quiet", "exec"])
        .arg(&job)
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Ids and embeddings of an output file, in file order.
fn read(path: &Path) -> (Vec<String>, Vec<f32>) {
    let file = File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let (mut ids, mut values) = (Vec::new(), Vec::new());
    for batch in reader.build().unwrap() {
        let batch: RecordBatch = batch.unwrap();
        let column = batch.column_by_name("id").unwrap();
        let column: &StringArray = column.as_any().downcast_ref().unwrap();
        ids.extend(column.iter().map(|id| id.unwrap().to_owned()));
        let column = batch.column_by_name("embedding").unwrap();
        let lists = arrow_array::cast::as_fixed_size_list_array(column);
        let floats: &Float32Array = lists.values().as_any().downcast_ref().unwrap();
        values.extend_from_slice(floats.values());
    }
    (ids, values)
}

/// Sequences of 30 to 1,100 residues: some 10 MB, which are several work units.
fn proteins(folder: &TempDir) -> PathBuf {
    let mut text = String::new();
    let mut state = 42u64;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
        (state >> 33) as usize
    };
    for n in 0..20_000 {
        writeln!(text, ">p{n}").unwrap();
        let length = 30 + next() % 1_070;
        text.extend((0..length).map(|_| b"LAGVSERTIDPKQNFYMHWC"[next() % 20] as char));
        text.push('\n');
    }
    let path = folder.path().join("proteins.fa");
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn embeddings_do_not_depend_on_the_number_of_readers() {
    let folder = tempfile::tempdir().unwrap();
    proteins(&folder);
    let script = format!(
        r#"
        let model = esm2("{DEMO}", #{{ device: "mock" }});
        for readers in [1, 2, 4, 8] {{
            let run = embed(model, fasta("proteins.fa"), #{{
                readers: readers, output: `${{readers}}.parquet`,
            }});
            print(`${{run.records}} ${{run.sequences}} ${{run.packing_fill > 0.98}}`);
        }}
        "#
    );
    assert_eq!(exec(&folder, &script), "20000 20000 true\n".repeat(4));
    let one = read(&folder.path().join("1.parquet"));
    let in_order: Vec<_> = (0..20_000).map(|n| format!("p{n}")).collect();
    assert_eq!(one.0, in_order);
    for readers in [2, 4, 8] {
        let other = read(&folder.path().join(format!("{readers}.parquet")));
        assert!(one == other, "{readers} readers");
    }
}

#[test]
fn embeddings_do_not_depend_on_the_number_of_lanes() {
    let folder = tempfile::tempdir().unwrap();
    proteins(&folder);
    // Devices whose batches take anything from no time at all to twice the mean come back in no order.
    let script = format!(
        r#"
        for lanes in [1, 2, 5] {{
            let model = esm2("{DEMO}", #{{
                device: "mock",
                mock: #{{ lanes: lanes, tokens_per_sec: 20_000_000, jitter: 1 }},
            }});
            let run = embed(model, fasta("proteins.fa"), #{{
                token_budget: 8192, output: `${{lanes}}.parquet`,
            }});
            print(`${{run.records}} ${{run.sequences}}`);
        }}
        "#
    );
    assert_eq!(exec(&folder, &script), "20000 20000\n".repeat(3));
    let one = read(&folder.path().join("1.parquet"));
    for lanes in [2, 5] {
        let other = read(&folder.path().join(format!("{lanes}.parquet")));
        assert!(one == other, "{lanes} lanes");
    }
}

#[test]
fn lanes_share_the_work() {
    let folder = tempfile::tempdir().unwrap();
    proteins(&folder);
    let script = format!(
        r#"
        let seconds = [];
        for lanes in [1, 3] {{
            let model = esm2("{DEMO}", #{{
                device: "mock", mock: #{{ lanes: lanes, tokens_per_sec: 600_000 }},
            }});
            let run = embed(model, fasta("proteins.fa").take(2000), #{{ token_budget: 4096 }});
            seconds += run.seconds;
        }}
        print(seconds[1] < 0.6 * seconds[0]);
        "#
    );
    assert_eq!(exec(&folder, &script), "true\n");
}

#[test]
fn readers_killed_during_a_job_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    proteins(&folder);
    // A reader that goes silent with its first unit half read, once.
    let wrapper = folder.path().join("reader.sh");
    let flag = folder.path().join("killed");
    let text = format!(
        "#!/bin/sh\nif mkdir '{}' 2> /dev/null; then\n'{RUNNER}' \"$@\" | head -c 700000\nkill -9 $$\nfi\n\
         exec '{RUNNER}' \"$@\"\n",
        flag.display()
    );
    fs::write(&wrapper, text).unwrap();
    fs::set_permissions(
        &wrapper,
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let script = format!(
        r#"
        let model = esm2("{DEMO}", #{{ device: "mock" }});
        let options = #{{ output: args[0], reader_timeout: 2 }};
        let run = embed(model, fasta("proteins.fa"), options);
        print(run.reader_restarts);
        "#
    );
    fs::write(folder.path().join("job.rhai"), script).unwrap();
    let run = |output: &str, reader: Option<&Path>| {
        let mut command = Command::new(RUNNER);
        command
            .args(["--quiet", "exec", "job.rhai", "--", output])
            .current_dir(folder.path());
        if let Some(reader) = reader {
            command.env("RUNNER_READER", reader);
        }
        let done = command.output().unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    assert_eq!(run("undisturbed.parquet", None), "0\n");
    assert_eq!(run("disturbed.parquet", Some(&wrapper)), "1\n");
    assert!(
        read(&folder.path().join("undisturbed.parquet"))
            == read(&folder.path().join("disturbed.parquet"))
    );
}

#[test]
fn a_job_gives_the_embeddings_of_hf_transformers() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        r#"
        let model = esm2("{DEMO}", #{{ device: "cpu" }});
        embed(model, fasta("{DEMO}/golden.fasta"), #{{ output: "golden.parquet" }});
        "#
    );
    exec(&folder, &script);
    let (ids, values) = read(&folder.path().join("golden.parquet"));
    let bytes = fs::read(Path::new(DEMO).join("golden.safetensors")).unwrap();
    let references = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(ids.len(), 11);
    for (n, got) in values.chunks(160).enumerate() {
        assert_eq!(ids[n], format!("s{n}"));
        let want = references.tensor(&format!("{n}.mean")).unwrap();
        for (got, want) in got.iter().zip(want.data().as_chunks::<4>().0) {
            assert!((got - f32::from_le_bytes(*want)).abs() <= 1e-4);
        }
    }
}

#[test]
fn several_layers_are_several_columns() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        r#"
        let model = esm2("{DEMO}", #{{ device: "cpu" }});
        let data = fasta("{DEMO}/golden.fasta").take(3);
        embed(model, data, #{{ layers: [-1, 0], output: "layers.parquet" }});
        "#
    );
    exec(&folder, &script);
    let file = File::open(folder.path().join("layers.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let names: Vec<_> = reader
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert!(
        names.ends_with(&["embedding_6", "embedding_0"]),
        "{names:?}"
    );
}

/// Runs the golden sequences of the demo model with these options of `embed`, and compares those that
/// have a reference.
fn check_golden(
    folder: &TempDir,
    options: &str,
    reference: impl Fn(usize, &SafeTensors) -> Option<Vec<f32>>,
) {
    let script = format!(
        r#"
        let model = esm2("{DEMO}", #{{ device: "cpu" }});
        embed(model, fasta("{DEMO}/golden.fasta"), #{{ output: "golden.parquet", {options} }});
        "#
    );
    exec(folder, &script);
    let (ids, values) = read(&folder.path().join("golden.parquet"));
    let bytes = fs::read(Path::new(DEMO).join("golden.safetensors")).unwrap();
    let references = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(ids.len(), 11);
    let mut n_compared = 0;
    for (n, got) in values.chunks(160).enumerate() {
        let Some(want) = reference(n, &references) else {
            continue;
        };
        n_compared += 1;
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(want) {
            assert!(
                (got - want).abs() <= 1e-4,
                "{options}, s{n}: {got} and {want}"
            );
        }
    }
    assert!(n_compared >= 3, "{options}: {n_compared}");
}

fn floats(references: &SafeTensors, name: &str) -> Option<Vec<f32>> {
    let tensor = references.tensor(name).ok()?;
    let words = tensor.data().as_chunks::<4>().0.iter();
    Some(words.map(|word| f32::from_le_bytes(*word)).collect())
}

#[test]
fn each_pooling_is_that_of_hf_transformers_and_outputs_are_replaced_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let cls = |n: usize, references: &SafeTensors| floats(references, &format!("{n}.cls"));
    check_golden(&folder, "pooling: \"cls\"", cls);
    // Of each component the largest, over the residues.
    let max = |n: usize, references: &SafeTensors| {
        let tokens = floats(references, &format!("{n}.tokens"))?;
        let rows: Vec<_> = tokens.chunks(160).collect();
        let residues = &rows[1..rows.len() - 1];
        let largest = |component: usize| {
            let components = residues.iter().map(|row| row[component]);
            components.fold(f32::NEG_INFINITY, f32::max)
        };
        Some((0..160).map(largest).collect())
    };
    check_golden(&folder, "pooling: \"max\", overwrite: true", max);
    // Of each component the distance from its mean, over the residues.
    let std = |n: usize, references: &SafeTensors| {
        let tokens = floats(references, &format!("{n}.tokens"))?;
        let rows: Vec<_> = tokens.chunks(160).collect();
        let residues = &rows[1..rows.len() - 1];
        let deviation = |component: usize| {
            let n = residues.len() as f64;
            let components = residues.iter().map(|row| f64::from(row[component]));
            let mean = components.clone().sum::<f64>() / n;
            (components.map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt() as f32
        };
        Some((0..160).map(deviation).collect())
    };
    check_golden(&folder, "pooling: \"std\", overwrite: true", std);
    let mean = |n: usize, references: &SafeTensors| floats(references, &format!("{n}.mean"));
    check_golden(&folder, "pooling: \"mean\", overwrite: true", mean);
    let n_files = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(n_files, 2, "the script and the output");
}

/// A gzip file of records with one residue and a description of so many bytes each.
fn novels(path: &Path, n_records: usize, description_bytes: usize) {
    let gzip = |text: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    // Members that are alike are compressed once.
    let description = gzip(&[&vec![b'd'; description_bytes][..], b"\nM\n"].concat());
    let mut file = File::create(path).unwrap();
    for n in 0..n_records {
        file.write_all(&gzip(format!(">r{n} ").as_bytes())).unwrap();
        file.write_all(&description).unwrap();
    }
}

#[test]
fn long_descriptions_cost_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    // 500 MB of text, twice.
    novels(&folder.path().join("novels.fa.gz"), 1_000, 500_000);
    // Beside 400 MB of batches, of windows and of rows that wait for their order: row groups of 32 MiB, one that is
    // collected and one in each thread that encodes, of which there is one for each eight cores; and the copies of
    // rows that would be kept on a full disk: those of all these, and of a row group each of the part that waits to be
    // committed and of the one that is.
    let n_cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let n_groups = 1 + (n_cores / 8).clamp(1, 8) as u64;
    let most = 400_000_000 + (2 * n_groups + 2) * (32 << 20);
    // A process each: what a script reads back stays with it, and is no part of the run that follows.
    for packing in [true, false] {
        let name = if packing { "novels" } else { "padded" };
        let script = format!(
            r#"
            let model = esm2("{DEMO}", #{{ device: "mock" }});
            let options = #{{ packing: {packing}, output: "{name}.parquet" }};
            let run = embed(model, fasta("novels.fa.gz"), options);
            print(run.peak_memory_bytes);
            let read = run.embeddings();
            print(`${{read.len}} ${{read.description("r0").len}} ${{read.description("r999").len}}`);
            "#
        );
        let printed = exec(&folder, &script);
        let (peak, read) = printed.trim_end().split_once('\n').unwrap();
        let peak: u64 = peak.parse().unwrap();
        assert!(peak < most, "{peak} bytes");
        assert_eq!(read, "1000 500000 500000");
    }
    let in_order: Vec<_> = (0..1_000).map(|n| format!("r{n}")).collect();
    for name in ["novels.parquet", "padded.parquet"] {
        assert_eq!(read(&folder.path().join(name)).0, in_order);
    }
}

#[test]
fn memory_does_not_grow_with_the_input() {
    let peak = |n_records: usize| -> u64 {
        let folder = tempfile::tempdir().unwrap();
        let mut file = io::BufWriter::new(File::create(folder.path().join("in.fa")).unwrap());
        for n in 0..n_records {
            writeln!(file, ">p{n} some protein\n{}", "MKTAYIAKQR".repeat(6)).unwrap();
        }
        file.into_inner().unwrap();
        let script = format!(
            r#"
            let model = esm2("{DEMO}", #{{ device: "mock" }});
            let run = embed(model, fasta("in.fa"), #{{ output: "out.parquet" }});
            print(`${{run.sequences}} ${{run.peak_memory_bytes}}`);
            "#
        );
        let printed = exec(&folder, &script);
        let (sequences, peak) = printed.trim().split_once(' ').unwrap();
        assert_eq!(sequences, n_records.to_string());
        peak.parse().unwrap()
    };
    let (few, many) = (peak(100_000), peak(400_000));
    // The vectors alone of those that are more take 192 MB. Where the machine is busy, one more row group of 32 MiB is
    // being filled, and one encoded, than the short run ever had at the same time.
    assert!(many < few + (64 << 20), "{few} and {many} bytes");
}

/// The longest definition line that the tests below send.
const LONGEST_TEXT: usize = 1 << 20;

/// Records by their residues and the bytes of their text: short, usual and huge ones in stretches.
fn size_mixes() -> impl Strategy<Value = Vec<(usize, usize)>> {
    let text = prop_oneof![
        Just(0),
        1usize..200,
        1usize..LONGEST_TEXT,
        Just(LONGEST_TEXT)
    ];
    let residues = prop_oneof![Just(1usize), 0usize..60, Just(62)];
    let stretch = (residues, text, 1usize..40);
    prop::collection::vec(stretch, 1..8).prop_map(|stretches| {
        let repeat = |(residues, text, n)| std::iter::repeat_n((residues, text), n);
        stretches.into_iter().flat_map(repeat).collect()
    })
}

fn record((n_residues, n_text): (usize, usize)) -> Record {
    Record {
        id: "i".repeat(n_text.min(10)),
        description: "d".repeat(n_text.saturating_sub(10)),
        sequence: vec![b'M'; n_residues],
        length: n_residues as u32,
        piece: None,
    }
}

/// A column of one row, a number.
fn one_number() -> Ragged {
    Ragged {
        values: Values::F32(vec![0.0]),
        offsets: vec![0, 1],
    }
}

fn text_bytes(batch: &PackedBatch) -> usize {
    batch.rows.iter().map(|row| row.text_bytes()).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_mix_of_sizes_makes_packing_or_sorting_hold_more_than_its_bytes(sizes in size_mixes()) {
        let mut packer = Packer::new(NonZeroUsize::new(64).unwrap());
        let mut order = ReorderBuffer::default();
        let (mut in_packer, mut in_order, mut n_rows) = (0, 0, 0);
        let n = sizes.len();
        for (index, size) in sizes.into_iter().enumerate() {
            in_packer += size.1;
            let mut batches = packer.push(record(size)).unwrap();
            prop_assert!(in_packer < WINDOW_TEXT_BYTES + LONGEST_TEXT);
            if index + 1 == n {
                batches.extend(packer.finish());
            }
            // Every batch is on its way before any row is released, in the order that waits longest.
            for batch in batches.into_iter().rev() {
                let text = text_bytes(&batch);
                prop_assert!(text < WINDOW_TEXT_BYTES + LONGEST_TEXT);
                in_packer -= text;
                in_order += text;
                let mut rows = Rows::default();
                batch.rows.into_iter().for_each(|row| rows.push_from(row, &[one_number()], 0));
                order.push(rows).unwrap();
                prop_assert!(in_order < MAX_REORDER_WINDOWS * (WINDOW_TEXT_BYTES + LONGEST_TEXT));
                while let Some(ready) = order.next_ready() {
                    let text: usize = ready.meta.iter().map(|row| row.text_bytes()).sum();
                    prop_assert!(text < WINDOW_TEXT_BYTES + LONGEST_TEXT);
                    in_order -= text;
                    n_rows += ready.len();
                }
            }
        }
        prop_assert_eq!((n_rows, in_packer, in_order), (n, 0, 0));
    }

    #[test]
    fn no_mix_of_sizes_makes_padded_batches_hold_more_than_their_bytes(sizes in size_mixes()) {
        let mut padder = Padder::new(NonZeroUsize::new(64).unwrap());
        let mut n_rows = 0;
        let n = sizes.len();
        let mut batches = Vec::new();
        for size in sizes {
            batches.extend(padder.push(record(size)).unwrap());
            for batch in batches.drain(..) {
                prop_assert!(text_bytes(&batch) < WINDOW_TEXT_BYTES + LONGEST_TEXT);
                n_rows += batch.rows.len();
            }
        }
        n_rows += padder.finish().map_or(0, |batch| batch.rows.len());
        prop_assert_eq!(n_rows, n);
    }
}
