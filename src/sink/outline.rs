//! What an output will hold that nobody has written yet.

use super::{
    SinkError,
    columns::{Columns, More},
    export::{check_place, chosen},
    format::check_fits,
    formats::vector_columns,
    identity::{exported, in_format},
    place::Place,
};
use crate::job::{
    Effect, EmbedOptions, EmbedPlan, ExportOptions, ExportPlan, MergePlan, OutputFormat,
};
use arrow_schema::{Schema, SchemaRef};
use std::{collections::BTreeMap, sync::Arc};

/// What an output will hold that nobody has written yet: its columns, and what it will say of itself, as far as that
/// decides what can be made of it.
#[derive(Clone, Debug)]
pub struct Outline {
    schema: SchemaRef,
    identity: BTreeMap<String, String>,
}

impl Outline {
    /// That of a run's output in a format, by a model of this hidden size.
    pub fn of_run(plan: &EmbedPlan, hidden_size: usize, format: OutputFormat) -> Self {
        let options = plan.options();
        let more = More {
            sequences: options.sequences,
            windows: plan.dataset().policy.long_sequences.window().is_some(),
        };
        let identity = EmbedOptions::OPTIONS.with_effect(Effect::Values, options);
        let identity = identity.map(|(name, value)| (name.to_owned(), value));
        Self {
            schema: kept(
                &Columns::new(plan.question(), hidden_size, more).schema(),
                format,
            ),
            identity: identity.collect(),
        }
    }

    /// The names of its columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> + Clone {
        self.schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
    }

    /// That of what is exported from it.
    ///
    /// # Errors
    /// - If what it holds cannot be in the format.
    /// - If no file can be made there.
    pub fn exported(&self, plan: &ExportPlan) -> Result<Self, SinkError> {
        let ExportPlan { from, to, options } = plan;
        check_place(from, &Place::of(to))?;
        let schema = chosen(&self.schema, &self.identity, plan)?;
        Ok(Self {
            schema: kept(&schema, to.format),
            // Which way it came decides nothing that is looked at here.
            identity: exported(self.identity.clone(), None, to.format, options),
        })
    }

    /// That of what a merge makes of it.
    ///
    /// # Errors
    /// If what it holds cannot be in the format.
    pub fn merged(&self, plan: &MergePlan) -> Result<Self, SinkError> {
        let Some(file) = plan.file_target()? else {
            return Ok(self.clone());
        };
        let options = ExportOptions::of(&self.identity, plan.overwrite);
        let fits = check_fits(file.format, &options, &self.schema, &self.identity);
        fits.map_err(|error| error.named(&file.path))?;
        Ok(Self {
            schema: kept(&self.schema, file.format),
            identity: in_format(self.identity.clone(), file.format),
        })
    }
}

/// What a format keeps of columns.
fn kept(schema: &SchemaRef, format: OutputFormat) -> SchemaRef {
    let texts: &[&str] = match format {
        OutputFormat::Parquet | OutputFormat::Arrow => return schema.clone(),
        OutputFormat::Embed => &["id", "description", "sequence"],
        OutputFormat::Hdf5 | OutputFormat::Npy | OutputFormat::Safetensors => {
            &["id", "description"]
        }
    };
    let vectors = vector_columns(schema);
    let is_kept =
        |name: &str| texts.contains(&name) || vectors.iter().any(|column| column.name == name);
    let fields = schema.fields().iter();
    let fields = fields.filter(|field| is_kept(field.name())).cloned();
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
