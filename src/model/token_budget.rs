//! How many tokens a batch has that suits a device.

use super::{Config, Model, form::Form};
use crate::{
    device::{self, Chosen},
    job::Dtype,
};

/// Tokens in a batch on the CPU: enough rows for good products, few enough that activations stay near the core that
/// computes it. The longest sequence that is not cut by default fits.
const CPU_TOKEN_BUDGET: usize = 1024;
/// Tokens in a batch on a GPU, at least, however little memory there is.
const LEAST_GPU_TOKEN_BUDGET: usize = 4096;
/// Tokens in a batch of the mock device: what a GPU would take.
const MOCK_TOKEN_BUDGET: usize = 32_768;

/// A kind of device, as far as the size of batches depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// A GPU.
    Gpu,
    /// The CPU.
    Cpu,
    /// The mock device.
    Mock,
}

/// Tokens in a batch that suit a device of this kind, if it has the memory for them.
pub fn usual_token_budget(kind: DeviceKind, hidden_size: usize) -> usize {
    match kind {
        DeviceKind::Gpu if hidden_size < 1000 => 65_536,
        DeviceKind::Gpu => 32_768,
        DeviceKind::Cpu => CPU_TOKEN_BUDGET,
        DeviceKind::Mock => MOCK_TOKEN_BUDGET,
    }
}

/// Tokens in a batch that suit the device: on a GPU, as many as keep it busy for long enough to
/// hide everything else, as far as the memory that the weights leave allows.
pub(super) fn default_token_budget(chosen: &Chosen, config: &Config, form: Form) -> usize {
    /// The widest moment of a layer: input, normalised input, the four-fold intermediate state and
    /// the output, and one more in reserve.
    const WIDTHS: usize = 8;
    let Some(free) = device::free_bytes(chosen) else {
        return usual_token_budget(DeviceKind::Cpu, config.hidden_size);
    };
    let bytes = form.activations.bytes();
    // Weights may still be on their way, so their size is taken from what was free in any case.
    // The limits of a configuration keep these products far below 2^64.
    let room = free.saturating_sub(weight_bytes(config, form)) / 2;
    let per_token = (WIDTHS * config.hidden_size * bytes) as u64;
    let fitting = usize::try_from(room / per_token).unwrap_or(usize::MAX);
    let wanted = usual_token_budget(DeviceKind::Gpu, config.hidden_size);
    // Powers of two need no rows of padding.
    let fitting = (fitting + 1).next_power_of_two() / 2;
    wanted.min(fitting).max(LEAST_GPU_TOKEN_BUDGET)
}

/// Bytes of the encoder's weights.
fn weight_bytes(config: &Config, form: Form) -> u64 {
    let (hidden, intermediate) = (config.hidden_size as u64, config.intermediate_size as u64);
    let products = form.products;
    let of_a_layer = [
        (products.qkv, 3 * hidden * hidden),
        (products.output, hidden * hidden),
        (products.expand, hidden * intermediate),
        (products.contract, hidden * intermediate),
    ];
    let quantised = of_a_layer.iter().filter(|(is_quantised, _)| *is_quantised);
    let quantised: u64 = quantised.map(|(_, n)| n).sum();
    let quantised = quantised * config.n_layers as u64;
    let rest = Model::n_parameters_of(config) - quantised;
    rest * form.weights.bytes() as u64 + quantised * Dtype::Int8.bytes() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{GeluForm, Products};

    #[test]
    fn weights_of_8_bits_take_a_byte() {
        let config = Config::read(std::path::Path::new("tests/golden/hd64"));
        let config = config.expect("it is one of ESM-2");
        let bytes = |products| {
            let form = Form {
                weights: Dtype::Bf16,
                activations: Dtype::Bf16,
                gelu: GeluForm::Tanh,
                products,
            };
            weight_bytes(&config, form)
        };
        let all = Model::n_parameters_of(&config);
        assert_eq!(bytes(Products::NONE), 2 * all);
        let of_products = 12 * (config.hidden_size.pow(2) * config.n_layers) as u64;
        assert_eq!(config.intermediate_size, 4 * config.hidden_size);
        assert_eq!(bytes(Products::ALL), 2 * all - of_products);
        let contract = Products {
            contract: true,
            ..Products::NONE
        };
        assert_eq!(bytes(contract), 2 * all - of_products / 3);
    }
}
