//! What a run was made with, beside what a sweep says of it.

use crate::{
    job::{
        DeviceChoice, Dtype, EmbedOptions, GpuChoice, Int8, ModelSpec, OptionMap, OptionValue,
        Problems,
    },
    report::RunSummary,
};

/// Options of `esm2` whose value says what a run had. Which device and number format it had is known once it has run.
const OF_MODEL: [&str; 5] = [
    "gelu",
    "threads",
    "cpu_lanes",
    "int8_products",
    "accept_accuracy",
];

/// What a run was made with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RunSettings {
    options: EmbedOptions,
    model: ModelSpec,
    has_gpu: bool,
    dtype: String,
    n_layers: usize,
    token_budget: usize,
}

impl RunSettings {
    /// The settings of a run with the model of `spec`, which has so many layers.
    pub(super) fn new(
        spec: &ModelSpec,
        n_layers: usize,
        options: EmbedOptions,
        summary: &RunSummary,
    ) -> Self {
        Self {
            options,
            model: spec.clone(),
            has_gpu: summary.gpu.is_some(),
            dtype: summary.dtype.clone(),
            n_layers,
            token_budget: summary.token_budget,
        }
    }

    /// Checks that the parameters of a sweep's point are those of this run, as far as they have the
    /// names of options. A closure can have kept other ones than the row of the table would show.
    ///
    /// # Errors
    /// Every parameter that differs.
    pub(super) fn check(&self, params: &OptionMap) -> Result<(), Problems> {
        let mut problems = match self.is_in_int8() {
            true => Problems::default(),
            false => Int8::refuse_options(params).err().unwrap_or_default(),
        };
        for (name, value) in params {
            let Some(used) = self.used(name) else {
                continue;
            };
            if !self.is_used(name, value) {
                problems.add_option(
                    name,
                    format!(
                        "the point says that `{name}` is {}, but its run had {}",
                        value.describe(),
                        used.describe()
                    ),
                    Some(
                        "give the parameters of a point to `embed` and `esm2`, or give this one \
                         another name"
                            .to_owned(),
                    ),
                );
            }
        }
        problems.none_or(())
    }

    /// What the run used for the option `name`, if it is one.
    fn used(&self, name: &str) -> Option<OptionValue> {
        match name {
            "dtype" => Some(OptionValue::Text(self.dtype.clone())),
            "int8_products" | "accept_accuracy" if !self.is_in_int8() => None,
            name if name == "device" || OF_MODEL.contains(&name) => {
                ModelSpec::OPTIONS.value(&self.model, name)
            }
            "token_budget" if self.options.token_budget.is_none() => {
                Some(OptionValue::Whole(self.token_budget as i64))
            }
            name => self.options.value(name),
        }
    }

    /// Whether `value` stands for what the run used for the option `name`.
    fn is_used(&self, name: &str, value: &OptionValue) -> bool {
        match name {
            "device" => asked(name, value).is_some_and(|spec| self.is_on(&spec.device)),
            "dtype" => *value == self.dtype.as_str().into(),
            name if OF_MODEL.contains(&name) => asked(name, value)
                .is_some_and(|spec| ModelSpec::OPTIONS.value(&spec, name) == self.used(name)),
            name => {
                let map = [(name.to_owned(), value.clone())].into();
                let Ok(wanted) = EmbedOptions::from_map(map) else {
                    return false;
                };
                match name {
                    // -1 is the last layer by another name.
                    "layers" => {
                        wanted.resolve_layers(self.n_layers)
                            == self.options.resolve_layers(self.n_layers)
                    }
                    name => wanted.value(name) == self.used(name),
                }
            }
        }
    }

    fn is_on(&self, device: &DeviceChoice) -> bool {
        let is_found = || match device {
            DeviceChoice::Cpu => !self.has_gpu,
            DeviceChoice::Gpus(gpus) => {
                self.has_gpu && matches!(gpus.as_slice(), [GpuChoice::Ordinal(_)])
            }
            _ => false,
        };
        let chosen = &self.model.device;
        device == chosen || (*chosen == DeviceChoice::Auto && is_found())
    }

    fn is_in_int8(&self) -> bool {
        self.model.dtype == Some(Dtype::Int8)
    }
}

/// What a model with this option would be.
fn asked(name: &str, value: &OptionValue) -> Option<ModelSpec> {
    let map = [(name.to_owned(), value.clone())].into();
    ModelSpec::OPTIONS.read(map).ok()
}
