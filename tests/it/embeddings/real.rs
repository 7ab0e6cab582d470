//! Trained weights, in the layout in which ESM-2 is published, against HF transformers.
//!
//! `scripts/golden/real_weights.py FOLDER` fetches them, `RUNNER_REAL_WEIGHTS=FOLDER` says where they
//! are, and `scripts/golden/real.py` has made the references.

use super::{
    common::{golden_sequences, load_on, one_batch},
    golden::{Bounds, check_outputs},
};
use runner::job::{DeviceChoice, Dtype, Pooling};
use std::{
    env,
    io::{self, Write},
    path::Path,
};

/// The sequences and the outputs of transformers.
pub const GOLDEN: &str = "tests/golden/real";

/// The folder of the weights, if there is one.
pub fn folder() -> Option<String> {
    let folder = env::var("RUNNER_REAL_WEIGHTS").ok()?;
    assert!(
        Path::new(&folder).is_absolute(),
        "RUNNER_REAL_WEIGHTS is `{folder}`, not an absolute path"
    );
    Some(folder)
}

/// The folder of the weights; where there is none, the test that asks says so.
pub fn folder_or_skip() -> Option<String> {
    let folder = folder();
    if folder.is_none() {
        assert!(
            env::var_os("RUNNER_NEEDS_REAL_WEIGHTS").is_none(),
            "RUNNER_REAL_WEIGHTS does not say where the weights are"
        );
        // Past the harness, which keeps what tests print to itself.
        let said = writeln!(
            io::stderr(),
            "SKIPPED: no trained weights; `python3 scripts/golden/real_weights.py FOLDER` fetches them, \
             and RUNNER_REAL_WEIGHTS=FOLDER names their folder"
        );
        said.expect("standard error is open");
    }
    folder
}

#[test]
fn trained_weights_agree_with_hf_transformers() {
    let Some(folder) = folder_or_skip() else {
        return;
    };
    let bounds = Bounds {
        tolerance: 1e-4,
        least_cosine: 0.999_999,
    };
    let model = load_on(&folder, DeviceChoice::Cpu, Dtype::F32);
    assert_eq!((model.n_layers(), model.hidden_size()), (6, 320));
    check_outputs(GOLDEN, &model, bounds);
}

#[test]
fn trained_weights_are_the_same_as_pytorch_wrote_them() {
    let Some(folder) = folder_or_skip() else {
        return;
    };
    let original = format!("{folder}/torch");
    assert!(
        Path::new(&original).join("pytorch_model.bin").exists(),
        "`{original}` has no weights: `python3 scripts/golden/real_weights.py {folder}` keeps them there"
    );
    let batch = one_batch(&golden_sequences(GOLDEN));
    let bits = |folder: &str| {
        let model = load_on(folder, DeviceChoice::Cpu, Dtype::F32);
        let values = model.encode(&batch, &[0, 3, model.n_layers()], Pooling::Mean);
        let values = values.expect("embeddings");
        values.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
    };
    assert_eq!(bits(&original), bits(&folder));
}
