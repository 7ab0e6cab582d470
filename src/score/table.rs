//! From logits to a table of scores.

use super::{
    Done, Extent, ScoreError, ScoreOutput,
    answers::Answers,
    likelihoods::{of_wild_type, try_each_score},
    mutant_table::{MutantTable, Row},
    mutation::{Mutation, name},
    output::{GENERATOR, Note},
    protein::Protein,
    rank::spearman,
    rejects_list::RejectsList,
    table_file::TableFile,
    task::{Next, Source, Subject, Task},
};
use crate::{
    file::{Existing, FileError, Keep, Staged},
    job::{Mutants, PerplexityMethod, ScoreMethod, ScoreQuestion},
    report::ScoreHistogram,
};
use ::csv::{ByteRecord, Writer};
use std::{
    fs::File,
    io::{self, BufWriter, Write},
};

/// A file with a hash of what was written.
struct Hashed {
    file: BufWriter<File>,
    hasher: blake3::Hasher,
}

/// A table on its way to its name.
struct Table<'a> {
    rows: Writer<Hashed>,
    output: &'a ScoreOutput,
    histogram: ScoreHistogram,
    /// Scores, with what was measured.
    measured: Vec<(f64, f64)>,
    n_rows: u64,
}

impl Task {
    /// Checks that the table has no other column of this name, or may have this one in its place.
    ///
    /// # Errors
    /// It has one that may not be replaced.
    pub fn check_column(&self, column: &str, overwrite: bool) -> Result<(), ScoreError> {
        let Source::Table(table) = &self.source else {
            let others = self.header(column).unwrap_or_default();
            let is_twice = others.iter().filter(|name| *name == column).count() > 1;
            return match is_twice {
                true => Err(ScoreError::Column(column.to_owned())),
                false => Ok(()),
            };
        };
        let file = TableFile::open(&table.spec.path, &self.cancel)?;
        if file.column(column)?.is_none() {
            return Ok(());
        }
        if column == table.spec.column {
            let message = format!(
                "has its mutants in the column `{column}`, and the scores' would have that name"
            );
            let hint = "give that column another name, and name it as `column`";
            return Err(ScoreError::table(file.name(), message, hint));
        }
        if overwrite {
            return Ok(());
        }
        let message = format!("has a column `{column}` already, which the scores would be");
        let hint = "`overwrite: true` replaces it in the new table; this one stays as it is";
        Err(ScoreError::table(file.name(), message, hint))
    }

    /// Writes the table, with the scores in `column`, of logits that are complete.
    ///
    /// # Errors
    /// - Logits are missing, or those of other sequences.
    /// - An input has changed, or the file system refuses.
    /// - Somebody tells to stop.
    pub fn write(
        &self,
        output: &ScoreOutput,
        column: &str,
        extent: &Extent,
    ) -> Result<Done, ScoreError> {
        let io = |error: io::Error| ScoreError::from(FileError::io("write", &output.output, error));
        let staged = Staged::create(&output.output, Existing::unless(output.overwrite))?;
        let mut rejects = RejectsList::new(&output.rejects);
        let mut answers = match extent.sequences {
            0 => Answers::none(),
            _ => Answers::open(&output.logits(), &self.cancel)?,
        };
        let (title, scored) = match self.question {
            ScoreQuestion::Mutants(..) => ("Mutants by score", ["mutant", "mutants"]),
            ScoreQuestion::Perplexity(..) => ("Proteins by perplexity", ["protein", "proteins"]),
        };
        let title = format!("{title} ({})", self.question.method());
        let mut table = Table {
            rows: Writer::from_writer(Hashed {
                file: BufWriter::new(staged.writer()?),
                hasher: blake3::Hasher::new(),
            }),
            output,
            histogram: ScoreHistogram::new(title, scored),
            measured: Vec::new(),
            n_rows: 0,
        };
        if let Some(header) = self.header(column) {
            table.write(&header)?;
        }
        self.try_each(|next| match next {
            Next::Rejected(rejected) => rejects.add(&rejected),
            Next::Subject(subject) => {
                let Subject {
                    protein,
                    asked,
                    copies,
                } = &subject;
                if let ScoreQuestion::Perplexity(..) = self.question {
                    let likelihood = of_wild_type(copies, protein, &mut answers)?;
                    return table.add_protein(protein, likelihood);
                }
                let mut scores = Vec::new();
                let is_listed = matches!(self.source, Source::Table(_));
                let answered = (copies, *asked);
                try_each_score(
                    answered,
                    protein,
                    &mut answers,
                    &self.cancel,
                    |mutant, score| {
                        match is_listed {
                            true => scores.push(score),
                            false => table.add_mutant(protein, mutant, score)?,
                        }
                        Ok(())
                    },
                )?;
                match &self.source {
                    Source::Table(mutants) => table.add_rows_of(mutants, &scores, column),
                    Source::Fasta { .. } => Ok(()),
                }
            }
        })?;
        answers.finish()?;
        let Table {
            mut rows,
            histogram,
            measured: pairs,
            n_rows,
            ..
        } = table;
        rows.flush().map_err(io)?;
        let hashed = rows.into_inner().map_err(|error| io(error.into_error()))?;
        if n_rows != extent.scores {
            return Err(ScoreError::Conservation(format!(
                "{n_rows} scores were written instead of {}",
                extent.scores
            )));
        }
        let spearman = spearman(&pairs);
        let measured = pairs.len() as u64;
        let columns = self.columns(column);
        output.write_note(&Note {
            generator: GENERATOR.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            columns: columns.clone(),
            method: self.question.method().to_owned(),
            meaning: self.meaning(),
            scores: extent.scores,
            proteins: extent.proteins,
            rejected: extent.rejected,
            truncated: extent.truncated,
            sequences: extent.sequences,
            tokens: extent.tokens,
            spearman,
            measured,
            blake3: hashed.hasher.finalize().to_hex().to_string(),
            identity: output.identity.clone(),
        })?;
        let rejects = rejects.publish()?;
        staged.publish(Keep::Safely)?;
        Ok(Done {
            output: output.output.clone(),
            columns,
            method: self.question.method().to_owned(),
            extent: *extent,
            spearman,
            measured,
            histogram: Some(histogram),
            rejects,
        })
    }

    /// The names of the columns, where they are not those of a table of mutants.
    fn header(&self, column: &str) -> Option<Vec<String>> {
        let before: &[&str] = match (&self.source, &self.question) {
            (Source::Table(_), _) => return None,
            (_, ScoreQuestion::Mutants(..)) => &["seq_id", "mut_name"],
            (_, ScoreQuestion::Perplexity(..)) => &["id", "length"],
        };
        let behind: &[&str] = match self.question {
            ScoreQuestion::Mutants(..) => &[],
            ScoreQuestion::Perplexity(..) => &["truncated"],
        };
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let columns: [Vec<String>; 3] = [names(before), self.columns(column), names(behind)];
        Some(columns.concat())
    }

    /// The names of the columns with scores.
    fn columns(&self, column: &str) -> Vec<String> {
        let names = match self.question {
            ScoreQuestion::Mutants(..) => vec![column],
            ScoreQuestion::Perplexity(_, PerplexityMethod::Exact) => {
                vec!["perplexity", "pseudo_log_likelihood"]
            }
            ScoreQuestion::Perplexity(_, PerplexityMethod::OnePass) => {
                vec!["perplexity_one_pass", "pseudo_log_likelihood_one_pass"]
            }
        };
        names.into_iter().map(str::to_owned).collect()
    }

    /// What the numbers are, for people.
    fn meaning(&self) -> String {
        let of = match &self.question {
            ScoreQuestion::Mutants(_, ScoreMethod::MaskedMarginals) => {
                "log p(mutant) - log p(wild type) at each mutated site, which is masked, summed up over sites"
            }
            ScoreQuestion::Mutants(_, ScoreMethod::WtMarginals) => {
                "log p(mutant) - log p(wild type) at each mutated site of the wild type, of which nothing is masked, \
                 summed up over sites"
            }
            ScoreQuestion::Mutants(_, ScoreMethod::PseudoLikelihood) => {
                "sum over all sites of log p(residue | all others) of the mutant, less that of the wild type"
            }
            ScoreQuestion::Perplexity(_, PerplexityMethod::Exact) => {
                "exp(-sum over all sites of log p(residue | all others) / residues)"
            }
            ScoreQuestion::Perplexity(_, PerplexityMethod::OnePass) => {
                "exp(-sum over all sites of log p(residue | all residues) / residues), of which nothing is masked"
            }
        };
        let more = match &self.question {
            ScoreQuestion::Mutants(mutants, method) => {
                let others = match mutants {
                    Mutants::Table(_) => format!(
                        "; at the other mutated sites of a mutant stands the {}",
                        method.other_sites()
                    ),
                    Mutants::AllSingle(_) => String::new(),
                };
                format!("; higher is fitter{others}")
            }
            ScoreQuestion::Perplexity(..) => String::new(),
        };
        format!("{of}{more}; of more than 1,022 residues, each site is seen in the 1,022 around it")
    }
}

impl Table<'_> {
    fn write<T: AsRef<[u8]>>(&mut self, fields: &[T]) -> Result<(), ScoreError> {
        let written = self.rows.write_record(fields);
        written.map_err(|error| {
            FileError::io("write", &self.output.output, io::Error::other(error))
        })?;
        Ok(())
    }

    /// The rows and columns of a table of mutants, and a score in each.
    fn add_rows_of(
        &mut self,
        mutants: &MutantTable,
        scores: &[f64],
        column: &str,
    ) -> Result<(), ScoreError> {
        mutants.try_each(
            |file| {
                let at = file.column(column)?;
                self.write(&with(file.header(), at, column))?;
                Ok((self, at))
            },
            |(table, at), row| {
                let Row {
                    fields,
                    variant,
                    measured,
                } = row;
                let score = scores[variant];
                table.histogram.add(score);
                table
                    .measured
                    .extend(measured.map(|measured| (score, measured)));
                table.n_rows += 1;
                table.write(&with(fields, *at, &number(score)))
            },
        )?;
        Ok(())
    }

    fn add_mutant(
        &mut self,
        protein: &Protein,
        mutations: &[Mutation],
        score: f64,
    ) -> Result<(), ScoreError> {
        let names = mutations.iter();
        let names = names.map(|mutation| name(*mutation, &protein.sequence));
        let names: Vec<String> = names.collect();
        self.histogram.add(score);
        self.n_rows += 1;
        self.write(&[&protein.id, &names.join(":"), &number(score)])
    }

    fn add_protein(&mut self, protein: &Protein, likelihood: f64) -> Result<(), ScoreError> {
        let perplexity = (-likelihood / protein.sequence.len() as f64).exp();
        self.histogram.add(perplexity);
        self.n_rows += 1;
        self.write(&[
            protein.id.as_str(),
            &protein.n_residues.to_string(),
            &number(perplexity),
            &number(likelihood),
            if protein.is_truncated {
                "true"
            } else {
                "false"
            },
        ])
    }
}

/// A row with another field: in the place of an old one, or behind all.
fn with<'a>(row: &'a ByteRecord, at: Option<usize>, field: &'a str) -> Vec<&'a [u8]> {
    let mut fields: Vec<&[u8]> = row.iter().collect();
    match at {
        Some(at) => fields[at] = field.as_bytes(),
        None => fields.push(field.as_bytes()),
    }
    fields
}

/// A number with more digits than logits have, and no zero that is negative.
fn number(value: f64) -> String {
    let text = format!("{value:.7}");
    match text.strip_prefix('-') {
        Some(zero) if zero.bytes().all(|byte| b"0.".contains(&byte)) => zero.to_owned(),
        _ => text,
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n_bytes = self.file.write(bytes)?;
        self.hasher.update(&bytes[..n_bytes]);
        Ok(n_bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_plain() {
        let check = |value: f64, expect: &str| assert_eq!(number(value), expect);
        check(-1.25, "-1.2500000");
        check(-0.0, "0.0000000");
        check(-1e-9, "0.0000000");
        check(1e-7, "0.0000001");
    }
}
