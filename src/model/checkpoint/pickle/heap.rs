//! The values of a pickle, which refer to each other by numbers.

use super::global::Global;
use std::rc::Rc;

/// A value's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct At(pub(super) u32);

/// A value.
#[derive(Debug)]
pub(in super::super) enum Node {
    None,
    Bool(bool),
    Int(i64),
    /// A whole number of more than eight bytes: its own, the lowest first.
    Long(Box<[u8]>),
    Float(f64),
    Text(Rc<str>),
    Bytes,
    Tuple(Vec<At>),
    List(Vec<At>),
    Set(Vec<At>),
    Dict(Vec<(At, At)>),
    /// A namespace, with the dictionary of its attributes.
    Namespace(Option<At>),
    Global(Global),
    Device,
    Storage(Storage),
    Tensor(Tensor),
}

/// Numbers in a file, without a shape.
#[derive(Debug)]
pub(in super::super) struct Storage {
    /// By which the file knows it.
    pub(in super::super) key: Rc<str>,
    /// The format of a number.
    pub(in super::super) format: &'static str,
    /// The bytes of a number.
    pub(in super::super) size: usize,
    pub(in super::super) n_numbers: u64,
}

/// A view of a storage.
#[derive(Debug)]
pub(in super::super) struct Tensor {
    pub(in super::super) storage: At,
    pub(in super::super) format: &'static str,
    /// Numbers of the storage before the first one of the tensor.
    pub(in super::super) offset: u64,
    /// Tuples of whole numbers.
    shape: At,
    strides: At,
}

/// All values of a pickle.
pub(in super::super) struct Heap {
    nodes: Vec<Node>,
    root: At,
}

/// Values of a pickle, each of which takes some tens of bytes.
const MOST_VALUES: usize = 1 << 20;

/// Dimensions of a tensor.
const MOST_DIMENSIONS: usize = 16;

impl Heap {
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node::None],
            root: At(0),
        }
    }

    /// The number of a new value, or `None` where there are too many.
    pub(super) fn add(&mut self, node: Node) -> Option<At> {
        let at = At(u32::try_from(self.nodes.len()).ok()?);
        if self.nodes.len() >= MOST_VALUES {
            return None;
        }
        self.nodes.push(node);
        Some(at)
    }

    /// Says which value is the whole.
    pub(super) fn with_root(self, root: At) -> Self {
        Self { root, ..self }
    }

    /// The whole.
    pub(in super::super) fn root(&self) -> At {
        self.root
    }

    pub(in super::super) fn get(&self, at: At) -> &Node {
        &self.nodes[at.0 as usize]
    }

    pub(super) fn get_mut(&mut self, at: At) -> &mut Node {
        &mut self.nodes[at.0 as usize]
    }

    pub(in super::super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The text that a value is.
    pub(in super::super) fn text(&self, at: At) -> Option<&Rc<str>> {
        match self.get(at) {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a dictionary.
    pub(in super::super) fn dict(&self, at: At) -> Option<&[(At, At)]> {
        match self.get(at) {
            Node::Dict(entries) => Some(entries),
            _ => None,
        }
    }

    /// The whole number, not below zero, that a value is.
    pub(in super::super) fn count(&self, at: At) -> Option<u64> {
        match self.get(at) {
            Node::Int(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// The storage of a tensor.
    pub(in super::super) fn storage(&self, tensor: &Tensor) -> &Storage {
        match self.get(tensor.storage) {
            Node::Storage(storage) => storage,
            _ => unreachable!("a tensor is made of a storage"),
        }
    }

    /// The shape of a tensor, and the numbers from one step along each dimension to the next.
    pub(in super::super) fn shape_and_strides(&self, tensor: &Tensor) -> (Vec<usize>, Vec<usize>) {
        let sizes = |at| self.sizes(at).unwrap_or_default();
        (sizes(tensor.shape), sizes(tensor.strides))
    }

    /// A tensor of these values, if that is what they are.
    pub(super) fn tensor(
        &self,
        [storage, offset, shape, strides]: [At; 4],
        format: Option<&'static str>,
    ) -> Option<Tensor> {
        let Node::Storage(Storage { format: own, .. }) = self.get(storage) else {
            return None;
        };
        let n_dimensions = self.sizes(shape)?.len();
        (self.sizes(strides)?.len() == n_dimensions).then_some(Tensor {
            storage,
            format: format.unwrap_or(own),
            offset: self.count(offset)?,
            shape,
            strides,
        })
    }

    fn sizes(&self, at: At) -> Option<Vec<usize>> {
        let Node::Tuple(sizes) = self.get(at) else {
            return None;
        };
        if sizes.len() > MOST_DIMENSIONS {
            return None;
        }
        let size = |&at| usize::try_from(self.count(at)?).ok();
        sizes.iter().map(size).collect()
    }
}
