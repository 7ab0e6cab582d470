//! `contacts(...)`, and what is made of its outputs.

use super::{
    model::ScriptModel as Model,
    run::{ScriptRun as Run, output_of, run_embed},
    value::option_map,
};
use crate::{
    embeddings::{ContactRows, SequenceContacts},
    error::Error,
    file::{Existing, FileError, Keep, Staged},
    job::{ContactTableOptions, Dataset, OptionMap, Problem, Problems},
    paths::Role,
    report::draw_contact_map,
    script::{
        failure::{RhaiResultOf, raise_error},
        files::Files,
        session::Session,
    },
};
use rhai::{Dynamic, Map, plugin::*};
use std::{
    io::{self, BufWriter, Write},
    path::Path,
};

/// What an output has of the sequence `id`.
fn of_sequence(from: &Path, id: &str) -> Result<SequenceContacts, Error> {
    let found = ContactRows::open(from, Some(id))?.next_row()?;
    found.ok_or_else(|| {
        let message = format!("`{}` has no sequence `{id}`", from.display());
        Problems::one(
            message,
            Some("ids are what comes first in definition lines".to_owned()),
        )
        .into()
    })
}

/// The first line of a table of contacts.
const TABLE_HEAD: &str = "id,i,j,probability";

/// Writes the pairs of all sequences of an output as CSV.
fn write_table(from: &Path, to: &Path, existing: Existing) -> Result<(), Error> {
    let staged = Staged::create(to, existing)?;
    let mut rows = ContactRows::open(from, None)?;
    let mut table = BufWriter::new(staged.writer()?);
    let write = |result: io::Result<()>| result.map_err(|error| FileError::io("write", to, error));
    write(writeln!(table, "{TABLE_HEAD}"))?;
    while let Some(sequence) = rows.next_row()? {
        let id = field(&sequence.id);
        for (i, j, probability) in sequence.pairs {
            write(writeln!(table, "{id},{i},{j},{probability}"))?;
        }
    }
    write(table.flush())?;
    drop(table);
    staged.publish(Keep::Safely)?;
    Ok(())
}

/// A text as a field of CSV.
fn field(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

/// Writes the pairs of all sequences of an output as CSV, with the options that a script gave.
fn make_table(
    context: &NativeCallContext,
    from: &Path,
    to: &str,
    options: OptionMap,
) -> RhaiResultOf<()> {
    let options = ContactTableOptions::OPTIONS.read(options);
    let ContactTableOptions { overwrite } =
        options.map_err(|problems| raise_error(problems.into()))?;
    make(
        context,
        (from, to),
        |files, from, to| files.contact_table(from, to, overwrite),
        |from, to| write_table(from, to, Existing::unless(overwrite)),
    )
}

/// Does `make` with an output that is read, and a file that is written, when both are known, unless this is a
/// rehearsal.
fn make(
    context: &NativeCallContext,
    (from, to): (&Path, &str),
    know: impl FnOnce(&mut Files, &Path, &Path) -> Result<bool, Error>,
    make: impl FnOnce(&Path, &Path) -> Result<(), Error>,
) -> RhaiResultOf<()> {
    let session = Session::of(context);
    let is_rehearsal = session.host()?.is_rehearsal();
    let to = Path::new(to);
    let made = || -> Result<(), Error> {
        let is_rehearsed = know(&mut session.files(), from, to)?;
        match is_rehearsal {
            true if is_rehearsed => Ok(()),
            true => ContactRows::open(from, None)?
                .next_row()
                .map(|_| ())
                .map_err(Error::from),
            false => Ok(()),
        }
    };
    made().map_err(raise_error)?;
    match is_rehearsal {
        true => Ok(()),
        false => make(from, to).map_err(raise_error),
    }
}

/// Draws the contacts of a sequence.
fn draw(context: &NativeCallContext, from: &Path, id: &str, to: &str) -> RhaiResultOf<()> {
    make(
        context,
        (from, to),
        |files, from, to| files.made_of_output(from, Role::ContactMap, to),
        |from, to| {
            let found = of_sequence(from, id)?;
            draw_contact_map(to, &found.id, found.n_residues, &found.pairs, found.rule)?;
            Ok(())
        },
    )
}

#[export_module]
pub(super) mod contacts_api {
    use super::*;

    /// Predicts the contacts between the residues of each sequence of a dataset: how probable it is that two of them
    /// are close in space, their C-beta atoms within 8 angstroms. It is what the attention of all layers says to the
    /// head that the model was published with (`contact_head`); one without is refused.
    ///
    /// It is a run like one of `embed` with `contacts: true`, and has all of its options. Without a `threshold` the
    /// column `contacts` of the output has a row for each residue, with a number for each residue, which is 4 bytes
    /// times the square of the length. With one there are the lists `i`, `j` and `probability` of those pairs that are
    /// at least so probable, and at least `min_separation` residues from each other in the sequence.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let model = esm2("facebook/esm2_t33_650M_UR50D");
    /// contacts(model, fasta("proteins.fa"), #{ output: "contacts.parquet", threshold: 0.3 });
    /// ```
    #[rhai_fn(name = "contacts", volatile, return_raw)]
    pub fn contacts(
        context: NativeCallContext,
        model: Model,
        dataset: Dataset,
        mut options: Map,
    ) -> RhaiResultOf<Run> {
        let given = options.get("contacts").map(Dynamic::as_bool);
        if let Some(Ok(false)) = given {
            let problem = Problem {
                message: "`contacts` is false, and contacts are what this call predicts".to_owned(),
                hint: Some("leave it out, or call `embed`".to_owned()),
                option: Some("contacts".to_owned()),
            };
            return Err(raise_error(Problems(vec![problem]).into()));
        }
        options.insert("contacts".into(), true.into());
        run_embed(&context, &model, &dataset, options)
    }

    /// Draws the contacts of a sequence: reads them from a Parquet or Arrow file that `contacts` wrote, or from
    /// a folder of parts, and writes a picture, `to`, in SVG: `.svg`. Its caption counts likely contacts, p ≥ 0.5 and
    /// 6 residues apart or more, or as an output with a `threshold` or a `min_separation` above these has them. An
    /// older picture of that name is replaced.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let model = esm2("facebook/esm2_t33_650M_UR50D");
    /// contacts(model, fasta("proteins.fa"), #{ output: "contacts.parquet" });
    /// contact_map("contacts.parquet", "sp|P69905|HBA_HUMAN", "hemoglobin.svg");
    /// ```
    #[rhai_fn(volatile, return_raw)]
    pub fn contact_map(
        context: NativeCallContext,
        from: &str,
        id: &str,
        to: &str,
    ) -> RhaiResultOf<()> {
        draw(&context, Path::new(from), id, to)
    }

    /// Draws the contacts of a sequence in the output of a run of `contacts`.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let model = esm2("facebook/esm2_t33_650M_UR50D");
    /// let run = contacts(model, fasta("proteins.fa"), #{ output: "contacts.parquet" });
    /// contact_map(run, "sp|P69905|HBA_HUMAN", "hemoglobin.svg");
    /// ```
    #[rhai_fn(name = "contact_map", volatile, return_raw)]
    pub fn contact_map_of_run(
        context: NativeCallContext,
        run: Run,
        id: &str,
        to: &str,
    ) -> RhaiResultOf<()> {
        draw(&context, &output_of(&run, "read")?, id, to)
    }

    /// Writes the contacts of all sequences as a table: reads them from a Parquet or Arrow file that `contacts` wrote,
    /// or from a folder of parts, and writes CSV, `to`, which ends with `.csv`, with a line for each pair: `id`, `i`, `j`
    /// and `probability`. Of an output that was made without a `threshold` these are all pairs. A file that is there
    /// stays.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let model = esm2("facebook/esm2_t33_650M_UR50D");
    /// contacts(model, fasta("proteins.fa"), #{ output: "pairs.parquet", threshold: 0.3 });
    /// contact_table("pairs.parquet", "pairs.csv");
    /// ```
    #[rhai_fn(name = "contact_table", volatile, return_raw)]
    pub fn contact_table(context: NativeCallContext, from: &str, to: &str) -> RhaiResultOf<()> {
        make_table(&context, Path::new(from), to, OptionMap::new())
    }

    /// Writes the contacts of all sequences as a table. Options:
    ///
    /// {options of `contact_table`}
    ///
    /// # Example
    ///
    /// ```rhai
    /// contact_table("pairs.parquet", "pairs.csv", #{ overwrite: true });
    /// ```
    #[rhai_fn(name = "contact_table", volatile, return_raw)]
    pub fn contact_table_with(
        context: NativeCallContext,
        from: &str,
        to: &str,
        options: Map,
    ) -> RhaiResultOf<()> {
        make_table(&context, Path::new(from), to, option_map(&context, options))
    }

    /// Writes the contacts of all sequences in the output of a run of `contacts` as a table.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let model = esm2("facebook/esm2_t33_650M_UR50D");
    /// let run = contacts(model, fasta("proteins.fa"), #{ output: "pairs.parquet", threshold: 0.3 });
    /// contact_table(run, "pairs.csv");
    /// ```
    #[rhai_fn(name = "contact_table", volatile, return_raw)]
    pub fn contact_table_of_run(
        context: NativeCallContext,
        run: Run,
        to: &str,
    ) -> RhaiResultOf<()> {
        let from = output_of(&run, "read")?;
        make_table(&context, &from, to, OptionMap::new())
    }
}
