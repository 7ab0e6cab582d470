//! Groups, and the end of a file: names, and what they stand for.

use super::{
    CHECKSUM, Datatype,
    describe::{Attribute, attribute},
    global_heap::{self, Collection},
    group,
    links::{Link, Table},
    message::{self, ATTRIBUTE, Message, SYMBOL_TABLE},
    object_header,
    superblock::Superblock,
    writer::{UNKNOWN, Writer},
};
use std::io;

impl Writer {
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
        let value = message::text(checksum);
        messages.push((
            ATTRIBUTE,
            message::attribute(CHECKSUM, Datatype::Text, &value),
        ));
        let mut tail = texts.encode();
        let root = start + tail.len() as u64;
        let place = global_heap::find(&tail, checksum);
        tail.extend(object_header::encode(&messages));
        let superblock = Superblock {
            end: start + tail.len() as u64,
            root,
            links: table,
        };
        self.seal(tail, place.expect("the text was added"), &superblock)
    }
}

fn links_of(table: Table) -> Message {
    (SYMBOL_TABLE, message::symbol_table(table.tree, table.names))
}
