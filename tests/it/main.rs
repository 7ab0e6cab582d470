//! What the program promises, checked on the real program and real data. One binary holds it all, because
//! each further one is linked against the whole of burn again.
//!
//! A new test belongs where the promise is:
//! - `floors`: how the sources are built and who may name whom.
//! - `inputs`: what may be in a FASTA file, row by row of the README's table.
//! - `readers`: subprocesses that die, hang or lie.
//! - `embeddings`: the numbers, against HF transformers; on a GPU, too, where there is one.
//! - `hub`: the Hugging Face Hub: a server that stands for it, and downloads that are killed.
//! - `convert`: models written in the form of HF transformers.
//! - `cores`: the cores of a CPU: how many are used, and that nothing else depends on it.
//! - `models`: when they are loaded and their memory is given back.
//! - `downloads`: models that are named by their ids.
//! - `pipeline`: the whole job: order, packing, conservation.
//! - `questions`: all that a model can be asked of a sequence, against HF transformers: logits, layers, contacts.
//! - `parity`: how much a number format changes embeddings.
//! - `parquet`: the output, read back by the library that others read it with.
//! - `formats`: outputs in all formats but Parquet, and what is exported.
//! - `round_trips`: what is exported from each format to each other one.
//! - `paths`: nothing is replaced that the user did not ask to replace.
//! - `endings`: what a run leaves that does not end well.
//! - `faults`: devices that fail.
//! - `resume`: jobs that are ended in any way, and run again.
//! - `matrix`: every question in every format, killed, in shards and on several devices.
//! - `windows`: long sequences, in windows and whole.
//! - `watching`, `bottlenecks`: what a run says of itself, and what it blames.
//! - `shards`: processes that share the work of a script.
//! - `scores`: scores of mutants and perplexities: their numbers, their tables, and however a job ends.
//! - `scripts`: the script language, its errors and exit codes.
//! - `command_line`: commands beside those that run a script.
//! - `sweeps`: parameter sweeps.
//! - `forecast`: what a job would take, told before.
//! - `doctor`: what a machine has, and what is wrong with it.
//! - `docs`: what the documentation says of options and figures.
//!
//! `run` is no test: it has what runs in the process of a test need.

mod bottlenecks;
mod broken;
mod child;
mod command_line;
mod convert;
mod cores;
mod docs;
mod doctor;
mod downloads;
mod embeddings;
mod endings;
mod exports;
mod faults;
mod floors;
mod forecast;
mod formats;
mod hdf5;
mod hub;
mod inputs;
mod matrix;
mod models;
mod parity;
mod parquet;
mod paths;
mod pipeline;
mod questions;
mod readers;
mod resume;
mod round_trips;
mod run;
mod scores;
mod scripts;
mod shards;
mod sweeps;
mod watching;
mod windows;

/// The program.
const RUNNER: &str = env!("CARGO_BIN_EXE_runner");
/// The folder of the project.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// The smallest trained model, which comes with the project.
const DEMO: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/examples/models/esm2_t6_2M_demo"
);
