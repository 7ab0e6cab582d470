//! Which claims go together.

use super::*;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::write(folder.path().join("in.fa"), ">a\nM\n").unwrap();
    fs::hard_link(folder.path().join("in.fa"), folder.path().join("hard.fa")).unwrap();
    symlink("in.fa", folder.path().join("soft.fa")).unwrap();
    symlink("sub", folder.path().join("way")).unwrap();
    folder
}

/// Claims paths one after the other; the last one is refused or not.
fn check(claims: &[(Role, &str)], expect: Option<&str>) {
    let folder = folder();
    let mut register = Register::default();
    let (last, others) = claims.split_last().unwrap();
    let claim =
        |(role, name): &(Role, &str)| Claim::new(*role, &folder.path().join(name)).named(name);
    for other in others {
        register.claim(&[claim(other)]).unwrap();
    }
    let message = register.claim(&[claim(last)]).err().map(|p| p.to_string());
    match (message, expect) {
        (Some(message), Some(expect)) => assert!(message.contains(expect), "{message}"),
        (message, expect) => assert_eq!(message.as_deref(), expect, "{claims:?}"),
    }
}

#[test]
fn what_is_read_is_not_written() {
    use Role::*;
    for name in ["in.fa", "./in.fa", "sub/../in.fa", "way/../in.fa"] {
        check(&[(Input, "in.fa"), (Metrics, name)], Some("an input"));
    }
    for name in ["hard.fa", "soft.fa"] {
        let expect = format!("`{name}`, which is `in.fa`, is an input and would be an output");
        check(&[(Input, "in.fa"), (Output, name)], Some(&expect));
        check(&[(Output, name), (Input, "in.fa")], Some("an output"));
    }
    check(&[(Script, "in.fa"), (Report, "in.fa")], Some("the script"));
    check(&[(Input, "in.fa"), (Module, "in.fa")], None);
    check(&[(ModelFile, "in.fa"), (Plot, "in.fa")], Some("a model"));
}

#[test]
fn two_parts_do_not_write_one_file() {
    use Role::*;
    let both = [(Report, "new.html"), (Trace, "sub/../new.html")];
    check(
        &both,
        Some("is the report and would be the file of `trace`"),
    );
    check(&[(Report, "way/new"), (Trace, "sub/new")], Some("report"));
    check(&[(Report, "new.html"), (Report, "new.html")], None);
    check(&[(Output, "new"), (Output, "new")], None);
    check(&[(Output, "sub/new"), (Output, "new")], None);
}

#[test]
fn outputs_are_read_back() {
    use Role::*;
    check(&[(Output, "new"), (Embeddings, "new")], None);
    check(&[(Embeddings, "new"), (Output, "new")], None);
    check(&[(Embeddings, "new"), (Report, "new")], Some("embeddings"));
    let back = [(Output, "new"), (Embeddings, "new"), (Report, "new")];
    check(&back, Some("an output"));
    let input = [(Embeddings, "in.fa"), (Input, "in.fa"), (Output, "in.fa")];
    check(&input, Some("an input"));
}

#[test]
fn folders_of_outputs_hold_nothing_else() {
    use Role::*;
    let folder = folder();
    let claim = |role: Role, name: &str| {
        let claim = Claim::new(role, &folder.path().join(name)).named(name);
        match name.ends_with('/') {
            true => claim.with_contents(),
            false => claim,
        }
    };
    let check = |first: (Role, &str), second: (Role, &str), expect: Option<&str>| {
        let mut register = Register::default();
        register.claim(&[claim(first.0, first.1)]).unwrap();
        let refused = register.claim(&[claim(second.0, second.1)]);
        let message = refused.err().map(|problems| problems.to_string());
        match (&message, expect) {
            (Some(message), Some(expect)) => assert!(message.contains(expect), "{message}"),
            _ => assert_eq!(message.as_deref(), expect, "{first:?} {second:?}"),
        }
    };
    let around =
        "`new/a.html` would be the report in `new/`, which is an output and holds nothing else";
    check((Output, "new/"), (Report, "new/a.html"), Some(around));
    let inside =
        "`new/` would be an output and hold nothing else, but `new/a.html` in it is the report";
    check((Report, "new/a.html"), (Output, "new/"), Some(inside));
    check(
        (Output, "new/"),
        (Output, "new/a/b.parquet"),
        Some("which is an output"),
    );
    check(
        (Output, "new/a/"),
        (Output, "new/"),
        Some("in it is an output"),
    );
    check(
        (Output, "sub/"),
        (Trace, "way/a"),
        Some("`trace` in `sub/`"),
    );
    check(
        (Parts, "new.ledger/"),
        (Metrics, "new.ledger/a"),
        Some("that is being made"),
    );
    check(
        (Output, "new/"),
        (Input, "new/a.fa"),
        Some("would be an input in"),
    );
    check((Output, "new/"), (Output, "new"), None);
    check(
        (Output, "new/"),
        (Report, "new"),
        Some("`new`, which is `new/`, is an output"),
    );
    check((Output, "new/"), (Embeddings, "new/a.parquet"), None);
    check((Output, "new/"), (Report, "new.html"), None);
    check((Report, "new-er/a"), (Output, "new/"), None);
    check((Report, "neW"), (Output, "new/"), None);
    check((Input, "in.fa"), (Output, "new/"), None);
}

#[test]
fn claims_are_made_together_or_not_at_all() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let mut register = Register::default();
    let both = [
        Claim::new(Role::Input, &at("new")),
        Claim::new(Role::Output, &at("sub/../new")).by_option("output"),
    ];
    let problems = register.claim(&both).unwrap_err();
    assert_eq!(problems.0[0].option.as_deref(), Some("output"));
    register.claim(&both[1..]).unwrap();
    let problems = register.check(&both[..1]).unwrap_err().to_string();
    assert!(problems.contains("is an output"), "{problems}");
}

#[test]
fn tables_of_two_sweeps_are_two() {
    let mut register = Register::default();
    let claim = |owner| Claim::new(Role::SavedTable, Path::new("no/such.csv")).of(owner);
    register.claim(&[claim(1)]).unwrap();
    register.claim(&[claim(1)]).unwrap();
    let problems = register.claim(&[claim(2)]).unwrap_err().to_string();
    assert!(
        problems.contains("would be that of another one"),
        "{problems}"
    );
}

#[test]
fn an_inode_may_have_a_new_owner() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let mut register = Register::default();
    let file = file_id(&at("in.fa")).unwrap();
    register
        .claim(&[Claim::new(Role::Input, &at("in.fa"))])
        .unwrap();
    fs::rename(at("hard.fa"), at("other")).unwrap();
    fs::remove_file(at("in.fa")).unwrap();
    assert_eq!(file_id(&at("other")), Some(file));
    register
        .claim(&[Claim::new(Role::Output, &at("other"))])
        .unwrap();
}
