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
            let tokens = || tokens(lengths, dtype, head_dim);
            let each = seconds_of(RUNS, tokens, &table, |tokens| {
                attention(&qkv, tokens, &rotary);
            });
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

/// Prints how fast the passes are that write bytes, beside a layer norm in bf16.
#[test]
#[ignore = "a measurement, on a Hopper GPU"]
fn speed_of_passes_that_write_bytes() {
    const TOKENS: usize = 32_768;
    const RUNS: usize = 200;
    for hidden in [1280, 2560] {
        println!("{TOKENS} tokens, hidden size {hidden}:");
        let numbers = |width| {
            let x = Numbers(6).vector(TOKENS * width, 1.0, Dtype::Bf16);
            on_gpu(&x, [TOKENS, width], Dtype::Bf16)
        };
        let (x, wide) = (numbers(hidden), numbers(4 * hidden));
        let table = on_gpu(&vec![0.0; 33 * 8], [33, 8], Dtype::Bf16);
        let ones = on_gpu(&vec![1.0; hidden], [hidden], Dtype::F32);
        let norm = LayerNorm::new(ones.clone(), ones, 1e-5);
        let passes: [(&str, &dyn Fn()); 4] = [
            ("layer norm to bf16", &|| drop(norm.forward(&x))),
            ("layer norm to bytes", &|| drop(norm.forward_quantised(&x))),
            ("rows to bytes", &|| drop(quantise(&x, Code::Signed))),
            ("GELU to bytes", &|| drop(quantise(&wide, Code::Gelu))),
        ];
        for (name, pass) in passes {
            let tokens = || tokens(&[512; TOKENS / 512], Dtype::Bf16, 64);
            let each = seconds_of(RUNS, tokens, &table, |_| pass());
            println!("{name:>20} {:8.4} ms", each * 1e3);
        }
    }
}

/// Seconds that one `step` takes. The clock runs from the embedding to the download, whose time is taken off.
fn seconds_of(
    runs: usize,
    tokens: impl Fn() -> Tokens,
    table: &Tensor<2>,
    step: impl Fn(&Tokens),
) -> f64 {
    let seconds = |runs: usize| {
        let tokens = tokens();
        embedding(table, &tokens, false);
        (0..runs).for_each(|_| step(&tokens));
        let results = Results::start(Vec::new(), &tokens, std::time::Instant::now());
        let (_, marks) = results
            .and_then(|x| x.wait(&Default::default()))
            .expect("results");
        crate::device::Timeline::default()
            .add(marks)
            .expect("marks")
            .compute
    };
    seconds(runs);
    (seconds(2 * runs) - seconds(runs)) / runs as f64
}
