//! How much a number format changes what a model says.

mod agreement;
mod answers;
mod asking;
mod difference;
mod figure;
mod proteins;
mod vectors;

pub use agreement::Agreement;
pub use difference::Difference;

use super::models::Models;
use crate::{
    cancel::CancelToken,
    device,
    error::Error,
    event::{Event, EventSender},
    fasta,
    job::{Dataset, DeviceChoice, Dtype, Layer, ModelSpec, Problems},
    model::Model,
};
use answers::{Answers, Questions};
use asking::Asking;
use proteins::Proteins;
use serde::Serialize;
use std::collections::BTreeMap;
use vectors::Vectors;

/// What is compared.
#[derive(Clone, Debug)]
pub struct ParityPlan {
    /// The model, on the device and in the number format that it would have in a run.
    pub model: ModelSpec,
    /// Where the same model computes in f32.
    pub reference: Reference,
    /// The proteins, those that come with the program if none are given.
    pub dataset: Option<Dataset>,
    /// Of the proteins that come with the program, how many at most.
    pub take: Option<usize>,
    /// The hidden state that is compared.
    pub layer: Layer,
}

/// Where the f32 is computed that a model is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// On the device that the model is on.
    SameDevice,
    /// On the CPU.
    Cpu,
}

/// How close what a model says is to what it says in f32.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parity {
    /// The model, for people.
    pub model: String,
    /// Its number format.
    pub dtype: String,
    /// What it is in int8, if it is.
    #[serde(flatten)]
    pub int8: Option<InInt8>,
    /// Where it ran, for people.
    pub device: String,
    /// Where f32 was computed, for people.
    pub reference_device: String,
    /// The hidden state that was compared.
    pub layer: usize,
    /// Transformer layers of the model.
    pub layers: usize,
    /// What the proteins are, for people.
    pub inputs: String,
    /// Proteins.
    pub sequences: usize,
    /// Their residues, as far as they were embedded.
    pub residues: usize,
    /// Proteins of which only the first residues were embedded.
    pub truncated: usize,
    /// Records that were not embedded.
    pub rejected: usize,
    /// The mean over the residues of each protein.
    pub pooled: Agreement,
    /// The same without the mean of all proteins, if there are several.
    pub centred: Option<Agreement>,
    /// The vector of each residue.
    pub per_residue: Agreement,
    /// What its heads answer, by the names of the figures.
    #[serde(flatten)]
    pub answers: BTreeMap<&'static str, Difference>,
    /// Why figures are missing, by their names.
    pub not_compared: BTreeMap<&'static str, String>,
}

/// What a model is in int8.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InInt8 {
    /// The names of the products that are of 8-bit numbers.
    #[serde(rename = "int8_products")]
    pub products: Vec<&'static str>,
    /// The least cosine with bf16 of the check at load.
    #[serde(rename = "int8_accuracy")]
    pub accuracy: f64,
    /// The protein that it is of, by its id.
    #[serde(rename = "int8_accuracy_id")]
    pub accuracy_id: String,
}

/// Why there is nothing to compare: both models would be the same computation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SameComputation {
    /// Where both would be f32, for people.
    pub device: String,
    /// Whether that is because the CPU computes in nothing else unless it is asked to.
    pub is_cpu: bool,
}

impl ParityPlan {
    /// Checks that there are a model and inputs of these names, as far as that is known here. Nobody is asked.
    ///
    /// # Errors
    /// If there is no such folder and no model of the Hub can be called so, or an input is not there.
    pub fn check(&self) -> Result<(), Error> {
        Model::files(&self.model)?;
        if let Some(dataset) = &self.dataset {
            fasta::resolve(&dataset.sources)?;
        }
        Ok(())
    }

    /// Whether both models would be the same computation. It is known before anything is loaded.
    ///
    /// # Errors
    /// The device cannot be used.
    pub fn same_computation(&self) -> Result<Option<SameComputation>, Error> {
        if !matches!(self.model.dtype, None | Some(Dtype::F32)) {
            return Ok(None);
        }
        let chosen = device::choose(&self.model.device, self.model.cpu)?;
        let is_cpu = chosen.iter().all(|chosen| chosen.gpu.is_none());
        let is_f32 = is_cpu || self.model.dtype.is_some();
        let is_same = is_f32 && (is_cpu || self.reference == Reference::SameDevice);
        Ok(is_same.then(|| SameComputation {
            device: device::label(&chosen),
            is_cpu,
        }))
    }
}

impl Parity {
    /// Asks the model about proteins twice, and compares. Of the two models only one is in memory at a time.
    ///
    /// # Errors
    /// If the model or its device cannot be used, it has no such layer, there is no protein, or it is told to stop.
    pub fn of(plan: &ParityPlan, events: EventSender, cancel: &CancelToken) -> Result<Self, Error> {
        if plan.model.device == DeviceChoice::Mock {
            return Err(problem(
                "the mock device computes no embeddings",
                "choose \"cpu\" or a GPU",
            ));
        }
        let proteins = match &plan.dataset {
            Some(dataset) => Proteins::read(dataset)?,
            None => Proteins::built_in(plan.take.unwrap_or(usize::MAX)),
        };
        let records = &proteins.records;
        if records.is_empty() {
            return Err(problem(
                "there is no protein to embed",
                "look at the input, and at `--take`",
            ));
        }
        let questions = Questions::about(records);
        let mut models = Models::new(events.clone(), cancel.clone());
        let mut ask = |spec: &ModelSpec| -> Result<_, Error> {
            let handle = models.load(spec)?;
            let model = models.get(&handle)?;
            let layer = layer_of(model, plan.layer)?;
            let name = format!("{} on {}", model.dtype().name(), model.device());
            let of = records.len() + questions.n_sequences(model);
            let mut on_step = |sequences| {
                events.send(Event::Comparing {
                    model: name.clone(),
                    sequences,
                    of,
                });
            };
            let mut asking = Asking::new(model, cancel, &mut on_step);
            let vectors = Vectors::of(&mut asking, records, layer)?;
            let answers = Answers::to(&questions, &mut asking)?;
            let int8 = model.accuracy().map(|accuracy| InInt8 {
                products: spec.int8.products.names().collect(),
                accuracy: accuracy.least,
                accuracy_id: accuracy.least_id.clone(),
            });
            let place = (model.device().to_owned(), model.dtype(), int8);
            models.unload(&handle);
            Ok(((vectors, answers), layer, handle.info().clone(), place))
        };
        let ((got, got_answers), layer, info, (device, dtype, int8)) = ask(&plan.model)?;
        let reference = ModelSpec {
            dtype: Some(Dtype::F32),
            device: match plan.reference {
                // What `auto` found is found again, and no other GPU beside it.
                Reference::SameDevice => plan.model.device.clone(),
                Reference::Cpu => DeviceChoice::Cpu,
            },
            ..plan.model.clone()
        };
        let ((want, want_answers), _, _, (reference_device, ..)) = ask(&reference)?;
        let (answers, not_compared) = questions.compare(&got_answers, &want_answers);
        let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
        let compared = "there is a protein, and none is empty";
        Ok(Self {
            model: info.name,
            dtype: dtype.name().to_owned(),
            int8,
            device,
            reference_device,
            layer,
            layers: info.n_layers,
            inputs: match &plan.dataset {
                Some(dataset) => dataset.sources.join(", "),
                None => "the proteins that come with the program".to_owned(),
            },
            sequences: records.len(),
            residues: records.iter().map(|record| record.sequence.len()).sum(),
            truncated: records
                .iter()
                .filter(|record| record.is_truncated())
                .count(),
            rejected: proteins.n_rejected,
            pooled: got.pooled_agreement(&want, &ids).expect(compared),
            centred: got.centred_agreement(&want, &ids),
            per_residue: got.residue_agreement(&want, &ids).expect(compared),
            answers,
            not_compared,
        })
    }
}

/// The index of the hidden state that is meant.
fn layer_of(model: &Model, layer: Layer) -> Result<usize, Error> {
    let n_layers = model.n_layers();
    layer.resolve(n_layers).ok_or_else(|| {
        problem(
            format!("the model has no layer {}", layer.0),
            format!("its layers are 0, the embedding output, to {n_layers}, or -1 for the last"),
        )
    })
}

fn problem(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Problems::one(message, Some(hint.into())).into()
}
