//! HDF5 files that `embed` wrote: a dataset a sequence, at the root or in a group a column.

use super::{
    Embeddings, EmbeddingsError, column::choose, embed, hdf5_file::Hdf5File, npy::numbers, opened,
    table::Source,
};
use crate::{
    file,
    hdf5::{CHECKSUM, Datatype, Object},
    job::OutputFormat,
};
use std::path::Path;

/// The attribute of a dataset with the id of its sequence, and that with the rest of the definition line.
const ORIGINAL_ID: &str = "original_id";
const DESCRIPTION: &str = "description";
/// What every HDF5 file begins with.
const SIGNATURE: [u8; 4] = *b"\x89HDF";
/// What is wrong with a file that is none of ours, and the hint where it is for scikit-bio.
const NOT_OURS: &str = "is an HDF5 file that runner did not write";
const WITHOUT_IDS: &str =
    "what scikit-bio itself writes has no ids: give what `embed` or `export` wrote";

/// A file that stays open, so that descriptions can be read again.
#[derive(Debug)]
struct Datasets {
    file: Hdf5File,
    /// Where the datasets are, in the order of the rows; none of a matrix, which has no descriptions.
    datasets: Vec<u64>,
}

/// Whether a file says of itself that it is HDF5. If it cannot be opened, it does not.
pub(super) fn is_hdf5(path: &Path) -> bool {
    use std::io::Read as _;
    let mut signature = SIGNATURE.map(|_| 0);
    let read = file::open(path).and_then(|mut file| file.read_exact(&mut signature));
    read.is_ok() && signature == SIGNATURE
}

/// Reads a file into `embeddings`, in the order in which its sequences were written. What does not stay in memory can
/// be had from what is returned.
///
/// # Errors
/// - The file cannot be opened, or is not one of those.
/// - A sequence has not one vector.
pub(super) fn read(
    path: &Path,
    embeddings: &mut Embeddings,
) -> Result<Box<dyn Source>, EmbeddingsError> {
    let (file, name) = opened::open(path)?;
    let foreign = || {
        let error = EmbeddingsError::foreign(&name, NOT_OURS.to_owned());
        match OutputFormat::of(path) {
            Ok(OutputFormat::Embed) => EmbeddingsError {
                hint: Some(WITHOUT_IDS),
                ..error
            },
            _ => error,
        }
    };
    let file = Hdf5File::open(file, &name)?.ok_or_else(foreign)?;
    let root = file.of(|reader| reader.root())?;
    if file.text(&root, CHECKSUM)?.is_none() {
        return Err(foreign());
    }
    let mut datasets = Vec::new();
    if file.text(&root, "format")?.is_some() {
        embed::read(&file, &root, embeddings)?;
    } else {
        datasets = find(&file, &root, embeddings.column())?;
        for address in &datasets {
            let dataset = file.of(|reader| reader.object(*address))?;
            append(&file, &dataset, embeddings)?;
        }
    }
    Ok(Box::new(Datasets { file, datasets }))
}

/// Where the datasets of the vectors are, of the column that is read, in the order in which they were written.
fn find(file: &Hdf5File, root: &Object, wanted: Option<&str>) -> Result<Vec<u64>, EmbeddingsError> {
    let mut links = file.links(root)?;
    let columns = match file.columns(root)? {
        Some(columns) => columns,
        None => guessed(file, &links)?,
    };
    let names = columns.iter().map(String::as_str);
    let chosen = choose(names.clone(), wanted, &file.name)?;
    let chosen = chosen.ok_or_else(|| EmbeddingsError::without_vectors(&file.name, names))?;
    if columns.len() > 1 {
        let group = links.iter().find(|(name, _)| name == chosen);
        let (_, address) = group.ok_or_else(|| {
            let message = format!("has lost the group `{chosen}`");
            EmbeddingsError::damaged(&file.name, message)
        })?;
        links = file.links(&file.of(|reader| reader.object(*address))?)?;
    }
    Ok(links.into_iter().map(|(_, address)| address).collect())
}

/// The columns of a file of an older version, which does not say them: a group each, or a single one.
fn guessed(file: &Hdf5File, links: &[(String, u64)]) -> Result<Vec<String>, EmbeddingsError> {
    let first = links.first().map(|(_, address)| *address);
    let first = first.map(|address| file.of(|reader| reader.object(address)));
    Ok(
        match first.transpose()?.is_some_and(|first| first.is_group()) {
            true => links.iter().map(|(name, _)| name.clone()).collect(),
            false => vec!["embedding".to_owned()],
        },
    )
}

/// Takes the vector of a dataset.
fn append(
    file: &Hdf5File,
    dataset: &Object,
    embeddings: &mut Embeddings,
) -> Result<(), EmbeddingsError> {
    let id = file.text(dataset, ORIGINAL_ID)?.unwrap_or_default();
    let foreign = |message: String| EmbeddingsError::foreign(&file.name, message);
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
    let is_half = match dataset.datatype {
        Some(Datatype::F32) => false,
        Some(Datatype::F16) => true,
        _ => return Err(foreign(format!("has no numbers for `{id}`"))),
    };
    let vector = numbers(&file.of(|reader| reader.values(dataset))?, is_half);
    embeddings.add_vectors(&vector, vector.len());
    let description = file.text(dataset, DESCRIPTION)?;
    embeddings.add(id, &description.unwrap_or_default());
    Ok(())
}

impl Source for Datasets {
    fn description(&self, row: usize) -> Result<String, EmbeddingsError> {
        let Some(address) = self.datasets.get(row) else {
            return Ok(String::new());
        };
        let dataset = self.file.of(|reader| reader.object(*address))?;
        let description = self.file.text(&dataset, DESCRIPTION)?;
        Ok(description.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hdf5::{Attribute, COLUMNS, Dataset, Layout, Link, Value, Writer};
    use half::f16;

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
        let residues = [text(COLUMNS, "[{\"name\": \"residues\"}]")];
        check(&[], &residues, "vectors of residues", "pooling");
        let matrix = text("format", "embedding");
        check(
            &[],
            &[matrix],
            "does not say which columns",
            "overwrite: true",
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "\u{89}HDF").unwrap();
        assert!(!is_hdf5(file.path()), "it is UTF-8");
        std::fs::write(file.path(), b"\x89HDF\r\n\x1a\n and more").unwrap();
        let error = Embeddings::read(file.path()).unwrap_err();
        assert!(error.message.contains("did not write"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let of_others = folder.path().join("x.embed");
        std::fs::copy(file.path(), &of_others).unwrap();
        let error = Embeddings::read(&of_others).unwrap_err();
        assert!(error.hint.unwrap().contains("has no ids"), "{error}");
    }
}
