//! What the embeddings of a real model must be.
//!
//! - `golden`: equal to those of HF transformers in f32.
//! - `invariance`: the same alone, in any batch and in every run.
//! - `weights`: the same from every form of weights file.
//! - `gpu`: all this on a GPU. These tests are ignored, as most machines have none; run them with
//!   `scripts/gpu/check.sh`.

mod common;
mod golden;
mod gpu;
mod invariance;
mod weights;
