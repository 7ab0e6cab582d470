//! What a checkpoint of PyTorch holds: a zip archive with a pickle, and an entry for each storage.

use super::{
    CUT_SHORT, Contents, Failure, Reason,
    pickle::{self, Heap, Input, Storage},
    state,
    stored::Region,
};
use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader},
    os::unix::fs::FileExt,
};
use zip::{
    CompressionMethod, ZipArchive,
    read::{ArchiveOffset, Config},
    result::ZipError,
};

/// The entry that says which tensors there are, behind the name of the archive's folder.
const PICKLE: &str = "data.pkl";

/// The checksum of an entry of which PyTorch was told to compute none.
const NOT_COMPUTED: u32 = 0;

/// The entries of an archive, of which each is where it is in the file, byte for byte.
struct Entries<'a> {
    file: &'a File,
    archive: ZipArchive<BufReader<&'a File>>,
    n_bytes: u64,
    /// What stands before the name of each entry, as `pytorch_model/`.
    folder: String,
}

/// Reads what a file of `n_bytes` holds.
pub(super) fn contents(file: &File, n_bytes: u64) -> Result<Contents, Failure> {
    let mut entries = Entries::open(file, n_bytes)?;
    if let Some(order) = entries.read("byteorder")?
        && order != *b"little"
    {
        return Err("its numbers are not in little-endian order".into());
    }
    let heap = entries.pickle()?;
    let mut known = HashMap::new();
    state::contents(&heap, |storage| {
        if let Some(&(start, n_bytes)) = known.get(&storage.key) {
            return checked(Region { start, n_bytes }, storage);
        }
        let name = format!("data/{}", storage.key);
        let Some(region) = entries.find(&name)? else {
            return Err(format!("its numbers, `{name}`, are not in the file").into());
        };
        known.insert(storage.key.clone(), (region.start, region.n_bytes));
        checked(region, storage)
    })
}

/// The part of an entry that a storage says it has.
fn checked(region: Region, storage: &Storage) -> Result<Region, Failure> {
    let wanted = storage.n_numbers.saturating_mul(storage.size as u64);
    if region.n_bytes < wanted {
        let (has, key) = (region.n_bytes, &storage.key);
        return Err(format!("its numbers, `data/{key}`, have {has} bytes of {wanted}").into());
    }
    Ok(Region {
        n_bytes: wanted,
        ..region
    })
}

impl<'a> Entries<'a> {
    fn open(file: &'a File, n_bytes: u64) -> Result<Self, Failure> {
        let config = Config {
            archive_offset: ArchiveOffset::Known(0),
        };
        let archive = ZipArchive::with_config(config, BufReader::new(file)).map_err(broken)?;
        if archive.has_duplicate_names() {
            return Err("two of its entries have the same name".into());
        }
        let suffix = format!("/{PICKLE}");
        let mut folders = Vec::new();
        for name in archive.file_names_raw() {
            let name = std::str::from_utf8(name).ok();
            folders.extend(name.and_then(|name| name.strip_suffix(suffix.as_str())));
        }
        // A folder within the archive's own may hold anything.
        folders.retain(|folder| !folder.contains('/'));
        let [folder] = folders.as_slice() else {
            return Err("it is a zip archive, but not one that PyTorch wrote".into());
        };
        let folder = format!("{folder}/");
        let entries = Self {
            file,
            archive,
            n_bytes,
            folder,
        };
        if entries.index("constants.pkl").is_some() {
            return Err(Reason::new(
                "it is a program of TorchScript, not weights alone",
                "where PyTorch is, save what it holds: `torch.save(torch.jit.load(FILE).state_dict(), \
                 \"pytorch_model.bin\")`",
            )
            .into());
        }
        Ok(entries)
    }

    fn index(&self, name: &str) -> Option<usize> {
        let name = format!("{}{name}", self.folder);
        self.archive.index_for_name_raw(name.as_bytes())
    }

    /// Where an entry's bytes are, if there is such an entry.
    fn find(&mut self, name: &str) -> Result<Option<Region>, Failure> {
        let Some(index) = self.index(name) else {
            return Ok(None);
        };
        let entry = self.archive.by_index_raw(index).map_err(broken)?;
        if entry.compression() != CompressionMethod::Stored
            || entry.encrypted()
            || entry.size() != entry.compressed_size()
        {
            return Err(Reason::new(
                format!("its entry `{name}` is compressed, which PyTorch never does"),
                "it was packed anew: unpack it, and pack it without compression (`zip -0 -r`)",
            )
            .into());
        }
        let start = entry.data_start().unwrap_or(u64::MAX);
        let n_bytes = entry.size();
        match start.checked_add(n_bytes) {
            Some(end) if end <= self.n_bytes => Ok(Some(Region { start, n_bytes })),
            _ => Err(format!("its entry `{name}` reaches beyond its end").into()),
        }
    }

    fn pickle(&mut self) -> Result<Heap, Failure> {
        let pickle = self.read(PICKLE)?.ok_or("it has no `data.pkl`")?;
        pickle::read(&mut Input::new(pickle.as_slice()))
    }

    /// The bytes of a small entry, if there is such an entry. They are those that were written: a pickle in which a
    /// bit is another one can be a good pickle that names another tensor.
    fn read(&mut self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        let Some(region) = self.find(name)? else {
            return Ok(None);
        };
        if region.n_bytes > pickle::MOST_BYTES {
            let most = pickle::MOST_BYTES;
            return Err(format!("its `{name}` has more than {most} bytes").into());
        }
        let mut bytes = vec![0; region.n_bytes as usize];
        self.file
            .read_exact_at(&mut bytes, region.start)
            .map_err(Failure::Io)?;
        let index = self.index(name).expect("it was just found");
        let entry = self.archive.by_index_raw(index).map_err(broken)?;
        let written = entry.crc32();
        if written != NOT_COMPUTED && written != crc32fast::hash(&bytes) {
            let text = format!("its entry `{name}` is damaged: it does not have its checksum");
            return Err(Reason::new(text, "download or copy the file again").into());
        }
        Ok(Some(bytes))
    }
}

fn broken(error: ZipError) -> Failure {
    match error {
        ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => Failure::Io(error),
        error => Reason::new(
            format!("its list of entries is missing or broken: {error}"),
            CUT_SHORT,
        )
        .into(),
    }
}
