//! The validated plan of a job.
//!
//! *Input*: what a script asked for. *Output*: plain data that the stations can rely on.
//! *Owns*: names, defaults and limits of every option. *Never*: opens a file or touches a device.

mod attention;
mod contact_matrices;
mod contact_pairs;
mod contact_table;
mod cpu_share;
mod dataset;
mod delays;
mod device;
mod dtype;
mod embed;
mod embeddings;
mod export;
mod flag;
mod gelu;
mod gelu_form;
mod int8;
mod layer;
mod merge;
mod mock;
mod model;
mod mutants;
mod option_doc;
mod options;
mod output;
mod output_dtype;
mod output_fit;
mod output_target;
mod plan;
mod pooling;
mod problem;
mod products;
mod question;
mod row;
mod rule;
mod score;
mod shard;
mod sweep;
mod table;
mod thresholds;
mod value;
mod window;

pub use attention::AttentionPlan;
pub use contact_pairs::{ContactPairs, NUMBERS_OF_A_PAIR};
pub use contact_table::ContactTableOptions;
pub use cpu_share::CpuShare;
pub use dataset::{Dataset, LongSequences, RecordPolicy, ResiduePolicy};
pub use delays::Delays;
pub use device::{DeviceChoice, GpuChoice};
pub use dtype::Dtype;
pub use embed::EmbedOptions;
pub use embeddings::EmbeddingsOptions;
pub use export::{ExportOptions, ExportPlan, Keys};
pub use flag::{FlagForm, OptionFlag};
pub use gelu::Gelu;
pub use gelu_form::GeluForm;
pub use int8::Int8;
pub use layer::Layer;
pub use merge::MergePlan;
pub use mock::{Mock, MockFault};
pub use model::ModelSpec;
pub use mutants::{Mutants, MutantsTable};
pub use option_doc::OptionDoc;
pub use options::nearest;
pub use output::{OutputFormat, check_file_name, check_name};
pub use output_dtype::OutputDtype;
pub use output_fit::misfit_of_tokens;
pub use output_target::{OutputKind, OutputTarget, parts_beside, rejects_beside};
pub use plan::{EmbedPlan, Expected};
pub use pooling::Pooling;
pub use problem::{Problem, Problems};
pub use products::Products;
pub use question::{Column, Content, Form, Positions, Question};
pub use row::Effect;
pub use score::{
    PerplexityMethod, PerplexityOptions, RUN_OPTIONS, ScoreMethod, ScoreOptions, ScorePlan,
    ScoreQuestion,
};
pub use shard::{SHARD_SETTING, Shard, ShardError};
pub use sweep::SweepPlan;
pub use table::OptionTable;
pub use thresholds::Thresholds;
pub use value::{OptionMap, OptionValue};
pub use window::Window;
