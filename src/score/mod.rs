//! Scores: from mutants to the sequences that a model has to see, and from its logits to a table.
//!
//! *Input*: mutants or proteins, and the logits of planned sequences in the order of the plan. *Output*: a
//! FASTA file of masked copies, each once, and a CSV file with a score a mutant, or a perplexity a protein.
//! *Owns*: the form of mutants, windows, which copies a method needs, the arithmetic, the tables. *Never*: runs
//! a model.

mod answers;
mod asked;
mod contents;
mod copies;
mod copy;
mod done;
mod error;
mod likelihoods;
mod mutant_list;
mod mutant_table;
mod mutated_sequences;
mod mutation;
mod output;
mod plan_file;
mod probabilities;
mod protein;
mod rank;
mod rejects_list;
mod rows;
mod sites;
mod table;
mod table_file;
mod task;
mod variants;
mod window;

pub use done::Done;
pub use error::ScoreError;
pub use mutation::AMINO_ACIDS;
pub use output::ScoreOutput;
pub use plan_file::remove_plan;
pub use rank::spearman;
pub use task::{Extent, Survey, Task};
