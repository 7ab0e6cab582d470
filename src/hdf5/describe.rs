//! What describes datasets whose values are in the file, and what is said of them.

use super::{
    Datatype, Layout,
    global_heap::{Collection, Place},
    message::{self, ATTRIBUTE, DATASPACE, DATATYPE, FILL_VALUE, LAYOUT, Message},
    object_header,
    writer::Writer,
};
use std::io;

/// Bytes of headers that are written at a time, about.
const BUFFER_BYTES: usize = 1 << 20;

/// What is said of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// What it is called.
    pub name: &'a str,
    /// What it is.
    pub value: Value<'a>,
}

/// The value of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A text.
    Text(&'a str),
    /// A text that is in the file.
    Written(Place),
    /// A whole number.
    Number(i64),
}

/// What is known of a dataset whose values are in the file.
pub struct Dataset<'a> {
    /// How many values there are in each dimension.
    pub shape: Vec<u64>,
    /// What they are.
    pub datatype: Datatype,
    /// Where they are.
    pub layout: Layout,
    /// What is said of them.
    pub attributes: Vec<Attribute<'a>>,
}

impl Writer {
    /// Writes what describes datasets, some together with the texts that are said of them. Returns their addresses.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn describe<'a>(
        &mut self,
        datasets: impl IntoIterator<Item = Dataset<'a>>,
    ) -> io::Result<Vec<u64>> {
        let mut addresses = Vec::new();
        let mut datasets = datasets.into_iter().peekable();
        while datasets.peek().is_some() {
            let start = self.align()?;
            let mut texts = Collection::at(start);
            let mut headers = Vec::new();
            let first = addresses.len();
            while !texts.is_full()
                && headers.len() < BUFFER_BYTES
                && let Some(dataset) = datasets.next()
            {
                addresses.push(headers.len() as u64);
                headers.extend(header(&dataset, &mut texts));
            }
            let texts = texts.encode();
            for address in &mut addresses[first..] {
                *address += start + texts.len() as u64;
            }
            self.put(&texts)?;
            self.put(&headers)?;
        }
        Ok(addresses)
    }
}

fn header(dataset: &Dataset<'_>, texts: &mut Collection) -> Vec<u8> {
    let Dataset {
        shape,
        datatype,
        layout,
        attributes,
    } = dataset;
    let mut messages = vec![
        (DATASPACE, message::dataspace(shape)),
        (DATATYPE, datatype.encode()),
        (FILL_VALUE, message::fill_value(layout)),
        (LAYOUT, message::layout(layout, shape, *datatype)),
    ];
    messages.extend(attributes.iter().map(|of| attribute(of, texts)));
    object_header::encode(&messages)
}

/// The message of an attribute, whose text lies with `texts`.
pub(super) fn attribute(of: &Attribute<'_>, texts: &mut Collection) -> Message {
    let message = match of.value {
        Value::Text(text) => text_attribute(of.name, texts.add(text)),
        Value::Written(place) => text_attribute(of.name, place),
        Value::Number(number) => message::attribute(of.name, Datatype::I64, &number.to_le_bytes()),
    };
    (ATTRIBUTE, message)
}

fn text_attribute(name: &str, place: Place) -> Vec<u8> {
    message::attribute(name, Datatype::Text, &message::text(place))
}
