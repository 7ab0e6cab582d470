//! Plain data that a checkpoint holds beside its tensors.

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
    /// What is not plain, such as a tensor, by a word for it.
    Other(&'static str),
}

impl Value {
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

    /// The whole number that it is.
    pub(in crate::model) fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Whether it is true or false, if it is either.
    pub(in crate::model) fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(is_so) => Some(*is_so),
            _ => None,
        }
    }
}
