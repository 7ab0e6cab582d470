//! Files that import each other in a circle: none of them can be read, or changed, without the others.

use super::scan::{blank, paths};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// The path of a module, such as `["fasta", "unit"]`; that of a folder is its `mod.rs`.
type ModulePath = Vec<String>;

/// What a file says of others.
struct Module {
    /// The names that it passes on by `pub use`, and where from.
    exports: BTreeMap<String, Vec<String>>,
    /// Everything else that it names.
    named: Vec<Vec<String>>,
}

/// The circles of some files, which are given by their paths below `src/` and their code.
///
/// A file that names its own folder, or one further up, names a part of itself: that is no import.
pub fn circles(files: &[(&Path, String)]) -> Vec<String> {
    let modules: BTreeMap<ModulePath, Module> = files
        .iter()
        .map(|(path, code)| (module_path(path), Module::new(code)))
        .collect();
    let imports: BTreeMap<&ModulePath, BTreeSet<ModulePath>> = modules
        .iter()
        .map(|(path, module)| {
            let named = module.named.iter();
            let targets = named.filter_map(|name| resolve(&modules, path, name));
            (path, targets.filter(|to| !path.starts_with(to)).collect())
        })
        .collect();
    let reached: BTreeMap<&ModulePath, BTreeSet<&ModulePath>> = modules
        .keys()
        .map(|path| (path, reachable(&imports, path)))
        .collect();
    let mut found = BTreeSet::new();
    for (path, others) in &reached {
        let circle: Vec<_> = others
            .iter()
            .filter(|other| reached[**other].contains(*path))
            .map(|other| other.join("/"))
            .collect();
        if !circle.is_empty() {
            found.insert(circle.join(", "));
        }
    }
    found.into_iter().collect()
}

impl Module {
    fn new(code: &str) -> Self {
        let mut rest = code.to_owned();
        let mut exports = BTreeMap::new();
        let mut start = 0;
        for line in code.split_inclusive('\n') {
            let text = line.trim_start();
            if text.starts_with("pub") && text.contains(" use ") {
                let end = code[start..].find(';').map_or(code.len(), |n| start + n);
                for path in paths(&code[start..end]) {
                    exports.extend(path.last().cloned().map(|name| (name, path)));
                }
                rest.replace_range(start..end, &blank(&code[start..end]));
            }
            start += line.len();
        }
        Self {
            exports,
            named: paths(&rest),
        }
    }
}

fn module_path(path: &Path) -> ModulePath {
    let path = path.with_extension("");
    let mut names: Vec<_> = path
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.pop_if(|last| ["mod", "lib", "main"].contains(&last.as_str()));
    names
}

/// The module that `path` leads to, as seen from the module `from`, if it is one of the crate.
fn resolve(
    modules: &BTreeMap<ModulePath, Module>,
    from: &ModulePath,
    path: &[String],
) -> Option<ModulePath> {
    let mut at = from.clone();
    let mut rest = path;
    match rest[0].as_str() {
        "crate" => {
            at.clear();
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|name| name == "super") {
                at.pop();
                rest = &rest[1..];
            }
        }
        name => {
            let child = [from.as_slice(), &[name.to_owned()]].concat();
            modules.get(&child)?;
        }
    }
    while let Some(name) = rest.first() {
        let child = [at.as_slice(), std::slice::from_ref(name)].concat();
        if modules.contains_key(&child) {
            at = child;
            rest = &rest[1..];
            continue;
        }
        let exported = modules.get(&at).and_then(|module| module.exports.get(name));
        let passed_on = exported.and_then(|path| resolve(modules, &at, path));
        return Some(passed_on.unwrap_or(at));
    }
    Some(at)
}

/// The modules that are imported from `path`, directly or through others.
fn reachable<'a>(
    imports: &'a BTreeMap<&ModulePath, BTreeSet<ModulePath>>,
    path: &ModulePath,
) -> BTreeSet<&'a ModulePath> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![path];
    while let Some(next) = waiting.pop() {
        for to in imports.get(next).into_iter().flatten() {
            if reached.insert(to) {
                waiting.push(to);
            }
        }
    }
    reached
}

#[test]
fn circles_are_found() {
    let check = |files: &[(&str, &str)], expect: &[&str]| {
        let files: Vec<_> = files
            .iter()
            .map(|(path, code)| (Path::new(path), (*code).to_owned()))
            .collect();
        assert_eq!(circles(&files), expect, "{files:?}");
    };
    check(
        &[
            ("room/mod.rs", "mod a;\n"),
            ("room/a.rs", "use super::b::B;\n"),
            ("room/b.rs", "use crate::room::a::{A, C};\n"),
            ("room/c.rs", "use super::a::A;\n"),
        ],
        &["room/a, room/b"],
    );
    // Through what the room passes on, and through a third file.
    check(
        &[
            (
                "room/mod.rs",
                "mod a;\npub(super) use a::{A, B};\nuse c::C;\n",
            ),
            ("room/a.rs", "fn f() { super::c::g(); }\n"),
            ("room/b.rs", "use super::A;\n"),
            ("room/c.rs", "use super::{\n    b::B,\n    d,\n};\n"),
        ],
        &["room/a, room/b, room/c"],
    );
    // What belongs to the room is no import.
    check(
        &[
            ("room/mod.rs", "pub use a::A;\nuse a::B;\nstruct Room;\n"),
            ("room/a.rs", "use super::Room;\n"),
            ("room/in/deep.rs", "use super::super::Room;\n"),
            ("other.rs", "use crate::room::A;\n"),
        ],
        &[],
    );
}
