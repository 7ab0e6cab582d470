//! HDF5 files that `embed` wrote: a dataset a sequence, at the root or in a group a column.

use super::{Embeddings, EmbeddingsError, column::choose, table::Source};
use crate::{
    file,
    hdf5::{CHECKSUM, Datatype, Object, ReadError, Reader},
};
use half::f16;
use std::path::Path;

/// The attribute of a dataset with the id of its sequence.
const ORIGINAL_ID: &str = "original_id";
/// What every HDF5 file begins with.
const SIGNATURE: [u8; 4] = *b"\x89HDF";

/// A file, which has no descriptions.
#[derive(Debug)]
struct Hdf5File;

/// A file that is read.
struct Reading<'a> {
    reader: Reader,
    /// As it was named, for errors.
    name: &'a str,
}

/// Whether a file says of itself that it is HDF5. If it cannot be opened, it does not.
pub(super) fn is_hdf5(path: &Path) -> bool {
    use std::io::Read as _;
    let mut signature = SIGNATURE.map(|_| 0);
    let read = file::open(path).and_then(|mut file| file.read_exact(&mut signature));
    read.is_ok() && signature == SIGNATURE
}

/// Reads a file into `embeddings`, in the order in which its sequences were written.
///
/// # Errors
/// - The file cannot be opened, or is not one of those.
/// - A sequence has not one vector.
pub(super) fn read(
    path: &Path,
    embeddings: &mut Embeddings,
) -> Result<Box<dyn Source>, EmbeddingsError> {
    let name = path.display().to_string();
    let file = file::open(path).map_err(|error| EmbeddingsError::unopened(&name, &error))?;
    let foreign = |message: &str| EmbeddingsError::foreign(&name, message.to_owned());
    let reader = Reader::open(file).map_err(|error| broken(&name, &error))?;
    let reader = reader.ok_or_else(|| foreign("is an HDF5 file that runner did not write"))?;
    let reading = Reading {
        reader,
        name: &name,
    };
    let root = reading.of(|reader| reader.root())?;
    if reading.of(|reader| reader.text(&root, CHECKSUM))?.is_none() {
        return Err(foreign("is an HDF5 file that runner did not write"));
    }
    if reading.of(|reader| reader.text(&root, "format"))?.is_some() {
        return Err(EmbeddingsError {
            hint: Some("give a `.parquet` or `.h5` file, or a folder of parts"),
            ..foreign("is a matrix for scikit-bio, which is not read back")
        });
    }
    for dataset in reading.datasets(&root, embeddings.column())? {
        reading.append(&dataset, embeddings)?;
    }
    Ok(Box::new(Hdf5File))
}

fn broken(name: &str, error: &ReadError) -> EmbeddingsError {
    EmbeddingsError::damaged(name, error.to_string())
}

impl Reading<'_> {
    fn of<T>(&self, read: impl Fn(&Reader) -> Result<T, ReadError>) -> Result<T, EmbeddingsError> {
        read(&self.reader).map_err(|error| broken(self.name, &error))
    }

    /// What a group holds, in the order in which it was written.
    fn links(&self, group: &Object) -> Result<Vec<(String, u64)>, EmbeddingsError> {
        let mut links = self.of(|reader| reader.links(group))?;
        links.sort_unstable_by_key(|(_, address)| *address);
        Ok(links)
    }

    /// The datasets of the vectors, of the column that is read.
    fn datasets(
        &self,
        root: &Object,
        wanted: Option<&str>,
    ) -> Result<Vec<Object>, EmbeddingsError> {
        let mut links = self.links(root)?;
        let object = |address: u64| self.of(|reader| reader.object(address));
        let first = links.first().map(|(_, address)| object(*address));
        if first.transpose()?.is_some_and(|first| first.is_group()) {
            let names = links.iter().map(|(name, _)| name.as_str());
            let chosen = choose(names.clone(), wanted, self.name)?;
            let column = links.iter().find(|(name, _)| Some(name.as_str()) == chosen);
            let (_, address) =
                column.ok_or_else(|| EmbeddingsError::without_vectors(self.name, names))?;
            links = self.links(&object(*address)?)?;
        } else if let Some(wanted) = wanted
            && wanted != "embedding"
        {
            return Err(EmbeddingsError {
                file: self.name.to_owned(),
                message: format!("has a single column, and does not say that it is `{wanted}`"),
                hint: Some("leave `column` out"),
            });
        }
        links.iter().map(|(_, address)| object(*address)).collect()
    }

    fn append(&self, dataset: &Object, embeddings: &mut Embeddings) -> Result<(), EmbeddingsError> {
        let id = self
            .of(|reader| reader.text(dataset, ORIGINAL_ID))?
            .unwrap_or_default();
        let foreign = |message: String| EmbeddingsError::foreign(self.name, message);
        let [size] = dataset.shape[..] else {
            return Err(EmbeddingsError {
                hint: Some("`pooling: \"mean\"` of `embed` makes one vector a sequence"),
                ..foreign(format!("has a matrix for `{id}`, and not one vector"))
            });
        };
        let is_first = embeddings.is_empty();
        if !is_first && size != embeddings.hidden_size() as u64 {
            return Err(foreign(format!(
                "has a vector of {size} components for `{id}`, and others of {}",
                embeddings.hidden_size()
            )));
        }
        let bytes = self.of(|reader| reader.values(dataset))?;
        let vector: Vec<f32> = match dataset.datatype {
            Some(Datatype::F32) => numbers(&bytes, f32::from_le_bytes),
            Some(Datatype::F16) => numbers(&bytes, |bytes| f16::from_le_bytes(bytes).to_f32()),
            _ => return Err(foreign(format!("has no numbers for `{id}`"))),
        };
        embeddings.add_vectors(&vector, vector.len());
        embeddings.add(id, "");
        Ok(())
    }
}

fn numbers<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|chunk| number(*chunk)).collect()
}

impl Source for Hdf5File {
    fn description(&self, _row: usize) -> Result<String, EmbeddingsError> {
        Ok(String::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hdf5::{Attribute, Dataset, Layout, Link, Value, Writer};

    fn text<'a>(name: &'a str, text: &'a str) -> Attribute<'a> {
        let value = Value::Text(text);
        Attribute { name, value }
    }

    /// Datasets of these shapes, whose ids are their places and whose names are in the other order. All their
    /// numbers are one more than those of the dataset before.
    fn datasets(writer: &mut Writer, shapes: &[&[u64]], datatype: Datatype) -> Vec<(String, u64)> {
        let ids: Vec<_> = (0..shapes.len()).map(|n| n.to_string()).collect();
        let mut datasets = Vec::new();
        for (n, shape) in shapes.iter().enumerate() {
            let number = n as f32 + 0.5;
            let bytes = match datatype {
                Datatype::F16 => f16::from_f32(number).to_le_bytes().to_vec(),
                _ => number.to_le_bytes().to_vec(),
            };
            let address = writer.align().unwrap();
            for _ in 0..shape.iter().product() {
                writer.put(&bytes).unwrap();
            }
            datasets.push(Dataset {
                shape: shape.to_vec(),
                datatype,
                layout: Layout::Contiguous { address },
                attributes: vec![text(ORIGINAL_ID, &ids[n])],
            });
        }
        let objects = writer.describe(datasets).unwrap();
        let names = (0..shapes.len()).map(|n| format!("{}", 9 - n));
        let mut links: Vec<_> = names.zip(objects).collect();
        links.sort();
        links
    }

    fn links(links: &[(String, u64)]) -> Vec<Link<'_>> {
        let links = links.iter();
        links
            .map(|(name, object)| Link {
                name,
                object: *object,
            })
            .collect()
    }

    fn begun() -> (tempfile::NamedTempFile, Writer) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let writer = Writer::new(file.reopen().unwrap()).unwrap();
        (file, writer)
    }

    #[test]
    fn vectors_are_read_in_the_order_in_which_they_were_written() {
        for datatype in [Datatype::F16, Datatype::F32] {
            let (file, mut writer) = begun();
            let of = datasets(&mut writer, &[&[2], &[2], &[2]], datatype);
            writer.finish(&links(&of), &[]).unwrap();
            let embeddings = Embeddings::read(file.path()).unwrap();
            assert_eq!(embeddings.ids(), ["0", "1", "2"]);
            assert_eq!(embeddings.vector(2), [2.5, 2.5]);
            assert_eq!(embeddings.description(1).unwrap(), "");
        }
        let (file, writer) = begun();
        writer.finish(&[], &[]).unwrap();
        assert!(Embeddings::read(file.path()).unwrap().is_empty());
    }

    #[test]
    fn of_several_layers_the_last_one_is_read() {
        let (file, mut writer) = begun();
        let mut groups = Vec::new();
        for (name, shape) in [("embedding_6", 1), ("embedding_33", 3), ("residues", 4)] {
            let of = datasets(&mut writer, &[&[shape]], Datatype::F32);
            groups.push((name.to_owned(), writer.group(&links(&of)).unwrap()));
        }
        groups.sort();
        writer.finish(&links(&groups), &[]).unwrap();
        let embeddings = Embeddings::read(file.path()).unwrap();
        assert_eq!(embeddings.vector(0), [0.5; 3]);
        let named = Embeddings::read_column(file.path(), Some("embedding_6")).unwrap();
        assert_eq!(named.vector(0), [0.5]);
        let refused = Embeddings::read_column(file.path(), Some("embedding_7"));
        let error = refused.unwrap_err();
        assert!(error.message.contains("no column `embedding_7`"), "{error}");
    }

    #[test]
    fn what_holds_no_vectors_is_refused() {
        let check = |shapes: &[&[u64]], attributes: &[Attribute<'_>], message: &str, hint: &str| {
            let (file, mut writer) = begun();
            let of = datasets(&mut writer, shapes, Datatype::F32);
            writer.finish(&links(&of), attributes).unwrap();
            let error = Embeddings::read(file.path()).unwrap_err();
            assert!(error.message.contains(message), "{error}");
            assert!(error.hint.unwrap().contains(hint), "{error:?}");
        };
        check(&[&[3, 2]], &[], "a matrix for `0`", "pooling");
        check(
            &[&[2], &[3]],
            &[],
            "a vector of 3 components for `1`",
            "`embed` wrote",
        );
        check(&[], &[text("format", "embedding")], "scikit-bio", "`.h5`");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "\u{89}HDF").unwrap();
        assert!(!is_hdf5(file.path()), "it is UTF-8");
        std::fs::write(file.path(), b"\x89HDF\r\n\x1a\n and more").unwrap();
        let error = Embeddings::read(file.path()).unwrap_err();
        assert!(error.message.contains("did not write"), "{error}");
    }
}
