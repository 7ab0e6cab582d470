//! Documentation that the program's own tables write: `UPDATE_DOCS=1 cargo test --release --test it docs`
//! writes it anew.

use crate::command_line;
use runner::{
    job::{
        EmbedOptions, EmbeddingsOptions, ExportOptions, MergePlan, ModelSpec, MutantsTable,
        OptionDoc, PerplexityOptions, ScoreOptions, SweepPlan,
    },
    report::{Better, FIGURES, Figure, LANE_FIGURES},
};
use std::{collections::BTreeSet, env, fs, path::Path};

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

fn figure<T>(figure: &Figure<T>) -> String {
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
    page += "
## The figures of a lane

`run.lanes` is an array with a map for each lane, which is a device with the threads that keep it busy. `print(run)` and \
the page of `report` show them where there are several.

| figure | unit | better | what it is |
|---|---|---|---|
";
    page.extend(LANE_FIGURES.iter().map(figure));
    is_fresh("docs/figures.md", &page);
}

/// Checks the table of the options of a call, in whichever page it stands.
fn options_are_fresh(call: &str, options: &[OptionDoc]) {
    let head = format!("| option of `{call}` |");
    let rows: String = options
        .iter()
        .map(|option| {
            let OptionDoc {
                name,
                default,
                values,
                text,
            } = option;
            format!("| `{name}` | {default} | {values} | {text} |\n")
        })
        .collect();
    let expect = format!("{head} default | may be | |\n|---|---|---|---|\n{rows}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(folder.join("docs")).expect("the documentation");
    let docs = docs.map(|entry| {
        let name = entry.expect("a file").file_name();
        format!("docs/{}", name.to_string_lossy())
    });
    let mut pages = docs.chain(["README.md".to_owned()]);
    let has_table = |page: &String| {
        let text = fs::read_to_string(folder.join(page)).unwrap_or_default();
        text.lines().any(|line| line.starts_with(&head))
    };
    let page = pages.find(has_table);
    let page = page.unwrap_or_else(|| panic!("no page has the options of {call}"));
    let text = fs::read_to_string(folder.join(&page)).expect("it was read before");
    let begin = text.find(&head).expect("it was found before");
    let table = text[begin..].split_inclusive('\n');
    let length: usize = table
        .take_while(|line| line.starts_with('|'))
        .map(str::len)
        .sum();
    let (before, after) = (&text[..begin], &text[begin + length..]);
    is_fresh(&page, &format!("{before}{expect}{after}"));
}

#[test]
fn options_are_documented() {
    options_are_fresh("esm2", &ModelSpec::OPTIONS.docs());
    options_are_fresh("embed", &EmbedOptions::OPTIONS.docs());
    options_are_fresh("embeddings", &EmbeddingsOptions::OPTIONS.docs());
    options_are_fresh("export", &ExportOptions::OPTIONS.docs());
    options_are_fresh("merge", &MergePlan::OPTIONS.docs());
    options_are_fresh("mutants", &MutantsTable::OPTIONS.docs());
    options_are_fresh("perplexity", &PerplexityOptions::OPTIONS.docs());
    options_are_fresh("score", &ScoreOptions::OPTIONS.docs());
    options_are_fresh("sweep", &SweepPlan::OPTIONS.docs());
}

#[test]
fn commands_are_documented() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(readme).expect("the documentation");
    let rows = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `runner "));
    let in_readme: BTreeSet<_> = rows
        .filter_map(|row| row.split([' ', '`']).next())
        .map(str::to_owned)
        .collect();
    let in_help: BTreeSet<_> = command_line::commands().into_iter().collect();
    assert_eq!(in_readme, in_help);
}
