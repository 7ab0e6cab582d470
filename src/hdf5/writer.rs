//! A file from its first number to the checksum of all of it.

use super::{
    CHECKSUM, Datatype, Layout, Link,
    global_heap::{Collection, Place},
    group::{self, Table},
    message::{self, ATTRIBUTE, DATASPACE, DATATYPE, FILL_VALUE, LAYOUT, Message, SYMBOL_TABLE},
    object_header,
    put::ALIGNMENT,
    superblock,
};
use std::{
    fs::File,
    io::{self, BufWriter, Seek as _, SeekFrom, Write as _},
};

/// Bytes that are written at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// What is written of a checksum before it is known.
pub(super) const UNKNOWN: [u8; 64] = [b'0'; 64];

/// A file that is written from its beginning to its end.
pub struct Writer {
    file: BufWriter<File>,
    /// Over all bytes behind the superblock so far.
    hasher: blake3::Hasher,
    position: u64,
}

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
    /// Begins an empty file.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn new(file: File) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(BUFFER_BYTES, file);
        // It is known at the end.
        file.write_all(&[0; superblock::BYTES])?;
        Ok(Self {
            file,
            hasher: blake3::Hasher::new(),
            position: superblock::BYTES as u64,
        })
    }

    /// Goes to an address at which something may begin, and returns it.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn align(&mut self) -> io::Result<u64> {
        let n_bytes = self.position.next_multiple_of(ALIGNMENT) - self.position;
        self.put(&[0; ALIGNMENT as usize][..n_bytes as usize])?;
        Ok(self.position)
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.position += bytes.len() as u64;
        self.file.write_all(bytes)
    }

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

    /// Writes a group. The names of its links differ, and are in the order of their bytes. Returns its address.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn group(&mut self, links: &[Link<'_>]) -> io::Result<u64> {
        let table = group::write(self, links)?;
        let address = self.align()?;
        self.put(&object_header::encode(&[links_of(table)]))?;
        Ok(address)
    }

    /// Completes the file with the links of the root, which are as those of any [group](Self::group), and what is
    /// said of the file. To that the checksum is added.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn finish(mut self, links: &[Link<'_>], attributes: &[Attribute<'_>]) -> io::Result<()> {
        let table = group::write(&mut self, links)?;
        let start = self.align()?;
        let mut texts = Collection::at(start);
        let mut messages = vec![links_of(table)];
        messages.extend(attributes.iter().map(|of| attribute(of, &mut texts)));
        let unknown = String::from_utf8_lossy(&UNKNOWN);
        let checksum = texts.add(&unknown);
        // It comes last, so that the end of a file says whose it is.
        messages.push((
            ATTRIBUTE,
            message::attribute(CHECKSUM, Datatype::Text, &message::text(checksum)),
        ));
        let mut tail = texts.encode();
        let root = start + tail.len() as u64;
        let place = super::global_heap::find(&tail, checksum);
        tail.extend(object_header::encode(&messages));
        let end = start + tail.len() as u64;
        let superblock = superblock::encode(end, root, table);
        // The checksum is that of the file with zeros in its place, the superblock last.
        self.hasher.update(&tail).update(&superblock);
        let digits = self.hasher.finalize().to_hex();
        tail[place.expect("the text was added")].copy_from_slice(digits.as_bytes());
        self.file.write_all(&tail)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&superblock)?;
        self.file.flush()
    }
}

fn links_of(table: Table) -> Message {
    (SYMBOL_TABLE, message::symbol_table(table.tree, table.names))
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

fn attribute(of: &Attribute<'_>, texts: &mut Collection) -> Message {
    let message = match of.value {
        Value::Text(text) => {
            let place: Place = texts.add(text);
            message::attribute(of.name, Datatype::Text, &message::text(place))
        }
        Value::Number(number) => message::attribute(of.name, Datatype::I64, &number.to_le_bytes()),
    };
    (ATTRIBUTE, message)
}
