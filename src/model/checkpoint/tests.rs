use super::*;
use std::{fs, os::unix::fs::FileExt, path::Path};

fn golden(file: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/torch");
    folder.join(file)
}

#[test]
fn what_a_training_loop_saved_beside_its_tensors_is_plain_data() {
    let checkpoint = Checkpoint::open(golden("training.bin")).expect("opened");
    assert!(
        checkpoint
            .names()
            .all(|name| name.starts_with("module.esm."))
    );
    let said = checkpoint.arguments().expect("arguments");
    let arguments = said.get("args").expect("args");
    assert_eq!(said.get("epoch"), Some(&Value::Int(3)));
    assert_eq!(arguments.get("lr"), Some(&Value::Float(1e-4)));
    assert_eq!(arguments.get("name").and_then(Value::as_text), Some("tiny"));
    let layers = Value::List(vec![Value::Int(1), Value::Int(2)]);
    assert_eq!(arguments.get("layers"), Some(&layers));
    assert_eq!(said.get("model_state_dict"), Some(&Value::Other("tensors")));
    assert_eq!(said.get("loss"), Some(&Value::Other("a tensor")));
    let plain = Checkpoint::open(golden("plain.bin")).expect("opened");
    assert_eq!(plain.arguments(), None);
}

#[test]
fn formats_of_numbers_have_the_names_of_safetensors() {
    let plain = Checkpoint::open(golden("plain.bin")).expect("opened");
    let check = |name: &str, format: &str, shape: &[usize]| {
        let stored = plain.get(name).expect("stored");
        assert_eq!(
            (stored.format.to_string().as_str(), &*stored.shape),
            (format, shape)
        );
    };
    check("esm.embeddings.position_ids", "I64", &[1, 8]);
    check("lm_head.steps", "U16", &[]);
    check("lm_head.decoder.weight", "F32", &[33, 32]);
    let steps = plain.get("lm_head.steps").expect("stored");
    let error = plain.read(steps).expect_err("no weight").to_string();
    assert!(
        error.contains("plain.bin` is not") && error.contains("U16"),
        "{error}"
    );
}

/// A dictionary whose entries are all the same one, which is as large and holds no tensor.
#[test]
fn a_dictionary_that_stands_in_many_places_is_looked_through_once() {
    const ENTRIES: usize = 500_000;
    let entries = |value: &[u8]| [b"h\0", value, b"s"].concat().repeat(ENTRIES);
    let inner = [b"}q\x01".to_vec(), entries(b"N")].concat();
    let outer = [b"}".to_vec(), entries(b"h\x01"), b".".to_vec()].concat();
    let pickle = [b"\x80\x02X\x01\0\0\0aq\0".to_vec(), inner, outer].concat();
    let heap = pickle::read(&mut pickle::Input::new(&*pickle))
        .ok()
        .expect("a good pickle");
    let found = state::contents(&heap, |_| unreachable!("there is no storage"));
    let found = found.ok().expect("a dictionary without tensors");
    assert!(found.tensors.is_empty());
}

/// A file of PyTorch in the way that it saves where it is told to compute no checksums.
fn without_checksums(mut bytes: Vec<u8>) -> Vec<u8> {
    let is_listed = |at: &usize| bytes[*at..].starts_with(b"PK\x01\x02");
    let listed: Vec<_> = (0..bytes.len()).filter(is_listed).collect();
    for at in listed {
        bytes[at + 16..at + 20].fill(0);
    }
    bytes
}

/// Opens a file of these bytes.
fn opened(bytes: &[u8]) -> Result<Checkpoint, String> {
    let copy = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(copy.path(), bytes).expect("written");
    let told = |error: ModelError| crate::hint::Hint::in_full(&error);
    Checkpoint::open(copy.path().to_path_buf()).map_err(told)
}

/// One other bit is enough for a good file with another tensor.
#[test]
fn a_pickle_with_another_bit_is_refused_by_its_checksum() {
    const NAME: &[u8] = b"lm_head.decoder.weight";
    let good = fs::read(golden("plain.bin")).expect("read");
    let at = good.windows(NAME.len()).position(|name| name == NAME);
    let mut bytes = good.clone();
    bytes[at.expect("a name") + NAME.len() - 1] ^= 1;
    let error = opened(&bytes).err().expect("refused");
    assert!(
        error.contains("`data.pkl` is damaged") && error.contains("again"),
        "{error}"
    );
    // Nobody can tell where PyTorch wrote none.
    let changed = opened(&without_checksums(bytes)).expect("opened");
    assert!(changed.get("lm_head.decoder.weighu").is_some());
    opened(&without_checksums(good)).expect("opened");
}

#[test]
fn what_is_behind_the_last_tensor_of_safetensors_is_refused() {
    let mut bytes = fs::read(golden("model.safetensors")).expect("read");
    opened(&bytes).expect("opened");
    bytes.extend([0; 7]);
    let error = opened(&bytes).err().expect("refused");
    assert!(error.contains("7 bytes behind its last tensor"), "{error}");
}

/// Good files with a few bytes changed, most of them where a file says what it holds: whatever they say
/// then, they are read or refused.
#[test]
fn damaged_files_are_read_or_refused() {
    const MUTATIONS: usize = 4000;
    // The same ones in each run.
    let mut state = 88_172_645_463_325_252u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for file in [
        "plain.bin",
        "old.bin",
        "protocol_5.bin",
        "views.bin",
        "model.safetensors",
    ] {
        // Checksums would refuse most of what is to be looked at.
        let good = without_checksums(fs::read(golden(file)).expect("read"));
        let copy = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(copy.path(), &good).expect("written");
        let telling = match file {
            // The pickle is at the beginning, the list of entries at the end.
            "old.bin" | "model.safetensors" => vec![0..2000, 2000..4000],
            _ => vec![0..2600, good.len() - 4000..good.len()],
        };
        let (mut n_read, mut n_refused) = (0, 0);
        for _ in 0..MUTATIONS {
            let mut changed = Vec::new();
            for _ in 0..=random(3) {
                let range = &telling[random(telling.len())];
                let at = range.start + random(range.len());
                let byte = match random(3) {
                    0 => random(256) as u8,
                    1 => good[at] ^ (1 << random(8)),
                    // An instruction, or a size, from elsewhere.
                    _ => good[range.start + random(range.len())],
                };
                copy.as_file()
                    .write_all_at(&[byte], at as u64)
                    .expect("written");
                changed.push(at);
            }
            match Checkpoint::open(copy.path().to_path_buf()) {
                Ok(checkpoint) => {
                    n_read += 1;
                    for name in checkpoint.names() {
                        let stored = checkpoint.get(name).expect("stored");
                        let n = stored
                            .shape
                            .iter()
                            .try_fold(1usize, |n, &m| n.checked_mul(m));
                        if n.is_some_and(|n| n < 100_000) {
                            let _ = checkpoint.read(stored);
                        }
                    }
                }
                Err(_) => n_refused += 1,
            }
            for at in changed {
                copy.as_file()
                    .write_all_at(&good[at..=at], at as u64)
                    .expect("written");
            }
        }
        assert!(
            n_read > 100 && n_refused > 100,
            "{file}: {n_read} {n_refused}"
        );
        Checkpoint::open(copy.path().to_path_buf()).expect("as it was");
    }
}
