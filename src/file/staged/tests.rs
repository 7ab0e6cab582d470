//! What a folder holds before, while and after a file is written.

use super::*;
use crate::hint::Hint;
use std::{
    fs::{self, TryLockError},
    os::unix::fs::symlink,
};

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn stage(target: &Path, existing: Existing, text: &str) -> Result<Staged, FileError> {
    let staged = Staged::create(target, existing)?;
    staged.writer()?.write_all(text.as_bytes()).unwrap();
    Ok(staged)
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & RIGHTS
}

#[test]
fn a_file_appears_when_it_is_published() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("new/folder/a.txt");
    let staged = stage(&target, Existing::Stays, "one").unwrap();
    assert!(!target.exists());
    let [name] = &names(target.parent().unwrap())[..] else {
        panic!("one temporary file");
    };
    assert!(name.starts_with(".runner-") && name.ends_with(".partial"));
    assert_eq!(staged.publish(Keep::Safely).unwrap(), target);
    assert_eq!(fs::read_to_string(&target).unwrap(), "one");
    assert_eq!(names(target.parent().unwrap()), ["a.txt"]);
    assert_eq!(mode(&target) & 0o600, 0o600);
}

#[test]
fn an_abandoned_file_vanishes() {
    let folder = tempfile::tempdir().unwrap();
    drop(stage(&folder.path().join("a.txt"), Existing::Stays, "one").unwrap());
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn nothing_is_replaced_unless_told() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.txt");
    // The file comes into being after the first check.
    let staged = stage(&target, Existing::Stays, "late").unwrap();
    fs::write(&target, "first").unwrap();
    for result in [
        staged.publish(Keep::Safely).map(|_| ()),
        stage(&target, Existing::Stays, "late").map(|_| ()),
    ] {
        assert!(matches!(result, Err(FileError::Exists(path)) if path == target));
    }
    assert_eq!(fs::read_to_string(&target).unwrap(), "first");
    let staged = stage(&target, Existing::IsReplaced, "second").unwrap();
    staged.publish(Keep::Briefly).unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "second");
    assert_eq!(names(folder.path()), ["a.txt"]);
}

#[test]
fn a_link_stays_and_what_it_leads_to_is_replaced_with_its_rights() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("real")).unwrap();
    fs::write(at("real/a.txt"), "old").unwrap();
    fs::set_permissions(at("real/a.txt"), Permissions::from_mode(0o640)).unwrap();
    symlink("real/a.txt", at("link")).unwrap();
    symlink("real/b.txt", at("dangling")).unwrap();
    let staged = stage(&at("link"), Existing::IsReplaced, "new").unwrap();
    let temporary = staged.file.path();
    assert_eq!(temporary.parent(), Some(&*at("real")));
    assert_eq!(mode(temporary) & 0o007, 0, "nobody else reads it meanwhile");
    staged.publish(Keep::Safely).unwrap();
    let staged = stage(&at("dangling"), Existing::Stays, "new").unwrap();
    staged.publish(Keep::Safely).unwrap();
    for (link, file) in [("link", "real/a.txt"), ("dangling", "real/b.txt")] {
        assert!(at(link).is_symlink());
        assert_eq!(fs::read_to_string(at(file)).unwrap(), "new");
    }
    assert_eq!(mode(&at("real/a.txt")), 0o640);
    assert_eq!(names(&at("real")), ["a.txt", "b.txt"]);
}

#[test]
fn what_cannot_be_a_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let check = |target: &str, expect: &str| {
        let error = replace(&folder.path().join(target), b"", Keep::Briefly).unwrap_err();
        assert!(error.in_full().contains(expect), "{error}");
    };
    check("", "cannot be written as a file");
    check("..", "cannot be written as a file");
    check("/dev/null", "`/dev/null` cannot be written as a file");
    check("file/a.txt", "(a folder of the path is a file)");
    check(&"x".repeat(300), "(choose a shorter name)");
    assert_eq!(names(folder.path()), ["file"]);
}

#[test]
fn a_file_on_its_way_is_known_to_be_alive() {
    let folder = tempfile::tempdir().unwrap();
    let staged = stage(&folder.path().join("a.txt"), Existing::Stays, "one").unwrap();
    let other = File::open(staged.file.path()).unwrap();
    assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
    // A handle for writing keeps it alive, too.
    let writer = staged.writer().unwrap();
    let path = staged.file.into_temp_path();
    assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
    drop(writer);
    assert!(other.try_lock().is_ok());
    drop(path);
}

#[test]
fn a_complete_file_gets_a_second_name_without_being_copied() {
    let folder = tempfile::tempdir().unwrap();
    let [part, target] = ["part", "a.txt"].map(|name| folder.path().join(name));
    fs::write(&part, "new").unwrap();
    fs::write(&target, "old").unwrap();
    fs::set_permissions(&target, Permissions::from_mode(0o640)).unwrap();
    let refused = Staged::link(&part, &target, Existing::Stays);
    assert!(matches!(refused, Err(FileError::Exists(path)) if path == target));
    drop(Staged::link(&part, &target, Existing::IsReplaced).unwrap());
    assert_eq!(fs::read_to_string(&target).unwrap(), "old");
    let linked = Staged::link(&part, &target, Existing::IsReplaced).unwrap();
    linked.publish(Keep::Safely).unwrap();
    let inode = |path: &Path| path.metadata().unwrap().ino();
    assert_eq!(inode(&target), inode(&part));
    assert_eq!(mode(&target), 0o640);
    assert_eq!(names(folder.path()), ["a.txt", "part"]);
}

#[test]
fn what_becomes_part_of_a_file_has_its_rights() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mode_like = |whole: &str| {
        let staged = Staged::create_like(&at(whole), &at("part"), Existing::IsReplaced);
        let path = staged.unwrap().publish(Keep::Briefly).unwrap();
        let mode = mode(&path);
        fs::remove_file(path).unwrap();
        mode
    };
    fs::write(at("whole"), "old").unwrap();
    fs::create_dir(at("folder")).unwrap();
    let of_new = mode_like("nothing");
    assert_eq!(mode_like("folder"), of_new, "those of a folder are others");
    for (of_whole, expected) in [(0o600, 0o600), (0o440, 0o640), (0o640, 0o640)] {
        fs::set_permissions(at("whole"), Permissions::from_mode(of_whole)).unwrap();
        assert_eq!(mode_like("whole"), expected, "{of_whole:o}");
    }
}
