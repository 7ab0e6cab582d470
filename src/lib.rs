//! `runner` embeds protein sequences with ESM-2, driven by Rhai scripts.
//!
//! The modules stand in the order in which data flows; `src/README.md` is the map. A module names
//! only modules of its own floor or of a lower one.

// Ground floor: plain data.
pub mod alphabet;
pub mod cancel;
pub mod event;
pub mod file;
pub mod hdf5;
pub mod hint;
pub mod job;
pub mod meter;
pub mod paths;
pub mod queue;
pub mod text;

// First floor: the stations, in flow order.
pub mod hub;

pub mod fasta;
pub mod reader;

pub mod batch;
pub mod device;
pub mod ops;

pub mod model;
pub mod sink;

// Second floor: the wiring, what watches it, and what is made of what it leaves.
pub mod embeddings;
pub mod error;
pub mod monitor;
pub mod pipeline;
pub mod progress;
pub mod report;
pub mod score;

// Third floor: what scripts ask for, done; and whether the machine has what that takes.
pub mod doctor;
pub mod host;

// Top floor: the two doors, and the bell.
pub mod cli;
pub mod script;
pub mod signal;
