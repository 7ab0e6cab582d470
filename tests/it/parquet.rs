//! The Parquet output, read back by the library that others read it with.

use arrow_array::{
    BooleanArray, FixedSizeListArray, Float32Array, RecordBatch, StringArray, UInt32Array,
    cast::AsArray,
};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use runner::{
    batch::{Ragged, Row, Rows, Values},
    fasta::Rejection,
    hint::Hint,
    job::{
        Dtype, Effect, EmbedOptions, GeluForm, Layer, OutputDtype, OutputFormat, OutputTarget,
        Pooling, Question,
    },
    meter::{Meters, QueueMeters, StageClock},
    sink::{
        self, Begun, Circumstances, Frontier, Identity, More, Opened, Output, OutputPlan,
        Published, RejectsSpool, SinkError, Trail,
    },
};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    num::NonZeroUsize,
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;

fn plan(path: &Path, layers: &[usize], hidden_size: usize) -> OutputPlan {
    let mut question = Question::pooled(layers, Pooling::Mean);
    if let [column] = question.columns.as_mut_slice() {
        column.name = "embedding".to_owned();
    }
    OutputPlan {
        more: More::default(),
        target: OutputTarget::of(path).unwrap(),
        overwrite: false,
        resume: true,
        commit_every: Duration::from_secs(30),
        inputs: "in.fa".into(),
        question,
        hidden_size,
        identity: Identity {
            model: "esm2_t6_8M_UR50D".into(),
            weights_hash: "abc".into(),
            dtype: Dtype::Bf16,
            gelu: GeluForm::Tanh,
            device_kind: "cpu".into(),
            numerics: 1,
            format: OutputFormat::Parquet,
            options: vec![("layers", "0,6".to_owned())],
            rules: vec![("min_length", "10".to_owned())],
        },
        shard: None,
    }
}

/// Columns of one row, of so many numbers each.
fn columns(values: &[f32], width: usize) -> Vec<Ragged> {
    let columns = values.chunks(width).map(|values| Ragged {
        values: Values::F32(values.to_vec()),
        offsets: vec![0, values.len()],
    });
    columns.collect()
}

/// Rows with `n_columns` vectors of `width` numbers each, among them floats that only a bit-exact copy keeps.
fn batch(indices: std::ops::Range<u64>, n_columns: usize, width: usize) -> Rows {
    let n_values = n_columns * width;
    let odd = [
        f32::NAN,
        -0.0,
        f32::MIN_POSITIVE / 2.0,
        f32::INFINITY,
        1.0 / 3.0,
    ];
    let value = |index: u64, position: usize| match position {
        0 => odd[index as usize % odd.len()],
        _ => {
            let noise = (index << 32 | position as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (noise >> 40) as f32 / (1 << 20) as f32
        }
    };
    let mut rows = Rows::default();
    for index in indices {
        let values: Vec<_> = (0..n_values)
            .map(|position| value(index, position))
            .collect();
        let row = Row {
            index,
            id: format!("sp|P{index}|\u{3b1}"),
            description: if index % 2 == 0 {
                String::new()
            } else {
                format!("number {index}")
            },
            length: 30 + index as u32,
            truncated: index % 3 == 0,
            piece: None,
            sequence: Vec::new(),
        };
        rows.push_from(row, &columns(&values, width), 0);
    }
    rows
}

/// An output at work.
struct Job {
    output: Output,
    trail: Trail,
    rejects: RejectsSpool,
    at: Frontier,
}

impl Job {
    fn open(plan: Option<&OutputPlan>) -> Result<Self, SinkError> {
        let Opened::Begun(begun) = sink::open(plan, &[])? else {
            panic!("it is finished");
        };
        let Begun {
            trail,
            rejects,
            ready,
            ..
        } = *begun;
        let clock = |_, _| StageClock::default();
        let meters = Meters::new(Instant::now(), 1, 1, QueueMeters::default(), clock);
        let circumstances = Circumstances {
            device: "cpu".into(),
            options: vec![("token_budget", "4096".to_owned())],
        };
        trail.jump(Frontier::default());
        Ok(Self {
            output: ready.begin(&circumstances, &Arc::new(meters))?,
            trail,
            rejects,
            at: Frontier::default(),
        })
    }

    fn write(&mut self, rows: Rows) -> Result<(), SinkError> {
        for _ in 0..rows.len() {
            self.at.record += 1;
            self.at.tally.rows += 1;
            self.trail.reach(self.at.clone());
        }
        self.output.write(rows)
    }

    fn reject(&mut self, rejection: &Rejection) {
        self.at.record += 1;
        self.at.tally.rejected += 1;
        self.at.tally.rejects_bytes = self.rejects.add(self.at.record, rejection).unwrap();
    }

    fn finish(self) -> Result<Published, SinkError> {
        self.trail.reach(self.at.clone());
        self.output.finish(&self.at)
    }
}

fn write(plan: &OutputPlan, batches: &[Rows]) -> Result<Published, SinkError> {
    let mut job = Job::open(Some(plan))?;
    for batch in batches {
        job.write(batch.clone())?;
    }
    job.finish()
}

fn read(path: &Path) -> Vec<RecordBatch> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    builder.build().unwrap().map(Result::unwrap).collect()
}

/// The rows of a file, with each layer's column back in its place.
fn read_rows(path: &Path, names: &[&str]) -> Rows {
    let mut rows = Rows::default();
    for batch in read(path) {
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let ids: &StringArray = column("id").as_string();
        let descriptions: &StringArray = column("description").as_string();
        let lengths: &UInt32Array = column("length").as_primitive();
        let truncated: &BooleanArray = column("truncated").as_boolean();
        for position in 0..batch.num_rows() {
            let row = Row {
                index: rows.len() as u64,
                id: ids.value(position).into(),
                description: descriptions.value(position).into(),
                length: lengths.value(position),
                truncated: truncated.value(position),
                piece: None,
                sequence: Vec::new(),
            };
            let mut values = Vec::new();
            for name in names {
                let vectors: &FixedSizeListArray = column(name).as_fixed_size_list();
                let vector = vectors.value(position);
                let vector: &Float32Array = vector.as_primitive();
                values.extend_from_slice(vector.values());
            }
            rows.push_from(row, &columns(&values, values.len() / names.len()), 0);
        }
    }
    rows
}

fn bits(rows: &Rows) -> Vec<u32> {
    let columns = rows.columns.iter().map(|column| column.values.to_f32());
    columns.flatten().map(f32::to_bits).collect()
}

fn metadata(path: &Path) -> BTreeMap<String, String> {
    let file = File::open(path).unwrap();
    let metadata = ArrowReaderMetadata::load(&file, Default::default()).unwrap();
    let entries = metadata
        .metadata()
        .file_metadata()
        .key_value_metadata()
        .unwrap()
        .iter();
    let entries = entries.map(|entry| (entry.key.clone(), entry.value.clone().unwrap()));
    entries
        .filter(|(key, _)| key.starts_with("runner."))
        .collect()
}

fn n_files(folder: &TempDir) -> usize {
    folder.path().read_dir().unwrap().count()
}

#[test]
fn every_bit_comes_back() {
    let check = |layers: &[usize], columns: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/out.parquet");
        let n_columns = layers.len();
        let batches = [
            batch(0..5, n_columns, 24),
            batch(5..6, n_columns, 24),
            batch(6..40, n_columns, 24),
        ];
        let published = write(&plan(&path, layers, 24), &batches).unwrap();
        let expected = Published {
            output: Some(path.clone()),
            rejects: None,
        };
        assert_eq!(published, expected);
        let found = read_rows(&path, columns);
        let written = batch(0..40, n_columns, 24);
        assert_eq!(found.meta, written.meta);
        assert_eq!(bits(&found), bits(&written));
    };
    check(&[6], &["embedding"]);
    check(
        &[0, 33, 12],
        &["embedding_0", "embedding_33", "embedding_12"],
    );
}

#[test]
fn a_file_without_rows_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.parquet");
    write(&plan(&path, &[6], 8), &[]).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
    let schema = builder.schema();
    let names: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(
        names,
        ["id", "description", "length", "truncated", "embedding"]
    );
    let embedding = schema.field_with_name("embedding").unwrap().data_type();
    assert!(
        matches!(embedding, DataType::FixedSizeList(_, 8)),
        "{embedding}"
    );
    assert_eq!(read_rows(&path, &["embedding"]), Rows::default());
    assert_eq!(metadata(&path)["runner.embedded"], "0");
}

#[test]
fn the_file_tells_where_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.parquet");
    let plan = plan(&path, &[0, 6], 8);
    let mut job = Job::open(Some(&plan)).unwrap();
    job.write(batch(0..3, 2, 8)).unwrap();
    job.reject(&Rejection {
        id: "p4".into(),
        reason: "empty sequence".into(),
    });
    let published = job.finish().unwrap();

    let list = folder.path().join("out.parquet.rejects.tsv");
    assert_eq!(
        fs::read_to_string(&list).unwrap(),
        "ordinal\tid\treason\n4\tp4\tempty sequence\n"
    );
    assert_eq!(published.rejects, Some(list));
    let expected = [
        ("runner.version", env!("CARGO_PKG_VERSION")),
        ("runner.model", "esm2_t6_8M_UR50D"),
        ("runner.weights_hash", "abc"),
        ("runner.layers", "0,6"),
        ("runner.dtype", "bf16"),
        ("runner.gelu", "tanh"),
        ("runner.device_kind", "cpu"),
        ("runner.numerics", "1"),
        ("runner.format", "parquet"),
        ("runner.device", "cpu"),
        ("runner.token_budget", "4096"),
        ("runner.min_length", "10"),
        ("runner.records", "4"),
        ("runner.embedded", "3"),
        ("runner.rejected", "1"),
    ];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let mut found = metadata(&path);
    for name in ["input_fingerprint", "inputs", "finished"] {
        let entry = found.remove(&format!("runner.{name}"));
        assert!(entry.is_some_and(|entry| entry.len() > 15), "{name}");
    }
    for name in ["identity", "stretches"] {
        let entry = found.remove(&format!("runner.{name}")).unwrap();
        assert!(
            entry.contains(r#""device""#) || entry.contains(r#""model""#),
            "{entry}"
        );
    }
    let content = found.remove("runner.content_bytes").unwrap();
    let content = &fs::read(&path).unwrap()[..content.parse().unwrap()];
    let hash = found.remove("runner.content_blake3").unwrap();
    assert_eq!(hash, blake3::hash(content).to_hex().as_str());
    // Of the rest it is a hash with hyphens in place of its digits.
    let hash = found.remove("runner.footer_blake3").unwrap();
    let mut rest = fs::read(&path).unwrap().split_off(content.len());
    let mut windows = rest.windows(hash.len());
    let at = windows
        .rposition(|window| window == hash.as_bytes())
        .unwrap();
    rest[at..at + hash.len()].fill(b'-');
    assert_eq!(hash, blake3::hash(&rest).to_hex().as_str());
    assert_eq!(found.remove("runner.checksums").unwrap(), "data, footer");
    assert_eq!(found, BTreeMap::from(expected));
}

#[test]
fn a_run_says_with_which_options_it_was_made() {
    let folder = tempfile::tempdir().unwrap();
    let (output, page) = (
        folder.path().join("out.parquet"),
        folder.path().join("run.html"),
    );
    let script = folder.path().join("job.rhai");
    let text = r#"
        report(args[1]);
        let proteins = fasta("tests/scripts/tiny.fa").min_length(2).take(3);
        embed(esm2(args[2], #{ device: "mock" }), proteins, #{
            output: args[0], layers: [0, -1], pooling: "max", token_budget: 2048,
        });
    "#;
    fs::write(&script, text).unwrap();
    let ended = Command::new(crate::RUNNER)
        .current_dir(crate::ROOT)
        .arg("exec")
        .arg(&script)
        .arg("--")
        .args([&output, &page])
        .arg(crate::DEMO)
        .output()
        .unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let used = EmbedOptions {
        output: Some(output.clone()),
        layers: vec![Layer(0), Layer(6)],
        pooling: Some(vec![Pooling::Max]),
        output_dtype: Some(OutputDtype::F32),
        token_budget: NonZeroUsize::new(2048),
        ..EmbedOptions::default()
    };
    let metadata = metadata(&output);
    let options = [Effect::Values, Effect::LastBits].map(|effect| {
        let options = EmbedOptions::OPTIONS.with_effect(effect, &used);
        options.collect::<Vec<_>>()
    });
    assert!(options.iter().all(|options| !options.is_empty()));
    let rules = [
        ("min_length", "2"),
        ("take", "3"),
        ("unknown_residues", "unk"),
    ];
    let rules = rules.map(|(name, rule)| (name, rule.to_owned()));
    for (name, value) in options.into_iter().flatten().chain(rules) {
        let found = metadata.get(&format!("runner.{name}"));
        assert_eq!(found, Some(&value), "{name}");
    }
    assert!(!metadata.contains_key("runner.max_length"));
    let page = fs::read_to_string(&page).unwrap();
    for (name, _) in EmbedOptions::OPTIONS.settings(&used) {
        assert!(
            page.contains(&format!("<dt>{name}</dt>")),
            "{name} is not shown"
        );
    }
    for setting in ["<dd>truncate 1022</dd>", "<dd>0, 6</dd>", "<dt>gelu</dt>"] {
        assert!(page.contains(setting), "{setting} is not shown");
    }
}

#[test]
fn memory_is_bounded_by_row_groups() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.parquet");
    // 70 MiB of values.
    let batches: Vec<_> = (0..5)
        .map(|n| batch(n * 2_800..(n + 1) * 2_800, 1, 1_280))
        .collect();
    write(&plan(&path, &[33], 1_280), &batches).unwrap();
    let file = File::open(&path).unwrap();
    let metadata = ArrowReaderMetadata::load(&file, Default::default()).unwrap();
    let row_groups = metadata.metadata().row_groups();
    assert!(row_groups.len() >= 3);
    for row_group in row_groups {
        let n_bytes = row_group.total_byte_size();
        assert!(n_bytes < 33 << 20, "{n_bytes}");
    }
    let found = read_rows(&path, &["embedding"]);
    assert_eq!(bits(&found), bits(&batch(0..14_000, 1, 1_280)));
}

#[test]
fn text_counts_for_row_groups_as_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.parquet");
    // 100 MB of text in one batch, which compression makes nothing of.
    let mut rows = batch(0..200, 1, 8);
    for row in &mut rows.meta {
        row.description = "d".repeat(500_000);
    }
    write(&plan(&path, &[33], 8), std::slice::from_ref(&rows)).unwrap();
    let file = File::open(&path).unwrap();
    let metadata = ArrowReaderMetadata::load(&file, Default::default()).unwrap();
    let row_groups = metadata.metadata().row_groups();
    assert!(row_groups.len() >= 3, "{}", row_groups.len());
    for row_group in row_groups {
        let n_bytes = row_group.total_byte_size();
        assert!(n_bytes < 42 << 20, "{n_bytes}");
    }
    let found = read_rows(&path, &["embedding"]);
    assert_eq!(found.meta, rows.meta);
    assert_eq!(bits(&found), bits(&rows));
}

#[test]
fn an_output_of_which_nothing_was_committed_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.parquet");
    let mut job = Job::open(Some(&plan(&path, &[6], 8))).unwrap();
    job.reject(&Rejection {
        id: "p1".into(),
        reason: "empty sequence".into(),
    });
    job.write(batch(0..100, 1, 8)).unwrap();
    assert_eq!(n_files(&folder), 1, "the folder of the parts");
    drop(job);
    assert_eq!(n_files(&folder), 0);
}

#[test]
fn an_output_that_lost_records_is_not_published() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.parquet");
    let mut job = Job::open(Some(&plan(&path, &[6], 8))).unwrap();
    job.write(batch(0..3, 1, 8)).unwrap();
    job.at.record += 1;
    let error = job.finish().unwrap_err();
    let expected = "4 records were read, but 3 embedded and 0 rejected";
    assert_eq!(error.to_string(), expected);
    assert!(!path.exists());
}

#[test]
fn a_run_without_output_leaves_nothing() {
    let mut job = Job::open(None).unwrap();
    job.write(batch(0..3, 1, 8)).unwrap();
    let published = job.finish().unwrap();
    assert_eq!(published, Published::default());
}

#[test]
fn nothing_is_replaced_unless_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.parquet");
    let mut plan = plan(&path, &[6], 8);
    let job = Job::open(Some(&plan)).unwrap();
    let other = folder.path().join("other.parquet");
    write(&self::plan(&other, &[6], 8), &[batch(0..2, 1, 8)]).unwrap();
    fs::rename(&other, &path).unwrap();
    // An output that came into being during the run, and one that was there before it.
    let late = job.finish().unwrap_err();
    fs::remove_dir_all(folder.path().join("out.parquet.parts")).unwrap();
    plan.resume = false;
    for error in [late, write(&plan, &[batch(0..3, 1, 8)]).unwrap_err()] {
        assert_eq!(
            error.in_full(),
            format!(
                "`{}` exists (choose another output, or set `overwrite: true` to replace it)",
                path.display()
            )
        );
    }
    assert_eq!(read_rows(&path, &["embedding"]).len(), 2);
    plan.overwrite = true;
    write(&plan, &[batch(0..3, 1, 8)]).unwrap();
    assert_eq!(read_rows(&path, &["embedding"]).len(), 3);
    assert_eq!(n_files(&folder), 1);
}

#[test]
fn a_row_of_another_length_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.parquet");
    for (n_columns, width, expected) in [
        (2, 7, "7 values, which are not of the form Vector(8)"),
        (2, 16, "16 values, which are not of the form Vector(8)"),
        (1, 8, "1 columns instead of 2"),
        (3, 8, "3 columns instead of 2"),
    ] {
        let mut job = Job::open(Some(&plan(&path, &[0, 6], 8))).unwrap();
        let error = job.write(batch(0..1, n_columns, width)).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert_eq!(n_files(&folder), 0);
}
