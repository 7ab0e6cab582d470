//! What a model cannot answer, because its files lack a head.

use super::{
    Config, ModelError, contact_head::ContactHead, error::Reason, head::LmHead, weights::Weights,
};
use crate::job::Question;

/// What a model cannot answer, and why, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lacks {
    /// Why it gives no logits, if that is known.
    pub logits: Option<Reason>,
    /// Why it predicts no contacts, if that is known.
    pub contacts: Option<Reason>,
}

impl Lacks {
    /// What a model with these weights lacks. Nothing is known without them.
    pub(super) fn of(config: &Config, weights: Option<&Weights>) -> Self {
        let Some(weights) = weights else {
            return Self::default();
        };
        let head = |name, found: Result<(), Reason>| of_the_model(weights, name).and(found).err();
        Self {
            logits: head("lm_head", LmHead::check(config, weights)),
            contacts: head(
                "contact_head",
                ContactHead::read(config, weights).map(|_| ()),
            ),
        }
    }

    /// Checks that the model called `name` can answer a question.
    ///
    /// # Errors
    /// It lacks the head for it.
    pub fn check(&self, name: &str, question: &Question) -> Result<(), ModelError> {
        let name = name.to_owned();
        match self {
            Self {
                logits: Some(reason),
                ..
            } if question.needs_head() => Err(ModelError::NoLogits {
                name,
                reason: reason.clone(),
            }),
            Self {
                contacts: Some(reason),
                ..
            } if question.needs_contacts() => Err(ModelError::NoContacts {
                name,
                reason: reason.clone(),
            }),
            _ => Ok(()),
        }
    }
}

/// Whether the head of this name is that of the model, and no adapter has another one.
fn of_the_model(weights: &Weights, head: &str) -> Result<(), Reason> {
    match weights.adapter() {
        Some(adapter) if adapter.unused.contains(head) => Err(Reason::new(
            format!("the adapter changes `{head}`, and heads are not merged"),
            "merge the adapter with `merge_and_unload` of PEFT, and save the model",
        )),
        _ => Ok(()),
    }
}
