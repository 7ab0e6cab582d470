//! Keeps the house as `src/README.md` describes it: who names whom, which crate is known where, how
//! long a file may be. It reads the sources as text, so it sees every feature and every platform.

mod circles;
mod scan;

use circles::circles;
use scan::{blank, code, paths, test_modules, words};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

/// A module, its floor, and which modules it may name beside those of the ground floor.
type Room = (&'static str, usize, &'static [&'static str]);

/// Every module of the crate. The table stands in `src/README.md`, too.
#[rustfmt::skip]
const HOUSE: &[Room] = &[
    ("alphabet", 0, &["hint"]),
    ("cancel", 0, &[]),
    ("meter", 0, &[]),
    ("event", 0, &["meter"]),
    ("file", 0, &["hint"]),
    ("hdf5", 0, &[]),
    ("hint", 0, &[]),
    ("job", 0, &["alphabet", "file", "hint"]),
    ("paths", 0, &["file", "hint", "job", "meter"]),
    ("queue", 0, &["cancel", "meter"]),
    ("text", 0, &[]),
    ("hub", 1, &[]),
    ("fasta", 1, &[]),
    ("batch", 1, &["fasta"]),
    ("reader", 2, &["fasta"]),
    ("device", 2, &[]),
    ("ops", 2, &["batch", "device"]),
    ("model", 3, &["batch", "device", "hub", "ops"]),
    ("sink", 3, &["batch", "fasta"]),
    ("embeddings", 4, &[]),
    ("error", 4, &["batch", "device", "embeddings", "fasta", "hub", "model", "monitor", "reader", "report", "score", "sink"]),
    ("monitor", 4, &[]),
    ("progress", 4, &[]),
    ("report", 4, &[]),
    ("score", 4, &["embeddings", "fasta", "report"]),
    ("pipeline", 4, &["batch", "device", "error", "fasta", "model", "monitor", "reader", "report", "sink"]),
    ("host", 5, &["batch", "device", "error", "fasta", "hub", "model", "pipeline", "report", "score", "sink"]),
    ("doctor", 5, &["batch", "device", "error", "hub", "model", "monitor"]),
    ("script", 6, &["embeddings", "error", "fasta", "host", "monitor", "progress", "report"]),
    ("signal", 6, &["device", "error"]),
    ("cli", 6, &["device", "doctor", "error", "fasta", "host", "monitor", "pipeline", "progress", "reader", "script", "signal", "sink"]),
];

/// Crates and the only places that may name them.
const OWNERS: &[(&str, &[&str])] = &[
    ("rhai", &["script"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("noodles_bgzf", &["fasta", "score"]),
    ("noodles_fasta", &["fasta"]),
    ("tokio::process", &["reader"]),
    ("flume", &["queue", "reader"]),
    ("burn", &["device", "model", "ops"]),
    ("burn_cubecl", &["ops/cuda"]),
    ("burn_cuda", &["device", "ops/cuda"]),
    ("cubecl", &["device", "ops/cuda"]),
    ("cubecl_common", &["device"]),
    ("cubecl_environment", &["device"]),
    ("cubecl_server", &["device"]),
    ("cudarc", &["device", "ops/cuda"]),
    ("safetensors", &["model"]),
    ("zip", &["model"]),
    ("arrow_array", &["embeddings", "report", "sink"]),
    ("arrow_ipc", &["embeddings", "sink"]),
    ("arrow_schema", &["embeddings", "report", "sink"]),
    ("parquet", &["embeddings", "report", "sink"]),
    ("csv", &["monitor", "report", "score"]),
    ("minijinja", &["report"]),
    ("nvml_wrapper", &["monitor"]),
    ("procfs", &["monitor", "signal"]),
    ("indicatif", &["progress"]),
    ("sha2", &["hub", "sink"]),
    ("ureq", &["hub"]),
];

/// The only places with `unsafe` code, each piece with a word on why it is sound.
const UNSAFE: &[&str] = &["device", "ops/cuda"];

/// Lines in the longest file.
const MAX_LINES: usize = 450;

/// A source file.
struct Source {
    /// Its path below `src/`.
    path: PathBuf,
    text: String,
    /// The text with blanks in place of comments and literals.
    code: String,
    /// Where modules for tests are in the code.
    tests: Vec<Range<usize>>,
}

impl Source {
    fn read(root: &Path, path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let code = code(&text);
        Self {
            path: path.strip_prefix(root).unwrap().to_owned(),
            tests: test_modules(&code),
            code,
            text,
        }
    }

    /// The module that the file belongs to.
    fn module(&self) -> String {
        let first = self.path.iter().next().unwrap();
        Path::new(first)
            .file_stem()
            .unwrap()
            .to_string_lossy()
            .into_owned()
    }

    fn is_in(&self, places: &[&str]) -> bool {
        let path = self.path.with_extension("");
        places.iter().any(|place| path.starts_with(place))
    }

    /// Whether the whole file is for tests.
    fn is_test(&self) -> bool {
        self.path.ends_with("tests.rs") || self.path.iter().any(|part| part == "tests")
    }

    /// The code that is part of the program.
    fn program_code(&self) -> String {
        if self.is_test() {
            return String::new();
        }
        let mut code = self.code.clone();
        for range in &self.tests {
            code.replace_range(range.clone(), &blank(&self.code[range.clone()]));
        }
        code
    }

    /// The modules of the crate that the file names, by `crate::` or by climbing to the top.
    fn named_modules(&self) -> BTreeSet<String> {
        let is_root = self.path.ends_with("mod.rs");
        let depth = self.path.iter().count() - usize::from(is_root);
        let below = |n_segments: usize, path: &Vec<String>| path.get(n_segments).cloned();
        let from_root = paths(&self.code)
            .into_iter()
            .filter(|path| path[0] == "crate");
        let climbing = paths(&self.program_code()).into_iter().filter(|path| {
            let n_supers = path
                .iter()
                .take_while(|segment| *segment == "super")
                .count();
            n_supers == depth
        });
        from_root
            .filter_map(|path| below(1, &path))
            .chain(climbing.filter_map(|path| below(depth, &path)))
            .filter(|name| HOUSE.iter().any(|(module, ..)| module == name))
            .filter(|name| *name != self.module())
            .collect()
    }
}

#[test]
fn the_table_has_every_module() {
    let found: BTreeSet<_> = sources().iter().map(Source::module).collect();
    let crate_roots = ["lib", "main"].map(str::to_owned);
    let expected = HOUSE.iter().map(|(module, ..)| module.to_string());
    assert_eq!(found, expected.chain(crate_roots).collect());
}

#[test]
fn modules_name_only_those_that_they_may() {
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(&(module, _, may_name)) = HOUSE.iter().find(|room| room.0 == source.module())
        else {
            continue;
        };
        for named in source.named_modules() {
            let is_ground = floor(&named) == 0 && floor(module) > 0;
            if !is_ground && !may_name.contains(&named.as_str()) {
                wrong.push(format!(
                    "{}: {module} may not name {named}",
                    source.path.display()
                ));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn nobody_may_name_a_higher_floor() {
    for &(module, module_floor, may_name) in HOUSE {
        for named in may_name {
            assert!(floor(named) <= module_floor, "{module} may name {named}");
        }
    }
}

#[test]
fn files_do_not_import_each_other_in_a_circle() {
    let sources = sources();
    let files: Vec<_> = sources
        .iter()
        .map(|source| (source.path.as_path(), source.program_code()))
        .collect();
    assert_eq!(circles(&files), [""; 0]);
}

#[test]
fn the_map_shows_the_table() {
    let map = fs::read_to_string(root().join("README.md")).unwrap();
    let list = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    for (module, floor, may_name) in HOUSE {
        let row = format!("| `{module}` | {floor} | {} |", list(may_name));
        assert!(map.contains(&row), "src/README.md lacks {row}");
    }
    for (name, places) in OWNERS {
        let row = format!("| `{name}` | {} |", list(places));
        assert!(map.contains(&row), "src/README.md lacks {row}");
    }
}

#[test]
fn the_map_shows_every_file() {
    let map = fs::read_to_string(root().join("README.md")).unwrap();
    let lost: Vec<_> = sources()
        .iter()
        .filter(|source| !source.path.ends_with("mod.rs") && !source.is_test())
        .map(|source| source.path.display().to_string())
        .filter(|path| !map.contains(&format!("| `{path}` |")))
        .collect();
    assert_eq!(lost, [""; 0], "src/README.md lacks these");
    let rows = map
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let gone: Vec<_> = rows
        .filter(|path| path.ends_with(".rs") && !root().join(path).exists())
        .collect();
    assert_eq!(gone, [""; 0], "src/README.md has these, which are gone");
}

#[test]
fn crates_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for source in sources() {
        let named = paths(&source.code);
        for (name, places) in OWNERS {
            let segments: Vec<_> = name.split("::").collect();
            let is_named = named.iter().any(|path| {
                path.len() >= segments.len() && path.iter().zip(&segments).all(|(a, b)| a == b)
            });
            if is_named && !source.is_in(places) {
                wrong.push(format!("{} names {name}", source.path.display()));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn unsafe_code_is_confined_and_argued() {
    let mut wrong = Vec::new();
    for source in sources() {
        let lines: Vec<_> = source.text.lines().collect();
        for (number, line) in source.code.lines().enumerate() {
            if !words(line).any(|word| word == "unsafe") {
                continue;
            }
            let is_remark = |line: &&&str| {
                let line = line.trim_start();
                line.starts_with("//") || line.starts_with("#[")
            };
            let mut remarks = lines[..number].iter().rev().take_while(is_remark);
            let is_argued =
                remarks.any(|line| line.contains("SAFETY:") || line.contains("# Safety"));
            if !source.is_in(UNSAFE) || !is_argued {
                wrong.push(format!("{}:{}", source.path.display(), number + 1));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn files_are_short_and_do_not_unwrap() {
    let mut wrong = Vec::new();
    for source in sources() {
        let n_lines = source.text.lines().count();
        if n_lines > MAX_LINES {
            wrong.push(format!("{} has {n_lines} lines", source.path.display()));
        }
        if source.program_code().contains(".unwrap()") {
            wrong.push(format!("{} unwraps outside tests", source.path.display()));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file.
fn sources() -> Vec<Source> {
    let root = root();
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(Source::read(&root, &path));
            }
        }
    }
    assert!(sources.len() > HOUSE.len());
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn floor(module: &str) -> usize {
    let floors: BTreeMap<_, _> = HOUSE
        .iter()
        .map(|(module, floor, _)| (*module, *floor))
        .collect();
    floors[module]
}
