//! When models are loaded and when their memory is given back, through the real program.

use crate::{DEMO, RUNNER};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    os::unix::fs::symlink,
    path::Path,
    process::Command,
};
use tempfile::TempDir;

/// A folder with a small input, and models in folders `a`, `b` and `c`.
fn place() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in.fa"), ">p\nMKTAYIAKQR\n").unwrap();
    for name in ["a", "b", "c"] {
        let model = folder.path().join(name);
        fs::create_dir(&model).unwrap();
        for file in ["config.json", "model.safetensors"] {
            symlink(format!("{DEMO}/{file}"), model.join(file)).unwrap();
        }
    }
    folder
}

/// Runs a script in `folder`: its standard output and standard error.
fn exec(folder: &Path, script: &str) -> (String, String) {
    let preamble = "let mock = |name| esm2(name, #{ device: \"mock\" });
        let run = |model| embed(model, fasta(\"in.fa\"), #{ readers: 1 });
        fn function(name) { let model = esm2(name, #{ device: \"mock\" }); model.layers }\n";
    fs::write(folder.join("job.rhai"), format!("{preamble}{script}")).unwrap();
    let output = Command::new("timeout")
        .args(["60", RUNNER, "--no-progress", "exec", "job.rhai"])
        .current_dir(folder)
        .env("RUST_LOG", "runner::host=info")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(0), "{script}\n{stderr}");
    (stdout, stderr)
}

/// What is loaded and unloaded as a script runs: `+a -a`.
fn story(script: &str) -> String {
    let (_, stderr) = exec(place().path(), script);
    let step = |line: &str| {
        let (_, rest) = line.split_once("loaded ")?;
        let sign = if line.contains("unloaded ") { '-' } else { '+' };
        Some(format!("{sign}{}", &rest[..1]))
    };
    let steps: Vec<_> = stderr.lines().filter_map(step).collect();
    steps.join(" ")
}

#[test]
fn a_model_goes_before_the_next_one_comes() {
    let check = |script: &str, expect: &str| assert_eq!(story(script), expect, "{script}");
    check(
        "for name in [\"a\", \"b\", \"a\"] { let model = mock.call(name); run.call(model); }",
        "+a -a +b -b +a",
    );
    check(
        "let table = sweep(\"models\");
         for name in [\"a\", \"b\"] {
             let model = mock.call(name);
             let params = #{ name: name };
             table.run(params, || run.call(model));
         }
         print(table);",
        "+a -a +b",
    );
    // A point that fails leaves its model, too.
    check(
        "let table = sweep(\"models\");
         for name in [\"a\", \"b\"] {
             table.run(#{ name: name }, || { let model = mock.call(name); throw \"no\"; });
         }",
        "+a -a +b",
    );
    check(
        "try { let model = mock.call(\"a\"); throw 1; } catch {} mock.call(\"b\");",
        "+a -a +b",
    );
    check("function(\"a\"); function(\"b\");", "+a -a +b");
    check(
        "let model = mock.call(\"a\"); model = (); mock.call(\"b\");",
        "+a -a +b",
    );
    // The second model comes before the variable lets the first one go.
    check(
        "let model = mock.call(\"a\"); model = mock.call(\"b\"); model = mock.call(\"c\");",
        "+a +b -a +c",
    );
}

#[test]
fn a_model_that_is_asked_for_again_is_not_read_again() {
    let check = |script: &str, expect: &str| assert_eq!(story(script), expect, "{script}");
    check(
        "for n in 0..3 { let model = mock.call(\"a\"); run.call(model); }",
        "+a",
    );
    check("function(\"a\"); function(\"a\");", "+a");
    // Any value that is left keeps it.
    check(
        "let model = mock.call(\"a\"); let kept = #{ deep: [model] }; model = ();
         let other = mock.call(\"b\"); run.call(kept.deep[0]);",
        "+a +b",
    );
    check(
        "let model = mock.call(\"a\"); let later = || run.call(model);
         function(\"b\"); later.call();",
        "+a +b -b",
    );
    // What nothing stands for does not take memory from what works.
    check(
        "let model = mock.call(\"a\"); function(\"b\"); run.call(model); function(\"b\");",
        "+a +b -b +b",
    );
}

#[test]
fn scripts_unload_models_and_may_use_them_again() {
    let check = |script: &str, expect: &str| assert_eq!(story(script), expect, "{script}");
    check(
        "let model = mock.call(\"a\"); let same = mock.call(\"a\");
         model.unload(); same.unload(); model.unload();
         print(`${model}, ${model.layers} layers`);
         run.call(same); run.call(model);",
        "+a -a +a",
    );
    check(
        "let model = mock.call(\"a\"); model.unload(); model = mock.call(\"a\"); run.call(model);",
        "+a -a +a",
    );
    check(
        "const MODEL = esm2(\"a\", #{ device: \"mock\" }); MODEL.unload();",
        "+a -a",
    );
}

#[test]
fn a_rehearsal_knows_unload() {
    let folder = place();
    fs::write(
        folder.path().join("job.rhai"),
        "let model = esm2(\"a\"); model.unload(); model.unload(); embed(model, fasta(\"in.fa\"));",
    )
    .unwrap();
    let output = Command::new(RUNNER)
        .args(["check", "job.rhai"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// Bytes of the weights of a large model.
const LARGE_BYTES: f64 = 8.0 * 12.0 * 512.0 * 512.0 * 4.0;

/// Writes a model of 12.5 MB a layer.
pub fn large_model(folder: &Path, n_layers: usize) {
    model_of_zeros(folder, n_layers, [512, 2048, 16]);
}

/// Writes a model of these hidden and intermediate sizes and heads, all of whose weights are zero, so that its file takes
/// no room on the disk.
pub fn model_of_zeros(folder: &Path, n_layers: usize, sizes: [usize; 3]) {
    let [hidden, intermediate, n_heads] = sizes;
    let config = fs::read_to_string(format!("{DEMO}/config.json")).unwrap();
    let mut config: BTreeMap<String, serde_json::Value> = serde_json::from_str(&config).unwrap();
    for (key, value) in [
        ("hidden_size", hidden),
        ("intermediate_size", intermediate),
        ("num_hidden_layers", n_layers),
        ("num_attention_heads", n_heads),
    ] {
        config.insert(key.to_owned(), value.into());
    }
    fs::create_dir(folder).unwrap();
    let config = serde_json::to_string(&config).unwrap();
    fs::write(folder.join("config.json"), config).unwrap();

    let mut header = String::new();
    let mut n_bytes = 0;
    let mut add = |name: String, shape: &[usize]| {
        let end = n_bytes + 4 * shape.iter().product::<usize>();
        let comma = if header.is_empty() { "" } else { "," };
        write!(
            header,
            r#"{comma}"{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{n_bytes},{end}]}}"#
        )
        .unwrap();
        n_bytes = end;
    };
    let mut pair = |name: &str, n_out: usize, n_in: Option<usize>| {
        let shape: Vec<_> = [Some(n_out), n_in].into_iter().flatten().collect();
        add(format!("esm.{name}.weight"), &shape);
        add(format!("esm.{name}.bias"), &[n_out]);
    };
    pair("encoder.emb_layer_norm_after", hidden, None);
    for n in 0..n_layers {
        let name = |part: &str| format!("encoder.layer.{n}.{part}");
        for part in ["query", "key", "value"] {
            pair(
                &name(&format!("attention.self.{part}")),
                hidden,
                Some(hidden),
            );
        }
        pair(&name("attention.output.dense"), hidden, Some(hidden));
        pair(&name("attention.LayerNorm"), hidden, None);
        pair(&name("LayerNorm"), hidden, None);
        pair(&name("intermediate.dense"), intermediate, Some(hidden));
        pair(&name("output.dense"), hidden, Some(intermediate));
    }
    add(
        "esm.embeddings.word_embeddings.weight".to_owned(),
        &[33, hidden],
    );
    let header = format!("{{{header}}}");
    let mut file = File::create(folder.join("model.safetensors")).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes())
        .unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.set_len((8 + header.len() + n_bytes) as u64).unwrap();
}

#[test]
fn large_models_after_each_other_take_the_memory_of_one() {
    let folder = place();
    for name in ["first", "second", "third", "fourth"] {
        large_model(&folder.path().join(name), 8);
    }
    // By how much the peak grew after the first model. The allocator keeps some blocks of threads that ended.
    let growth = |script: &str| -> f64 {
        let script = format!(
            "let cpu = |name| esm2(name, #{{ device: \"cpu\" }});
             let peak = |model| embed(model, fasta(\"in.fa\"), #{{ readers: 1 }}).peak_memory_bytes;
             {script}"
        );
        let (stdout, _) = exec(folder.path(), &script);
        let mut peaks = stdout.lines().map(|line| line.parse::<f64>().unwrap());
        let first = peaks.next().unwrap();
        assert!(first > LARGE_BYTES, "the first model takes {first} bytes");
        (peaks.next_back().unwrap() - first) / LARGE_BYTES
    };
    let held = growth(
        "let a = cpu.call(\"first\"); print(peak.call(a));
         let b = cpu.call(\"second\"); print(peak.call(b));",
    );
    assert!(
        held > 0.9,
        "both are held, and memory grew by {held} models"
    );
    // Three more would be held here; the allocator keeps less than half of that.
    let looped = growth(
        "for name in [\"first\", \"second\", \"third\", \"fourth\"] {
             let model = cpu.call(name);
             print(peak.call(model));
         }",
    );
    assert!(looped < 1.5, "memory grew by {looped} models in a loop");
    let unloaded = growth(
        "let all = [];
         for name in [\"first\", \"second\", \"third\", \"fourth\"] {
             let model = cpu.call(name);
             print(peak.call(model));
             model.unload();
             all.push(model);
         }",
    );
    assert!(
        unloaded < 1.5,
        "memory grew by {unloaded} models beside `unload`"
    );
}
