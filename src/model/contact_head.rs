//! The head that predicts contacts: a logistic regression on what residues attend to.

use super::{
    Config, ModelError,
    checkpoint::{Checkpoint, Stored},
    error::Reason,
    fair_esm,
    naming::prefix_of,
    weights::Weights,
};

/// The head that predicts contacts. It is a few numbers, which are the same on every device.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ContactHead {
    /// Of the heads of all layers, one after the other: `[layers, heads]`.
    weights: Vec<f32>,
    pub(super) bias: f32,
    n_heads: usize,
}

/// Reads a tensor of this name and shape.
type Read<'a> = &'a dyn Fn(&str, &[usize]) -> Result<Vec<f32>, Reason>;

const WEIGHT: &str = "contact_head.regression.weight";
const BIAS: &str = "contact_head.regression.bias";

impl ContactHead {
    /// Reads the head that is among the weights of a model, or, of a model of fair-esm, in the file beside it.
    ///
    /// # Errors
    /// Why there is none. A model does without unless it is asked for contacts.
    pub(super) fn read(config: &Config, weights: &Weights) -> Result<Self, Reason> {
        let n_weights = config.n_layers * config.n_heads;
        let head = |read: Read| {
            let bias = read(BIAS, &[1])?;
            Ok(Self {
                weights: read(WEIGHT, &[1, n_weights])?,
                bias: bias[0],
                n_heads: config.n_heads,
            })
        };
        let place = weights.place();
        let files = weights.files();
        if place.is_file() && find(files, WEIGHT).is_none() {
            let path = fair_esm::regression(place);
            if !path.exists() {
                return Err(Reason::new(
                    format!("there is no `{}`", path.display()),
                    "Meta publishes it beside the model's own file",
                ));
            }
            let file = [Checkpoint::open(path).map_err(reason)?];
            return head(&|name, shape| values(&file, name, shape));
        }
        head(&|name, shape| values(files, name, shape))
    }

    /// The weights of the heads of a layer.
    pub(super) fn of_layer(&self, layer: usize) -> &[f32] {
        &self.weights[layer * self.n_heads..][..self.n_heads]
    }
}

/// The tensor that is called so behind any prefix, or none, and its file.
fn find<'a>(files: &'a [Checkpoint], name: &str) -> Option<(&'a Checkpoint, &'a Stored)> {
    files.iter().find_map(|file| {
        let full = file.names().find(|full| prefix_of(full, name).is_some())?;
        Some((file, file.get(full)?))
    })
}

fn values(files: &[Checkpoint], name: &str, shape: &[usize]) -> Result<Vec<f32>, Reason> {
    let Some((file, stored)) = find(files, name) else {
        return Err(format!("there is no tensor `{name}` in it").into());
    };
    if stored.shape != shape {
        return Err(format!(
            "the shape of `{name}` is {:?}, but the configuration makes it {shape:?}",
            stored.shape
        )
        .into());
    }
    file.read(stored).map_err(reason)
}

fn reason(error: ModelError) -> Reason {
    error.to_string().into()
}
