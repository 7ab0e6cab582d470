//! Models through the real program: what they may be called, what their files may say, and what a
//! device has room for.

use super::common::project;
use crate::child::finish;
use runner::device::amx;
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

const DEMO: &str = "examples/models/esm2_t6_2M_demo";
const OK: i32 = 0;
const MODEL: i32 = 5;
const DEVICE: i32 = 6;
const REJECTED: i32 = 7;

/// A folder in which scripts run.
pub struct Job {
    folder: TempDir,
    environment: Vec<(&'static str, PathBuf)>,
}

/// What a script left behind.
#[derive(Debug)]
pub struct Done {
    pub exit_code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Job {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("in.fa"), ">a\nMKTAYIAKQR\n>b\nMSTNPK\n").unwrap();
        Self {
            folder,
            environment: Vec::new(),
        }
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and the folders that it is in.
    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A model's folder with the weights of the project's own.
    fn model(&self, name: &str) {
        fs::create_dir_all(self.at(name)).unwrap();
        for file in ["config.json", "model.safetensors"] {
            symlink(project(DEMO).join(file), self.at(name).join(file)).unwrap();
        }
    }

    /// A model's folder whose configuration says `value` for `key`, and which has no weights.
    fn configured(&self, name: &str, key: &str, value: &str) {
        let config = fs::read_to_string(project(DEMO).join("config.json")).unwrap();
        let from = format!("\"{key}\":");
        assert!(config.contains(&from));
        let config = config.replace(&from, &format!("{from} {value}, \"was\":"));
        self.write(&format!("{name}/config.json"), config);
    }

    pub fn run(&self, command: &str, script: &str) -> Done {
        fs::write(self.at("job.rhai"), script).unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_runner"));
        program
            .args([command, "job.rhai"])
            .current_dir(self.folder.path());
        for name in ["HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "RUST_LOG"] {
            program.env_remove(name);
        }
        program.env("HOME", self.at("home"));
        // Nothing here is to come from elsewhere.
        program.env("HF_HUB_OFFLINE", "1");
        program.envs(self.environment.iter().map(|(name, path)| (name, path)));
        let output = finish(&mut program, b"");
        Done {
            exit_code: output.status.code().expect("no signal ends the program"),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Both commands refuse a model on a device, with all of `parts`.
    fn refused_on(&self, device: &str, source: &str, parts: &[&str]) {
        let script = format!("esm2(\"{source}\", #{{ device: \"{device}\" }});");
        for command in ["exec", "check"] {
            let done = self.run(command, &script);
            assert_eq!(done.exit_code, MODEL, "{command} {source}: {done:?}");
            for part in parts {
                assert!(done.stderr.contains(part), "{part}: {}", done.stderr);
            }
        }
    }

    fn refused(&self, source: &str, parts: &[&str]) {
        self.refused_on("mock", source, parts);
        self.refused_on("cpu", source, parts);
    }
}

#[test]
fn a_missing_folder_is_no_id_of_the_hub() {
    let job = Job::new();
    job.model("models/esm2_8M");
    fs::create_dir(job.at("empty")).unwrap();
    job.refused(
        "models/esm2_35M",
        &[
            "there is no folder `models/esm2_35M`",
            "`models` is there, but has no `esm2_35M` in it; it has `esm2_8M`",
        ],
    );
    job.refused("empty/x", &["`empty` is there, but has no `x` in it"]);
    job.refused("./models/x", &["there is no folder", "has no `x` in it"]);
    job.refused("models/a/b/c", &["there is no folder", "has no `a` in it"]);
    job.refused("weights/x", &["`weights` is not in the working directory"]);
    job.refused("no/such/model", &["`no` is not in the working directory"]);
    job.refused(
        "esm2",
        &[
            "there is no folder `esm2`: it is not in the working directory",
            "esm2_t6_8M_UR50D",
            "esm2_t48_15B_UR50D",
        ],
    );
    job.refused(
        "esm2-650M",
        &["did you mean `facebook/esm2_t33_650M_UR50D`?"],
    );
    job.refused("in.fa/x", &["there is no folder", "`in.fa` is a file"]);
    job.refused(
        "/no/such/model",
        &["there is no folder", "has no `no` in it"],
    );
    // A folder in the way of an id says so.
    fs::create_dir(job.at("facebook")).unwrap();
    job.refused(
        "facebook/esm2_t6_8M_UR50D",
        &[
            "`facebook` is there, but has no `esm2_t6_8M_UR50D` in it",
            "there is a folder of that name",
            "`runner download facebook/esm2_t6_8M_UR50D`",
        ],
    );
    job.refused(
        "facebook/esm2_t7_9M",
        &["Meta has published no", "esm2_t48_15B_UR50D"],
    );
    fs::remove_dir(job.at("facebook")).unwrap();
    job.refused(
        "weights/x",
        &[
            "many folders of models are called so",
            "`runner download weights/x`",
        ],
    );
    for id in [
        "facebook/esm2_t6_8M_UR50D",
        "esm2_t6_8M_UR50D",
        "owner/name",
    ] {
        job.refused(id, &[id, "are not on this machine", "`HF_HUB_OFFLINE`"]);
    }
    let home = job.at("home/models/x");
    job.refused(
        "~/models/x",
        &["`~` is not expanded", home.to_str().unwrap()],
    );
    symlink("elsewhere", job.at("link")).unwrap();
    job.refused(
        "link",
        &["`link` is a link to `elsewhere`, which does not exist"],
    );
    job.refused(
        "link/x",
        &["`link` is a link to `elsewhere`, which does not exist"],
    );
}

#[test]
fn what_is_no_model_says_what_it_is() {
    let job = Job::new();
    let zip = b"PK\x03\x04\0\0\x08\x08";
    job.write("esm2_t6_8M_UR50D.pt", zip);
    job.write("pytorch_model.bin", zip);
    job.write("old.bin", b"\x80\x02\x8a\x0a");
    job.model("good");
    job.write(
        "pointer.safetensors",
        "version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
    );
    job.refused(
        "esm2_t6_8M_UR50D.pt",
        &["`esm2_t6_8M_UR50D.pt` is not a good file of weights"],
    );
    job.refused("pytorch_model.bin", &["name its folder, `.`"]);
    job.refused("old.bin", &["name its folder, `.`"]);
    job.refused("good/model.safetensors", &["name its folder, `good`"]);
    job.refused("good/config.json", &["name its folder, `good`"]);
    job.refused("pointer.safetensors", &["git lfs pull"]);
    job.refused(
        "esm2_t12_35M_UR50D.pt",
        &[
            "there is no folder `esm2_t12_35M_UR50D.pt`: it is not in the working directory",
            "it has `esm2_t6_8M_UR50D.pt`",
        ],
    );
    job.refused("in.fa", &["it is a file", "hint: a model is a folder"]);

    let folder = |name: &str, file: &str, content: &[u8], parts: &[&str]| {
        job.write(&format!("{name}/{file}"), content);
        job.refused(name, parts);
    };
    fs::create_dir(job.at("nothing")).unwrap();
    job.refused("nothing", &["no `config.json` in `nothing`: it is empty"]);
    folder(
        "fair",
        "esm2_t6_8M_UR50D.pt",
        zip,
        &["`fair/esm2_t6_8M_UR50D.pt` is not a good file of weights"],
    );
    folder(
        "torch",
        "pytorch_model.bin",
        zip,
        &["no `config.json`", "hint: a model is a folder"],
    );
    folder(
        "outer",
        "inner/config.json",
        b"{}",
        &["is it `outer/inner`?"],
    );
    folder(
        "models--facebook--esm2_t6_8M_UR50D",
        "snapshots/abc/config.json",
        b"{}",
        &[
            "repository of a model in the cache",
            "`facebook/esm2_t6_8M_UR50D`",
        ],
    );
    folder(
        "cache",
        "models--facebook--esm2_t6_8M_UR50D/refs/main",
        b"abc",
        &["the cache of HF's tools", "`facebook/esm2_t6_8M_UR50D`"],
    );

    let with_config = |name: &str| {
        fs::create_dir_all(job.at(name)).unwrap();
        let config = project(DEMO).join("config.json");
        fs::copy(config, job.at(name).join("config.json")).unwrap();
    };
    let weightless = |name: &str, file: &str, parts: &[&str]| {
        with_config(name);
        job.write(&format!("{name}/{file}"), zip);
        job.refused_on("cpu", name, parts);
    };
    weightless("a", "training_args.bin", &["no `model.safetensors` or"]);
    weightless(
        "h",
        "last.ckpt",
        &["`last.ckpt`", "call it `pytorch_model.bin`"],
    );
    weightless(
        "i",
        "pytorch_model-00001-of-00002.bin",
        &["pytorch_model.bin.index.json"],
    );
    weightless(
        "b",
        "adapter_model.safetensors",
        &["adapter", "`adapter_config.json` must be beside it"],
    );
    weightless(
        "c",
        "model-00001-of-00002.safetensors",
        &["model.safetensors.index.json"],
    );
    weightless(
        "d",
        "esm2.safetensors",
        &["`esm2.safetensors`", "call it `model.safetensors`"],
    );
    weightless("e", "model.safetensors", &["list of entries", "cut short"]);
    fs::remove_file(job.at("a/config.json")).unwrap();
    symlink("../../blobs/1", job.at("a/config.json")).unwrap();
    job.refused("a", &["a/config.json` is a link to `../../blobs/1`"]);
    job.write(
        "f/config.json",
        "version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
    );
    job.refused("f", &["f/config.json`", "git lfs pull"]);
    job.write("g/config.json", vec![b' '; 2 << 20]);
    job.refused("g", &["g/config.json`", "more than 1048576 bytes"]);
}

#[test]
fn configurations_are_checked_before_memory_is_taken() {
    let job = Job::new();
    for (n, (key, value)) in [
        ("hidden_size", "1099511627776"),
        ("hidden_size", "9223372036854775808"),
        ("hidden_size", "99999999999999999999999"),
        ("num_hidden_layers", "4611686018427387904"),
        ("num_attention_heads", "4611686018427387904"),
        ("intermediate_size", "1099511627776"),
        ("layer_norm_eps", "-1e-5"),
        ("layer_norm_eps", "\"NaN\""),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("m{n}");
        job.configured(&name, key, value);
        job.refused(&name, &["config.json", &format!("`{key}` is ")]);
    }
    // Within the limits, but not what the weights have.
    job.configured("wide", "intermediate_size", "1048576");
    symlink(
        project(DEMO).join("model.safetensors"),
        job.at("wide/model.safetensors"),
    )
    .unwrap();
    job.refused_on("cpu", "wide", &["intermediate.dense.weight", "[640, 160]"]);
}

#[test]
fn a_number_format_that_a_device_lacks_is_refused() {
    let job = Job::new();
    job.model("m");
    for (device, label) in [("cpu", "the CPU"), ("mock", "the mock device")] {
        for dtype in ["bf16", "f16", "int8"] {
            if (device, dtype) == ("cpu", "bf16") && amx::lacking().is_none() {
                continue;
            }
            let script = format!("esm2(\"m\", #{{ device: \"{device}\", dtype: \"{dtype}\" }});");
            for command in ["exec", "check"] {
                let done = job.run(command, &script);
                assert_eq!(done.exit_code, MODEL, "{command} {script}: {done:?}");
                let why = match dtype {
                    "int8" => ": that takes a GPU of compute capability 9.0 (Hopper)",
                    _ => "",
                };
                for part in [
                    format!("{label} computes in f32"),
                    format!(", not in {dtype}{why}"),
                ] {
                    assert!(done.stderr.contains(&part), "{}", done.stderr);
                }
            }
        }
    }
}

#[test]
fn models_of_the_hub_are_found_in_the_cache_of_other_tools() {
    const ID: &str = "facebook/esm2_t6_8M_UR50D";
    const REPOSITORY: &str = "models--facebook--esm2_t6_8M_UR50D";
    let check = |variable: &'static str, value: &str, hub: &str| {
        let mut job = Job::new();
        job.environment.push((variable, job.at(value)));
        let repository = format!("{hub}/{REPOSITORY}");
        job.write(&format!("{repository}/refs/main"), "0123abc");
        job.model(&format!("{repository}/snapshots/0123abc"));
        for id in [ID, "esm2_t6_8M_UR50D"] {
            let script = format!(
                "let m = esm2(\"{id}\", #{{ device: \"cpu\" }}); print(m.name); \
                 embed(m, fasta(\"in.fa\"));"
            );
            let done = job.run("exec", &script);
            assert_eq!(done.exit_code, OK, "{variable}: {done:?}");
            assert_eq!(done.stdout, format!("{ID}\n"), "{variable}");
        }
        // The download was cut short.
        let weights = job.at(&format!("{repository}/snapshots/0123abc/model.safetensors"));
        fs::remove_file(&weights).unwrap();
        symlink("../../blobs/gone", &weights).unwrap();
        let parts = [ID, "on this machine", "`HF_HUB_OFFLINE`"];
        job.refused_on("cpu", ID, &parts);
        // The mock device needs no weights.
        let done = job.run("exec", &format!("esm2(\"{ID}\", #{{ device: \"mock\" }});"));
        assert_eq!(done.exit_code, OK, "{variable}: {done:?}");
        fs::remove_file(job.at(&format!("{repository}/refs/main"))).unwrap();
        job.refused(ID, &parts);
    };
    check("HF_HUB_CACHE", "hub", "hub");
    check("HF_HOME", "hf", "hf/hub");
    check("XDG_CACHE_HOME", "cache", "cache/huggingface/hub");
    check("HOME", "me", "me/.cache/huggingface/hub");
}

#[test]
fn a_device_that_is_missing_has_its_own_exit_code() {
    let job = Job::new();
    job.model("m");
    for device in ["cuda:99", "GPU-00000000-0000-0000-0000-000000000000"] {
        let script = format!("esm2(\"m\", #{{ device: \"{device}\" }});");
        let done = job.run("exec", &script);
        assert_eq!(done.exit_code, DEVICE, "{done:?}");
        assert!(done.stderr.contains("error: "), "{}", done.stderr);
    }
    let script = "try { esm2(\"m\", #{ device: \"cuda:99\" }); } catch (err) { print(err.kind); }";
    assert_eq!(job.run("exec", script).stdout, "device\n");
}

/// The rows that a rejects file lists, without ordinals.
fn rejects(folder: &Path) -> String {
    fs::read_to_string(folder.join("out.parquet.rejects.tsv")).unwrap_or_default()
}

#[test]
fn a_batch_that_does_not_fit_is_made_smaller() {
    let job = Job::new();
    job.model("m");
    let long = "MKTAYIAKQR".repeat(60);
    job.write("in.fa", format!(">a\nMKTA\n>long\n{long}\n>b\nMSTNPK\n"));
    let script = |memory: &str, budget: &str| {
        format!(
            "let m = esm2(\"m\", #{{ device: \"mock\", mock: #{{ {memory} }} }});\n\
             let run = embed(m, fasta(\"in.fa\"), #{{ output: \"out.parquet\", overwrite: true, {budget} }});\n\
             print(`${{run.token_budget}} ${{run.sequences}} ${{run.rejected}}`);"
        )
    };
    let done = job.run("exec", &script("", "token_budget: 4096"));
    assert_eq!(
        (done.exit_code, done.stdout.as_str()),
        (OK, "4096 3 0\n"),
        "{done:?}"
    );

    let done = job.run("exec", &script("memory_tokens: 1000", "token_budget: 4096"));
    assert_eq!(
        (done.exit_code, done.stdout.as_str()),
        (REJECTED, "512 2 1\n"),
        "{done:?}"
    );
    for budget in [
        "4096 tokens; trying 2048",
        "2048 tokens; trying 1024",
        "1024 tokens; trying 512",
    ] {
        assert!(done.stderr.contains(budget), "{budget}: {}", done.stderr);
    }
    let listed = rejects(job.folder.path());
    let want = "long\t600 residues, more than the 510 that the device has memory for";
    assert!(listed.contains(want), "{listed}");

    let done = job.run("exec", &script("memory_tokens: 40000", ""));
    assert_eq!(
        (done.exit_code, done.stdout.as_str()),
        (OK, "32768 3 0\n"),
        "{done:?}"
    );
    assert!(!done.stderr.contains("trying"), "{}", done.stderr);

    let done = job.run("exec", &script("memory_tokens: 100", "token_budget: 4096"));
    assert_eq!(done.exit_code, DEVICE, "{done:?}");
    assert!(done.stderr.contains("out of memory"), "{}", done.stderr);
}

#[test]
fn an_embedding_that_is_not_finite_ends_the_run() {
    use super::files::{self, Stored};
    let mut tensors = files::tensors(DEMO);
    const NAME: &str = "esm.embeddings.word_embeddings.weight";
    let half = &tensors[NAME];
    // Tryptophan's row of the embeddings, which are in f16 here.
    let mut broken: Stored = half.clone();
    let row = 22 * half.shape[1] * 2;
    broken.bytes[row..row + 2].copy_from_slice(&0x7e00u16.to_le_bytes());
    tensors.insert(NAME.to_owned(), broken);
    let folder = files::folder(DEMO, &tensors);
    let job = Job::new();
    let script = format!(
        "let m = esm2(\"{}\", #{{ device: \"cpu\" }});\n\
         embed(m, fasta(\"in.fa\"), #{{ output: \"out.parquet\" }});",
        folder.path().display()
    );
    let done = job.run("exec", &script);
    assert_eq!(done.exit_code, OK, "{done:?}");
    fs::remove_file(job.at("out.parquet")).unwrap();
    job.write("in.fa", ">a\nMKTAYIAKQR\n>broken\nMSWPK\n");
    let done = job.run("exec", &script);
    assert_eq!(done.exit_code, MODEL, "{done:?}");
    assert!(
        done.stderr
            .contains("the embedding of `broken` (5 residues) is not finite"),
        "{done:?}"
    );
    assert!(!job.at("out.parquet").exists());
}

#[test]
fn sequences_that_are_truncated_are_told_of_once() {
    let job = Job::new();
    job.model("model");
    job.write("long.fa", format!(">a\n{}\n>b\nMKT\n", "M".repeat(1100)));
    let script = r#"let model = esm2("model", #{ device: "cpu" });
        embed(model, fasta("long.fa"));
        embed(model, fasta("long.fa"));"#;
    let done = job.run("exec", script);
    assert_eq!(done.exit_code, OK, "{done:?}");
    assert_eq!(
        done.stderr.matches(", 2 read, 1 truncated").count(),
        2,
        "{done:?}"
    );
    let hint = "warning: 1 sequence had more than 1022 residues";
    assert_eq!(done.stderr.matches(hint).count(), 1, "{done:?}");
    assert!(
        done.stderr.contains(r#"`.long_sequences("window")`"#),
        "{done:?}"
    );
    let asked = job.run(
        "exec",
        &script.replace(
            r#"a("long.fa")"#,
            r#"a("long.fa").long_sequences("window")"#,
        ),
    );
    assert!(
        !asked.stderr.contains("truncated") && !asked.stderr.contains(hint),
        "{asked:?}"
    );
}
