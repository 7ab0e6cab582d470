//! `import`: modules beside the script, then the ones that ship with the program.

use super::source::Sources;
use rhai::{Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};
use std::{
    cell::RefCell,
    collections::HashMap,
    path::{Path, PathBuf},
};

type RhaiResultOf<T> = Result<T, Box<EvalAltResult>>;

/// The modules that ship with the program, by the name to import. They are part of the binary, so
/// that it can be copied anywhere.
pub(super) const SHIPPED: [(&str, &str); 2] = [
    (
        "neighbours",
        include_str!("../../scripts/lib/neighbours.rhai"),
    ),
    ("grid", include_str!("../../scripts/lib/grid.rhai")),
];

/// Finds modules. Unlike Rhai's own file resolver it keeps every text for diagnostics, names
/// modules by their whole path, and falls back to [`SHIPPED`].
pub(super) struct Modules {
    sources: Sources,
    /// Names that a module's text may use without defining them.
    constants: Scope<'static>,
    loaded: RefCell<HashMap<String, Shared<Module>>>,
    /// Names of the modules that are being evaluated, the innermost last.
    loading: RefCell<Vec<String>>,
}

impl Modules {
    pub(super) fn new(sources: Sources, constants: Scope<'static>) -> Self {
        Self {
            sources,
            constants,
            loaded: RefCell::default(),
            loading: RefCell::default(),
        }
    }

    /// The name and the text of the module that `importer` means by `path`.
    fn find(
        importer: Option<&str>,
        path: &str,
        position: Position,
    ) -> RhaiResultOf<(String, String)> {
        let file = file_beside(importer, path);
        match std::fs::read_to_string(&file) {
            Ok(text) => Ok((file.to_string_lossy().into_owned(), text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => SHIPPED
                .iter()
                .find(|(name, _)| *name == path)
                .map(|(name, text)| (format!("<runner>/{name}.rhai"), (*text).to_owned()))
                .ok_or_else(|| {
                    EvalAltResult::ErrorModuleNotFound(path.to_owned(), position).into()
                }),
            Err(error) => {
                let message = format!("`{}` cannot be read: {error}", file.display());
                Err(EvalAltResult::ErrorRuntime(message.into(), position).into())
            }
        }
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
        let (name, text) = Self::find(importer, path, position)?;
        if let Some(module) = self.loaded.borrow().get(&name) {
            return Ok(module.clone());
        }
        if self.loading.borrow().contains(&name) {
            let message = format!("the module `{path}` imports itself, directly or through others");
            return Err(EvalAltResult::ErrorRuntime(message.into(), position).into());
        }
        self.sources.add(&name, &text);
        self.loading.borrow_mut().push(name.clone());
        let module = self.evaluate(engine, &name, &text);
        self.loading.borrow_mut().pop();
        let module = module.map_err(|error| match *error {
            // A request to stop must not become an error that a script can catch.
            EvalAltResult::ErrorTerminated(..) => error,
            _ => EvalAltResult::ErrorInModule(name.clone(), error, position).into(),
        })?;
        self.loaded.borrow_mut().insert(name, module.clone());
        Ok(module)
    }
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
