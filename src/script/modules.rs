//! `import`: modules beside the script, then the ones that ship with the program.

use super::{
    failure::{RhaiResultOf, raise_error},
    session::Session,
    source::{self, Sources},
};
use crate::{file::destination, job::Problems, paths::Role};
use rhai::{Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};
use std::{
    cell::RefCell,
    collections::HashMap,
    path::{Path, PathBuf},
};

/// The modules that ship with the program, by the name to import. They are part of the binary, so
/// that it can be copied anywhere.
pub(super) const SHIPPED: [(&str, &str); 2] = [
    (
        "neighbours",
        include_str!("../../scripts/lib/neighbours.rhai"),
    ),
    ("grid", include_str!("../../scripts/lib/grid.rhai")),
];

/// More modules than this are imported by mistake.
const MOST_MODULES: usize = 1_000;
/// Modules may import each other this deep.
const MOST_NESTED: usize = 64;

/// Finds modules. Unlike Rhai's own file resolver it keeps every text for diagnostics, knows modules
/// by where their paths lead, and falls back to [`SHIPPED`].
pub(super) struct Modules {
    session: Session,
    sources: Sources,
    /// Names that a module's text may use without defining them.
    constants: Scope<'static>,
    loaded: RefCell<HashMap<PathBuf, Shared<Module>>>,
    /// The modules that are being evaluated, the innermost last.
    loading: RefCell<Vec<PathBuf>>,
}

/// A module that was found.
struct Found {
    /// Where its path leads, so that a module with two paths is one.
    place: PathBuf,
    /// The name by which errors refer to it.
    name: String,
    text: String,
}

impl Modules {
    pub(super) fn new(session: Session, sources: Sources, constants: Scope<'static>) -> Self {
        Self {
            session,
            sources,
            constants,
            loaded: RefCell::default(),
            loading: RefCell::default(),
        }
    }

    /// The module that `importer` means by `path`.
    fn find(&self, importer: Option<&str>, path: &str, position: Position) -> RhaiResultOf<Found> {
        let file = file_beside(importer, path);
        match source::read_module(&file) {
            Ok(text) => {
                let known = self.session.files().read(Role::Module, &file);
                known.map_err(|problems| raised(problems, position))?;
                Ok(Found {
                    place: destination(&file),
                    name: file.to_string_lossy().into_owned(),
                    text,
                })
            }
            Err(unreadable) if unreadable.is_missing => SHIPPED
                .iter()
                .find(|(name, _)| *name == path)
                .map(|(name, text)| {
                    let name = format!("<runner>/{name}.rhai");
                    Found {
                        place: PathBuf::from(&name),
                        name,
                        text: (*text).to_owned(),
                    }
                })
                .ok_or_else(|| {
                    EvalAltResult::ErrorModuleNotFound(path.to_owned(), position).into()
                }),
            Err(unreadable) => {
                let message = format!("the module `{}` {}", file.display(), unreadable.message);
                Err(refused(&message, unreadable.hint, position))
            }
        }
    }

    /// Refuses a module that imports itself, and more modules than anyone means to import.
    fn check(&self, found: &Found, path: &str, position: Position) -> RhaiResultOf<()> {
        let loading = self.loading.borrow();
        let message = if loading.contains(&found.place) {
            format!("the module `{path}` imports itself, directly or through others")
        } else if loading.len() >= MOST_NESTED {
            format!("modules import each other more than {MOST_NESTED} levels deep")
        } else if self.loaded.borrow().len() >= MOST_MODULES {
            format!("the script imports more than {MOST_MODULES} modules")
        } else {
            return Ok(());
        };
        Err(refused(&message, None, position))
    }

    fn evaluate(&self, engine: &Engine, name: &str, text: &str) -> RhaiResultOf<Shared<Module>> {
        let mut ast = engine.compile_with_scope(&self.constants, text)?;
        ast.set_source(name);
        Module::eval_ast_as_new(Scope::new(), &ast, engine).map(Shared::from)
    }
}

impl ModuleResolver for Modules {
    fn resolve(
        &self,
        engine: &Engine,
        importer: Option<&str>,
        path: &str,
        position: Position,
    ) -> RhaiResultOf<Shared<Module>> {
        let found = self.find(importer, path, position)?;
        if let Some(module) = self.loaded.borrow().get(&found.place) {
            return Ok(module.clone());
        }
        self.check(&found, path, position)?;
        let Found { place, name, text } = found;
        self.sources.add(&name, &text);
        self.loading.borrow_mut().push(place.clone());
        let module = self.evaluate(engine, &name, &text);
        self.loading.borrow_mut().pop();
        let module = module.map_err(|error| match *error {
            // A request to stop must not become an error that a script can catch.
            EvalAltResult::ErrorTerminated(..) => error,
            _ => EvalAltResult::ErrorInModule(name.clone(), error, position).into(),
        })?;
        self.loaded.borrow_mut().insert(place, module.clone());
        Ok(module)
    }
}

fn refused(message: &str, hint: Option<String>, position: Position) -> Box<EvalAltResult> {
    raised(Problems::one(message, hint), position)
}

fn raised(problems: Problems, position: Position) -> Box<EvalAltResult> {
    let mut error = raise_error(problems.into());
    error.set_position(position);
    error
}

/// The file that `importer` means by `path`: relative to the importer's folder, with the ending
/// that scripts have.
pub(super) fn file_beside(importer: Option<&str>, path: &str) -> PathBuf {
    let folder = importer
        .map(Path::new)
        .and_then(Path::parent)
        .unwrap_or(Path::new(""));
    let mut file = folder.join(path);
    if file.extension().is_none_or(|ending| ending != "rhai") {
        let mut name = file.into_os_string();
        name.push(".rhai");
        file = PathBuf::from(name);
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_lie_beside_their_importer() {
        let check = |importer: Option<&str>, path: &str, expect: &str| {
            assert_eq!(file_beside(importer, path), Path::new(expect));
        };
        check(Some("jobs/a.rhai"), "grid", "jobs/grid.rhai");
        check(Some("a.rhai"), "grid.rhai", "grid.rhai");
        check(Some("jobs/a.rhai"), "lib/v1.2", "jobs/lib/v1.2.rhai");
        check(Some("jobs/a.rhai"), "/opt/grid", "/opt/grid.rhai");
        check(None, "grid", "grid.rhai");
    }
}
