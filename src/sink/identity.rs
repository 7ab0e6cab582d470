//! What an output is, and what it says about how it came about.

use super::{
    Difference, Frontier, SinkError,
    ledger::{Chain, End, History, Stretch, now},
};
use crate::job::{Dtype, ExportOptions, GeluForm, Keys, OutputFormat};
use std::collections::{BTreeMap, BTreeSet};

const PREFIX: &str = "runner.";
const FORMAT: &str = "format";
const KEYS: &str = "keys";
const COLUMNS: &str = "columns";
const THROUGH: &str = "through";
/// What entries begin with that are about the bytes of a file.
const OF_THE_FILE: [&str; 3] = ["runner.content_", "runner.footer_", "runner.checksums"];
const IDENTITY: &str = "runner.identity";
const FINGERPRINT: &str = "runner.input_fingerprint";
const RECORDS: &str = "runner.records";
const EMBEDDED: &str = "runner.embedded";
const CHAINS: &str = "runner.chains";
const REJECTED: &str = "runner.rejected";
const FINISHED: &str = "runner.finished";
const INPUTS: &str = "runner.inputs";
const STRETCHES: &str = "runner.stretches";

/// Which embeddings an output holds: all that can change a value or a row. It is known before the run
/// begins, and two outputs of one input with the same identity are the same.
///
/// It becomes metadata of the file, as do its [`Circumstances`] and what is known at the end, its
/// [`Closing`]: `docs/output.md` lists all entries. One is absent where the script set no limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// The model's name.
    pub model: String,
    /// A hash of the model's weights.
    pub weights_hash: String,
    /// The number format of weights and activations.
    pub dtype: Dtype,
    /// The form of GELU that was computed.
    pub gelu: GeluForm,
    /// What bits depend on besides, such as the GPU's name.
    pub device_kind: String,
    /// The number of this program's arithmetic.
    pub numerics: u32,
    /// The format of the output.
    pub format: OutputFormat,
    /// The options on which values and rows depend, by name, with what the run used.
    pub options: Vec<(&'static str, String)>,
    /// The rules of the dataset that the script gave, by name.
    pub rules: Vec<(&'static str, String)>,
}

/// Under which circumstances the embeddings were computed, which may change how long it takes, and no bit
/// of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// Where the model ran, for people.
    pub device: String,
    /// How sequences were brought together and computed, and where the model came from, by name, with what the
    /// run used.
    pub options: Vec<(&'static str, String)>,
}

/// What is known only at the end of an output.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Closing {
    pub(super) end: End,
    /// The work of each process on it, as JSON.
    stretches: String,
}

impl Identity {
    /// Every entry by name.
    pub(super) fn to_map(&self) -> BTreeMap<String, String> {
        let settings = [
            ("model", self.model.as_str()),
            ("weights_hash", &self.weights_hash),
            ("dtype", self.dtype.name()),
            ("gelu", self.gelu.name()),
            ("device_kind", &self.device_kind),
            ("numerics", &self.numerics.to_string()),
            (FORMAT, self.format.name()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let chosen = self.options.iter().chain(&self.rules);
        let chosen = chosen.map(|(name, value)| ((*name).to_owned(), value.clone()));
        chosen.chain(settings).collect()
    }

    /// As metadata.
    pub(super) fn entries(&self) -> Vec<(String, String)> {
        identity_entries(self.to_map())
    }
}

/// An identity as metadata.
pub(super) fn identity_entries(identity: BTreeMap<String, String>) -> Vec<(String, String)> {
    let whole = serde_json::to_string(&identity).unwrap_or_default();
    let mut entries = keyed(identity);
    entries.push((IDENTITY.to_owned(), whole));
    entries
}

/// The identity of what is the same in another format.
pub(super) fn in_format(
    mut identity: BTreeMap<String, String>,
    format: OutputFormat,
) -> BTreeMap<String, String> {
    if let Some(was) = identity.get_mut(FORMAT) {
        format.name().clone_into(was);
    }
    identity
}

/// The identity of what is exported in a format, `through` one that has no room for all columns: what went through it
/// is another output, as texts may be missing.
pub(super) fn exported(
    identity: BTreeMap<String, String>,
    through: Option<OutputFormat>,
    format: OutputFormat,
    options: &ExportOptions,
) -> BTreeMap<String, String> {
    let mut identity = in_format(identity, format);
    if let Some(through) = through {
        let before = identity.get(THROUGH).map_or("", String::as_str);
        let before = before.split(',').filter(|name| !name.is_empty());
        let names: BTreeSet<_> = before.chain([through.name()]).collect();
        let names = names.into_iter().collect::<Vec<_>>().join(",");
        identity.insert(THROUGH.to_owned(), names);
    }
    if options.keys != Keys::default() || identity.contains_key(KEYS) {
        identity.insert(KEYS.to_owned(), options.keys.name().to_owned());
    }
    if !options.columns.is_empty() {
        identity.insert(COLUMNS.to_owned(), options.columns.join(","));
    }
    identity
}

/// All that a file says of itself, with another identity.
pub(super) fn all_entries(
    mut entries: BTreeMap<String, String>,
    identity: BTreeMap<String, String>,
) -> Vec<(String, String)> {
    // They are about the data of the file that they were in.
    entries.retain(|key, _| !OF_THE_FILE.iter().any(|begin| key.starts_with(begin)));
    entries.extend(identity_entries(identity));
    entries.into_iter().collect()
}

/// What is not the same in the identity of an output and in that of what is asked for.
pub(super) fn differences(
    was: &BTreeMap<String, String>,
    is: &BTreeMap<String, String>,
) -> Vec<Difference> {
    let names: BTreeSet<_> = was.keys().chain(is.keys()).collect();
    let differ = names
        .into_iter()
        .filter(|name| was.get(*name) != is.get(*name));
    differ
        .map(|name| Difference {
            name: name.clone(),
            was: was.get(name).cloned(),
            is: is.get(name).cloned(),
        })
        .collect()
}

impl Circumstances {
    /// Every entry by name.
    pub(super) fn to_map(&self) -> BTreeMap<String, String> {
        let options = self.options.iter();
        let options = options.map(|(name, value)| ((*name).to_owned(), value.clone()));
        [
            ("device".to_owned(), self.device.clone()),
            ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ]
        .into_iter()
        .chain(options)
        .collect()
    }

    /// As metadata.
    pub(super) fn entries(&self) -> Vec<(String, String)> {
        keyed(self.to_map())
    }
}

/// Entries of this program, as metadata.
pub(super) fn keyed(map: BTreeMap<String, String>) -> Vec<(String, String)> {
    let entries = map.into_iter();
    entries
        .map(|(name, value)| (format!("{PREFIX}{name}"), value))
        .collect()
}

impl Closing {
    /// What is known of an output that these stretches worked on.
    pub(super) fn of(end: End, stretches: &[Stretch]) -> Self {
        Self {
            end,
            stretches: serde_json::to_string(stretches).unwrap_or_default(),
        }
    }

    /// What is known at the end of the input, and of an output with so many rows and rejections.
    pub(super) fn new(
        end: &Frontier,
        rows: u64,
        rejected: u64,
        inputs: Option<String>,
        stretches: &[Stretch],
    ) -> Self {
        let end = End {
            records: end.record,
            rows,
            rejected,
            hash: end.hash.to_hex(),
            chains: Vec::new(),
            first: None,
            next: None,
            inputs,
            at: now(),
        };
        Self::of(end, stretches)
    }

    /// As metadata, provided that no record went missing.
    ///
    /// # Errors
    /// If records read ≠ embedded + rejected.
    pub(super) fn entries(&self) -> Result<Vec<(String, String)>, SinkError> {
        let End {
            records,
            rows,
            rejected,
            hash,
            chains,
            inputs,
            at,
            ..
        } = &self.end;
        if *records != rows + rejected {
            return Err(SinkError::Conservation {
                n_records: *records,
                n_embedded: *rows,
                n_rejected: *rejected,
            });
        }
        let mut entries = vec![
            (FINGERPRINT.to_owned(), hash.clone()),
            (RECORDS.to_owned(), records.to_string()),
            (EMBEDDED.to_owned(), rows.to_string()),
            (REJECTED.to_owned(), rejected.to_string()),
            (FINISHED.to_owned(), at.clone()),
            (STRETCHES.to_owned(), self.stretches.clone()),
        ];
        if !chains.is_empty() {
            let chains = serde_json::to_string(chains).unwrap_or_default();
            entries.push((CHAINS.to_owned(), chains));
        }
        entries.extend(inputs.clone().map(|inputs| (INPUTS.to_owned(), inputs)));
        Ok(entries)
    }
}

/// What a finished file says of itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finished {
    pub(super) identity: BTreeMap<String, String>,
    pub(super) end: End,
    pub(super) stretches: Vec<Stretch>,
}

impl Finished {
    /// What the ledger of a finished output says.
    pub(super) fn of(history: &History) -> Option<Self> {
        Some(Self {
            identity: history.header.identity.clone(),
            end: history.end.clone()?,
            stretches: history.stretches.clone(),
        })
    }

    /// All that a file of such an output would say of itself.
    ///
    /// # Errors
    /// If records went missing, which is a bug of this program.
    pub(super) fn entries(&self, history: &History) -> Result<BTreeMap<String, String>, SinkError> {
        let mut entries = identity_entries(self.identity.clone());
        let stretches = &self.stretches;
        let last = stretches.iter().max_by(|one, other| one.at.cmp(&other.at));
        let settings = last.map_or(&history.header.settings, |stretch| &stretch.settings);
        entries.extend(keyed(settings.clone()));
        entries.extend(Closing::of(self.end.clone(), stretches).entries()?);
        Ok(entries.into_iter().collect())
    }

    /// From the metadata of a file. Nothing, if they are not those of a finished output, or of one that an
    /// older version of this program wrote.
    pub(super) fn read(metadata: &BTreeMap<String, String>) -> Option<Self> {
        let number = |name| metadata.get(name)?.parse().ok();
        Some(Self {
            identity: serde_json::from_str(metadata.get(IDENTITY)?).ok()?,
            end: End {
                records: number(RECORDS)?,
                rows: number(EMBEDDED)?,
                rejected: number(REJECTED)?,
                hash: metadata.get(FINGERPRINT)?.clone(),
                chains: match metadata.get(CHAINS) {
                    Some(chains) => serde_json::from_str::<Vec<Chain>>(chains).ok()?,
                    None => Vec::new(),
                },
                first: None,
                next: None,
                inputs: metadata.get(INPUTS).cloned(),
                at: metadata.get(FINISHED)?.clone(),
            },
            stretches: serde_json::from_str(metadata.get(STRETCHES)?).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closing(rows: u64, rejected: u64) -> Closing {
        let end = Frontier {
            record: 5,
            ..Frontier::default()
        };
        Closing::new(&end, rows, rejected, Some("state".into()), &[])
    }

    #[test]
    fn records_are_conserved() {
        assert!(closing(3, 2).entries().is_ok());
        let error = closing(3, 1).entries().unwrap_err().to_string();
        assert_eq!(error, "5 records were read, but 3 embedded and 1 rejected");
    }

    #[test]
    fn a_finished_file_says_what_it_is() {
        let mut metadata: BTreeMap<_, _> = closing(3, 2).entries().unwrap().into_iter().collect();
        assert_eq!(Finished::read(&metadata), None, "there is no identity");
        metadata.insert(IDENTITY.to_owned(), r#"{"model":"a"}"#.to_owned());
        let finished = Finished::read(&metadata).unwrap();
        assert_eq!(finished.end, closing(3, 2).end);
        assert_eq!(finished.identity["model"], "a");
    }

    #[test]
    fn what_was_exported_says_which_way_it_came() {
        let mut identity = BTreeMap::from([(FORMAT.to_owned(), "parquet".to_owned())]);
        let options = ExportOptions::default();
        for (through, expect) in [
            (None, None),
            (Some(OutputFormat::Npy), Some("npy")),
            (None, Some("npy")),
            (Some(OutputFormat::Hdf5), Some("hdf5,npy")),
            (Some(OutputFormat::Npy), Some("hdf5,npy")),
        ] {
            identity = exported(identity, through, OutputFormat::Arrow, &options);
            assert_eq!(identity.get(THROUGH).map(String::as_str), expect);
        }
        assert_eq!(identity[FORMAT], "arrow");
    }

    #[test]
    fn differences_are_named() {
        let map = |entries: &[(&str, &str)]| {
            let entries = entries.iter();
            let entries = entries.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            entries.collect::<BTreeMap<_, _>>()
        };
        let was = map(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let is = map(&[("a", "1"), ("b", "3"), ("d", "4")]);
        let found = differences(&was, &is);
        let found: Vec<_> = found
            .iter()
            .map(|Difference { name, was, is }| (name.as_str(), was.as_deref(), is.as_deref()))
            .collect();
        assert_eq!(
            found,
            [
                ("b", Some("2"), Some("3")),
                ("c", Some("3"), None),
                ("d", None, Some("4"))
            ]
        );
    }
}
