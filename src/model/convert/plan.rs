//! Which tensors a converted model has: their names, shapes and formats, and where their numbers come from.

use super::{Config, ModelError, Weights};
use crate::{
    alphabet::VOCABULARY_SIZE,
    job::Dtype,
    model::{
        checkpoint::{Checkpoint, NumberFormat, Stored},
        fair_esm,
        layout::{EMBEDDINGS, frequencies_in_layer, head_tensors, layer_tensors, outer_tensors},
        naming::{Naming, prefix_of},
    },
};
use std::{borrow::Cow, collections::BTreeSet, path::Path};

/// A tensor that is written.
pub(super) struct Tensor<'a> {
    /// Its name in transformers.
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) format: NumberFormat,
    numbers: Numbers<'a>,
}

/// Where the numbers of a tensor come from.
enum Numbers<'a> {
    /// A tensor of the encoder, by its name without a prefix.
    Encoder(&'a Weights, String),
    /// A tensor of a head.
    Head(&'a Checkpoint, &'a Stored),
    /// A tensor of a head in a file that was opened for it alone.
    Read(Vec<f32>),
}

/// What is written.
pub(super) struct Plan<'a> {
    /// In the order of the file.
    pub(super) tensors: Vec<Tensor<'a>>,
    /// Whether all of the language model's head is among them.
    pub(super) has_language_model: bool,
    /// The format of most numbers.
    pub(super) format: NumberFormat,
    /// The names of tensors that are not written.
    pub(super) left_out: Vec<String>,
}

/// What the tensors of an encoder begin with in a model that has heads.
const PREFIX: &str = "esm.";

/// The tensors of a head, behind any prefix, and their shapes.
type Head = Vec<(&'static str, Vec<usize>)>;

impl<'a> Plan<'a> {
    /// From the model that `config` describes, which lies at `place`. `dtype` is the format of all numbers, if each
    /// is not to keep its own.
    ///
    /// # Errors
    /// If a tensor of a head has another shape than it must have, or what is read here cannot be read.
    pub(super) fn new(
        config: &Config,
        weights: &'a Weights,
        place: &Path,
        dtype: Option<Dtype>,
    ) -> Result<Self, ModelError> {
        let mut rest: BTreeSet<&str> = weights.files().iter().flat_map(Checkpoint::names).collect();
        let asked = dtype.map(NumberFormat::from);
        let format = |found: &NumberFormat| asked.clone().unwrap_or_else(|| found.clone());
        let mut tensors = encoder(config, weights, &mut rest, format)?;
        let most = tensors.iter().find(|tensor| tensor.is_encoder(EMBEDDINGS));
        let most = most.expect("an encoder has embeddings").format.clone();
        tensors.extend(frequencies(config, weights, &mut rest)?);

        let (head, of_contacts) = (head_tensors(config).to_vec(), contacts(config));
        let head = whole_head(weights, &head, &mut rest, format)?;
        let found = whole_head(weights, &of_contacts, &mut rest, format)?;
        let has_language_model = head.is_some();
        let of_contacts = match found {
            None if place.is_file() => beside(place, &of_contacts, format)?,
            found => found.unwrap_or_default(),
        };
        tensors.extend(head.into_iter().flatten().chain(of_contacts));
        drop_output(weights, config, &mut rest)?;

        // Larger numbers first, so that each lies at a multiple of its size.
        tensors.sort_by(|a, b| {
            let key = |tensor: &Tensor| std::cmp::Reverse(tensor.format.bytes());
            key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
        });
        Ok(Self {
            tensors,
            has_language_model,
            format: most,
            left_out: rest.into_iter().map(str::to_owned).collect(),
        })
    }
}

/// The tensors that embeddings are computed with, but for the frequencies, which are taken out of `rest`.
fn encoder<'a>(
    config: &Config,
    weights: &'a Weights,
    rest: &mut BTreeSet<&str>,
    format: impl Fn(&NumberFormat) -> NumberFormat,
) -> Result<Vec<Tensor<'a>>, ModelError> {
    let outer = outer_tensors(config).into_iter();
    let outer = outer.map(|(name, shape)| (name.to_owned(), shape));
    let layers = (0..config.n_layers).flat_map(|n| {
        let tensors = layer_tensors(config).into_iter();
        tensors.map(move |(name, shape)| (format!("encoder.layer.{n}.{name}"), shape))
    });
    let mut tensors = Vec::new();
    for (name, shape) in outer.chain(layers) {
        let (stored_name, stored) = weights.stored(&name, &shape)?;
        rest.remove(stored_name.as_str());
        tensors.push(Tensor {
            name: format!("{PREFIX}{name}"),
            format: format(&stored.format),
            shape,
            numbers: Numbers::Encoder(weights, name),
        });
    }
    Ok(tensors)
}

/// The rotary frequencies, once for each layer, which are taken out of `rest`. Rounding them would turn positions by
/// angles that grow with the sequence, so they stay as they are.
fn frequencies<'a>(
    config: &Config,
    weights: &Weights,
    rest: &mut BTreeSet<&str>,
) -> Result<Vec<Tensor<'a>>, ModelError> {
    for name in weights.frequency_names() {
        rest.remove(name.as_str());
    }
    let Some(frequencies) = weights.frequencies(config)? else {
        return Ok(Vec::new());
    };
    let of_layer = |n| Tensor {
        name: format!("{PREFIX}{}", frequencies_in_layer(n)),
        shape: vec![frequencies.len()],
        format: NumberFormat::F32,
        numbers: Numbers::Read(frequencies.clone()),
    };
    Ok((0..config.n_layers).map(of_layer).collect())
}

impl Tensor<'_> {
    /// Whether it is the tensor of the encoder of this name, which is without a prefix.
    fn is_encoder(&self, name: &str) -> bool {
        matches!(&self.numbers, Numbers::Encoder(_, of) if of == name)
    }

    /// Its numbers, row by row.
    pub(super) fn read(&self) -> Result<Cow<'_, [f32]>, ModelError> {
        Ok(match &self.numbers {
            Numbers::Encoder(weights, name) => Cow::Owned(weights.read(name, &self.shape)?),
            Numbers::Head(file, stored) => Cow::Owned(file.read(stored)?),
            Numbers::Read(values) => Cow::Borrowed(values),
        })
    }

    /// How many numbers it has.
    pub(super) fn n_numbers(&self) -> u64 {
        self.shape.iter().map(|&size| size as u64).product()
    }
}

impl From<Dtype> for NumberFormat {
    fn from(dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => Self::F32,
            Dtype::F16 => Self::F16,
            Dtype::Bf16 => Self::BF16,
            Dtype::Int8 => Self::Other("I8".to_owned()),
        }
    }
}

/// The head that predicts contacts.
fn contacts(config: &Config) -> Head {
    let n_maps = config.n_layers * config.n_heads;
    vec![
        ("contact_head.regression.weight", vec![1, n_maps]),
        ("contact_head.regression.bias", vec![1]),
    ]
}

/// What transformers calls a tensor of a head.
fn name_of_head(name: &str) -> String {
    match name.starts_with("contact_head.") {
        true => format!("{PREFIX}{name}"),
        false => name.to_owned(),
    }
}

/// The tensors of a head, which are taken out of `rest` if all of them are there. There is none where an adapter
/// changes it: heads are not merged, and the one of the adapter's model would pass for it.
fn whole_head<'a>(
    weights: &'a Weights,
    head: &Head,
    rest: &mut BTreeSet<&'a str>,
    format: impl Fn(&NumberFormat) -> NumberFormat,
) -> Result<Option<Vec<Tensor<'a>>>, ModelError> {
    let mut names = Vec::new();
    let mut tensors = Vec::new();
    let adapter = weights.adapter();
    let changes = |module: &str| {
        adapter.is_some_and(|adapter| {
            // It is made for the embeddings as they were.
            let is_of_embeddings = module == "lm_head" && adapter.changes(EMBEDDINGS);
            adapter.unused.contains(module) || is_of_embeddings
        })
    };
    for (name, shape) in head {
        let module = name.split('.').next().unwrap_or_default();
        if changes(module) {
            return Ok(None);
        }
        if let Some(full) = rest.iter().find(|full| prefix_of(full, name).is_some()) {
            let (file, stored) = weights.find_exactly(full, shape)?;
            names.push(*full);
            tensors.push(Tensor {
                name: name_of_head(name),
                shape: shape.clone(),
                format: format(&stored.format),
                numbers: Numbers::Head(file, stored),
            });
        }
    }
    if names.len() < head.len() {
        return Ok(None);
    }
    for name in names {
        rest.remove(name);
    }
    Ok(Some(tensors))
}

/// The head that predicts contacts, from the file beside that of a model of fair-esm, if it is there.
fn beside<'a>(
    model: &Path,
    head: &Head,
    format: impl Fn(&NumberFormat) -> NumberFormat,
) -> Result<Vec<Tensor<'a>>, ModelError> {
    let path = fair_esm::regression(model);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let file = Checkpoint::open(path)?;
    let mut tensors = Vec::new();
    for (name, shape) in head {
        let stored = file.get(name).filter(|stored| stored.shape == *shape);
        let Some(stored) = stored else {
            return Err(ModelError::BadTensor {
                name: (*name).to_owned(),
                folder: file.path.clone(),
                reason: format!("it is missing or has another shape than {shape:?}").into(),
            });
        };
        tensors.push(Tensor {
            name: name_of_head(name),
            shape: shape.clone(),
            format: format(&stored.format),
            numbers: Numbers::Read(file.read(stored)?),
        });
    }
    Ok(tensors)
}

/// Takes the output layer of the language model out of what is left, where it is the embeddings: transformers takes
/// them, too.
fn drop_output(
    weights: &Weights,
    config: &Config,
    rest: &mut BTreeSet<&str>,
) -> Result<(), ModelError> {
    let shape = [VOCABULARY_SIZE, config.hidden_size];
    let is_output = |full: &&&str| {
        let mut namings = Naming::ALL.iter();
        namings.any(|naming| prefix_of(full, naming.output()).is_some())
    };
    let Some(&full) = rest.iter().find(is_output) else {
        return Ok(());
    };
    let Ok((file, stored)) = weights.find_exactly(full, &shape) else {
        return Ok(());
    };
    let (output, embeddings) = (file.read(stored)?, weights.read(EMBEDDINGS, &shape)?);
    let mut pairs = output.iter().zip(&embeddings);
    if pairs.all(|(a, b)| a.to_bits() == b.to_bits()) {
        rest.remove(full);
    }
    Ok(())
}
