//! `embeddings(...)`: outputs read back.

use super::value::option_map;
use crate::{
    embeddings::Embeddings as Table,
    error::Error,
    job::{EmbeddingsOptions, OptionMap},
    paths::Role,
    script::{
        failure::{RhaiResultOf, raise, raise_error},
        session::Session,
    },
};
use rhai::{Array, FLOAT, INT, Map, plugin::*};
use std::{path::Path, rc::Rc};

/// More neighbours than this are not made up.
const MOST_REHEARSED: usize = 100;

/// Embeddings in a script.
#[derive(Clone)]
pub(super) struct ScriptEmbeddings {
    table: Rc<Table>,
    /// Whether a run of a rehearsal would have written them. Every id is then taken for one of them.
    is_rehearsed: bool,
}

impl ScriptEmbeddings {
    pub(super) fn read(
        context: &NativeCallContext,
        path: &Path,
        options: OptionMap,
    ) -> RhaiResultOf<Self> {
        let session = Session::of(context);
        let rehearsed = session.files().rehearsed(path);
        let read = || -> Result<Table, Error> {
            let options = EmbeddingsOptions::OPTIONS.read(options)?;
            session.files().check_whole(path)?;
            session.files().read(Role::Embeddings, path)?;
            match rehearsed {
                Some(hidden_size) => {
                    let column = options.column.as_deref();
                    session.files().check_columns(path, column)?;
                    Ok(Table::made_up(hidden_size))
                }
                None => Ok(Table::read_column(path, options.column.as_deref())?),
            }
        };
        Ok(Self {
            table: Rc::new(read().map_err(raise_error)?),
            is_rehearsed: rehearsed.is_some(),
        })
    }

    /// The description of a row.
    fn described(&self, row: usize) -> RhaiResultOf<String> {
        let description = self.table.description(row);
        let description = description.map_err(|error| raise_error(error.into()))?;
        Ok(description.into_owned())
    }

    /// The row of the sequence `id`.
    fn row(&self, id: &str) -> RhaiResultOf<usize> {
        match self.table.row(id) {
            Some(row) => Ok(row),
            None if self.is_rehearsed => Ok(0),
            None => Err(raise(format!("the embeddings have no sequence `{id}`"))),
        }
    }
}

#[export_module]
pub(super) mod embeddings_api {
    use super::*;

    pub type Embeddings = ScriptEmbeddings;

    /// Reads the embeddings of a file that `embed` wrote, in any format, or of a folder of parts in the order of their
    /// names, all of them into memory. Of several layers, the last one is read. Descriptions are those of Parquet, Arrow
    /// and `.h5`: the other formats have none.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let vectors = embeddings("embeddings.parquet");
    /// print(`${vectors.len} vectors of ${vectors.hidden_size} components`);
    /// ```
    #[rhai_fn(volatile, return_raw)]
    pub fn embeddings(context: NativeCallContext, path: &str) -> RhaiResultOf<Embeddings> {
        ScriptEmbeddings::read(&context, Path::new(path), OptionMap::new())
    }

    /// Reads the embeddings of an output. Options:
    ///
    /// {options of `embeddings`}
    ///
    /// # Example
    ///
    /// ```rhai
    /// let vectors = embeddings("embeddings.parquet", #{ column: "embedding_mean" });
    /// ```
    #[rhai_fn(name = "embeddings", volatile, return_raw)]
    pub fn embeddings_with(
        context: NativeCallContext,
        path: &str,
        options: Map,
    ) -> RhaiResultOf<Embeddings> {
        let options = option_map(&context, options);
        ScriptEmbeddings::read(&context, Path::new(path), options)
    }

    /// Returns the number of sequences.
    #[rhai_fn(get = "len", pure)]
    pub fn len(embeddings: &mut Embeddings) -> INT {
        embeddings.table.len() as INT
    }

    /// Returns the number of components of an embedding.
    #[rhai_fn(get = "hidden_size", pure)]
    pub fn hidden_size(embeddings: &mut Embeddings) -> INT {
        embeddings.table.hidden_size() as INT
    }

    /// Returns the ids of the sequences, in input order.
    ///
    /// # Example
    ///
    /// ```rhai
    /// for id in embeddings("embeddings.parquet").ids { print(id); }
    /// ```
    #[rhai_fn(get = "ids", pure)]
    pub fn ids(embeddings: &mut Embeddings) -> Array {
        let ids = embeddings.table.ids();
        ids.iter().map(|id| id.clone().into()).collect()
    }

    /// Returns the description of the sequence `id`: its definition line without the id.
    ///
    /// # Example
    ///
    /// ```rhai
    /// print(embeddings("embeddings.parquet").description("sp|P69905|HBA_HUMAN"));
    /// ```
    #[rhai_fn(pure, return_raw)]
    pub fn description(embeddings: &mut Embeddings, id: &str) -> RhaiResultOf<String> {
        let row = embeddings.row(id)?;
        embeddings.described(row)
    }

    /// Returns the cosine of the angle between the embeddings of two sequences.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let vectors = embeddings("embeddings.parquet");
    /// print(vectors.cosine("sp|P69905|HBA_HUMAN", "sp|P68871|HBB_HUMAN"));
    /// ```
    #[rhai_fn(pure, return_raw)]
    pub fn cosine(embeddings: &mut Embeddings, a: &str, b: &str) -> RhaiResultOf<FLOAT> {
        let (a, b) = (embeddings.row(a)?, embeddings.row(b)?);
        Ok(embeddings.table.cosine(a, b))
    }

    /// Returns the `n_neighbours` sequences that are most like the sequence `id`, the most similar
    /// one first, each as a map with `id`, `description` and `cosine`. The sequence itself is not
    /// among them.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let vectors = embeddings("embeddings.parquet");
    /// for near in vectors.nearest("sp|P69905|HBA_HUMAN", 3) {
    ///     print(`${near.cosine} ${near.id} ${near.description}`);
    /// }
    /// ```
    #[rhai_fn(pure, return_raw)]
    pub fn nearest(
        embeddings: &mut Embeddings,
        id: &str,
        n_neighbours: INT,
    ) -> RhaiResultOf<Array> {
        let n_neighbours = usize::try_from(n_neighbours)
            .ok()
            .filter(|n| *n > 0)
            .ok_or_else(|| {
                let expected = "`nearest` takes a number of neighbours of at least 1";
                raise(format!("{expected}, not {n_neighbours}"))
            })?;
        let row = embeddings.row(id)?;
        let table = &embeddings.table;
        let neighbours = match embeddings.is_rehearsed {
            // Its only sequence has no neighbour but itself, and scripts expect some.
            true => vec![(row, 1.0); n_neighbours.min(MOST_REHEARSED)],
            false => table.nearest(row, n_neighbours),
        };
        neighbours
            .into_iter()
            .map(|(row, cosine)| {
                let mut neighbour = Map::new();
                neighbour.insert("id".into(), table.ids()[row].clone().into());
                neighbour.insert("description".into(), embeddings.described(row)?.into());
                neighbour.insert("cosine".into(), cosine.into());
                Ok(neighbour.into())
            })
            .collect()
    }

    /// Returns the number of vectors and of their components.
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn to_text(embeddings: &mut Embeddings) -> String {
        let table = &embeddings.table;
        format!(
            "{} embeddings of {} components",
            table.len(),
            table.hidden_size()
        )
    }

    /// Returns whether two values hold the same ids and vectors.
    #[rhai_fn(name = "==", pure)]
    pub fn equals(a: &mut Embeddings, b: Embeddings) -> bool {
        a.table == b.table
    }

    /// Returns whether two values differ in an id or a vector.
    #[rhai_fn(name = "!=", pure)]
    pub fn differs(a: &mut Embeddings, b: Embeddings) -> bool {
        a.table != b.table
    }
}
