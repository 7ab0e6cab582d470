//! Every operation against its plain version in burn operations.

use super::{backend::Backend, *};
use crate::job::Pooling;
use burn::tensor::{DType, Device, Tensor, TensorData};

/// Numbers between −1 and 1 that look random and are the same in every run.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    pub(super) fn tensor<const D: usize>(&mut self, shape: [usize; D], scale: f32) -> Tensor<D> {
        let n = shape.iter().product();
        let values: Vec<f32> = (0..n).map(|_| scale * self.next()).collect();
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }
}

pub(super) fn assert_close<const D: usize>(
    got: Tensor<D>,
    want: Tensor<D>,
    tolerance: f32,
    what: &str,
) {
    assert_eq!(got.dims(), want.dims(), "{what}: shape");
    let values =
        |tensor: Tensor<D>| -> Vec<f32> { tensor.into_data().try_into_vec().expect("f32") };
    for (n, (got, want)) in values(got).into_iter().zip(values(want)).enumerate() {
        assert!(
            (got - want).abs() <= tolerance,
            "{what}, element {n}: {got}, not {want}"
        );
    }
}

/// `cu_seqlens` of sequences of these lengths.
pub(super) fn ends(lengths: &[usize]) -> Vec<i32> {
    let mut cu_seqlens = vec![0];
    for &length in lengths {
        cu_seqlens.push(cu_seqlens[cu_seqlens.len() - 1] + length as i32);
    }
    cu_seqlens
}

/// A batch of sequences of these lengths in main memory.
pub(super) fn tokens(lengths: &[usize]) -> Tokens {
    let input_ids = vec![0; lengths.iter().sum()];
    let staged = Stager::host().stage(input_ids, &ends(lengths));
    staged.expect("nothing is copied")
}

/// The pooling, by its definition, of one component of the tokens of a sequence, BOS and EOS included.
pub(super) fn pooled(tokens: &[f64], pooling: Pooling) -> f64 {
    let residues = &tokens[1..tokens.len() - 1];
    let n = residues.len() as f64;
    let mean = residues.iter().sum::<f64>() / n;
    match pooling {
        Pooling::Mean => mean,
        Pooling::Max => residues.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Pooling::Cls => tokens[0],
        Pooling::Std => {
            let squares = residues.iter().map(|x| (x - mean).powi(2));
            (squares.sum::<f64>() / n).sqrt()
        }
    }
}

#[test]
fn what_computes_is_where_the_operand_lies() {
    let x = Numbers(7).tensor([2, 4], 1.0);
    assert_eq!(Backend::of(&x), Backend::Cpu);
    // The CPU's versions are for f32.
    assert_eq!(Backend::of(&x.cast(DType::F64)), Backend::Plain);
}

#[test]
fn batches_and_their_stager_go_to_any_thread() {
    fn check<T: Send + Sync>() {}
    check::<Stager>();
    check::<Tokens>();
}

#[test]
fn attention_agrees_with_the_plain_version() {
    let mut numbers = Numbers(1);
    // Lengths around the sizes of panels, blocks of queries and tasks.
    let lengths = [
        1, 2, 3, 4, 5, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129, 300,
    ];
    for (head_dim, n_heads) in [
        (16, 4),
        (24, 3),
        (32, 2),
        (64, 2),
        (128, 1),
        (4, 3),
        (10, 2),
    ] {
        let tokens = tokens(&lengths);
        let segments = tokens.segments();
        let rotary = RotaryTable::new(
            RotaryTable::frequencies(head_dim, 1e4),
            segments.max_seqlen(),
        );
        // A scale that makes the softmax far from uniform.
        let qkv = numbers.tensor([segments.n_tokens(), 3 * n_heads * head_dim], 3.0);
        // Values are averaged, so the error is that of the weights: some ulp of scores up to about
        // 100, times the values.
        assert_close(
            attention(&qkv, &tokens, &rotary),
            attention_plain(&qkv, segments, &rotary),
            1e-4,
            &format!("head dimension {head_dim}"),
        );
    }
}

#[test]
fn attention_stays_inside_its_sequence() {
    let mut numbers = Numbers(2);
    let tokens = tokens(&[7, 90, 20]);
    let rotary = RotaryTable::new(RotaryTable::frequencies(16, 1e4), 90);
    let qkv = numbers.tensor([tokens.segments().n_tokens(), 3 * 32], 1.0);
    let changed = qkv
        .clone()
        .slice_assign([7..97, 0..96], numbers.tensor([90, 96], 1.0));
    let rows = |tensor: &Tensor<2>, range: std::ops::Range<usize>| -> Vec<f32> {
        let data = tensor.clone().slice([range]).into_data();
        data.try_into_vec().expect("f32")
    };
    let before = attention(&qkv, &tokens, &rotary);
    let after = attention(&changed, &tokens, &rotary);
    for range in [0..7, 97..117] {
        assert_eq!(rows(&before, range.clone()), rows(&after, range));
    }
    assert_ne!(rows(&before, 7..97), rows(&after, 7..97));
}

#[test]
fn linear_agrees_with_the_plain_version() {
    let mut numbers = Numbers(3);
    for (n_rows, n_in, n_out) in [
        (1, 8, 8),
        (5, 64, 100),
        (130, 96, 24),
        (9, 3, 1),
        (7, 517, 33),
        (1000, 300, 65),
    ] {
        let weight = numbers.tensor([n_out, n_in], 0.2);
        let bias = numbers.tensor([n_out], 1.0);
        let linear = Linear::new(weight.clone(), bias.clone());
        let x = numbers.tensor([n_rows, n_in], 2.0);
        let residual = numbers.tensor([n_rows, n_out], 1.0);
        for epilogue in [
            Epilogue::None,
            Epilogue::Gelu,
            Epilogue::Residual(&residual),
        ] {
            assert_close(
                linear.forward(x.clone(), epilogue),
                linear_plain(x.clone(), &weight, &bias, epilogue),
                // Results are below 10, and below 100 with many inputs; the plain GELU and ours differ by some
                // 1e-7 of that.
                if n_in > 100 { 5e-5 } else { 5e-6 },
                &format!("{n_rows} x {n_in} x {n_out}, {epilogue:?}"),
            );
        }
    }
}

#[test]
fn layer_norm_agrees_with_the_plain_version() {
    let mut numbers = Numbers(4);
    for (n_rows, width) in [(1, 4), (3, 16), (40, 100), (17, 1280)] {
        let norm = LayerNorm::new(
            numbers.tensor([width], 1.0),
            numbers.tensor([width], 1.0),
            1e-5,
        );
        let x = numbers.tensor([n_rows, width], 5.0) + 2.0;
        let what = format!("{n_rows} x {width}");
        assert_close(norm.forward(&x), norm.forward_plain(&x), 5e-6, &what);
    }
}

#[test]
fn pooling_agrees_with_f64() {
    const WIDTH: usize = 20;
    let tokens = tokens(&[3, 4, 35, 200, 1000]);
    // Means that are large beside the deviations, which is where these are easily lost.
    let x = Numbers(5).tensor([tokens.segments().n_tokens(), WIDTH], 1.0) + 100.0;
    let numbers: Vec<f32> = x.to_data().try_into_vec().expect("f32");
    for pooling in Pooling::ALL {
        let want = tokens.segments().ranges().flat_map(|range| {
            let numbers = &numbers;
            (0..WIDTH).map(move |i| {
                let column = range.clone().map(|row| numbers[row * WIDTH + i]);
                let column: Vec<f64> = column.map(f64::from).collect();
                pooled(&column, pooling) as f32
            })
        });
        let want = TensorData::new(want.collect::<Vec<_>>(), [5, WIDTH]);
        let want = Tensor::from_data(want, &Device::flex());
        // Some ulp of 100, of which none is left in the deviations.
        let tolerance = if pooling == Pooling::Std { 1e-7 } else { 5e-5 };
        let got = pool(&x, &tokens, pooling);
        assert_close(got, want.clone(), tolerance, pooling.name());
        // Where there is no version for the device, the CPU's is used.
        let got = pool(&x.clone().cast(DType::F64), &tokens, pooling);
        assert_close(got, want, tolerance, pooling.name());
    }
}

#[test]
fn pooling_looks_at_residues_only() {
    let tokens = tokens(&[4]);
    let values = vec![100f32, 1.0, 2.0, 1000.0];
    let x = Tensor::<2>::from_data(TensorData::new(values, [4, 1]), &Device::flex());
    let check = |pooling, want: f32| {
        let got: Vec<f32> = pool(&x, &tokens, pooling)
            .into_data()
            .try_into_vec()
            .expect("f32");
        assert_eq!(got, [want], "{pooling:?}");
    };
    check(Pooling::Mean, 1.5);
    check(Pooling::Max, 2.0);
    check(Pooling::Cls, 100.0);
    check(Pooling::Std, 0.5);
}

#[test]
fn embedding_picks_rows() {
    let table = Numbers(6).tensor([5, 3], 1.0);
    let tokens = Stager::host()
        .stage(vec![4, 0, 4], &[0, 3])
        .expect("tokens");
    let rows = embedding(&table, &tokens, true);
    let want = Tensor::cat(
        [4, 0, 4]
            .map(|id| table.clone().slice([id..id + 1, 0..3]))
            .to_vec(),
        0,
    );
    assert_close(rows, want, 0.0, "rows");
}

#[test]
fn token_dropout_is_a_matter_of_each_sequence() {
    let table = Numbers(7).tensor([33, 3], 1.0);
    let row = |id: usize| -> Vec<f32> {
        let row = table.clone().slice([id..id + 1, 0..3]).into_data();
        row.try_into_vec().expect("f32")
    };
    let ids = [0, 32, 5, 2, 0, 7, 2, 0, 32, 32, 9, 2];
    let tokens = |ids: &[i32], ends: &[i32]| {
        let staged = Stager::host().stage(ids.to_vec(), ends);
        staged.expect("nothing is copied")
    };
    let embedded = |tokens: &Tokens, token_dropout| -> Vec<f32> {
        let rows = embedding(&table, tokens, token_dropout).into_data();
        rows.try_into_vec().expect("f32")
    };
    let all = tokens(&ids, &[0, 4, 7, 12]);
    let got = embedded(&all, true);
    for (index, &id) in ids.iter().enumerate() {
        // A quarter, nothing and two fifths are masked.
        let kept = match index {
            0..4 => 1.0 - 0.25,
            4..7 => 1.0,
            _ => 1.0 - 2.0 / 5.0f32,
        };
        let want: Vec<f32> = match id {
            32 => vec![0.0; 3],
            id => row(id as usize).iter().map(|x| x / kept).collect(),
        };
        assert_eq!(got[3 * index..][..3], want, "token {index}");
    }
    assert_eq!(got[12..21], embedded(&tokens(&ids[4..7], &[0, 3]), true));
    assert_eq!(got[..12], embedded(&tokens(&ids[..4], &[0, 4]), true));
    assert_eq!(embedded(&all, false)[3..6], row(32));
}
