//! How fast kernels are.
#![expect(clippy::print_stdout, reason = "a measurement is for people")]

use super::*;

/// Prints how fast attention is; scripts/gpu/attention.sh runs it beside other programs.
/// `RUNNER_LENGTHS` names a file with the lengths of a real batch, one a line.
#[test]
#[ignore = "a measurement, on a GPU"]
fn speed_of_attention() {
    const TOKENS: usize = 32_768;
    const HIDDEN: usize = 1280;
    const RUNS: usize = 40;
    let mut batches: Vec<(String, Vec<usize>)> = [64, 100, 128, 256, 512, 1024, 2048]
        .map(|length| (length.to_string(), vec![length; TOKENS / length]))
        .to_vec();
    if let Ok(path) = std::env::var("RUNNER_LENGTHS") {
        let text = std::fs::read_to_string(path).expect("lengths");
        let lengths = text.lines().map(|line| line.parse().expect("a length"));
        let mut room = TOKENS;
        let fitting = lengths.take_while(|&length: &usize| {
            let fits = length <= room;
            room = room.saturating_sub(length);
            fits
        });
        batches.push(("sample".to_owned(), fitting.collect()));
    }
    for (head_dim, dtype) in [
        (64, Dtype::Bf16),
        (64, Dtype::F16),
        (32, Dtype::Bf16),
        (128, Dtype::Bf16),
    ] {
        println!("heads of {head_dim}, {dtype:?}, rotary included:");
        let qkv = Numbers(5).vector(TOKENS * 3 * HIDDEN, 1.7, dtype);
        let qkv = on_gpu(&qkv, [TOKENS, 3 * HIDDEN], dtype);
        for (name, lengths) in &batches {
            let table = on_gpu(&vec![0.0; 33 * 8], [33, 8], dtype);
            let rotary = RotaryTable::new(RotaryTable::frequencies(head_dim, 1e4), 2048);
            let seconds = |runs: usize| {
                let tokens = tokens(lengths, dtype, head_dim);
                // The clock runs from the embedding to the download.
                embedding(&table, &tokens, false);
                for _ in 0..runs {
                    attention(&qkv, &tokens, &rotary);
                }
                let results = Results::start(Vec::new(), &tokens, std::time::Instant::now());
                let (_, marks) = results
                    .and_then(|x| x.wait(&Default::default()))
                    .expect("attention");
                crate::device::Timeline::default()
                    .add(marks)
                    .expect("marks")
                    .compute
            };
            seconds(RUNS);
            let each = (seconds(2 * RUNS) - seconds(RUNS)) / RUNS as f64;
            let squares: usize = lengths.iter().map(|length| length * length).sum();
            let flops = (4 * squares * HIDDEN) as f64;
            println!(
                "{name:>8} {:8.4} ms {:6.0} TFLOP/s",
                each * 1e3,
                flops / each / 1e12
            );
        }
    }
}
