//! Pages: one file each, no script, nothing from elsewhere.
//!
//! *Input*: a page's template and what it shows. *Output*: HTML. *Owns*: the look that all pages share,
//! which is in `base.html`, and how charts are written down, which is in `chart.html`.

use minijinja::{Environment, UndefinedBehavior, syntax::SyntaxConfig, value::Serde};
use serde::Serialize;

/// What pages build upon, by the names that their templates have for it.
const SHARED: [(&str, &str); 2] = [
    ("base.html", include_str!("base.html")),
    ("chart.html", include_str!("chart.html")),
];

/// A page of `template`, which is part of the program, with every text in `shown` escaped.
pub(super) fn render(template: &'static str, shown: &impl Serialize) -> String {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .build()
        .expect("delimiters are those that the library chose");
    templates.set_syntax(syntax);
    templates.add_global("version", env!("CARGO_PKG_VERSION"));
    for (name, text) in SHARED {
        templates
            .add_template(name, text)
            .expect("the template is part of the program, and tests render it");
    }
    // The name's ending turns escaping on.
    templates
        .render_named_str("page.html", template, Serde(shown))
        .expect("the template is part of the program, and tests render all of it")
}
