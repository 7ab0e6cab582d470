//! What is asked, and what it is written to.

use super::content::{self, Read};

/// A question that a model is asked of proteins.
pub struct Question {
    pub name: &'static str,
    pub input: Input,
    /// What becomes of long sequences.
    pub rule: &'static str,
    /// The call up to its options, and those that make the question.
    pub call: &'static str,
    pub options: &'static str,
    /// How names of outputs end that have room for the answer; all others of [`ENDINGS`] are refused.
    pub endings: &'static [&'static str],
    /// How many rows a protein has.
    pub rows: fn(&str) -> usize,
    /// How many of three shards have some of the work, at least.
    pub n_at_work: usize,
}

/// What is asked about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Proteins of some dozens of residues, which are few batches.
    Short,
    /// Proteins whose masked copies are many batches, and fill several blocks of the file with all copies.
    Long,
}

/// How the name of an output ends.
pub struct Ending {
    pub ending: &'static str,
    pub options: &'static str,
    pub read: Read,
}

/// Rows of a protein that has one.
const ONE: fn(&str) -> usize = |_| 1;
/// Rows of a protein of which all single mutants are scored.
const MUTANTS: fn(&str) -> usize = |residues| {
    let known = |residue: &char| "ACDEFGHIKLMNPQRSTVWY".contains(*residue);
    19 * residues.chars().filter(known).count()
};

const SKIP: &str = "\"skip\", 126";
const WINDOW: &str = "\"window\", 40, #{ overlap: 10 }";

const EMBED: &str = "embed(model, proteins";
const CONTACTS: &str = "contacts(model, proteins";
const SCORE: &str = "score(model, all_single_mutants(proteins)";
const PERPLEXITY: &str = "perplexity(model, proteins";

/// Where pairs have room, where several columns have, where one has, and where one has that is vectors of residues or
/// of proteins.
const PAIRS: &[&str] = &[".parquet", ".arrow", "/"];
const SEVERAL: &[&str] = &[".parquet", ".arrow", "/", ".safetensors", ".h5", ".hash.h5"];
const ONE_ARRAY: &[&str] = &[
    ".parquet",
    ".arrow",
    "/",
    ".safetensors",
    ".h5",
    ".hash.h5",
    ".npy",
];
const VECTORS: &[&str] = &[
    ".parquet",
    ".arrow",
    "/",
    ".safetensors",
    ".h5",
    ".hash.h5",
    ".npy",
    ".embed",
];
const TABLE: &[&str] = &[".csv"];

#[rustfmt::skip]
pub const QUESTIONS: &[Question] = &[
    Question { name: "mean", input: Input::Short, rule: SKIP, call: EMBED, options: "",
        endings: VECTORS, rows: ONE, n_at_work: 3 },
    Question { name: "layers and poolings", input: Input::Short, rule: SKIP, call: EMBED,
        options: "layers: [0, 3, -1], pooling: [\"mean\", \"max\", \"cls\", \"std\"],",
        endings: SEVERAL, rows: ONE, n_at_work: 3 },
    Question { name: "residues", input: Input::Short, rule: SKIP, call: EMBED, options: "residues: true,",
        endings: VECTORS, rows: ONE, n_at_work: 3 },
    Question { name: "residues with special tokens", input: Input::Short, rule: SKIP, call: EMBED,
        options: "residues: true, special_tokens: true, output_dtype: \"f32\",",
        endings: ONE_ARRAY, rows: ONE, n_at_work: 3 },
    Question { name: "residues, layers and poolings", input: Input::Short, rule: SKIP, call: EMBED,
        options: "residues: true, layers: [2, -1], pooling: [\"max\", \"mean\"],",
        endings: SEVERAL, rows: ONE, n_at_work: 3 },
    Question { name: "logits", input: Input::Short, rule: SKIP, call: EMBED, options: "logits: true,",
        endings: VECTORS, rows: ONE, n_at_work: 3 },
    Question { name: "logits with special tokens", input: Input::Short, rule: SKIP, call: EMBED,
        options: "logits: true, special_tokens: true,",
        endings: ONE_ARRAY, rows: ONE, n_at_work: 3 },
    Question { name: "contacts", input: Input::Short, rule: SKIP, call: CONTACTS, options: "",
        endings: ONE_ARRAY, rows: ONE, n_at_work: 3 },
    Question { name: "pairs in contact", input: Input::Short, rule: SKIP, call: CONTACTS, options: "threshold: 0.2,",
        endings: PAIRS, rows: ONE, n_at_work: 3 },
    Question { name: "windows", input: Input::Short, rule: WINDOW, call: EMBED,
        options: "pooling: [\"mean\", \"std\"], residues: true, logits: true, contacts: true,",
        endings: SEVERAL, rows: ONE, n_at_work: 3 },
    Question { name: "pairs in contact in windows", input: Input::Short, rule: WINDOW, call: CONTACTS,
        options: "threshold: 0.2,",
        endings: PAIRS, rows: ONE, n_at_work: 3 },
    Question { name: "masked marginals", input: Input::Long, rule: SKIP, call: SCORE, options: "",
        endings: TABLE, rows: MUTANTS, n_at_work: 2 },
    // What is asked in one pass has one block of sequences.
    Question { name: "wild-type marginals", input: Input::Short, rule: SKIP, call: SCORE,
        options: "method: \"wt_marginals\",",
        endings: TABLE, rows: MUTANTS, n_at_work: 1 },
    Question { name: "perplexity", input: Input::Long, rule: SKIP, call: PERPLEXITY, options: "",
        endings: TABLE, rows: ONE, n_at_work: 2 },
    Question { name: "perplexity in one pass", input: Input::Short, rule: SKIP, call: PERPLEXITY,
        options: "method: \"one_pass\",",
        endings: TABLE, rows: ONE, n_at_work: 1 },
];

#[rustfmt::skip]
pub const ENDINGS: &[Ending] = &[
    Ending { ending: ".parquet", options: "", read: content::parquet },
    Ending { ending: "/", options: "", read: content::folder },
    Ending { ending: ".arrow", options: "", read: content::arrow },
    Ending { ending: ".npy", options: "", read: content::npy },
    Ending { ending: ".safetensors", options: "", read: content::safetensors },
    Ending { ending: ".h5", options: "", read: content::h5 },
    Ending { ending: ".hash.h5", options: "sequences: true, keys: \"hash\",", read: content::h5 },
    Ending { ending: ".embed", options: "sequences: true,", read: content::embed },
    Ending { ending: ".csv", options: "", read: content::csv },
];

impl Question {
    /// The endings that have room for the answer, that of the reference first.
    pub fn endings(&self) -> Vec<&'static Ending> {
        let find = |ending: &&str| {
            let found = ENDINGS.iter().find(|of| of.ending == *ending);
            found.expect("the table has it")
        };
        self.endings.iter().map(find).collect()
    }

    /// Those that have not.
    pub fn others(&self) -> Vec<&'static Ending> {
        let others = ENDINGS.iter();
        others
            .filter(|of| !self.endings.contains(&of.ending))
            .collect()
    }

    /// Tokens a second of a device that takes some seconds for the input.
    pub fn slow(&self) -> u32 {
        match self.input {
            Input::Short => 250,
            Input::Long => 50_000,
        }
    }

    /// How many rows are committed when a job is killed, and when it is killed again.
    pub fn n_at_kills(&self) -> [usize; 2] {
        match self.input {
            Input::Short => [5, 11],
            Input::Long => [100, 400],
        }
    }

    /// Whether a protein is listed, and has no rows.
    pub fn is_rejected(&self, residues: &str) -> bool {
        residues.len() < 4 || (self.rule == SKIP && residues.len() > 126)
    }
}
