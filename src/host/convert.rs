//! Models written in another form.

use super::{Conversion, Converted};
use crate::{cancel::CancelToken, error::Error, model};
use std::ops::ControlFlow;

/// Writes a model as a folder that HF transformers loads. `on_step` is told how many of how many tensors are written.
///
/// # Errors
/// The model cannot be loaded, the folder cannot be written, or the user stops it.
pub fn convert(
    conversion: &Conversion,
    cancel: &CancelToken,
    on_step: &mut dyn FnMut(usize, usize),
) -> Result<Converted, Error> {
    let mut on_step = |n, of| {
        on_step(n, of);
        match cancel.reason() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    };
    let converted = model::convert(conversion, &mut on_step);
    converted.map_err(|error| Error::of_conversion(error, cancel.reason()))
}
