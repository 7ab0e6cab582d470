//! The numbers, beside those of HF transformers in f32.
#![expect(clippy::print_stdout, reason = "figures are for people")]

use super::place::{Place, numbers};
use crate::{DEMO, ROOT};
use runner::alphabet::token_id;
use safetensors::SafeTensors;
use std::{fs, path::Path};

/// Scores are sums over a few sites.
const TOLERANCE: f64 = 1e-4;
/// Which sequences of the answers are without masks, by their places in the file.
const WHOLE: [(usize, &str); 3] = [
    (1, "KW"),
    (4, "MKTAYIAKQRQL"),
    (8, "GVEINVKCTGSHQCIKPCKDAGMRFGKCINRKCHCTPK"),
];
const AMINO_ACIDS: &str = "ACDEFGHIKLMNPQRSTVWY";

struct Answers(Vec<u8>);

impl Answers {
    fn of(model: &str) -> Self {
        Self(fs::read(Path::new(model).join("answers.safetensors")).unwrap())
    }

    fn get(&self, name: &str) -> Vec<f64> {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let tensor = tensors.tensor(name).unwrap();
        let values = tensor.data().chunks_exact(4);
        let values = values.map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
        values.map(f64::from).collect()
    }

    /// The score of some mutations of a sequence, by the log-probabilities of this name.
    fn score(&self, name: &str, sequence: &str, mutations: &[(usize, char)]) -> f64 {
        let table = self.get(name);
        let of = |site: usize, residue: char| {
            table[site * 33 + usize::try_from(token_id(residue as u8)).unwrap()]
        };
        let residues: Vec<char> = sequence.chars().collect();
        let each = mutations.iter();
        each.map(|&(site, to)| of(site, to) - of(site, residues[site]))
            .sum()
    }
}

fn models() -> [String; 3] {
    let golden = |name: &str| format!("{ROOT}/tests/golden/{name}");
    [DEMO.to_owned(), golden("hd32"), golden("hd64")]
}

/// Some single mutants of a sequence, and one of each pair of sites that follow each other.
fn mutants(sequence: &str) -> Vec<Vec<(usize, char)>> {
    let residues: Vec<char> = sequence.chars().collect();
    let other = |site: usize, n: usize| {
        let mut others = AMINO_ACIDS.chars().filter(|other| *other != residues[site]);
        others.nth(n % 19).unwrap()
    };
    let singles = (0..residues.len()).map(|site| vec![(site, other(site, 7 * site + 3))]);
    let doubles = (1..residues.len()).map(|site| {
        vec![
            (site - 1, other(site - 1, 5 * site)),
            (site, other(site, site)),
        ]
    });
    singles.chain(doubles).collect()
}

fn name(sequence: &str, mutations: &[(usize, char)]) -> String {
    let residues: Vec<char> = sequence.chars().collect();
    let names = mutations.iter();
    let names = names.map(|&(site, to)| format!("{}{}{to}", residues[site], site + 1));
    names.collect::<Vec<_>>().join(":")
}

/// Returns the largest difference.
fn check(found: &[f64], expect: &[f64], what: &str) -> f64 {
    assert_eq!(found.len(), expect.len(), "{what}");
    let mut largest = 0.0_f64;
    for (row, (found, expect)) in found.iter().zip(expect).enumerate() {
        let difference = (found - expect).abs();
        assert!(
            difference < TOLERANCE,
            "{what}, row {row}: {found} instead of {expect}"
        );
        largest = largest.max(difference);
    }
    largest
}

#[test]
fn scores_are_those_of_transformers() {
    check_scores("device: \"cpu\"");
}

#[test]
#[ignore = "needs a GPU"]
fn scores_of_a_gpu_are_those_of_transformers() {
    check_scores("device: \"cuda\", dtype: \"f32\"");
}

/// Compares scores by models with these options.
fn check_scores(options: &str) {
    for model in models() {
        let answers = Answers::of(&model);
        let model_name = Path::new(&model).file_name().unwrap().to_str().unwrap();
        let place = Place::new();
        let mut script = format!("let model = esm2(\"{model}\", #{{ {options} }});\n");
        let mut largest = 0.0_f64;
        for (n, sequence) in WHOLE {
            let rows = mutants(sequence);
            let rows = rows.iter().map(|mutant| name(sequence, mutant) + "\n");
            place.write(
                &format!("{n}.csv"),
                &format!("mutant\n{}", rows.collect::<String>()),
            );
            script += &format!(
                "for method in [\"masked_marginals\", \"wt_marginals\"] {{
                    score(model, mutants(\"{n}.csv\", #{{ sequence: \"{sequence}\" }}),
                        #{{ method: method, output: `{n}.${{method}}.csv` }});
                }}\n"
            );
        }
        place.exec(&script);
        for (n, sequence) in WHOLE {
            for method in ["masked_marginals", "wt_marginals"] {
                let file = format!("{n}.{method}");
                let found = numbers(&place.read(&format!("{file}.csv")), model_name);
                let expect = mutants(sequence);
                let expect: Vec<_> = expect
                    .iter()
                    .map(|mutant| answers.score(&file, sequence, mutant))
                    .collect();
                let what = format!("{model_name}, {file}");
                largest = largest.max(check(&found, &expect, &what));
            }
        }
        println!("{model_name}, {options}: largest difference of scores {largest:.1e}");
    }
}

#[test]
fn perplexities_are_those_of_transformers() {
    for model in models() {
        let answers = Answers::of(&model);
        let place = Place::new();
        let records = WHOLE.map(|(n, sequence)| format!(">{n}\n{sequence}\n"));
        place.write("in.fa", &records.concat());
        place.exec(&format!(
            "let model = esm2(\"{model}\", #{{ device: \"cpu\" }});
            let proteins = fasta(\"in.fa\");
            perplexity(model, proteins, #{{ output: \"exact.csv\" }});
            perplexity(model, proteins, #{{ method: \"one_pass\", output: \"one_pass.csv\" }});"
        ));
        let exact = place.read("exact.csv");
        let expect = WHOLE.map(|(n, _)| answers.get(&format!("{n}.pseudo_log_likelihood"))[0]);
        check(&numbers(&exact, "pseudo_log_likelihood"), &expect, &model);
        let lengths = numbers(&exact, "length");
        let perplexities = expect.iter().zip(&lengths).map(|(sum, n)| (-sum / n).exp());
        let perplexities: Vec<_> = perplexities.collect();
        let found = numbers(&exact, "perplexity");
        for (found, expect) in found.iter().zip(&perplexities) {
            assert!((found / expect - 1.0).abs() < TOLERANCE, "{found} {expect}");
        }
        let one_pass = WHOLE.map(|(n, sequence)| {
            let table = answers.get(&format!("{n}.wt_marginals"));
            let sites = sequence.bytes().enumerate();
            let of = |(site, residue): (usize, u8)| {
                table[site * 33 + usize::try_from(token_id(residue)).unwrap()]
            };
            sites.map(of).sum::<f64>()
        });
        let found = place.read("one_pass.csv");
        check(
            &numbers(&found, "pseudo_log_likelihood_one_pass"),
            &one_pass,
            &model,
        );
    }
}

#[test]
fn pseudo_likelihoods_are_differences_of_those_of_whole_sequences() {
    let place = Place::new();
    let sequence = WHOLE[1].1;
    let mutants = [
        vec![(0, 'A')],
        vec![(0, 'A'), (5, 'W')],
        vec![(5, 'W')],
        vec![(2, 'K'), (7, 'G'), (11, 'D')],
        vec![],
    ];
    let mut records = format!(">wild_type\n{sequence}\n");
    let mut rows = "mutant\n".to_owned();
    for mutations in &mutants {
        let mut residues: Vec<char> = sequence.chars().collect();
        for &(site, to) in mutations {
            residues[site] = to;
        }
        let mutant: String = residues.into_iter().collect();
        records += &format!(">{}\n{mutant}\n", name(sequence, mutations));
        rows += &match mutations.is_empty() {
            true => "WT\n".to_owned(),
            false => name(sequence, mutations) + "\n",
        };
    }
    place.write("in.fa", &records);
    place.write("in.csv", &rows);
    let said = place.exec(&format!(
        "perplexity(demo(), fasta(\"in.fa\"), #{{ output: \"whole.csv\" }});
        let dms = mutants(\"in.csv\", #{{ sequence: \"{sequence}\" }});
        let scores = score(demo(), dms, #{{ method: \"pseudo_likelihood\", output: \"scores.csv\" }});
        print(scores.sequences);"
    ));
    // Those of whole sequences, without what comes twice: each single mutant has one copy in common with the wild
    // type; the double mutant one with each of the single mutants; and one of the triple mutant is of two mutations.
    assert_eq!(said.trim(), (12 + 11 + 11 + 10 + 12).to_string());
    let whole = numbers(&place.read("whole.csv"), "pseudo_log_likelihood");
    let expect: Vec<_> = whole[1..].iter().map(|sum| sum - whole[0]).collect();
    let found = numbers(&place.read("scores.csv"), "esm2_t6_2M_demo");
    check(&found, &expect, "pseudo-likelihoods");
    assert_eq!(found[4], 0.0);
}

#[test]
fn sites_of_long_proteins_are_seen_in_windows() {
    let place = Place::new();
    let residue = |n: usize| AMINO_ACIDS.chars().nth(n * n % 97 % 20).unwrap();
    let long: String = (0..1100).map(residue).collect();
    let site = 700;
    let from = long.chars().nth(site).unwrap();
    let to = if from == 'W' { 'Y' } else { 'W' };
    let start = 1100 - 1022;
    let window = &long[start..];
    place.write("long.csv", &format!("mutant\n{from}{}{to}\n", site + 1));
    place.write(
        "short.csv",
        &format!("mutant\n{from}{}{to}\n", site - start + 1),
    );
    place.exec(&format!(
        "for method in [\"masked_marginals\", \"wt_marginals\"] {{
            for part in [[\"long\", \"{long}\"], [\"short\", \"{window}\"]] {{
                let dms = mutants(part[0] + \".csv\", #{{ sequence: part[1] }});
                score(demo(), dms, #{{ method: method, output: `${{part[0]}}.${{method}}.csv` }});
            }}
        }}"
    ));
    for method in ["masked_marginals", "wt_marginals"] {
        let score = |part: &str| {
            let text = place.read(&format!("{part}.{method}.csv"));
            numbers(&text, "esm2_t6_2M_demo")
        };
        check(&score("long"), &score("short"), method);
    }
}
