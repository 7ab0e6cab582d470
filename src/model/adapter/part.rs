//! What a tensor of an adapter is for, by its name.

/// What a tensor of an adapter is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// One of the two matrices whose product is added to the weights of a module.
    LowRank {
        /// The module in the encoder, as `encoder.layer.0.attention.self.query`.
        module: String,
        matrix: Matrix,
    },
    /// A tensor that stands in place of one of the encoder, by the name of that.
    Whole(String),
    /// It belongs to a head, by the name of that, or to nothing that is computed.
    Unused(String),
    /// It is something else, in a word.
    Strange(&'static str),
}

/// Which of the two matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Matrix {
    /// The one that comes first, `[rank, inputs]`.
    A,
    /// The other one, `[outputs, rank]`.
    B,
}

/// The modules of transformers' ESM that are no part of the encoder.
const HEADS: [&str; 5] = ["classifier", "contact_head", "lm_head", "pooler", "score"];

/// What a name begins with inside the encoder.
const BEGINNINGS: [&str; 3] = [
    "encoder.layer.",
    "encoder.emb_layer_norm_after.",
    "embeddings.",
];

impl Part {
    /// What the tensor `name` is, of an adapter that has saved `heads` whole. The prefix of the encoder comes
    /// with what is in it.
    pub(super) fn of<'a>(name: &'a str, heads: &[String]) -> (Option<&'a str>, Self) {
        if name.contains(".original_module.") {
            return (None, Self::Unused("a module as it was before".to_owned()));
        }
        match encoder_begins(name) {
            Some(begin) => {
                let prefix = &name[..begin];
                (Some(prefix), in_encoder(&name[begin..]))
            }
            None => {
                let mut words = name.split('.');
                let is_head =
                    |word: &&str| HEADS.contains(word) || heads.iter().any(|head| head == word);
                let head = words.find(is_head).map(str::to_owned);
                (
                    None,
                    head.map_or(Self::Strange("it is in no layer of an ESM-2"), Self::Unused),
                )
            }
        }
    }
}

/// Where the name of what is in the encoder begins.
fn encoder_begins(name: &str) -> Option<usize> {
    let positions = BEGINNINGS.iter().filter_map(|beginning| {
        let mut found = name.match_indices(beginning).map(|(position, _)| position);
        found.find(|&position| position == 0 || name[..position].ends_with('.'))
    });
    positions.min()
}

fn in_encoder(name: &str) -> Part {
    let words: Vec<&str> = name.split('.').collect();
    if name.starts_with("embeddings.position_") {
        return Part::Unused("positions, which ESM-2 does not embed".to_owned());
    }
    let Some(at) = words.iter().position(|word| word.starts_with("lora_")) else {
        // Wrappers of PEFT, and behind one of them the name of the adapter.
        let mut whole = Vec::new();
        let mut rest = words.into_iter();
        while let Some(word) = rest.next() {
            match word {
                "base_layer" => {}
                "modules_to_save" => {
                    // Saved files have no name there, and what comes is part of the tensor's own.
                    let behind: Vec<_> = rest.clone().collect();
                    if behind.len() > 1 {
                        rest.next();
                    }
                }
                word => whole.push(word),
            }
        }
        return Part::Whole(whole.join("."));
    };
    let matrix = match words[at] {
        "lora_A" => Matrix::A,
        "lora_B" => Matrix::B,
        "lora_embedding_A" | "lora_embedding_B" => {
            return Part::Strange("LoRA of the embeddings of tokens cannot be merged here");
        }
        "lora_magnitude_vector" => return Part::Strange("DoRA cannot be merged here"),
        _ => return Part::Strange("it is not one of LoRA's two matrices"),
    };
    // The name of the adapter may stand between.
    match words[at + 1..] {
        ["weight"] | [_, "weight"] => Part::LowRank {
            module: words[..at].join("."),
            matrix,
        },
        ["bias"] | [_, "bias"] => Part::Strange("biases of LoRA's matrices cannot be merged here"),
        _ => Part::Strange("it is not one of LoRA's two matrices"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &str = "encoder.layer.0.attention.self.query";

    fn part(name: &str) -> (Option<&str>, Part) {
        Part::of(name, &["regressor".to_owned()])
    }

    #[test]
    fn matrices_are_known_by_every_name_that_they_have() {
        for prefix in [
            "base_model.model.esm.",
            "base_model.model.",
            "",
            "module.base_model.model.backbone.",
        ] {
            for between in ["", "default.", "my_adapter."] {
                for (name, matrix) in [("lora_A", Matrix::A), ("lora_B", Matrix::B)] {
                    let name = format!("{prefix}{QUERY}.{name}.{between}weight");
                    let module = QUERY.to_owned();
                    assert_eq!(
                        part(&name),
                        (Some(prefix), Part::LowRank { module, matrix })
                    );
                }
            }
        }
    }

    #[test]
    fn whole_tensors_are_told_from_heads() {
        let whole = |name: &str, expect: &str| {
            let (_, found) = part(&format!("base_model.model.{name}"));
            assert_eq!(found, Part::Whole(expect.to_owned()));
        };
        let bias = format!("{QUERY}.bias");
        whole(&bias, &bias);
        whole(&format!("{QUERY}.base_layer.bias"), &bias);
        let norm = "encoder.layer.1.LayerNorm.weight";
        whole(&format!("esm.{norm}"), norm);
        whole(
            "encoder.layer.1.LayerNorm.modules_to_save.default.weight",
            norm,
        );
        whole("encoder.layer.1.LayerNorm.modules_to_save.weight", norm);
        whole(
            "esm.embeddings.word_embeddings.weight",
            "embeddings.word_embeddings.weight",
        );
        let unused = |name: &str, expect: &str| {
            let name = format!("base_model.model.{name}");
            assert_eq!(part(&name), (None, Part::Unused(expect.to_owned())));
        };
        unused("classifier.dense.weight", "classifier");
        unused("regressor.0.weight", "regressor");
        unused("esm.contact_head.regression.lora_A.weight", "contact_head");
        unused("lm_head.dense.lora_B.default.weight", "lm_head");
        unused(
            "classifier.original_module.bias",
            "a module as it was before",
        );
    }

    #[test]
    fn what_cannot_be_merged_is_named() {
        let check = |name: &str, expect: &str| match part(name).1 {
            Part::Strange(reason) => assert!(reason.contains(expect), "{reason}"),
            other => panic!("{name}: {other:?}"),
        };
        check(
            "embeddings.word_embeddings.lora_embedding_A",
            "embeddings of tokens",
        );
        check(&format!("{QUERY}.lora_magnitude_vector"), "DoRA");
        check(&format!("{QUERY}.lora_B.bias"), "biases of LoRA's");
        check(
            &format!("{QUERY}.lora_A.default.extra.weight"),
            "two matrices",
        );
        check(&format!("{QUERY}.lora_E"), "two matrices");
        check("base_model.model.decoder.weight", "no layer of an ESM-2");
        check("rotary_embeddings.inv_freq", "no layer of an ESM-2");
    }
}
