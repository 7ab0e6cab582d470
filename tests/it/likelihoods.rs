//! Scores and perplexities, made of the log-probabilities of HF transformers in f32, through the real program and its
//! CSV files.
//!
//! `scripts/golden/answers.py` has made them, one mask at a time.

use crate::{
    RUNNER,
    child::finish,
    embeddings::common::project,
    questions::{MODELS, Tensor, references},
};
use std::{collections::BTreeMap, fs, path::Path, process::Command};

/// Sums of log-probabilities, in f32 against f32.
const TOLERANCE: f64 = 1e-4;
const RESIDUES: &str = "ACDEFGHIKLMNPQRSTVWY";

/// A protein of which nothing is masked.
struct Protein {
    /// Its number in the references.
    number: usize,
    id: String,
    sequence: String,
}

/// The proteins among the sequences of a model's references.
fn proteins(model: &Path) -> Vec<Protein> {
    let text = fs::read_to_string(model.join("answers.fasta")).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let records = lines.as_chunks::<2>().0.iter().enumerate();
    let records = records.filter(|(_, [_, sequence])| !sequence.contains('<'));
    let proteins = records.map(|(number, [id, sequence])| Protein {
        number,
        id: id.trim_start_matches('>').to_owned(),
        sequence: (*sequence).to_owned(),
    });
    proteins.collect()
}

/// The rows of the table `out.csv` of a script that has `model` and `proteins`, behind the first one.
fn table(model: &Path, proteins: &[&Protein], call: &str) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let records = proteins.iter();
    let fasta: String = records
        .map(|protein| format!(">{}\n{}\n", protein.id, protein.sequence))
        .collect();
    fs::write(folder.path().join("in.fasta"), fasta).unwrap();
    let script = format!(
        "let model = esm2(args[0], #{{ device: \"cpu\" }});\nlet proteins = fasta(\"in.fasta\");\n{call}\n"
    );
    fs::write(folder.path().join("job.rhai"), script).unwrap();
    let mut program = Command::new(RUNNER);
    program
        .args(["-q", "exec", "job.rhai", "--"])
        .arg(model)
        .current_dir(folder.path());
    let output = finish(&mut program, b"");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{call}\n{stderr}");
    let text = fs::read_to_string(folder.path().join("out.csv")).unwrap();
    let rows = text.lines().skip(1);
    rows.map(|row| row.split(',').map(str::to_owned).collect())
        .collect()
}

/// The place of each residue among the tokens of a model.
fn tokens(model: &Path) -> BTreeMap<char, usize> {
    let vocabulary = fs::read_to_string(model.join("vocab.txt")).unwrap();
    let tokens = vocabulary.split_whitespace().enumerate();
    let letters = tokens.filter(|(_, token)| token.len() == 1);
    letters
        .map(|(n, token)| (token.chars().next().expect("a letter"), n))
        .collect()
}

fn number(text: &str) -> f64 {
    text.parse()
        .unwrap_or_else(|_| panic!("`{text}` is no number"))
}

fn assert_close(got: f64, want: f64, what: &str) {
    assert!(
        (got - want).abs() <= TOLERANCE,
        "{what}: {got} instead of {want}"
    );
}

#[test]
fn scores_of_all_single_mutants_are_differences_of_log_probabilities() {
    for (folder, method) in MODELS
        .into_iter()
        .flat_map(|folder| ["masked_marginals", "wt_marginals"].map(|method| (folder, method)))
    {
        let model = project(folder);
        let (references, tokens) = (
            references(&model.join("answers.safetensors")),
            tokens(&model),
        );
        let proteins = proteins(&model);
        // Those of the twenty residues alone.
        let known = |protein: &&Protein| protein.sequence.chars().all(|x| RESIDUES.contains(x));
        let proteins: Vec<_> = proteins.iter().filter(known).collect();
        let call = format!(
            "score(model, all_single_mutants(proteins), #{{ method: \"{method}\", output: \"out.csv\" }});"
        );
        let mut rows = table(&model, &proteins, &call).into_iter();
        for protein in &proteins {
            let marginals: &Tensor = &references[&format!("{}.{method}", protein.number)];
            for (site, wild_type) in protein.sequence.chars().enumerate() {
                let at = |residue: char| f64::from(marginals.row(site)[tokens[&residue]]);
                let mut found = BTreeMap::new();
                for _ in 0..RESIDUES.len() - 1 {
                    let row = rows.next().expect("a row a mutant");
                    assert_eq!(row[0], protein.id);
                    found.insert(row[1].clone(), number(&row[2]));
                }
                for residue in RESIDUES.chars().filter(|residue| *residue != wild_type) {
                    let name = format!("{wild_type}{}{residue}", site + 1);
                    let got = found.remove(&name);
                    let got =
                        got.unwrap_or_else(|| panic!("{folder}: no {name} of {}", protein.id));
                    let what = format!("{folder}, {method}: {name} of {}", protein.id);
                    assert_close(got, at(residue) - at(wild_type), &what);
                }
                assert!(found.is_empty(), "{found:?}");
            }
        }
        assert!(rows.next().is_none());
    }
}

#[test]
fn perplexities_are_those_of_one_mask_a_residue_or_of_none() {
    for folder in MODELS {
        let model = project(folder);
        let (references, tokens) = (
            references(&model.join("answers.safetensors")),
            tokens(&model),
        );
        let proteins = proteins(&model);
        let all: Vec<_> = proteins.iter().collect();
        for method in ["exact", "one_pass"] {
            let call = format!(
                "perplexity(model, proteins, #{{ method: \"{method}\", output: \"out.csv\" }});"
            );
            let rows = table(&model, &all, &call);
            assert_eq!(rows.len(), proteins.len());
            for (row, protein) in rows.iter().zip(&proteins) {
                let want: f64 = if method == "exact" {
                    let name = format!("{}.pseudo_log_likelihood", protein.number);
                    f64::from(references[&name].row(0)[0])
                } else {
                    let marginals = &references[&format!("{}.wt_marginals", protein.number)];
                    let residues = protein.sequence.chars().enumerate();
                    let likelihoods =
                        residues.map(|(site, x)| f64::from(marginals.row(site)[tokens[&x]]));
                    likelihoods.sum()
                };
                let n_residues = protein.sequence.len();
                let what = format!("{folder}, {method}: {}", protein.id);
                assert_eq!((&row[0], &row[1]), (&protein.id, &n_residues.to_string()));
                assert_close(number(&row[3]), want, &what);
                let perplexity = (-want / n_residues as f64).exp();
                assert_close(number(&row[2]) / perplexity, 1.0, &what);
            }
        }
    }
}
