//! The whole job through the program: scripts in, Parquet out.

use arrow_array::{Array, Float32Array, RecordBatch, StringArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use safetensors::SafeTensors;
use std::{
    fmt::Write,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

const RUNNER: &str = env!("CARGO_BIN_EXE_runner");
const DEMO: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/examples/models/esm2_t6_2M_demo"
);

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
