//! Plain data that a checkpoint holds beside its tensors.

use super::pickle::{At, Heap, Node};

/// Plain data.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::model) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// A list, a tuple or a set.
    List(Vec<Value>),
    /// A dictionary, or the attributes of an `argparse.Namespace`.
    Map(Vec<(Value, Value)>),
    /// What is not plain, such as a tensor, or too much, by a word for it.
    Other(&'static str),
}

/// How much of a pickle becomes plain data: values that stand in several places do so anew in each.
struct Rest {
    values: usize,
    text_bytes: usize,
}

/// What is nested more deeply is left out.
const MOST_DEPTH: usize = 32;

impl Value {
    /// A value of a pickle, as far as it is plain and not more than options ever are. The values in
    /// `left_out` are left out.
    pub(super) fn of(heap: &Heap, at: At, left_out: &[At]) -> Self {
        let mut rest = Rest {
            values: 100_000,
            text_bytes: 1 << 20,
        };
        rest.value(heap, at, left_out, MOST_DEPTH)
    }

    /// The entry of a map under this text.
    pub(in crate::model) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(entries) = self else {
            return None;
        };
        let found = entries.iter().find(|(name, _)| name.as_text() == Some(key));
        found.map(|(_, value)| value)
    }

    /// The text that it is.
    pub(in crate::model) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Rest {
    fn value(&mut self, heap: &Heap, at: At, left_out: &[At], depth: usize) -> Value {
        const TOO_MUCH: Value = Value::Other("more than is read");
        if left_out.contains(&at) {
            return Value::Other("tensors");
        }
        // What is left out counts, too: there may be much of it.
        if self.values == 0 {
            return TOO_MUCH;
        }
        self.values -= 1;
        if depth == 0 {
            return TOO_MUCH;
        }
        match heap.get(at) {
            Node::None => Value::None,
            Node::Bool(is_so) => Value::Bool(*is_so),
            Node::Int(number) => Value::Int(*number),
            Node::Float(number) => Value::Float(*number),
            Node::Text(text) => match self.text_bytes.checked_sub(text.len()) {
                Some(rest) => {
                    self.text_bytes = rest;
                    Value::Text((**text).to_owned())
                }
                None => TOO_MUCH,
            },
            Node::Tuple(parts) | Node::List(parts) | Node::Set(parts) => {
                let mut list = Vec::new();
                for &part in parts {
                    if self.values == 0 {
                        break;
                    }
                    list.push(self.value(heap, part, left_out, depth - 1));
                }
                Value::List(list)
            }
            Node::Dict(entries) => self.map(heap, entries, left_out, depth),
            Node::Namespace(attributes) => {
                let entries = attributes.and_then(|attributes| heap.dict(attributes));
                self.map(heap, entries.unwrap_or_default(), left_out, depth)
            }
            Node::Long(_) => Value::Other("a large number"),
            Node::Bytes => Value::Other("bytes"),
            Node::Global(_) | Node::Device => Value::Other("a name of PyTorch"),
            Node::Storage(_) | Node::Tensor(_) => Value::Other("a tensor"),
        }
    }

    fn map(&mut self, heap: &Heap, entries: &[(At, At)], left_out: &[At], depth: usize) -> Value {
        let mut map = Vec::new();
        for &(key, value) in entries {
            if self.values == 0 {
                break;
            }
            let key = self.value(heap, key, left_out, depth - 1);
            map.push((key, self.value(heap, value, left_out, depth - 1)));
        }
        // As in Python, an entry takes the place of an earlier one.
        map.reverse();
        Value::Map(map)
    }
}
