//! What the embeddings of a real model must be.
//!
//! - `golden`: equal to those of HF transformers in f32.
//! - `bf16_on_cpu`: near those of f32, where the CPU has AMX.
//! - `invariance`: the same alone, in any batch and in every run.
//! - `weights`: the same from every form of weights file; `layouts`: from every layout; `torch_files`: from
//!   PyTorch's files; `hostile`: of which those that would run something are refused.
//! - `fair_esm`: equal to those of fair-esm, for files as Meta published them.
//! - `logits`: equal to those of fair-esm, for every form of the head; sequences with masks.
//! - `adapters`: equal to those of PEFT and transformers, of models that adapters are merged into.
//! - `contacts`: equal to those of HF transformers, and written as matrices or pairs.
//! - `real`: equal to those of HF transformers for trained weights, where these are.
//! - `finite`: finite, or the run ends.
//! - `program`: models through the real program: what they may be called, what a device has room for.
//! - `gpu`: all this on a GPU; `int8`: in int8 there; `poison`: whole runs there; `lost`: runs that lose it. These tests are ignored, as most machines have none;
//!   run them with `scripts/gpu/check.sh`.

mod adapters;
pub mod bf16_on_cpu;
pub mod common;
mod contacts;
mod fair_esm;
pub mod files;
mod finite;
mod golden;
mod gpu;
mod hostile;
mod int8;
mod invariance;
mod layouts;
mod logits;
mod lost;
mod poison;
mod program;
pub mod real;
mod torch_files;
mod weights;
