//! From what a script names to a model on its devices.

use super::{
    Accuracy, DeviceKind, Lacks, Merged, Model, ModelError, Replica, esm2::Esm2, files::Files,
    fingerprint::Fingerprint, form::Form, mock, n_parameters, number_format, source::Here,
    token_budget::default_token_budget, usual_token_budget, weights::Weights,
};
use crate::{
    device::{self, DeviceError},
    job::{Dtype, Int8, ModelSpec, Products},
    ops,
};

impl Model {
    /// Loads the model that `spec` names.
    ///
    /// # Errors
    /// If the device cannot be used, or the folder, its configuration or its weights are not those
    /// of an ESM-2.
    pub fn load(spec: &ModelSpec) -> Result<Self, ModelError> {
        let Files {
            here:
                Here {
                    folder,
                    name,
                    origin,
                },
            base,
            config,
            weights,
        } = Files::open(spec)?;
        let folder = base.as_ref().map_or(folder, |base| base.folder.clone());
        let adapter = weights.as_ref().and_then(Weights::adapter);
        let merged = base.map(|base| Merged {
            base: base.name,
            base_origin: base.origin,
            unused: adapter
                .map_or_else(Vec::new, |adapter| adapter.unused.iter().cloned().collect()),
        });
        let chosen = device::choose(&spec.device, spec.cpu)?;
        let dtype = number_format::of(spec, chosen.first())?;
        let format = (chosen.first()).map_or(dtype, |first| ops::activations(first, dtype));
        let products = match dtype {
            Dtype::Int8 => spec.int8.products,
            Dtype::F32 | Dtype::F16 | Dtype::Bf16 => Products::NONE,
        };
        let form = Form {
            weights: dtype.activations(),
            activations: format,
            // GELU is computed where its product is.
            gelu: spec.gelu.form(match products.expand {
                true => Dtype::Int8,
                false => format,
            }),
            products,
        };
        let n_parameters = n_parameters(&config);
        let lacks = Lacks::of(&config, weights.as_ref());
        let device = device::label(&chosen);
        let shape = (config.hidden_size, config.head_dim(), config.n_layers);
        let mut accuracy = None;
        let (replicas, fingerprint, default_token_budget) = match weights {
            Some(weights) => {
                let free_before: Vec<_> = chosen.iter().map(device::free_bytes).collect();
                let sizes = (
                    config.hidden_size,
                    config.intermediate_size,
                    config.head_dim(),
                );
                prepare(&name, products, |products| {
                    let mut devices = chosen.iter();
                    devices.try_for_each(|chosen| ops::prepare(chosen, format, sizes, products))
                })?;
                let fingerprint = Fingerprint::start(&folder, &weights)?;
                let loaded = Esm2::load(&config, &weights, &chosen, form).and_then(|loaded| {
                    check_accuracy(loaded.accuracy.as_ref(), &name, spec.int8)?;
                    Ok(loaded)
                });
                // Batches, or the next model, need the memory that a trial or half a model has had.
                if loaded.is_err() || products != Products::NONE {
                    chosen.iter().for_each(device::release_unused);
                }
                let loaded = loaded?;
                accuracy = loaded.accuracy;
                let budgets = chosen
                    .iter()
                    .map(|chosen| default_token_budget(chosen, &config, form));
                // A batch may go to any of them.
                let budget = budgets.min().expect("a model is on a device at least");
                let replicas = chosen.into_iter().zip(free_before).zip(loaded.models);
                let replicas = replicas.map(|((chosen, free_before), encoder)| Replica {
                    free_before,
                    ..Replica::new(Some(chosen), format, shape, Box::new(encoder))
                });
                (replicas.collect(), fingerprint, budget)
            }
            None => {
                let replica = |lane| {
                    let mock = mock::Mock::new(config.hidden_size, lane, spec.mock);
                    Replica {
                        is_memory_tried: spec.mock.memory_tokens.is_some(),
                        ..Replica::new(None, dtype, shape, Box::new(mock))
                    }
                };
                let replicas: Vec<_> = (0..spec.mock.lanes).map(replica).collect();
                let budget = usual_token_budget(DeviceKind::Mock, config.hidden_size);
                (replicas, Fingerprint::mock(spec.mock.seed), budget)
            }
        };
        Ok(Self {
            name,
            origin,
            merged,
            device,
            dtype,
            form,
            accuracy,
            config,
            n_parameters,
            default_token_budget,
            fingerprint,
            lacks,
            replicas,
        })
    }
}

/// Makes ready what a model is computed with, by `on_devices`, of which these products are of 8-bit numbers.
///
/// # Errors
/// A device fails, or has nothing for sizes of the model: in int8, where it has something for them without.
fn prepare(
    name: &str,
    products: Products,
    on_devices: impl Fn(Products) -> Result<(), DeviceError>,
) -> Result<(), ModelError> {
    match on_devices(products) {
        Err(DeviceError::Shape(reason)) if products != Products::NONE => {
            // Where the model cannot be computed either way, another number format is no help.
            on_devices(Products::NONE)?;
            Err(ModelError::SizesInInt8 {
                name: name.to_owned(),
                reason,
            })
        }
        prepared => Ok(prepared?),
    }
}

/// Checks that a model is as accurate in int8 as it has to be.
pub(super) fn check_accuracy(
    accuracy: Option<&Accuracy>,
    name: &str,
    Int8 {
        products,
        accept_accuracy,
    }: Int8,
) -> Result<(), ModelError> {
    match accuracy {
        Some(accuracy) if accuracy.least < accept_accuracy => Err(ModelError::Inaccurate {
            name: name.to_owned(),
            products,
            n_proteins: accuracy.n_proteins,
            id: accuracy.least_id.clone(),
            cosine: accuracy.least,
            accept: accept_accuracy,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Hint;

    #[test]
    fn int8_is_blamed_for_sizes_that_it_alone_refuses() {
        let check = |products, in_bf16: Option<&str>, expect: Result<(), &str>| {
            let prepared = prepare("esm2", products, |products| {
                let reason = match products == Products::NONE {
                    true => in_bf16,
                    false => Some("160 inputs"),
                };
                reason.map_or(Ok(()), |reason| Err(DeviceError::Shape(reason.to_owned())))
            });
            let prepared = prepared.map_err(|error| error.in_full());
            assert_eq!(prepared, expect.map_err(str::to_owned));
        };
        let in_int8 = "the model `esm2` cannot be computed in int8: 160 inputs (leave `dtype` out, and options of \
                       int8 with it)";
        let heads = "a head of 300 (set `device` to \"cpu\")";
        check(Products::ALL, None, Err(in_int8));
        check(Products::ALL, Some("a head of 300"), Err(heads));
        check(Products::NONE, Some("a head of 300"), Err(heads));
        check(Products::NONE, None, Ok(()));
    }
}
