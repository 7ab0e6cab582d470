//! What is in a file that this program wrote.

use super::{
    CHECKSUM, Datatype, Layout, Stream,
    btree::{self, Kind},
    chunks,
    global_heap::{self, Place},
    group::{self, NODE_BYTES},
    links::Table,
    local_heap,
    message::{self, ATTRIBUTE, DATASPACE, DATATYPE, LAYOUT, SYMBOL_TABLE},
    object_header,
    superblock::{self, Superblock},
    writer::UNKNOWN,
};
use std::{
    cell::RefCell,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    ops::Range,
    os::unix::fs::FileExt as _,
};

/// Why a file of this program cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system refuses.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file is not as it was written.
    #[error("is damaged: {0}")]
    Damaged(String),
    /// The end of the file is missing.
    #[error("was cut short: it has {is} bytes of {was}")]
    Short {
        /// Bytes that there are.
        is: u64,
        /// Bytes that there were.
        was: u64,
    },
}

/// A file that this program wrote, opened for reading.
#[derive(Debug)]
pub struct Reader {
    file: File,
    n_bytes: u64,
    root: u64,
    /// The collection of texts that was read last, and its address.
    texts: RefCell<(u64, Vec<u8>)>,
}

/// A dataset or a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// How many values a dataset has in each dimension.
    pub shape: Vec<u64>,
    /// What they are. `None` of a group.
    pub datatype: Option<Datatype>,
    /// Where its values are.
    layout: Option<Layout>,
    /// Where the links of a group are.
    links: Option<Table>,
    /// Texts that are said of it, by name.
    texts: Vec<(String, Place)>,
}

fn damaged(what: &str, address: u64) -> ReadError {
    ReadError::Damaged(format!("there is no {what} at byte {address}"))
}

fn without_values() -> ReadError {
    ReadError::Damaged("the values of a dataset are missing".to_owned())
}

impl Reader {
    /// Opens a file. `None`, if this program did not write it, as far as its beginning says.
    ///
    /// # Errors
    /// - If its end is missing.
    /// - If the file system refuses.
    pub fn open(file: File) -> Result<Option<Self>, ReadError> {
        let n_bytes = file.metadata()?.len();
        let mut block = [0; superblock::BYTES];
        if n_bytes < block.len() as u64 {
            return Ok(None);
        }
        file.read_exact_at(&mut block, 0)?;
        let Some(Superblock { end, root, .. }) = Superblock::decode(&block) else {
            return Ok(None);
        };
        if end > n_bytes {
            return Err(ReadError::Short {
                is: n_bytes,
                was: end,
            });
        }
        Ok(Some(Self {
            file,
            n_bytes,
            root,
            texts: RefCell::default(),
        }))
    }

    /// The root.
    ///
    /// # Errors
    /// As [`object`](Self::object).
    pub fn root(&self) -> Result<Object, ReadError> {
        self.object(self.root)
    }

    /// A dataset or a group.
    ///
    /// # Errors
    /// - If there is none.
    /// - If the file system refuses.
    pub fn object(&self, address: u64) -> Result<Object, ReadError> {
        let prefix = self.array(address, "object")?;
        let n_bytes = object_header::body_bytes(&prefix);
        let n_bytes = n_bytes.ok_or_else(|| damaged("object", address))?;
        let body = self.bytes(address + prefix.len() as u64, n_bytes as u64, "object")?;
        let mut object = Object::default();
        for (kind, message) in object_header::messages(&body) {
            object
                .take(kind, message)
                .ok_or_else(|| damaged("object of ours", address))?;
        }
        Ok(object)
    }

    /// The names in a group and the addresses of what they stand for, in the order of their names.
    ///
    /// # Errors
    /// - If the object is no group.
    /// - If its links cannot be read.
    pub fn links(&self, group: &Object) -> Result<Vec<(String, u64)>, ReadError> {
        let table = group.links;
        let table = table.ok_or_else(|| ReadError::Damaged("a group is missing".to_owned()))?;
        let head = self.array(table.names, "heap")?;
        let names = local_heap::names_at(&head).ok_or_else(|| damaged("heap", table.names))?;
        let names = self.bytes(names.0, names.1, "heap")?;
        let mut nodes = Vec::new();
        self.leaves(&group::TREE, table.tree, None, &mut nodes)?;
        let mut links = Vec::new();
        for address in nodes {
            let node = self.bytes(address, NODE_BYTES as u64, "node of links")?;
            let entries = group::decode(&node).ok_or_else(|| damaged("node of links", address))?;
            for (place, object) in entries {
                let name = local_heap::name_at(&names, place);
                let name = name.ok_or_else(|| damaged("name", table.names))?;
                links.push((name, object));
            }
        }
        Ok(links)
    }

    /// Collects the addresses of all that a tree leads to. A node is of a level below that of the one above it.
    fn leaves(
        &self,
        kind: &Kind,
        tree: u64,
        above: Option<u8>,
        nodes: &mut Vec<u64>,
    ) -> Result<(), ReadError> {
        let wrong = || damaged("node of a tree", tree);
        let node = self.bytes(tree, kind.node_bytes() as u64, "node of a tree")?;
        let (level, children) = btree::decode(kind, &node).ok_or_else(wrong)?;
        if above.is_some_and(|above| above.checked_sub(1) != Some(level)) {
            return Err(wrong());
        }
        if level == 0 {
            nodes.extend(children);
            return Ok(());
        }
        for child in children {
            self.leaves(kind, child, Some(level), nodes)?;
        }
        Ok(())
    }

    /// A text that is said of an object.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn text(&self, object: &Object, name: &str) -> Result<Option<String>, ReadError> {
        let place = object.texts.iter().find(|(of, _)| of == name);
        place.map(|(_, place)| self.text_at(*place)).transpose()
    }

    /// All texts that are said of an object, by name.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn texts(&self, object: &Object) -> Result<Vec<(String, String)>, ReadError> {
        let texts = object.texts.iter();
        texts
            .map(|(name, place)| Ok((name.clone(), self.text_at(*place)?)))
            .collect()
    }

    fn text_at(&self, place: Place) -> Result<String, ReadError> {
        if place.n_bytes == 0 {
            return Ok(String::new());
        }
        let range = self.find(place)?;
        let texts = self.texts.borrow();
        let text = String::from_utf8(texts.1[range].to_vec());
        text.map_err(|_| damaged("text", place.collection))
    }

    /// Where in its collection a text is, which is in memory then.
    fn find(&self, place: Place) -> Result<Range<usize>, ReadError> {
        let wrong = || damaged("text", place.collection);
        let mut texts = self.texts.borrow_mut();
        if texts.0 != place.collection {
            let head = self.array(place.collection, "text")?;
            let n_bytes = global_heap::collection_bytes(&head).ok_or_else(wrong)?;
            *texts = (
                place.collection,
                self.bytes(place.collection, n_bytes, "text")?,
            );
        }
        global_heap::find(&texts.1, place).ok_or_else(wrong)
    }

    /// The values of a dataset that lie one after the other, as the file has them.
    ///
    /// # Errors
    /// - If there are none.
    /// - If the file system refuses.
    pub fn values(&self, dataset: &Object) -> Result<Vec<u8>, ReadError> {
        match (dataset.layout, dataset.n_bytes()) {
            (Some(Layout::Contiguous { .. }), Some(0)) => Ok(Vec::new()),
            (Some(Layout::Contiguous { address }), Some(n_bytes)) => {
                self.bytes(address, n_bytes, "value")
            }
            _ => Err(without_values()),
        }
    }

    /// The values of a dataset, one after the other, wherever they lie.
    ///
    /// # Errors
    /// - If there are none, or some of their places are not in the file.
    /// - If the file system refuses.
    pub fn stream(&self, dataset: &Object) -> Result<Stream, ReadError> {
        let (layout, n_bytes) = dataset
            .layout
            .zip(dataset.n_bytes())
            .ok_or_else(without_values)?;
        let (pieces, piece_bytes) = match layout {
            Layout::Contiguous { address } => (vec![address], n_bytes),
            Layout::Chunked { tree, rows } => {
                let mut pieces = Vec::new();
                self.leaves(&chunks::kind(dataset.shape.len()), tree, None, &mut pieces)?;
                let n_bytes = dataset.row_bytes().and_then(|n| n.checked_mul(rows.into()));
                (pieces, n_bytes.ok_or_else(without_values)?)
            }
        };
        let is_there = |address: &u64| {
            let end = address.checked_add(piece_bytes);
            n_bytes == 0 || end.is_some_and(|end| end <= self.n_bytes)
        };
        let n_pieces = pieces.len() as u64;
        if !pieces.iter().all(is_there)
            || n_pieces
                .checked_mul(piece_bytes)
                .is_none_or(|all| all < n_bytes)
        {
            return Err(without_values());
        }
        let file = self.file.try_clone()?;
        Ok(Stream::new(file, pieces, piece_bytes, n_bytes))
    }

    /// The checksum that stands in the file, and that of what is there. `None`, if none stands in it.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn checksums(&self) -> Result<Option<(String, String)>, ReadError> {
        let root = self.root()?;
        let place = root.texts.iter().find(|(name, _)| name == CHECKSUM);
        let Some((_, place)) = place.filter(|(_, place)| place.n_bytes as usize == UNKNOWN.len())
        else {
            return Ok(None);
        };
        let written = self.text_at(*place)?;
        let digits_at = place.collection + self.find(*place)?.start as u64;
        let mut hasher = blake3::Hasher::new();
        self.hash(&mut hasher, superblock::BYTES as u64, digits_at)?;
        hasher.update(&UNKNOWN);
        self.hash(&mut hasher, digits_at + UNKNOWN.len() as u64, self.n_bytes)?;
        self.hash(&mut hasher, 0, superblock::BYTES as u64)?;
        Ok(Some((written, hasher.finalize().to_hex().to_string())))
    }

    fn hash(&self, hasher: &mut blake3::Hasher, start: u64, end: u64) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(start))?;
        hasher.update_reader(file.take(end.saturating_sub(start)))?;
        Ok(())
    }

    fn array<const N: usize>(&self, address: u64, what: &str) -> Result<[u8; N], ReadError> {
        let bytes = self.bytes(address, N as u64, what)?;
        bytes.try_into().map_err(|_| damaged(what, address))
    }

    /// Bytes of something that should be in the file.
    fn bytes(&self, address: u64, n_bytes: u64, what: &str) -> Result<Vec<u8>, ReadError> {
        let end = address.checked_add(n_bytes);
        if end.is_none_or(|end| end > self.n_bytes) {
            return Err(damaged(what, address));
        }
        let mut bytes = vec![0; n_bytes as usize];
        self.file.read_exact_at(&mut bytes, address)?;
        Ok(bytes)
    }
}

impl Object {
    /// Takes a message of its header. `None`, if it is none of ours.
    fn take(&mut self, kind: u16, message: &[u8]) -> Option<()> {
        match kind {
            DATASPACE => self.shape = message::decode_dataspace(message)?,
            DATATYPE => self.datatype = Some(Datatype::decode(message)?),
            LAYOUT => self.layout = message::decode_layout(message),
            SYMBOL_TABLE => {
                let (tree, names) = message::decode_symbol_table(message)?;
                self.links = Some(Table { tree, names });
            }
            ATTRIBUTE => {
                let (name, datatype, value) = message::decode_attribute(message)?;
                if datatype == Some(Datatype::Text) {
                    self.texts.push((name, message::decode_text(value)?));
                }
            }
            _ => {}
        }
        Some(())
    }

    /// Bytes of one of its rows.
    fn row_bytes(&self) -> Option<u64> {
        let n_bytes = self.datatype?.bytes() as u64;
        let mut sizes = self.shape.iter().skip(1);
        sizes.try_fold(n_bytes, |all, size| all.checked_mul(*size))
    }

    /// Bytes of its values, if it has any.
    fn n_bytes(&self) -> Option<u64> {
        self.row_bytes()?.checked_mul(*self.shape.first()?)
    }

    /// Whether it is a group.
    pub fn is_group(&self) -> bool {
        self.links.is_some()
    }
}
