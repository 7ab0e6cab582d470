//! The figures of a run: the one table that scripts, printed tables, sweeps, pages and the documentation read.

use super::{
    RunSummary,
    unit::Unit::{self, Bytes, Cosine, Count, Number, Seconds, Share, Text, Tflops},
};

/// A figure of a run, or of something else that has figures.
#[derive(Debug)]
pub struct Figure<T = RunSummary> {
    /// Its name in scripts and files.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// What it is, as the end of a sentence that begins with "returns".
    pub doc: &'static str,
    /// Where there is none. Every run has a figure for which this is not said.
    pub missing: Option<&'static str>,
    /// Which of two values is better, if one is.
    pub better: Option<Better>,
    /// The figure of a run, if the run has it.
    pub get: Get<T>,
    /// How the printed table words it.
    pub(super) phrase: Option<Phrase>,
    /// What the page calls it, if it is one of those that the page shows large, or of a lane at all; `{unit}` is its
    /// unit.
    pub(super) tile: Option<&'static str>,
}

/// Which of two values of a figure is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// The larger one.
    Larger,
    /// The smaller one.
    Smaller,
}

/// How a figure is read from a run, which says its type, too.
#[derive(Debug)]
pub enum Get<T = RunSummary> {
    /// A whole number.
    Whole(fn(&T) -> Option<u64>),
    /// A number.
    Decimal(fn(&T) -> Option<f64>),
    /// A text.
    Text(fn(&T) -> Option<String>),
}

/// A part of a line of the printed table. A line begins with the phrase in its first place, and is left out
/// without it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phrase {
    /// What the line is about.
    pub(super) subject: &'static str,
    /// Where in the line the phrase stands.
    pub(super) place: u8,
    /// The words, and what is between them and those before: `{}` is the value, `{unit}` the unit.
    pub(super) words: &'static str,
    /// Whether nothing is said of none.
    pub(super) hides_zero: bool,
}

use Better::{Larger, Smaller};

type Row = Figure<RunSummary>;

/// Every figure of a run, in the order of the columns of sweeps.
#[rustfmt::skip]
pub static FIGURES: &[Figure] = &[
    Row::decimal("tokens_per_sec", Number("tokens/s"), "the tokens embedded per second",
        |run| Some(run.tokens_per_sec()))
        .better(Larger).phrase("speed", 2, ", {} {unit}").tile("tokens/s"),
    Row::decimal("sequences_per_sec", Number("sequences/s"), "the sequences embedded per second",
        |run| Some(run.sequences_per_sec()))
        .better(Larger).phrase("speed", 1, "{} {unit}").tile("sequences/s"),
    Row::decimal("residues_per_sec", Number("residues/s"), "the residues embedded per second",
        |run| Some(run.residues_per_sec()))
        .better(Larger).phrase("speed", 3, ", {} {unit}"),
    Row::decimal("encoder_tokens_per_sec", Number("tokens/s"), "the tokens that a device embedded per second of computing, in the mean",
        |run| Some(run.encoder_tokens_per_sec()))
        .better(Larger),
    Row::decimal("packing_fill", Share, "how full the batches were, from 0 to 1: tokens over token budget",
        |run| Some(run.packing_fill))
        .better(Larger).phrase("tokens", 3, ", {} of").tile("packing fill"),
    Row::decimal("seconds", Seconds, "the seconds from the call to the published output",
        |run| Some(run.seconds))
        .better(Smaller).phrase("time", 1, "{}").tile("wall time"),
    Row::decimal("encoder_seconds", Seconds,
        "the seconds that the encoder computed, by the device's own clock where it has one, added up over devices",
        |run| Some(run.encoder_seconds))
        .better(Smaller).phrase("time", 2, "; the encoder computed {}"),
    Row::decimal("wait_seconds", Seconds, "the seconds that the encoder waited for a batch, added up over devices",
        |run| Some(run.wait_seconds))
        .better(Smaller).phrase("time", 3, " and waited {}"),
    Row::decimal("tflops", Tflops,
        "the useful TFLOP per second while the encoder computed; padding counts for nothing",
        |run| run.tflops)
        .missing("on the mock device")
        .better(Larger).phrase("encoder", 1, "{} useful {unit} while computing").tile("{unit}"),
    Row::decimal("mfu", Share,
        "the useful FLOP per second as a share of what the GPU could do at most in the number format, from 0 \
         to 1 (model FLOP utilisation)",
        |run| run.mfu)
        .missing("where that is not known")
        .better(Larger).phrase("encoder", 2, ", MFU {}").tile("MFU"),
    Row::decimal("gpu_utilization", Share,
        "the share of the time during which any kernel ran on the GPU, from 0 to 1, as NVML measured it",
        |run| run.gpu_utilization)
        .missing("without NVML and for runs of a second or two")
        .better(Larger).phrase("encoder", 3, ", GPU utilization {}").tile("GPU utilisation"),
    Row::decimal("gpu_idle", Share,
        "the share of the time from the first batch to the last during which the GPU had nothing to compute, \
         from 0 to 1, as the GPU measured it",
        RunSummary::gpu_idle)
        .missing("on the CPU")
        .better(Smaller).phrase("GPU", 1, "idle {}").tile("GPU idle"),
    Row::decimal("upload_hidden", Share,
        "the share of the copies to the GPU that it did not have to wait for, from 0 to 1, as the GPU \
         measured it",
        RunSummary::upload_hidden)
        .missing("on the CPU and for a single batch")
        .better(Larger).phrase("GPU", 2, ", uploads {} hidden"),
    Row::whole("gpu_memory_bytes", Bytes, "the bytes of the GPU's memory that the model and its batches took",
        |run| run.gpu.map(|gpu| gpu.memory_bytes))
        .missing("on the CPU")
        .better(Smaller).phrase("GPU", 3, ", {} taken"),
    Row::decimal("energy_joules", Number("J"),
        "the joules that all GPUs took, by their own counters or else added up from their power, from when NVML had \
         been opened, which is soon after the beginning of the run, until the last stage had ended",
        |run| run.energy_joules)
        .missing("on the CPU, without NVML, where a GPU does not tell it, with `monitor_hz: 0` and for \
                  runs that end before the first sample")
        .better(Smaller).phrase("GPU", 4, ", {} {unit}").tile("energy, {unit}"),
    Row::decimal("joules_per_million_tokens", Number("J"), "the joules that all GPUs took for a million tokens",
        |run| run.energy_joules.map(|joules| 1e6 * joules / run.tokens.max(1) as f64))
        .missing("where `energy_joules` is")
        .better(Smaller).phrase("GPU", 5, " ({} {unit} for a million tokens)"),
    Row::decimal("tokens_per_joule", Number("tokens/J"), "the tokens embedded per joule that the GPUs took",
        |run| run.energy_joules.map(|joules| run.tokens as f64 / joules))
        .missing("where `energy_joules` is")
        .better(Larger),
    Row::whole("peak_memory_bytes", Bytes, "the largest resident memory of the program so far, in bytes",
        |run| Some(run.peak_memory_bytes))
        .better(Smaller).phrase("memory", 1, "{} at most"),
    Row::decimal("accuracy", Cosine,
        "the least cosine of the pooled vectors of a protein in int8 and in bf16, of those proteins that come with the \
         program for this and were embedded when the model was loaded",
        |run| run.accuracy)
        .missing("unless the model is in int8")
        .better(Larger).phrase("accuracy", 1, "a cosine of {} with bf16 at least, when it was loaded"),
    Row::whole("reader_restarts", Count("reader", "readers"), "the number of readers that had to be replaced",
        |run| Some(run.reader_restarts))
        .better(Smaller).phrase("readers", 2, ", {} restarted"),
    Row::whole("failed_lanes", Count("device", "devices"),
        "the number of devices that failed, whose batches the others took over",
        |run| Some(run.failed_lanes))
        .better(Smaller).phrase_unless_zero("devices", 1, "{} failed, the others took over"),
    Row::whole("records", Count("record", "records"), "the number of records read: embedded plus rejected",
        |run| Some(run.records))
        .phrase("records", 1, "{} read").tile("records read"),
    Row::whole("sequences", Count("sequence", "sequences"), "the number of sequences embedded",
        |run| Some(run.sequences))
        .tile("embedded"),
    Row::whole("rejected", Count("record", "records"), "the number of records that a rule rejected",
        |run| Some(run.rejected))
        .phrase_unless_zero("records", 2, ", {} rejected").tile("rejected"),
    Row::whole("resumed", Count("row", "rows"),
        "the number of rows of the output that were there before the run, which computed none of them again",
        |run| Some(run.resumed))
        .phrase_unless_zero("records", 4, ", {} there before").tile("there before"),
    Row::whole("resumed_rejected", Count("record", "records"), "the number of records that were rejected before the run",
        |run| Some(run.resumed_rejected)),
    Row::whole("truncated", Count("sequence", "sequences"),
        "the number of sequences of which only the beginning was embedded",
        |run| Some(run.truncated))
        .phrase_unless_zero("records", 3, ", {} truncated").tile("truncated"),
    Row::whole("residues", Count("residue", "residues"), "the number of residues embedded",
        |run| Some(run.residues)),
    Row::whole("tokens", Count("token", "tokens"),
        "the number of tokens embedded: residues, and BOS and EOS of each sequence",
        |run| Some(run.tokens))
        .phrase("tokens", 1, "{}"),
    Row::whole("batches", Count("batch", "batches"), "the number of batches",
        |run| Some(run.batches))
        .phrase("tokens", 2, " in {} {unit}"),
    Row::whole("hidden_size", Count("component", "components"), "the number of components of an embedding",
        |run| Some(run.hidden_size as u64)),
    Row::whole("readers", Count("reader", "readers"), "the number of reader subprocesses",
        |run| Some(run.readers as u64))
        .phrase("readers", 1, "{}"),
    Row::whole("prefetch", Count("batch", "batches"), "the number of packed batches that could wait for the encoder",
        |run| Some(run.prefetch as u64))
        .phrase("readers", 3, "; prefetch {}"),
    Row::whole("token_budget", Count("token", "tokens"), "the number of tokens that a batch could hold",
        |run| Some(run.token_budget as u64))
        .phrase("tokens", 4, " {} filled"),
    Row::text("model", "the model's name", |run| Some(run.model.clone())),
    Row::text("device", "where the model ran", |run| Some(run.device.clone())),
    Row::text("dtype", "the number format of weights and activations", |run| Some(run.dtype.clone())),
    Row::text("shard", "which part of the records the run is about, as `3/16`",
        |run| run.shard.map(|shard| shard.to_string()))
        .missing("if it is all of them")
        .phrase("records", 9, "; shard {}"),
    Row::text("output", "the path of the output, a file or a folder",
        |run| run.output.as_ref().map(|path| path.to_string_lossy().into_owned()))
        .missing("if there is none")
        .phrase("output", 1, "{}"),
    Row::text("columns", "the columns of the output, with the shape of what a sequence of L residues has in each",
        |run| Some(run.columns.clone()))
        .phrase("output", 2, " ({})"),
    Row::text("rejects", "the path of the file that lists the rejected records",
        |run| run.rejects.as_ref().map(|path| path.to_string_lossy().into_owned()))
        .missing("if there is none")
        .phrase("rejects", 1, "{}"),
];

impl<T> Figure<T> {
    pub(super) const fn decimal(
        name: &'static str,
        unit: Unit,
        doc: &'static str,
        get: fn(&T) -> Option<f64>,
    ) -> Self {
        Self::new(name, unit, doc, Get::Decimal(get))
    }

    pub(super) const fn whole(
        name: &'static str,
        unit: Unit,
        doc: &'static str,
        get: fn(&T) -> Option<u64>,
    ) -> Self {
        Self::new(name, unit, doc, Get::Whole(get))
    }

    pub(super) const fn text(
        name: &'static str,
        doc: &'static str,
        get: fn(&T) -> Option<String>,
    ) -> Self {
        Self::new(name, Text, doc, Get::Text(get))
    }

    const fn new(name: &'static str, unit: Unit, doc: &'static str, get: Get<T>) -> Self {
        Self {
            name,
            unit,
            doc,
            missing: None,
            better: None,
            get,
            phrase: None,
            tile: None,
        }
    }

    pub(super) const fn missing(self, missing: &'static str) -> Self {
        Self {
            missing: Some(missing),
            ..self
        }
    }

    pub(super) const fn better(self, better: Better) -> Self {
        Self {
            better: Some(better),
            ..self
        }
    }

    pub(super) const fn phrase(
        self,
        subject: &'static str,
        place: u8,
        words: &'static str,
    ) -> Self {
        Self {
            phrase: Some(Phrase {
                subject,
                place,
                words,
                hides_zero: false,
            }),
            ..self
        }
    }

    pub(super) const fn phrase_unless_zero(
        self,
        subject: &'static str,
        place: u8,
        words: &'static str,
    ) -> Self {
        Self {
            phrase: Some(Phrase {
                subject,
                place,
                words,
                hides_zero: true,
            }),
            ..self
        }
    }

    pub(super) const fn tile(self, tile: &'static str) -> Self {
        Self {
            tile: Some(tile),
            ..self
        }
    }

    /// The figure of a run as a number, if it is one and the run has it.
    pub fn number(&self, run: &T) -> Option<f64> {
        match self.get {
            Get::Whole(get) => get(run).map(|number| number as f64),
            Get::Decimal(get) => get(run),
            Get::Text(_) => None,
        }
    }

    /// The figure of a run for people, and its unit.
    pub(super) fn shown(&self, run: &T) -> Option<(String, &'static str)> {
        match self.get {
            Get::Text(get) => Some((get(run)?, "")),
            _ => Some(self.unit.shown(self.number(run)?)),
        }
    }

    /// The figure of a run in words, if there is something to say.
    pub(super) fn worded(&self, run: &T) -> Option<String> {
        let phrase = self.phrase?;
        if phrase.hides_zero && self.number(run) == Some(0.0) {
            return None;
        }
        let (value, unit) = self.shown(run)?;
        Some(phrase.words.replace("{unit}", unit).replace("{}", &value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_number_of_a_run_is_a_figure() {
        let json = serde_json::to_value(RunSummary::made_up(true)).unwrap();
        let mut fields = json.as_object().unwrap().clone();
        let lanes = fields.remove("lanes").unwrap();
        assert!(
            lanes[0].is_object(),
            "its figures have a table of their own"
        );
        let absent: Vec<_> = fields
            .iter()
            .filter(|(_, value)| value.is_null())
            .map(|(name, _)| name.as_str())
            .filter(|name| !["output", "rejects", "bottleneck", "shard"].contains(name))
            .collect();
        assert_eq!(absent, [""; 0], "RunSummary::made_up lacks these");
        let numbers = fields.iter().filter(|(_, value)| value.is_number());
        let lost: Vec<_> = numbers
            .map(|(name, _)| name.as_str())
            .filter(|name| FIGURES.iter().all(|figure| figure.name != *name))
            .collect();
        assert_eq!(lost, [""; 0], "FIGURES lacks these");
    }

    #[test]
    fn rows_agree_with_each_other() {
        let (mut names, mut places) = (BTreeSet::new(), BTreeSet::new());
        for figure in FIGURES {
            let name = figure.name;
            assert!(names.insert(name), "{name} stands twice");
            if let Some(Phrase { subject, place, .. }) = figure.phrase {
                assert!(places.insert((subject, place)), "{name} stands on another");
            }
            let is_text = matches!(figure.get, Get::Text(_));
            assert_eq!(is_text, figure.unit == Text, "{name}");
            assert!(!(is_text && figure.better.is_some()), "{name}");
            if figure.missing.is_none() {
                let empty = RunSummary::default();
                assert!(is_text || figure.number(&empty).is_some(), "{name}");
            }
        }
    }
}
