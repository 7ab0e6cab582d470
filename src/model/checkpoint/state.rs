//! Which tensors a checkpoint of PyTorch holds, and under which names.

use super::{
    Contents, Failure, NumberFormat, Reason, Stored, Value,
    pickle::{At, Heap, Node, Storage, Tensor},
    stored::Region,
};
use crate::text::shortened;
use std::collections::{BTreeMap, HashMap};

/// Characters of a name that a message shows.
const MOST_CHARACTERS: usize = 100;

/// Tensors of a file: those of a model of 15B parameters with all that an optimiser keeps are some thousands.
const MOST_TENSORS: usize = 1 << 17;

/// The tensors that the pickle of a file names. `region` says where a storage lies.
///
/// # Errors
/// If it holds no dictionary of tensors or several, or a tensor reaches beyond its storage.
pub(super) fn contents(
    heap: &Heap,
    mut region: impl FnMut(&Storage) -> Result<Region, Failure>,
) -> Result<Contents, Failure> {
    let at = dictionary(heap)?;
    let mut tensors = BTreeMap::new();
    for (name, tensor) in named_tensors(heap, at) {
        let stored = stored(heap, tensor, &mut region).map_err(|failure| match failure {
            Failure::Bad(reason) => Failure::Bad(Reason {
                text: format!(
                    "its tensor `{}`: {}",
                    shortened(name, MOST_CHARACTERS),
                    reason.text
                ),
                hint: reason.hint,
            }),
            Failure::Io(_) => failure,
        })?;
        tensors.insert(name.to_owned(), stored);
        if tensors.len() > MOST_TENSORS {
            return Err(format!("it has more than {MOST_TENSORS} tensors").into());
        }
    }
    let arguments = (at != heap.root()).then(|| Value::of(heap, heap.root(), &[at]));
    Ok(Contents {
        tensors,
        arguments,
        converter: None,
    })
}

/// The dictionary of tensors: the whole, or its only entry that is one, as `model` or `state_dict`.
fn dictionary(heap: &Heap) -> Result<At, Failure> {
    let root = heap.root();
    let Some(entries) = heap.dict(root) else {
        let text = format!(
            "it holds {}, not a dictionary of tensors",
            word(heap.get(root))
        );
        return Err(text.into());
    };
    let mut found = Vec::new();
    if has_weights(heap, root) {
        found.push((root, None));
    }
    // All entries may be one and the same large dictionary.
    let mut known = HashMap::new();
    for &(key, value) in entries {
        if let Some(name) = heap.text(key)
            && *known
                .entry(value)
                .or_insert_with(|| has_weights(heap, value))
        {
            found.push((value, Some(name)));
        }
    }
    match found.as_slice() {
        [(at, _)] => Ok(*at),
        // Without weights there is nothing to choose.
        [] => Ok(root),
        several => {
            let names: Vec<_> = several
                .iter()
                .take(5)
                .map(|(_, name)| match name {
                    Some(name) => format!("in `{}`", shortened(name, MOST_CHARACTERS)),
                    None => "at its top".to_owned(),
                })
                .collect();
            Err(Reason::new(
                format!(
                    "it holds several dictionaries of tensors: {}",
                    names.join(", ")
                ),
                "where PyTorch is, save the model's alone: \
                 `torch.save(model.state_dict(), \"pytorch_model.bin\")`",
            )
            .into())
        }
    }
}

/// Whether a dictionary has a tensor that could be a weight: neither a single number, such as a loss, nor whole
/// numbers, such as the state of a random generator.
fn has_weights(heap: &Heap, at: At) -> bool {
    named_tensors(heap, at).any(|(_, tensor)| {
        let is_float = NumberFormat::named(tensor.format).bytes().is_some();
        is_float && !heap.shape_and_strides(tensor).0.is_empty()
    })
}

fn named_tensors(heap: &Heap, at: At) -> impl Iterator<Item = (&str, &Tensor)> {
    let entries = heap.dict(at).unwrap_or_default();
    entries.iter().filter_map(|&(key, value)| {
        let Node::Tensor(tensor) = heap.get(value) else {
            return None;
        };
        Some((&**heap.text(key)?, tensor))
    })
}

fn stored(
    heap: &Heap,
    tensor: &Tensor,
    region: &mut impl FnMut(&Storage) -> Result<Region, Failure>,
) -> Result<Stored, Failure> {
    let (shape, strides) = heap.shape_and_strides(tensor);
    let region = region(heap.storage(tensor))?;
    let format = NumberFormat::named(tensor.format);
    Stored::view(format, shape, strides, tensor.offset, &region)
}

/// A word for a value.
fn word(node: &Node) -> &'static str {
    match node {
        Node::Tensor(_) => "a tensor",
        Node::List(_) | Node::Tuple(_) | Node::Set(_) => "a list",
        _ => "a value",
    }
}
