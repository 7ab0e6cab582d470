//! What scripts can say: one file a station.

mod attention;
mod bottleneck;
mod closures;
pub(super) mod comment;
mod contacts;
mod dataset;
mod embeddings;
mod export;
mod failure;
mod figures;
mod merge;
mod model;
mod pause;
mod place;
mod recording;
mod run;
mod scores;
mod string;
mod sweep;
mod value;
mod watching;

use rhai::{Engine, exported_module};

/// The names of the types that scripts handle.
pub(super) const TYPES: [&str; 9] = [
    "Dataset",
    "Model",
    "Run",
    "Bottleneck",
    "Embeddings",
    "Mutants",
    "Scores",
    "Sweep",
    "Error",
];

/// Registers everything. What is registered last comes first in the definitions, which are read in
/// flow order.
pub(super) fn register(engine: &mut Engine) {
    let mut run = exported_module!(run::run_api);
    figures::add_getters(&mut run);
    engine
        .register_global_module(exported_module!(string::string_api).into())
        .register_global_module(exported_module!(failure::failure_api).into())
        .register_global_module(exported_module!(recording::recording_api).into())
        .register_global_module(exported_module!(pause::pause_api).into())
        .register_global_module(exported_module!(place::place_api).into())
        .register_global_module(exported_module!(sweep::sweep_api).into())
        .register_global_module(exported_module!(export::export_api).into())
        .register_global_module(exported_module!(merge::merge_api).into())
        .register_global_module(exported_module!(scores::scores_api).into())
        .register_global_module(exported_module!(embeddings::embeddings_api).into())
        .register_global_module(exported_module!(bottleneck::bottleneck_api).into())
        .register_global_module(exported_module!(watching::watching_api).into())
        .register_global_module(exported_module!(attention::attention_api).into())
        .register_global_module(exported_module!(contacts::contacts_api).into())
        .register_global_module(run.into())
        .register_global_module(exported_module!(model::model_api).into())
        .register_global_module(exported_module!(dataset::dataset_api).into());
}
