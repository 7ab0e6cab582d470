//! Attention maps of all layers, weighted into one map of contacts a sequence.

use super::{
    RotaryTable, Segments, Tokens,
    attention::{angles, rotate},
    backend::Backend,
    cpu,
    results::values,
    segments::n_residues,
};
use crate::device::DeviceError;
use burn::tensor::{DType, Device, Tensor, TensorData, activation};

/// The contacts of the sequences of a batch, while its layers are computed one after the other.
///
/// It is what HF's `EsmContactPredictionHead` computes: the attention of every head without BOS and EOS is made
/// symmetric by adding its transpose, corrected by the average product of its sums (APC), weighted, and added up over
/// all heads and layers. No more than the maps of some heads of one sequence are there at a time, whatever the model.
/// All of it is computed in f32, whatever format queries and keys come in.
pub struct ContactMaps(State);

enum State {
    #[cfg(feature = "cuda")]
    Cuda(Box<super::cuda::ContactMaps>),
    Cpu(cpu::ContactMaps),
    Plain(Vec<Tensor<2>>),
}

impl ContactMaps {
    /// Of no layer yet. `like` is on the device that computes.
    pub fn new(like: &Tensor<2>, tokens: &Tokens) -> Self {
        let segments = tokens.segments();
        Self(match Backend::of(like) {
            #[cfg(feature = "cuda")]
            Backend::Cuda => State::Cuda(Box::new(super::cuda::ContactMaps::new(
                segments,
                tokens.gpu_batch(),
            ))),
            Backend::Cpu => State::Cpu(cpu::ContactMaps::new(segments)),
            Backend::Plain => State::Plain(plain_new(like, segments)),
        })
    }

    /// Adds a layer, of which each head has a weight. `qkv` is as [`attention`](super::attention()) takes it.
    ///
    /// # Panics
    /// If `rotary` covers fewer positions than the longest sequence has, or the shapes disagree.
    pub fn add(&mut self, qkv: &Tensor<2>, tokens: &Tokens, rotary: &RotaryTable, weights: &[f32]) {
        let [_, width] = qkv.dims();
        assert_eq!(
            width / 3,
            weights.len() * rotary.head_dim(),
            "each head has a weight"
        );
        assert!(
            rotary.n_positions() >= tokens.segments().max_seqlen(),
            "the rotary table covers the longest sequence"
        );
        match &mut self.0 {
            #[cfg(feature = "cuda")]
            State::Cuda(maps) => maps.add(qkv, rotary, weights),
            State::Cpu(maps) => maps.add(qkv, rotary, weights),
            State::Plain(maps) => plain_add(maps, qkv, tokens.segments(), rotary, weights),
        }
    }

    /// The probabilities that residues are in contact, in f32: of each sequence of L residues L rows of L numbers, one
    /// after the other, as a tensor of one column.
    pub fn finish(self, bias: f32) -> Tensor<2> {
        match self.0 {
            #[cfg(feature = "cuda")]
            State::Cuda(maps) => maps.finish(bias),
            State::Cpu(maps) => maps.finish(bias),
            State::Plain(maps) => plain_finish(maps, bias),
        }
    }
}

/// What each token of a batch of one sequence of T tokens attends to each with, in each head of a layer: `[heads, T,
/// T]`, in f32. It is computed on the CPU, wherever the model is: nobody asks for many, and they are to be there at
/// last.
///
/// # Errors
/// If the device fails.
pub fn attention_maps(
    qkv: &Tensor<2>,
    tokens: &Tokens,
    rotary: &RotaryTable,
) -> Result<Vec<f32>, DeviceError> {
    let [_, width] = qkv.dims();
    let length = tokens.segments().n_tokens();
    // Rows of padding may follow.
    let rows = values(qkv.clone().slice([0..length, 0..width]))?.to_f32();
    let data = TensorData::new(rows, [length, width]);
    let here = Tensor::<2>::from_data(data, (&Device::flex(), DType::F32));
    Ok(cpu::attention_maps(&here, rotary))
}

/// A map of zeros for each sequence.
fn plain_new(like: &Tensor<2>, segments: &Segments) -> Vec<Tensor<2>> {
    let maps = segments.ranges().map(|range| {
        let n = n_residues(range.len());
        Tensor::zeros([n, n], (&like.device(), DType::F32))
    });
    maps.collect()
}

/// [`ContactMaps::add`] in burn operations, step by step as HF has it.
fn plain_add(
    maps: &mut [Tensor<2>],
    qkv: &Tensor<2>,
    segments: &Segments,
    rotary: &RotaryTable,
    weights: &[f32],
) {
    for (map, range) in maps.iter_mut().zip(segments.ranges()) {
        let sequence = qkv.clone().slice([range, 0..qkv.dims()[1]]);
        for (head, &weight) in weights.iter().enumerate() {
            let attention = plain_map(&sequence, rotary, head);
            let n = n_residues(attention.dims()[0]);
            let attention = attention.slice([1..n + 1, 1..n + 1]);
            let symmetric = attention.clone() + attention.transpose();
            let sums = symmetric.clone().sum_dim(1);
            // A head of which no residue attends to another one has nothing to be corrected.
            let total = sums.clone().sum_dim(0).clamp_min(f32::MIN_POSITIVE);
            let product = sums.clone() * sums.transpose() / total;
            *map = map.clone() + (symmetric - product) * weight;
        }
    }
}

/// The attention of one head of one sequence of T tokens, whose `qkv` this is: `[T, T]`, in f32.
fn plain_map(sequence: &Tensor<2>, rotary: &RotaryTable, head: usize) -> Tensor<2> {
    let [length, width] = sequence.dims();
    let (hidden, head_dim) = (width / 3, rotary.head_dim());
    let scale = 1.0 / (head_dim as f64).sqrt();
    let part = |n: usize| -> Tensor<3> {
        let start = n * hidden + head * head_dim;
        let part = sequence.clone().slice([0..length, start..start + head_dim]);
        part.cast(DType::F32).reshape([1, length, head_dim])
    };
    let (queries, keys) = (part(0), part(1));
    let (cos, sin) = angles(length, rotary, &queries.clone().squeeze_dim(0));
    let queries = rotate(queries * scale, &cos, &sin);
    let keys = rotate(keys, &cos, &sin);
    let scores = queries.matmul(keys.swap_dims(1, 2));
    activation::softmax(scores, 2).squeeze_dim(0)
}

/// [`ContactMaps::finish`] in burn operations.
fn plain_finish(maps: Vec<Tensor<2>>, bias: f32) -> Tensor<2> {
    let columns = maps.into_iter().map(|map| {
        let [n, _] = map.dims();
        activation::sigmoid(map + bias).reshape([n * n, 1])
    });
    Tensor::cat(columns.collect(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::tests::{Numbers, assert_close, tokens};

    #[test]
    fn contacts_agree_with_the_plain_version() {
        let mut numbers = Numbers(11);
        // Of one residue, and around the sizes of panels and tasks.
        let lengths = [3, 4, 5, 17, 18, 19, 33, 34, 35, 67, 130];
        for (head_dim, n_heads) in [(16, 3), (24, 2), (32, 2), (64, 1), (10, 2)] {
            let tokens = tokens(&lengths);
            let segments = tokens.segments();
            let frequencies = RotaryTable::frequencies(head_dim, 1e4);
            let rotary = RotaryTable::new(frequencies, segments.max_seqlen());
            let mut layer = || numbers.tensor([segments.n_tokens(), 3 * n_heads * head_dim], 2.0);
            let layers = [layer(), layer()];
            let mut maps = ContactMaps::new(&layers[0], &tokens);
            assert!(matches!(maps.0, State::Cpu(_)), "a version for the CPU");
            let mut plain = plain_new(&layers[0], segments);
            for (n, qkv) in layers.iter().enumerate() {
                let weights: Vec<f32> = (0..n_heads)
                    .map(|head| (5 * n + head) as f32 - 3.0)
                    .collect();
                maps.add(qkv, &tokens, &rotary, &weights);
                plain_add(&mut plain, qkv, segments, &rotary, &weights);
            }
            let (got, want) = (maps.finish(-0.5), plain_finish(plain, -0.5));
            assert_close(got, want, 1e-5, &format!("head dimension {head_dim}"));
        }
    }

    #[test]
    fn maps_agree_with_the_plain_version() {
        let mut numbers = Numbers(13);
        let rotary = RotaryTable::new(RotaryTable::frequencies(16, 1e4), 64);
        for length in [3, 16, 17, 37] {
            let qkv = numbers.tensor([length, 3 * 48], 2.0);
            let maps = attention_maps(&qkv, &tokens(&[length]), &rotary).expect("on the CPU");
            let maps =
                Tensor::<3>::from_data(TensorData::new(maps, [3, length, length]), &Device::flex());
            for head in 0..3 {
                let got = maps.clone().slice_dim(0, head..head + 1).squeeze_dim(0);
                assert_close(got, plain_map(&qkv, &rotary, head), 1e-6, "a map");
            }
        }
    }

    #[test]
    fn contacts_are_symmetric_and_do_not_depend_on_the_batch() {
        let mut numbers = Numbers(12);
        let rotary = RotaryTable::new(RotaryTable::frequencies(16, 1e4), 64);
        let qkv = numbers.tensor([40, 3 * 32], 2.0);
        let contacts = |qkv: &Tensor<2>, lengths: &[usize]| -> Vec<u32> {
            let tokens = tokens(lengths);
            let mut maps = ContactMaps::new(qkv, &tokens);
            maps.add(qkv, &tokens, &rotary, &[1.5, -2.0]);
            let values = maps
                .finish(0.25)
                .into_data()
                .try_into_vec::<f32>()
                .expect("f32");
            values.into_iter().map(f32::to_bits).collect()
        };
        let together = contacts(&qkv, &[21, 3, 16]);
        let (first, rest) = together.split_at(19 * 19);
        let alone = contacts(&qkv.clone().slice([0..21, 0..96]), &[21]);
        assert_eq!(first, alone);
        assert_eq!(rest[1..], contacts(&qkv.slice([24..40, 0..96]), &[16]));
        let one_residue = f32::from_bits(rest[0]) - 1.0 / (1.0 + (-0.25f32).exp());
        assert!(one_residue.abs() < 1e-6, "{one_residue}");
        for i in 0..19 {
            for j in 0..19 {
                assert_eq!(first[i * 19 + j], first[j * 19 + i]);
            }
        }
    }
}
