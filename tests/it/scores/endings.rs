//! Jobs that are killed, shared by several processes, or computed on several devices: the table is what it would
//! have been.

use super::place::{Place, records};
use crate::{ROOT, RUNNER, child::finish};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

const REJECTED: i32 = 7;
const TERMINATED: i32 = 75;
/// Proteins of which all single mutants are scored, and two records that are not read or rejected.
const N_PROTEINS: usize = 12;
const PATIENCE: Duration = Duration::from_secs(60);

fn place() -> Place {
    let place = Place::new();
    let proteins = records(&Path::new(ROOT).join("examples/data/proteins.fasta"));
    let proteins = proteins
        .into_iter()
        .filter(|(_, sequence)| sequence.len() < 200);
    let mut text = ">short\nM\n".to_owned();
    for (id, sequence) in proteins.take(N_PROTEINS) {
        text += &format!(">{id}\n{sequence}\n");
    }
    place.write("in.fa", &text);
    place
}

/// A script that scores, on a mock device.
fn script(mock: &str, output: &str) -> String {
    format!(
        "let all = all_single_mutants(fasta(\"in.fa\").min_length(2));
        score(mock(#{{ {mock} }}), all, #{{
            output: \"{output}\", token_budget: 2048, commit_every: 0.01,
        }});"
    )
}

fn undisturbed(place: &Place) -> String {
    let done = place.run(&["exec"], &script("", "expected.csv"));
    assert_eq!(done.exit_code, Some(REJECTED), "{}", done.stderr);
    place.read("expected.csv")
}

/// The folder of what is kept.
fn kept(place: &Place) -> Option<PathBuf> {
    let entries = place.path("scores.csv.parts").read_dir().ok()?;
    let mut folders = entries.map(|entry| entry.unwrap().path());
    folders.next()
}

fn n_commits(place: &Place) -> usize {
    let ledger = kept(place).map(|kept| kept.join("logits.ledger/ledger.jsonl"));
    let text = ledger.and_then(|ledger| fs::read_to_string(ledger).ok());
    text.map_or(0, |text| text.matches("\"commit\"").count())
}

/// A job that is slow, when it has committed something.
fn begun(place: &Place) -> Child {
    let mut command = place.command(&["exec"], &script("tokens_per_sec: 40_000", "scores.csv"));
    let said = fs::File::create(place.path("said")).unwrap();
    let child = command.stderr(said).spawn().unwrap();
    wait_for(place, || n_commits(place) >= 2);
    child
}

fn wait_for(place: &Place, mut has_come: impl FnMut() -> bool) {
    let start = Instant::now();
    while !has_come() {
        assert!(start.elapsed() < PATIENCE, "{}", place.read("said"));
        thread::sleep(Duration::from_millis(5));
    }
}

fn check_conservation(place: &Place, table: &str) {
    let rows = table
        .lines()
        .skip(1)
        .map(|row| row.rsplit_once(',').unwrap().0);
    let rows: Vec<_> = rows.collect();
    let different: BTreeSet<_> = rows.iter().collect();
    assert_eq!(different.len(), rows.len(), "a mutant comes twice");
    let known = "ACDEFGHIKLMNPQRSTVWY";
    let records = records(&place.path("in.fa"));
    let sites = records
        .iter()
        .skip(1)
        .flat_map(|(_, sequence)| sequence.chars());
    let n_sites = sites.filter(|residue| known.contains(*residue)).count();
    assert_eq!(rows.len(), 19 * n_sites);
}

#[test]
fn a_job_that_is_killed_goes_on() {
    let place = place();
    let expect = undisturbed(&place);
    check_conservation(&place, &expect);
    for _ in 0..2 {
        let mut command = place.command(&["exec"], &script("tokens_per_sec: 40_000", "scores.csv"));
        let before = n_commits(&place);
        let mut child = command
            .stderr(fs::File::create(place.path("said")).unwrap())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while n_commits(&place) < before + 3 {
            assert!(start.elapsed() < PATIENCE, "{}", place.read("said"));
            assert!(
                child.try_wait().unwrap().is_none(),
                "{}",
                place.read("said")
            );
            thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!place.path("scores.csv").exists());
    }
    let done = place.run(&["exec", "--json"], &script("", "scores.csv"));
    assert_eq!(done.exit_code, Some(REJECTED), "{}", done.stderr);
    assert!(
        done.stderr.contains("\"event\":\"resumed\""),
        "{}",
        done.stderr
    );
    assert_eq!(place.read("scores.csv"), expect);
    assert!(!place.path("scores.csv.parts").exists());
    let lists = ["scores", "expected"].map(|name| place.read(&format!("{name}.csv.rejects.tsv")));
    assert_eq!(lists[0], lists[1]);
}

#[test]
fn processes_share_the_sequences() {
    let place = place();
    let expect = undisturbed(&place);
    for shard in ["1/3", "2/3", "0/3"] {
        let done = place.run(&["exec", "--shard", shard], &script("", "scores.csv"));
        assert!(
            [Some(0), Some(REJECTED)].contains(&done.exit_code),
            "{}",
            done.stderr
        );
        assert!(!place.path("scores.csv").exists());
        if shard == "2/3" {
            let done = place.run(&["exec"], &script("", "scores.csv"));
            assert_eq!(done.exit_code, Some(1), "{}", done.stderr);
            assert!(done.stderr.contains("0/3"), "{}", done.stderr);
        }
    }
    let is_merged_before = [true, false];
    for is_merged_before in is_merged_before {
        if is_merged_before {
            // By hand, of a copy that is put back.
            let copy = |from: &str, to: &str| {
                let copied = Command::new("cp")
                    .arg("-r")
                    .args([place.path(from), place.path(to)])
                    .status();
                assert!(copied.unwrap().success());
            };
            copy("scores.csv.parts", "parts");
            let logits = format!("{}/logits/", kept(&place).unwrap().display());
            let merged = finish(Command::new(RUNNER).args(["merge", &logits]), b"");
            assert_eq!(
                merged.status.code(),
                Some(0),
                "{}",
                String::from_utf8_lossy(&merged.stderr)
            );
        }
        let done = place.run(&["exec", "--json"], &script("", "scores.csv"));
        assert_eq!(done.exit_code, Some(REJECTED), "{}", done.stderr);
        assert!(
            !done.stderr.contains("\"event\":\"batch_encoded\""),
            "{}",
            done.stderr
        );
        assert_eq!(place.read("scores.csv"), expect);
        assert!(!place.path("scores.csv.parts").exists());
        if is_merged_before {
            fs::rename(place.path("parts"), place.path("scores.csv.parts")).unwrap();
            for name in ["scores.csv", "scores.csv.json", "scores.csv.rejects.tsv"] {
                fs::remove_file(place.path(name)).unwrap();
            }
        }
    }
}

#[test]
fn devices_share_the_sequences() {
    let place = place();
    let expect = undisturbed(&place);
    let done = place.run(
        &["exec"],
        &script(
            "lanes: 3, tokens_per_sec: 2_000_000, jitter: 0.5",
            "scores.csv",
        ),
    );
    assert_eq!(done.exit_code, Some(REJECTED), "{}", done.stderr);
    assert_eq!(place.read("scores.csv"), expect);
}

#[test]
fn what_was_begun_otherwise_is_not_mixed() {
    let place = place();
    let mut child = begun(&place);
    child.kill().unwrap();
    child.wait().unwrap();
    let status = finish(
        Command::new(RUNNER)
            .arg("status")
            .arg(place.path("scores.csv")),
        b"",
    );
    let said = String::from_utf8_lossy(&status.stderr).into_owned();
    let ours = kept(&place).unwrap();
    let hint = format!("`runner status {}/logits/`", ours.display());
    assert!(said.contains(&hint), "{said}");
    let mine = |name: &str| place.path("scores.csv.parts").join(name);
    let in_ours = ours.join("mine.txt");
    fs::create_dir_all(mine("0123456789abcdef/logits")).unwrap();
    fs::create_dir_all(mine("00112233445566ff")).unwrap();
    fs::create_dir_all(place.path("elsewhere")).unwrap();
    symlink(place.path("elsewhere"), mine("fedcba9876543210")).unwrap();
    let others = [
        in_ours,
        mine("mine.txt"),
        mine("0123456789abcdef/logits/part-000000000000.parquet"),
        mine("00112233445566ff/plan.fa.gz"),
        mine("fedcba9876543210/plan.fa.gz"),
    ];
    for path in &others {
        fs::write(path, "mine").unwrap();
    }
    let other = script("", "scores.csv").replace("output:", "method: \"wt_marginals\", output:");
    let said = place.refused(1, &other);
    assert!(
        said.contains("was begun with other mutants, another model or other options"),
        "{said}"
    );
    let other = other.replace("output:", "overwrite: true, output:");
    let done = place.run(&["exec"], &other);
    assert_eq!(done.exit_code, Some(REJECTED), "{}", done.stderr);
    // What is not of this program stays, and nothing else.
    for path in &others {
        assert_eq!(fs::read_to_string(path).unwrap(), "mine");
    }
    let left = ours
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["mine.txt"]);
}

#[test]
fn a_table_is_not_replaced_while_another_is_made() {
    let place = place();
    let mut child = begun(&place);
    let other = script("", "scores.csv").replace(
        "output:",
        "method: \"wt_marginals\", overwrite: true, output:",
    );
    let said = place.refused(1, &other);
    let by = format!("is being written by process {} ", child.id());
    assert!(said.contains(&by), "{said}");
    let before = n_commits(&place);
    wait_for(&place, || n_commits(&place) > before);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!place.path("scores.csv").exists());
}

#[test]
fn a_link_is_not_followed_to_what_others_keep() {
    let place = place();
    begun(&place).kill().unwrap();
    let ours = kept(&place).unwrap();
    symlink("scores.csv.parts", place.path("other.csv.parts")).unwrap();
    let other = script("", "other.csv").replace(
        "output:",
        "method: \"wt_marginals\", overwrite: true, output:",
    );
    let done = place.run(&["exec"], &other);
    assert_eq!(done.exit_code, Some(REJECTED), "{}", done.stderr);
    assert!(ours.join("plan.fa.gz").exists() && n_commits(&place) >= 2);
}

#[test]
fn a_job_ends_while_its_sequences_are_written() {
    let place = Place::new();
    // Two gigabytes of sequences, of which a few are written.
    let protein = "MKTAYIAKQR".repeat(100);
    place.write("in.fa", &format!(">a\n{protein}\n").repeat(2000));
    let script = "perplexity(mock(#{}), fasta(\"in.fa\"), #{ output: \"scores.csv\" });";
    let mut command = place.command(&["exec"], script);
    let said = fs::File::create(place.path("said")).unwrap();
    let mut child = command.stderr(said).spawn().unwrap();
    wait_for(&place, || kept(&place).is_some());
    let start = Instant::now();
    kill(
        Pid::from_raw(child.id().try_into().unwrap()),
        Signal::SIGTERM,
    )
    .unwrap();
    assert_eq!(
        child.wait().unwrap().code(),
        Some(TERMINATED),
        "{}",
        place.read("said")
    );
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(place.names(), ["in.fa", "job.rhai", "said"]);
}

#[test]
fn the_page_shows_the_scores() {
    let place = place();
    let script = format!("report(\"report.html\");\n{}", script("", "scores.csv"));
    let done = place.run(&["exec"], &script);
    assert_eq!(done.exit_code, Some(REJECTED), "{}", done.stderr);
    let page = place.read("report.html");
    assert!(
        page.contains("Mutants by score (masked_marginals): "),
        "no histogram"
    );
    assert!(page.contains("in.fa (masked_marginals) with esm2_t6_2M_demo"));
    assert!(page.contains(" to score ") && page.contains(" mutants with esm2"));
    // Nothing is pooled, and no layer is asked for.
    assert!(!page.contains("nothing with `residues`"), "{page}");
}
