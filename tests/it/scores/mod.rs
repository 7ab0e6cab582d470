//! Scores: the numbers, and what becomes of the table however a job ends.
//!
//! - `numbers`: equal to those of HF transformers in f32, and to each other where two ways lead to the same.
//! - `tables`: which rows and columns there are, what is refused, what is replaced.
//! - `commands`: the same without a script.
//! - `endings`: jobs that are killed, shared by several processes or computed on several devices.
//! - `refusals`: what is refused before anything is computed, and never replaced.
//! - `place`: what these tests run.

mod commands;
mod endings;
mod numbers;
mod place;
mod refusals;
mod tables;
