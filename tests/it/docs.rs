//! Documentation that the program's own tables write: `UPDATE_DOCS=1 cargo test --release --test it docs`
//! writes it anew.

use runner::report::{Better, FIGURES, Figure};
use std::{env, fs, path::Path};

/// Checks that a file of the documentation is what the tables make it, or makes it so.
fn is_fresh(path: &str, expect: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, expect).expect("the documentation can be written");
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == expect,
        "{path} is stale; run: UPDATE_DOCS=1 cargo test --release --test it docs"
    );
}

fn figure(figure: &Figure) -> String {
    let better = match figure.better {
        Some(Better::Larger) => "larger",
        Some(Better::Smaller) => "smaller",
        None => "",
    };
    let missing = figure
        .missing
        .map(|place| format!("; `()` {place}"))
        .unwrap_or_default();
    format!(
        "| `{}` | {} | {better} | {}{missing} |\n",
        figure.name,
        figure.unit.name(),
        figure.doc
    )
}

#[test]
fn figures_are_documented() {
    let mut page = "\
# The figures of a run

`embed` gives a run. `print(run)` shows its figures as a table, and each is a property of it: `run.seconds`. The \
table of a sweep has a column for each that is a number, and `table.best(name)` knows for those with an entry under \
\"better\" which point is best.

| figure | unit | better | what it is |
|---|---|---|---|
"
    .to_owned();
    page.extend(FIGURES.iter().map(figure));
    is_fresh("docs/figures.md", &page);
}
