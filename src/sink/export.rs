//! An output that is finished, written again in another format.

use super::{
    Rejects, SinkError,
    bundle::Bundle,
    format::{begin_table, check_fits, narrow_format_of, read_metadata, rows_of, schema_of},
    formats::{has_many, vector_columns},
    identity::{Finished, all_entries, exported},
    ledger::PartFile,
    left,
    place::Place,
    publish::is_published,
    shards,
    shards_error::ShardsError,
    status::Found,
    verify::{finished_at, is_as_it_was},
};
use crate::{
    file::{Existing, FileError, destination},
    job::{ExportOptions, ExportPlan, OutputTarget},
};
use arrow_schema::{Schema, SchemaRef};
use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What came of an export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// The file.
    pub file: PathBuf,
    /// Its rows.
    pub rows: u64,
    /// Whether it was there before.
    pub is_old: bool,
}

/// How far an export is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportStep {
    /// Rows that have been written.
    pub rows: u64,
    /// All rows.
    pub of: u64,
}

/// Told how far an export is, and says whether it is to go on.
pub type OnRows<'a> = dyn FnMut(ExportStep) -> ControlFlow<()> + 'a;

/// An output that is finished.
struct Source {
    /// Its files, in the order of their rows.
    files: Vec<PathBuf>,
    /// Whether it is a file itself, and no folder of parts.
    is_file: bool,
    finished: Finished,
    /// All that it says of itself.
    entries: BTreeMap<String, String>,
    /// The list of what it rejected, if it is there.
    rejects: Option<PathBuf>,
}

/// Writes an output again in the format that the name of the new file says. A file that is there and says that it
/// holds the same stays as it is. `on_step` may end it at any time.
///
/// # Errors
/// - If there is no finished output, or one from which nothing can be exported.
/// - If what it holds cannot be in the format.
/// - If something is in the way that may not be replaced.
/// - If the file system refuses, or the export was ended. Nothing is left of it then.
pub fn export(plan: &ExportPlan, on_step: &mut OnRows<'_>) -> Result<Exported, SinkError> {
    let ExportPlan { from, to, options } = plan;
    let place = Place::of(to);
    check_place(from, &place)?;
    let source = Source::find(from)?;
    let end = source.finished.end.clone();
    let through = source.files.first().and_then(|file| narrow_format_of(file));
    let identity = source.finished.identity.clone();
    let identity = exported(identity, through, to.format, options);
    let existing = Existing::unless(options.overwrite);
    if let Some(there) = finished_at(&to.path, existing)?
        && there.identity == identity
        && there.end.hash == end.hash
        && is_as_it_was(&to.path, &there, existing)?
    {
        source.check()?;
        let list = place.rejects();
        if !list.exists() {
            Rejects::copied(list, existing, source.rejects)?.publish_with(|| Ok(()))?;
        }
        return Ok(Exported {
            file: to.path.clone(),
            rows: there.end.rows,
            is_old: true,
        });
    }
    if to.path.exists() && existing == Existing::Stays {
        return Err(FileError::Exists(to.path.clone()).into());
    }
    let named = |error: SinkError| error.named(&to.path);
    let mut writing = None;
    let mut rows = 0;
    let of_source = |error: SinkError| error.of_finished(source.is_file);
    for file in &source.files {
        let table = rows_of(file).map_err(of_source)?;
        let chosen = choose(&table.schema, options)?;
        let schema = table
            .schema
            .project(&chosen)
            .map_err(|error| SinkError::damaged_part(file, format!("has odd columns: {error}")))
            .map_err(of_source)?;
        let (bundle, writer, first) = match writing.take() {
            Some((bundle, writer, first)) => (bundle, writer, first),
            None => {
                check_fits(to.format, options, &schema, &source.finished.identity)
                    .map_err(named)?;
                let bundle = Bundle::create(to, has_many(&schema), None, existing)?;
                let begun = begin_table(to.format, bundle.files()?, options, &schema);
                (bundle, begun.map_err(named)?, schema.clone())
            }
        };
        if schema.fields() != first.fields() {
            let message = format!("has other columns than `{}`", source.files[0].display());
            return Err(of_source(SinkError::damaged_part(file, message)));
        }
        let (_, writer, _) = writing.insert((bundle, writer, first));
        for batch in table.rows {
            let step = ExportStep { rows, of: end.rows };
            if on_step(step).is_break() {
                return Err(SinkError::Stopped(to.path.clone()));
            }
            let batch = batch.map_err(of_source)?;
            rows += batch.num_rows() as u64;
            let batch = batch.project(&chosen).map_err(|error| {
                SinkError::damaged_part(file, format!("has odd columns: {error}"))
            })?;
            writer.write(&batch).map_err(named)?;
        }
    }
    let (bundle, writer, _) = writing.ok_or(SinkError::NoParts)?;
    if rows != end.rows {
        let message = format!("has {rows} rows, and had {}", end.rows);
        return Err(of_source(SinkError::damaged_part(from, message)));
    }
    let metadata = all_entries(source.entries, identity);
    writer.finish(&metadata).map_err(named)?;
    if on_step(ExportStep { rows, of: rows }).is_break() {
        return Err(SinkError::Stopped(to.path.clone()));
    }
    let rejects = Rejects::copied(place.rejects(), existing, source.rejects)?;
    rejects.publish_with(|| bundle.publish())?;
    Ok(Exported {
        file: to.path.clone(),
        rows,
        is_old: false,
    })
}

/// Checks what is known of an export before anything is written.
///
/// # Errors
/// - If there is no finished output, or one from which nothing can be exported.
/// - If what it holds cannot be in the format.
pub fn check_export(plan: &ExportPlan) -> Result<(), SinkError> {
    check_place(&plan.from, &Place::of(&plan.to))?;
    let source = Source::find(&plan.from)?;
    let first = source.files.first().ok_or(SinkError::NoParts)?;
    let schema = schema_of(first)?;
    chosen(&schema, &source.finished.identity, plan).map(drop)
}

/// The columns that are written of these, which are those of an output that says this of itself.
///
/// # Errors
/// If there are none, or they cannot be in the format.
pub(super) fn chosen(
    schema: &SchemaRef,
    identity: &BTreeMap<String, String>,
    plan: &ExportPlan,
) -> Result<SchemaRef, SinkError> {
    let ExportPlan { from, to, options } = plan;
    let chosen = schema.project(&choose(schema, options)?);
    let chosen = chosen
        .map_err(|error| SinkError::damaged_part(from, format!("has odd columns: {error}")))?;
    let fits = check_fits(to.format, options, &chosen, identity);
    fits.map_err(|error| error.named(&to.path))?;
    Ok(Arc::new(chosen))
}

/// Checks that a file can be made at a place: it is neither what is exported, nor in the way of another output.
pub(super) fn check_place(from: &Path, to: &Place) -> Result<(), SinkError> {
    let output = to.output().to_owned();
    if destination(from) == destination(&output) {
        return Err(SinkError::Unfit {
            message: format!("`{}` would be written over itself", output.display()),
            hint: "give the file that is made another name".to_owned(),
        });
    }
    if let Some(folder) = to.host_folder() {
        return Err(SinkError::Inside { output, folder });
    }
    if to.ledger().exists() || !shards::beside(to)?.is_empty() {
        let folder = to.bookkeeping().to_owned();
        return Err(ShardsError::OfAnother { output, folder }.into());
    }
    Ok(())
}

/// The columns to write: all that are not vectors, and of these the ones that are asked for.
fn choose(schema: &SchemaRef, options: &ExportOptions) -> Result<Vec<usize>, SinkError> {
    let vectors: Vec<String> = vector_columns(schema)
        .into_iter()
        .map(|column| column.name)
        .collect();
    let names = match options.columns.is_empty() {
        true => &vectors,
        false => &options.columns,
    };
    if let Some(name) = names.iter().find(|name| !vectors.contains(name)) {
        let shown: Vec<_> = vectors.iter().map(|name| format!("`{name}`")).collect();
        return Err(SinkError::Unfit {
            message: format!("there is no column of vectors `{name}`"),
            hint: match shown.is_empty() {
                true => "the output has no columns of vectors".to_owned(),
                false => format!("there are {}", shown.join(", ")),
            },
        });
    }
    let is_vector = |schema: &Schema, n: &usize| vectors.contains(schema.field(*n).name());
    let others = (0..schema.fields().len()).filter(|n| !is_vector(schema, n));
    let chosen = names.iter().filter_map(|name| schema.index_of(name).ok());
    Ok(others.chain(chosen).collect())
}

/// The list of what an output rejected, if it is there.
fn list_of(place: &Place, finished: &Finished) -> Option<PathBuf> {
    let list = place.rejects();
    (finished.end.rejected > 0 && list.is_file()).then_some(list)
}

impl Source {
    /// Reads all files again, of which nothing is written.
    ///
    /// # Errors
    /// If they do not hold what was written.
    fn check(&self) -> Result<(), SinkError> {
        self.files
            .iter()
            .try_for_each(|file| rows_of(file).map(drop))
            .map_err(|error| error.of_finished(self.is_file))
    }

    /// Finds the output that a path names.
    fn find(path: &Path) -> Result<Self, SinkError> {
        let unfinished = |output: &Path| SinkError::Unfinished(output.to_owned());
        match Found::at(path)? {
            Found::File { path, finished } => {
                let entries = read_metadata(&path)?.unwrap_or_default();
                let target = OutputTarget::of(&path).ok();
                Ok(Self {
                    rejects: target.and_then(|target| list_of(&Place::of(&target), &finished)),
                    files: vec![path],
                    is_file: true,
                    finished,
                    entries,
                })
            }
            Found::Ledger { place, history } if is_published(&place, &history) => {
                let of_ledger = Finished::of(&history);
                let finished = of_ledger.ok_or_else(|| unfinished(place.output()))?;
                if !place.keeps_parts() {
                    // A file stands there, and only its parts were not removed.
                    let entries = read_metadata(place.output())?.unwrap_or_default();
                    return Ok(Self {
                        rejects: list_of(&place, &finished),
                        files: vec![place.output().to_owned()],
                        is_file: true,
                        finished,
                        entries,
                    });
                }
                if place.is_shard() {
                    return Err(unfinished(place.output()));
                }
                left::check_whole(&place, &history)?;
                let parts = history.parts();
                let file = |part: &PartFile| place.parts().join(&part.name);
                Ok(Self {
                    rejects: list_of(&place, &finished),
                    files: parts.map(file).collect(),
                    is_file: false,
                    entries: finished.entries(&history)?,
                    finished,
                })
            }
            Found::Ledger { place, .. } | Found::Shards { place } => {
                Err(unfinished(place.output()))
            }
        }
    }
}
