//! What the files of a model are called, and how large the small ones may be.

/// What a model is described by.
pub(super) const CONFIG: &str = "config.json";
/// Its alphabet.
pub(super) const VOCABULARY: &str = "vocab.txt";
/// What an adapter is described by, which changes another model.
pub(super) const ADAPTER_CONFIG: &str = "adapter_config.json";

/// What files of weights in one format are called.
pub(super) struct WeightsNames {
    /// The only file.
    pub(super) single: &'static str,
    /// The list of several.
    pub(super) index: &'static str,
    /// How the names of several begin.
    pub(super) part: &'static str,
    /// How names of such files end that people choose.
    pub(super) endings: &'static [&'static str],
}

/// What is read, the best first: safetensors where there are both.
pub(super) const WEIGHTS: [WeightsNames; 2] = [SAFETENSORS, TORCH];
/// What is written, too.
pub(super) const SAFETENSORS: WeightsNames = WeightsNames {
    single: "model.safetensors",
    index: "model.safetensors.index.json",
    part: "model-",
    endings: &[".safetensors"],
};
const TORCH: WeightsNames = WeightsNames {
    single: "pytorch_model.bin",
    index: "pytorch_model.bin.index.json",
    part: "pytorch_model-",
    endings: &[".bin", ".pt", ".pth", ".ckpt"],
};
/// The files of weights that PEFT writes. The first that is there is taken.
pub(super) const ADAPTER_WEIGHTS: [&str; 2] = ["adapter_model.safetensors", "adapter_model.bin"];

/// The most bytes of a list of files, or of what an adapter is described by: the list of a model of 15B parameters has
/// 100 kB, and so has an adapter of all linear layers, each with a rank of its own.
pub(super) const MOST_INDEX_BYTES: u64 = 16 << 20;
