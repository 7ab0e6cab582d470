//! Whole runs on a GPU whose memory of batches is overwritten as soon as it may be.

use super::common::{GOLDEN_MODELS, load_on};
use crate::run::{Unwatched, context, real_pool};
use runner::{
    embeddings::Embeddings,
    event::EventSender,
    job::{Dataset, DeviceChoice, Dtype, EmbedOptions, EmbedPlan},
    monitor::Recorder,
    pipeline,
};
use std::{fmt::Write, fs, num::NonZeroUsize};

#[test]
#[ignore = "needs a GPU"]
fn a_run_reads_no_batch_too_early_or_late() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = folder.path().join("proteins.fa");
    let mut text = String::new();
    let residues = "MKVLAAGICDEFHNPQRSTWY".repeat(50);
    for n in 0..3_000 {
        let sequence = &residues[n % 21..][..20 + n * 131 % 900];
        writeln!(text, ">p{n}\n{sequence}").expect("a string takes text");
    }
    fs::write(&input, text).expect("the input");
    let dataset = Dataset::new(vec![input.to_string_lossy().into_owned()]);
    let model = load_on(GOLDEN_MODELS[4], DeviceChoice::cuda(0), Dtype::Bf16);
    let (events, _) = EventSender::channel();
    let mut context = context(real_pool(), Recorder::default(), events);
    let mut embed = |poison: bool, overlap: bool| {
        let output = folder.path().join(format!("{poison}_{overlap}.parquet"));
        let options = EmbedOptions {
            token_budget: NonZeroUsize::new(8_192),
            output: Some(output.clone()),
            poison,
            overlap,
            ..EmbedOptions::default()
        };
        let plan = EmbedPlan::new(dataset.clone(), options, model.n_layers()).unwrap();
        pipeline::embed(&mut context, &model, &plan, &mut Unwatched).expect("the run ends well");
        let embeddings = Embeddings::read(&output).expect("its output");
        assert_eq!(embeddings.len(), 3_000);
        (0..embeddings.len())
            .flat_map(|row| embeddings.vector(row).to_vec())
            .collect::<Vec<f32>>()
    };
    let plain = embed(false, false);
    assert!(embed(true, true) == plain, "overlapped");
    assert!(embed(true, false) == plain, "one after the other");
}
