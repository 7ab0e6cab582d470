//! The two ways in which the tensors of an ESM-2 are called: by HF transformers and by Meta's fair-esm.

/// Who named the tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    Transformers,
    FairEsm,
}

/// What the name of a tensor in a layer begins with, before the layer's number.
const LAYER: [&str; 2] = ["encoder.layer.", "layers."];

/// What is called how outside of layers, and what in a layer: by transformers, then by fair-esm. Where one
/// name begins another, the longer one comes first.
const OUTSIDE: [[&str; 2]; 6] = [
    ["embeddings.word_embeddings.", "embed_tokens."],
    ["encoder.emb_layer_norm_after.", "emb_layer_norm_after."],
    ["contact_head.regression.", "contact_head.regression."],
    ["lm_head.dense.", "lm_head.dense."],
    ["lm_head.layer_norm.", "lm_head.layer_norm."],
    ["lm_head.bias", "lm_head.bias"],
];
const IN_LAYER: [[&str; 2]; 9] = [
    ["attention.self.query.", "self_attn.q_proj."],
    ["attention.self.key.", "self_attn.k_proj."],
    ["attention.self.value.", "self_attn.v_proj."],
    ["attention.self.rotary_embeddings.", "self_attn.rot_emb."],
    ["attention.output.dense.", "self_attn.out_proj."],
    ["attention.LayerNorm.", "self_attn_layer_norm."],
    ["intermediate.dense.", "fc1."],
    ["output.dense.", "fc2."],
    ["LayerNorm.", "final_layer_norm."],
];

/// What stands before `name` in `full`, if that is `name` behind any prefix, or none.
pub(super) fn prefix_of<'a>(full: &'a str, name: &str) -> Option<&'a str> {
    let prefix = full.strip_suffix(name)?;
    (prefix.is_empty() || prefix.ends_with('.')).then_some(prefix)
}

impl Naming {
    pub(super) const ALL: [Self; 2] = [Self::Transformers, Self::FairEsm];

    /// What a model says how many layers it has with.
    pub(super) fn key_of_layers(self) -> &'static str {
        match self {
            Self::Transformers => "num_hidden_layers",
            Self::FairEsm => "encoder_layers",
        }
    }

    /// The output layer of the language model, which is the embeddings again.
    pub(super) fn output(self) -> &'static str {
        match self {
            Self::Transformers => "lm_head.decoder.weight",
            Self::FairEsm => "lm_head.weight",
        }
    }

    /// What the tensor is called here that transformers calls `name`, both without a prefix.
    pub(super) fn of(self, name: &str) -> String {
        renamed(name, Self::Transformers, self)
    }

    /// What transformers calls the tensor that is called `name` here, both without a prefix. A tensor of
    /// a layer that transformers has no name for is one of a layer there, too.
    pub(super) fn to_transformers(self, name: &str) -> String {
        renamed(name, self, Self::Transformers)
    }

    /// Its column in the tables.
    fn column(self) -> usize {
        match self {
            Self::Transformers => 0,
            Self::FairEsm => 1,
        }
    }
}

/// The name that one of them has for what the other one calls `name`; as it is if neither knows it.
fn renamed(name: &str, from: Naming, to: Naming) -> String {
    let (from, to) = (from.column(), to.column());
    let replaced = |name: &str, table: &[[&str; 2]]| {
        let mut rows = table.iter();
        rows.find_map(|row| Some(format!("{}{}", row[to], name.strip_prefix(row[from])?)))
    };
    if let Some((layer, rest)) = name
        .strip_prefix(LAYER[from])
        .and_then(|rest| rest.split_once('.'))
    {
        let rest = replaced(rest, &IN_LAYER).unwrap_or_else(|| rest.to_owned());
        return format!("{}{layer}.{rest}", LAYER[to]);
    }
    replaced(name, &OUTSIDE).unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_its_counterpart() {
        let check = |transformers: &str, fair_esm: &str| {
            assert_eq!(Naming::FairEsm.of(transformers), fair_esm);
            assert_eq!(Naming::FairEsm.to_transformers(fair_esm), transformers);
            assert_eq!(Naming::Transformers.of(transformers), transformers);
        };
        check("embeddings.word_embeddings.weight", "embed_tokens.weight");
        check(
            "encoder.emb_layer_norm_after.bias",
            "emb_layer_norm_after.bias",
        );
        check(
            "encoder.layer.31.attention.LayerNorm.weight",
            "layers.31.self_attn_layer_norm.weight",
        );
        check(
            "encoder.layer.0.LayerNorm.bias",
            "layers.0.final_layer_norm.bias",
        );
        check("encoder.layer.0.output.dense.weight", "layers.0.fc2.weight");
        check(
            "encoder.layer.2.attention.self.rotary_embeddings.inv_freq",
            "layers.2.self_attn.rot_emb.inv_freq",
        );
        check(
            "encoder.layer.0.self_attn.bias_k",
            "layers.0.self_attn.bias_k",
        );
        check("lm_head.bias", "lm_head.bias");
        check("embed_positions.weight", "embed_positions.weight");
    }
}
