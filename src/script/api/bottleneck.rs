//! What holds a run back, in a script.

use crate::meter::Bottleneck as Found;
use rhai::plugin::*;
use std::rc::Rc;

/// What holds a run back, in a script.
#[derive(Clone, PartialEq)]
pub(super) struct ScriptBottleneck(Rc<Found>);

impl ScriptBottleneck {
    pub(super) fn new(found: Found) -> Self {
        Self(Rc::new(found))
    }
}

#[export_module]
pub(super) mod bottleneck_api {
    use super::*;

    pub type Bottleneck = ScriptBottleneck;

    /// Returns the stage that all others wait for: `reading`, `packing`, `encoding`, `collecting` or
    /// `writing`. Where the encoder is the limit, as it should be, it is `encoding`.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let run = embed(esm2("models/esm2"), fasta("proteins.fa"));
    /// if run.bottleneck != () && run.bottleneck.stage == "reading" { print("more readers!"); }
    /// ```
    #[rhai_fn(get = "stage", pure)]
    pub fn stage(found: &mut Bottleneck) -> String {
        found.0.stage.name().to_owned()
    }

    /// Returns how much of the encoder's time is lost: `good`, `mild` or `critical`. The option
    /// `thresholds` of `embed` says where one ends and the next begins.
    #[rhai_fn(get = "severity", pure)]
    pub fn severity(found: &mut Bottleneck) -> String {
        found.0.severity.name().to_owned()
    }

    /// Returns what is the matter, with figures.
    #[rhai_fn(get = "message", pure)]
    pub fn message(found: &mut Bottleneck) -> String {
        found.0.message.clone()
    }

    /// Returns what would help, or `()`.
    #[rhai_fn(get = "remedy", pure)]
    pub fn remedy(found: &mut Bottleneck) -> Dynamic {
        found.0.remedy.clone().map_or(Dynamic::UNIT, Dynamic::from)
    }

    /// Returns the message and the remedy.
    #[rhai_fn(name = "to_string", pure)]
    pub fn to_text(found: &mut Bottleneck) -> String {
        found.0.to_string()
    }

    /// Returns everything that is known about the bottleneck.
    #[rhai_fn(name = "to_debug", pure)]
    pub fn to_debug(found: &mut Bottleneck) -> String {
        format!("{:?}", found.0)
    }

    /// Returns whether two values say the same.
    #[rhai_fn(name = "==", pure)]
    pub fn equals(a: &mut Bottleneck, b: Bottleneck) -> bool {
        *a == b
    }

    /// Returns whether two values differ.
    #[rhai_fn(name = "!=", pure)]
    pub fn differs(a: &mut Bottleneck, b: Bottleneck) -> bool {
        *a != b
    }
}
