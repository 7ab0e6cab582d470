//! What a checkpoint of PyTorch before 1.6 holds: five pickles, and the storages one behind the other.

use super::{
    Contents, Failure, cut_short,
    pickle::{self, Heap, Input, Node, Storage},
    state,
    stored::Region,
};
use std::{collections::HashMap, fs::File, io::BufReader, os::unix::fs::FileExt, rc::Rc};

/// The number in the first pickle.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// The number in the second one.
const PROTOCOL: i64 = 1001;

/// Reads what a file of `n_bytes` holds.
pub(super) fn contents(file: &File, n_bytes: u64) -> Result<Contents, Failure> {
    let mut input = Input::new(BufReader::new(file));
    let magic = pickle::read(&mut input)?;
    if !matches!(magic.get(magic.root()), Node::Long(bytes) if **bytes == MAGIC) {
        return Err("it is a pickle of Python, but not one that PyTorch wrote".into());
    }
    let protocol = pickle::read(&mut input)?;
    if !matches!(protocol.get(protocol.root()), Node::Int(PROTOCOL)) {
        return Err("it is of another version of PyTorch's old format".into());
    }
    let system = pickle::read(&mut input)?;
    if !is_little_endian(&system) {
        return Err("its numbers are not in little-endian order".into());
    }
    let heap = pickle::read(&mut input)?;
    let keys = pickle::read(&mut input)?;
    let regions = regions(file, n_bytes, input.n_read(), &heap, &keys)?;
    state::contents(&heap, |storage| match regions.get(&storage.key) {
        Some(&start) => Ok(Region {
            start,
            n_bytes: n_bytes_of(storage),
        }),
        None => Err("its numbers are not in the file".into()),
    })
}

fn is_little_endian(system: &Heap) -> bool {
    let entries = system.dict(system.root()).unwrap_or_default();
    entries.iter().any(|&(key, value)| {
        let is_order = system
            .text(key)
            .is_some_and(|key| &**key == "little_endian");
        is_order && matches!(system.get(value), Node::Bool(true))
    })
}

/// Where each storage begins. Each is a count of numbers, then the numbers, in the order of `keys`.
fn regions(
    file: &File,
    n_bytes: u64,
    mut position: u64,
    heap: &Heap,
    keys: &Heap,
) -> Result<HashMap<Rc<str>, u64>, Failure> {
    let storages = heap.nodes().iter().filter_map(|node| match node {
        Node::Storage(storage) => Some((&storage.key, storage)),
        _ => None,
    });
    let storages: HashMap<_, _> = storages.collect();
    let Node::List(keys_in_order) = keys.get(keys.root()) else {
        return Err("it does not list its storages".into());
    };
    let mut regions = HashMap::new();
    for &key in keys_in_order {
        let storage = keys.text(key).and_then(|key| storages.get(key));
        let Some(storage) = storage else {
            return Err("it lists a storage that nothing is said of".into());
        };
        let end = position.saturating_add(8 + n_bytes_of(storage));
        if end > n_bytes {
            return Err(cut_short(n_bytes, end));
        }
        let mut count = [0; 8];
        file.read_exact_at(&mut count, position)
            .map_err(Failure::Io)?;
        if u64::from_le_bytes(count) != storage.n_numbers {
            return Err("a storage has another size than it is said to have".into());
        }
        regions.insert(storage.key.clone(), position + 8);
        position = end;
    }
    Ok(regions)
}

fn n_bytes_of(storage: &Storage) -> u64 {
    // One that does not fit is larger than any file.
    storage
        .n_numbers
        .saturating_mul(storage.size as u64)
        .min(u64::MAX / 2)
}
