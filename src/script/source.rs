//! The texts of a script and of the modules that it imports, for diagnostics.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

/// Texts by the name under which errors refer to them. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Sources(Rc<RefCell<BTreeMap<String, Rc<str>>>>);

impl Sources {
    pub(super) fn add(&self, name: &str, text: &str) {
        self.0.borrow_mut().insert(name.to_owned(), text.into());
    }

    pub(super) fn get(&self, name: &str) -> Option<Rc<str>> {
        self.0.borrow().get(name).cloned()
    }
}
