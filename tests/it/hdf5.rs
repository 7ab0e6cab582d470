//! Outputs in HDF5 through the real program: they hold what Parquet holds, say what they are, and are known again.

use crate::{RUNNER, child::finish, embeddings::common::project};
use std::{
    fs::{self, File},
    path::Path,
    process::Command,
};

use runner::hdf5::Reader;

const FASTA: &str = ">a the first\nMKTAYIAKQR\n>b/1\nMKT\n>a\nMKTAYIAKQRQISFVKSHFSRQ\n";

/// Runs the program in `folder`, and gives what it printed.
fn run(folder: &Path, arguments: &[&str]) -> String {
    let mut program = Command::new(RUNNER);
    let output = finish(program.args(arguments).current_dir(folder), b"");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a script that has `model` and `proteins`.
fn script(folder: &Path, text: &str) -> String {
    let model = project("examples/models/esm2_t6_2M_demo");
    let head =
        "let model = esm2(args[0], #{ device: \"cpu\" });\nlet proteins = fasta(\"in.fa\");\n";
    fs::write(folder.join("in.fa"), FASTA).unwrap();
    fs::write(folder.join("job.rhai"), format!("{head}{text}")).unwrap();
    run(
        folder,
        &["-q", "exec", "job.rhai", "--", &model.to_string_lossy()],
    )
}

fn open(path: &Path) -> Reader {
    Reader::open(File::open(path).unwrap()).unwrap().unwrap()
}

#[test]
fn an_h5_file_holds_what_a_parquet_file_holds() {
    let folder = tempfile::tempdir().unwrap();
    let said = script(
        folder.path(),
        r#"
        embed(model, proteins, #{ output: "out.parquet" });
        embed(model, proteins, #{ output: "out.h5" });
        let parquet = embeddings("out.parquet");
        let h5 = embeddings("out.h5");
        print(h5.ids);
        print(h5.ids == parquet.ids && h5.hidden_size == parquet.hidden_size);
        print(parquet.cosine("a", "b/1") == h5.cosine("a", "b/1"));
        "#,
    );
    assert_eq!(said, "[\"a\", \"b/1\", \"a\"]\ntrue\ntrue\n");
    let path = folder.path().join("out.h5");
    let reader = open(&path);
    let root = reader.root().unwrap();
    let links = reader.links(&root).unwrap();
    let names: Vec<_> = links.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a", "a_2", "b_1"]);
    let model = reader.text(&root, "model_name").unwrap();
    assert_eq!(model.as_deref(), Some("esm2_t6_2M_demo"));
    run(folder.path(), &["verify", "out.h5"]);
    // The same script again finds it finished.
    let was = fs::read(&path).unwrap();
    script(
        folder.path(),
        r#"embed(model, proteins, #{ output: "out.h5" });"#,
    );
    assert!(fs::read(&path).unwrap() == was);
}

#[test]
fn residues_have_a_matrix_for_each_sequence() {
    let folder = tempfile::tempdir().unwrap();
    script(
        folder.path(),
        r#"embed(model, proteins, #{ residues: true, pooling: "mean", output: "out.h5" });"#,
    );
    let reader = open(&folder.path().join("out.h5"));
    let groups = reader.links(&reader.root().unwrap()).unwrap();
    let names: Vec<_> = groups.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["embedding", "residues"]);
    let residues = reader.object(groups[1].1).unwrap();
    let datasets = reader.links(&residues).unwrap();
    let shapes = datasets.iter().map(|(name, at)| {
        let shape = reader.object(*at).unwrap().shape;
        (name.as_str(), shape[0])
    });
    assert!(shapes.eq([("a", 10), ("a_2", 22), ("b_1", 3)]));
}
