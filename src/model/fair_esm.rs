//! ESM-2 as Meta published it: one `.pt` file that fair-esm reads, which says itself what model it holds.

use super::{
    Config, ModelError,
    checkpoint::{Checkpoint, Value},
    config::{Keys, MOST_HIDDEN, MOST_LAYERS},
    error::Reason,
    file_names::CONFIG,
    foreign::Foreign,
    layout::EMBEDDINGS,
    naming::{Naming, prefix_of},
    plain_file,
};
use serde_json::{Map, Value as Json};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What the name of such a file ends with.
const ENDING: &str = "pt";
/// What follows the name of a model in that of the file beside it, which predicts contacts. Embeddings do without.
const REGRESSION: &str = "-contact-regression";

/// What fair-esm's layer norms add to the variance, and how much wider a feed-forward block is than a hidden
/// state: its files do not say so.
const LAYER_NORM_EPSILON: f64 = 1e-5;
const WIDTHS_OF_FEED_FORWARD: usize = 4;
/// The base of its rotary frequencies, which its files have as well.
const ROPE_THETA: f64 = 10_000.0;

const ESMFOLD: &str = "it is an ESMFold, which predicts structures";
/// Other models of fair-esm, by what their `arch` is or contains.
const OTHERS: [(&str, &str); 4] = [
    (
        "roberta_large",
        "it is an ESM-1b or ESM-1v, whose positions are learned and not rotary",
    ),
    (
        "protein_bert_base",
        "it is an ESM-1, whose positions are not rotary",
    ),
    (
        "msa_transformer",
        "it is an MSA Transformer, which reads alignments",
    ),
    ("invariant_gvp", "it is an ESM-IF1, which reads structures"),
];

/// The file that `path` is, or that a folder has as the only one of a model.
pub(super) fn file_at(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        let is_it = is_model(path) || !is_called_so(path) && says_its_model(path);
        return is_it.then(|| path.to_path_buf());
    }
    if plain_file::exists(&path.join(CONFIG)) {
        return None;
    }
    let mut models = files_in(path);
    let found = models.next()?;
    models.next().is_none().then_some(found)
}

/// Why a folder of such files is no model, if there are several in it.
pub(super) fn several_in(folder: &Path) -> Option<Reason> {
    let mut models = files_in(folder);
    let (first, second) = (models.next()?, models.next()?);
    Some(Reason::new(
        format!(
            "it holds several models, each in a file of its own, such as `{}` and `{}`",
            name(&first),
            name(&second)
        ),
        format!("name one of them, as `{}`", first.display()),
    ))
}

/// The files of models in a folder, in the order of their names.
fn files_in(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter().filter(|path| is_model(path))
}

/// Whether a path ends as that of such a file does.
pub(super) fn is_called_so(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == ENDING)
}

fn is_model(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    is_called_so(path) && !stem.ends_with(REGRESSION) && is_torch(path)
}

/// Whether a file with another name is such a file by what it holds.
fn says_its_model(path: &Path) -> bool {
    if !is_torch(path) {
        return false;
    }
    let checkpoint = Checkpoint::open(path.to_path_buf());
    let has = |said: &Value| said.get("cfg").or(said.get("args")).is_some();
    checkpoint.is_ok_and(|checkpoint| checkpoint.arguments().is_some_and(has))
}

fn is_torch(path: &Path) -> bool {
    let kinds = [Some(Foreign::TorchArchive), Some(Foreign::Pickle)];
    kinds.contains(&Foreign::at(path))
}

/// The model's name for people.
pub(super) fn name(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

/// The file beside that of a model which predicts contacts, whether it is there or not.
pub(super) fn regression(file: &Path) -> PathBuf {
    file.with_file_name(format!("{}{REGRESSION}.{ENDING}", name(file)))
}

/// Opens a file, and reads what model it holds.
///
/// # Errors
/// If it is broken, or holds anything else than an ESM-2.
pub(super) fn open(file: &Path) -> Result<(Config, Checkpoint), ModelError> {
    let bad = |reason: Reason| ModelError::BadFile {
        path: file.to_path_buf(),
        reason,
    };
    // Its files need OmegaConf, so that none can be opened here.
    if name(file).starts_with("esmfold_") {
        return Err(bad(ESMFOLD.into()));
    }
    let checkpoint = Checkpoint::open(file.to_path_buf())?;
    let arguments = arguments(&checkpoint).map_err(bad)?;
    let config = config(&arguments).map_err(|reasons| ModelError::Config {
        path: file.to_path_buf(),
        reasons,
    })?;
    check_output(&checkpoint)?;
    Ok((config, checkpoint))
}

/// What the file says of its model.
fn arguments(checkpoint: &Checkpoint) -> Result<Map<String, Json>, Reason> {
    let has = |part: &str| checkpoint.names().any(|name| name.contains(part));
    if has("trunk.") {
        return Err(ESMFOLD.into());
    }
    let said = checkpoint.arguments();
    let get = |name: &str| said.and_then(|said| said.get(name));
    if let Some(model @ Value::Map(_)) = get("cfg").and_then(|cfg| cfg.get("model")) {
        if has("embed_positions") {
            return Err("its positions are learned and not rotary, so it is no ESM-2".into());
        }
        return Ok(plain(model));
    }
    let Some(arch) = get("args").and_then(|args| args.get("arch")?.as_text()) else {
        return Err(Reason::new(
            "it has tensors, but does not say what model they are of, as the files of fair-esm do",
            "if the names of its tensors are those of HF transformers, put it into a folder as \
             `pytorch_model.bin`, with its `config.json`, and name the folder",
        ));
    };
    let known = OTHERS.iter().find(|(part, _)| arch.contains(part));
    Err(match known {
        Some((_, why)) => Reason::from(*why),
        None => format!("its architecture is `{arch}`, which is not that of ESM-2").into(),
    })
}

/// The entries of a map that have names.
fn plain(map: &Value) -> Map<String, Json> {
    let Value::Map(entries) = map else {
        return Map::new();
    };
    // The first of several entries of one name counts.
    let entries = entries.iter().rev().filter_map(|(key, value)| {
        let value = match value {
            Value::None => Json::Null,
            Value::Bool(flag) => Json::from(*flag),
            Value::Int(number) => Json::from(*number),
            Value::Float(number) => Json::from(*number),
            Value::Text(text) => Json::from(text.as_str()),
            Value::List(_) | Value::Map(_) => Json::from("a list or a map"),
            Value::Other(what) => Json::from(*what),
        };
        Some((key.as_text()?.to_owned(), value))
    });
    entries.collect()
}

/// The configuration, or all the reasons why there is none.
fn config(arguments: &Map<String, Json>) -> Result<Config, Vec<String>> {
    let mut keys = Keys::new(arguments);
    let hidden_size = keys.size("encoder_embed_dim", MOST_HIDDEN);
    let config = Config {
        hidden_size,
        n_layers: keys.size("encoder_layers", MOST_LAYERS),
        n_heads: keys.size("encoder_attention_heads", MOST_HIDDEN),
        intermediate_size: WIDTHS_OF_FEED_FORWARD * hidden_size,
        layer_norm_epsilon: LAYER_NORM_EPSILON,
        token_dropout: keys.flag("token_dropout"),
        rope_theta: ROPE_THETA,
        is_decoder_tied: true,
    };
    keys.require("token_dropout");
    keys.check_heads(&config, ["encoder_embed_dim", "encoder_attention_heads"]);
    keys.end(config)
}

/// Checks that the output layer is the embeddings: fair-esm has one tensor for both, and takes it from there.
fn check_output(checkpoint: &Checkpoint) -> Result<(), ModelError> {
    let find = |wanted: &str| {
        let mut names = checkpoint.names();
        names.find(|name| prefix_of(name, wanted).is_some())
    };
    let naming = Naming::FairEsm;
    let found = (find(naming.output()), find(&naming.of(EMBEDDINGS)));
    let (Some(output), Some(embeddings)) = found else {
        return Ok(());
    };
    let bits = |name: &str| -> Result<Vec<u32>, ModelError> {
        let stored = checkpoint.get(name).expect("the name is one of the file's");
        let values = checkpoint.read(stored)?;
        Ok(values.into_iter().map(f32::to_bits).collect())
    };
    if bits(output)? == bits(embeddings)? {
        return Ok(());
    }
    Err(ModelError::BadFile {
        path: checkpoint.path.clone(),
        reason: format!("`{output}` and `{embeddings}` differ, which are one tensor in an ESM-2")
            .into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(arguments: Json) -> Result<Config, Vec<String>> {
        config(arguments.as_object().expect("a map"))
    }

    #[test]
    fn configurations_of_fair_esm() {
        let good = json!({ "encoder_layers": 6, "encoder_embed_dim": 320, "encoder_attention_heads": 20,
            "token_dropout": true, "encoder_ffn_embed_dim": 1280, "tpu": false, "seed": "a list or a map" });
        let config = of(good.clone()).expect("an ESM-2");
        assert_eq!(
            (config.n_layers, config.head_dim(), config.intermediate_size),
            (6, 16, 1280)
        );
        let check = |key: &str, value: Json, expect: &str| {
            let mut bad = good.clone();
            bad[key] = value;
            let reasons = of(bad).expect_err("must be refused").join("; ");
            assert!(reasons.contains(expect), "{reasons}");
        };
        check("encoder_layers", json!(null), "`encoder_layers` is missing");
        check("encoder_layers", json!(5000), "1024 is the most");
        check("encoder_embed_dim", json!(-1), "not a whole number above 0");
        check(
            "encoder_attention_heads",
            json!(7),
            "`encoder_embed_dim` 320 is not a multiple of `encoder_attention_heads` 7",
        );
        check(
            "encoder_attention_heads",
            json!(320),
            "heads of dimension 1 cannot be rotated",
        );
        check("token_dropout", json!(null), "`token_dropout` is missing");
        check("token_dropout", json!(0.5), "not true or false");
    }

    #[test]
    fn a_file_is_told_from_its_folder() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        let put = |name: &str| fs::write(at(name), b"PK\x03\x04").expect("written");
        assert_eq!(file_at(folder.path()), None);
        put("esm2_t6_8M_UR50D-contact-regression.pt");
        assert_eq!(file_at(folder.path()), None);
        put("esm2_t6_8M_UR50D.pt");
        fs::write(at("notes.pt"), "text").expect("written");
        let file = at("esm2_t6_8M_UR50D.pt");
        assert_eq!(file_at(folder.path()), Some(file.clone()));
        assert_eq!(file_at(&file), Some(file.clone()));
        assert_eq!(name(&file), "esm2_t6_8M_UR50D");
        assert_eq!(
            regression(&file),
            at("esm2_t6_8M_UR50D-contact-regression.pt")
        );
        for other in ["notes.pt", "esm2_t6_8M_UR50D-contact-regression.pt"] {
            assert_eq!(file_at(&at(other)), None, "{other}");
        }
        put("other.pt");
        assert_eq!(file_at(folder.path()), None, "which one?");
        let reason = several_in(folder.path()).expect("two").text;
        assert!(
            reason.contains("`esm2_t6_8M_UR50D` and `other`"),
            "{reason}"
        );
        fs::remove_file(at("other.pt")).expect("removed");
        put("config.json");
        assert_eq!(file_at(folder.path()), None, "a folder of HF's");
    }
}
