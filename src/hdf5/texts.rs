//! Texts that come before what they are said of is described.

use super::{
    global_heap::{Collection, FULL_BYTES, Place, TEXT_BYTES},
    writer::Writer,
};
use std::{io, mem};

/// Texts that come before what they are said of is described. They go into the file some together, and of each only
/// its place stays in memory.
#[derive(Default)]
pub struct Texts {
    waiting: Vec<String>,
    /// Bytes that those which wait will take, about.
    n_bytes: usize,
    places: Vec<Place>,
}

impl Texts {
    /// Takes the next text.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn put(&mut self, writer: &mut Writer, text: &str) -> io::Result<()> {
        self.n_bytes += TEXT_BYTES + text.len();
        self.waiting.push(text.to_owned());
        match self.n_bytes >= FULL_BYTES {
            true => self.write(writer),
            false => Ok(()),
        }
    }

    fn write(&mut self, writer: &mut Writer) -> io::Result<()> {
        let mut collection = Collection::at(writer.align()?);
        let waiting = mem::take(&mut self.waiting);
        let places = waiting.iter().map(|text| collection.add(text));
        self.places.extend(places);
        self.n_bytes = 0;
        writer.put(&collection.encode())
    }

    /// Writes what is left, and says where each text is.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn finish(mut self, writer: &mut Writer) -> io::Result<Vec<Place>> {
        self.write(writer)?;
        Ok(self.places)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::*, *};

    #[test]
    fn texts_are_found_by_those_of_whom_they_are_said() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = Writer::new(file.reopen().unwrap()).unwrap();
        let mut texts = Texts::default();
        let all: Vec<_> = (0..300).map(|n| "text ".repeat(n % 40)).collect();
        for text in &all {
            texts.put(&mut writer, text).unwrap();
        }
        let places = texts.finish(&mut writer).unwrap();
        assert_eq!(places.len(), all.len());
        assert_eq!(places.iter().filter(|of| of.is_empty()).count(), 8);
        let datasets = places.iter().map(|place| Dataset {
            shape: vec![0],
            datatype: Datatype::F32,
            layout: Layout::Contiguous { address: 0 },
            attributes: vec![Attribute {
                name: "said",
                value: Value::Written(*place),
            }],
        });
        let objects = writer.describe(datasets).unwrap();
        writer.finish(&[], &[]).unwrap();
        let reader = Reader::open(file.reopen().unwrap()).unwrap().unwrap();
        for (address, text) in objects.into_iter().zip(all) {
            let object = reader.object(address).unwrap();
            assert_eq!(reader.text(&object, "said").unwrap(), Some(text));
        }
    }
}
