//! The same tables by commands, without a script.

use super::place::{Done, Place, cells};
use crate::DEMO;

const USAGE: i32 = 2;
const SCRIPT: i32 = 3;
const INPUT: i32 = 4;
const UNEXPECTED: i32 = 1;
const REJECTED: i32 = 7;

/// Runs a command with the demo model on the CPU.
fn line(place: &Place, words: &str) -> Done {
    let words = words.split_whitespace();
    let words: Vec<_> = words.chain(["-m", DEMO, "--device", "cpu"]).collect();
    place.line(&words)
}

/// Runs a command that must end well.
#[track_caller]
fn ends(place: &Place, words: &str) -> Done {
    let done = line(place, words);
    assert_eq!(done.exit_code, Some(0), "{words}: {}", done.stderr);
    done
}

fn place() -> Place {
    let place = Place::new();
    place.write("dms.csv", "variant\nM5A\nK6R:T7A\nWT\n");
    place.write("wild_type.fa", ">a\nMKTAYIAKQR\n");
    place.write("in.fa", ">a some protein\nMKXT\n>b\nWW\n>short\nM\n");
    place
}

#[test]
fn mutants_have_the_scores_that_a_script_gives_them() {
    let place = place();
    place.exec(
        "let dms = mutants(\"dms.csv\", #{ sequence: \"MKTAYIAKQR\", column: \"variant\", offset: 5 });
        score(demo(), dms, #{ output: \"masked.csv\" });
        score(demo(), dms, #{ output: \"wild_type.csv\", method: \"wt_marginals\" });",
    );
    let masked = place.read("masked.csv");
    assert_ne!(masked, place.read("wild_type.csv"));
    let command = "score dms.csv --fasta wild_type.fa --column variant --offset 5 -o scores.csv";
    let done = ends(&place, command);
    assert!(
        done.stdout.contains("3 mutants of 1 protein"),
        "{}",
        done.stdout
    );
    assert!(
        done.stderr
            .contains("let dms = mutants(\"dms.csv\", #{\n    fasta: \"wild_type.fa\","),
        "{}",
        done.stderr
    );
    assert_eq!(place.read("scores.csv"), masked);
    // The same again is there, by command and by script; another method is another table.
    let done = ends(&place, &format!("{command} -q"));
    assert!(done.stdout.contains("there before"), "{}", done.stdout);
    let script = ends(&place, &format!("{command} --print-script")).stdout;
    let done = place.exec(&script);
    assert!(done.contains("there before"), "{done}");
    let other = format!("{command} --method wt_marginals");
    let done = line(&place, &other);
    assert_eq!(done.exit_code, Some(UNEXPECTED), "{}", done.stderr);
    assert!(done.stderr.contains("`--overwrite`"), "{}", done.stderr);
    assert_eq!(place.read("scores.csv"), masked);
    ends(&place, &format!("{other} --overwrite"));
    assert_eq!(place.read("scores.csv"), place.read("wild_type.csv"));
}

#[test]
fn all_single_mutants_need_no_table() {
    let place = place();
    let done = place.run(
        &["exec"],
        "score(demo(), all_single_mutants(fasta(\"in.fa\").min_length(2)), #{ output: \"script.csv\" });",
    );
    assert_eq!(done.exit_code, Some(REJECTED), "{}", done.stderr);
    let command = "score in.fa --all-single-mutants --min-length 2 -o scores.csv --json";
    let done = line(&place, command);
    assert_eq!(done.exit_code, Some(REJECTED), "{}", done.stderr);
    let events = done.stderr.lines();
    let events: Vec<serde_json::Value> = events
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    assert_eq!(events[0]["event"], "script");
    let table = place.read("scores.csv");
    assert_eq!(cells(&table).len(), 1 + 19 * 5);
    assert_eq!(table, place.read("script.csv"));

    // Several processes can share it.
    let shared = command.replace("scores.csv", "shared.csv");
    for shard in ["--shard 0/2", "--shard 1/2", ""] {
        let done = line(&place, &format!("{shared} {shard}"));
        let expect = [Some(0), Some(REJECTED)];
        assert!(expect.contains(&done.exit_code), "{shard}: {}", done.stderr);
        assert_eq!(place.path("shared.csv").exists(), shard.is_empty());
    }
    assert_eq!(place.read("shared.csv"), table);
}

#[test]
fn perplexities_are_those_of_a_script() {
    let place = place();
    place.exec(
        "perplexity(demo(), fasta(\"in.fa\"), #{ output: \"exact.csv\" });
        perplexity(demo(), fasta(\"in.fa\"), #{ output: \"one.csv\", method: \"one_pass\" });",
    );
    ends(&place, "perplexity in.fa -o command.csv");
    assert_eq!(place.read("command.csv"), place.read("exact.csv"));
    ends(
        &place,
        "perplexity in.fa -o command_one.csv --method one_pass",
    );
    assert_eq!(place.read("command_one.csv"), place.read("one.csv"));
    assert!(
        place
            .read("one.csv")
            .starts_with("id,length,perplexity_one_pass,")
    );
}

#[test]
fn contacts_are_those_of_a_script() {
    let place = place();
    let options = "--threshold 0 --min-separation 3";
    ends(
        &place,
        &format!("contacts wild_type.fa -o command.parquet {options}"),
    );
    place.exec(
        "let options = #{ threshold: 0.0, min_separation: 3, output: \"script.parquet\" };
        contacts(demo(), fasta(\"wild_type.fa\"), options);
        contact_table(\"script.parquet\", \"script.csv\");
        contact_table(\"command.parquet\", \"command.csv\");",
    );
    let pairs = place.read("command.csv");
    // Of ten residues, with seven that have one at a distance of three.
    assert_eq!(pairs.lines().count(), 1 + 7 * 8 / 2, "{pairs}");
    assert_eq!(pairs, place.read("script.csv"));
}

#[test]
fn what_is_wrong_is_said_of_the_flag() {
    let place = place();
    let check = |words: &str, exit_code: i32, told: &[&str]| {
        let done = line(&place, words);
        assert_eq!(done.exit_code, Some(exit_code), "{words}: {}", done.stderr);
        for told in told {
            assert!(
                done.stderr.contains(told),
                "{words}: {told}: {}",
                done.stderr
            );
        }
    };
    let table = "--column variant --offset 5 -o scores.csv";
    check(
        &format!("score dms.csv {table}"),
        USAGE,
        &[
            "--sequence <TEXT>",
            "--fasta <PATH>",
            "--all-single-mutants",
        ],
    );
    check(
        &format!("score dms.csv {table} --sequence MK --fasta wild_type.fa"),
        USAGE,
        &[
            "'--sequence <TEXT>'",
            "cannot be used with",
            "--fasta <PATH>",
        ],
    );
    let known = "--sequence MKTAYIAKQR -o scores.csv";
    check(
        &format!("score dms.csv {known} --min-length 2"),
        USAGE,
        &["'--min-length", "cannot be used with", "'--sequence"],
    );
    check(
        "score in.fa --all-single-mutants --offset 2 -o scores.csv",
        USAGE,
        &[
            "'--all-single-mutants'",
            "cannot be used with",
            "'--offset <N>'",
        ],
    );
    check(
        &format!("score dms.csv in.fa {known}"),
        USAGE,
        &[
            "a table of mutants is one file, and these are 2",
            "`--all-single-mutants`",
        ],
    );
    check(
        "score dms.csv --sequence MKJ -o scores.csv",
        USAGE,
        &["'--sequence <TEXT>'", "is `J`"],
    );
    check(
        "score dms.csv --sequence MK -o a.parquet",
        USAGE,
        &["name it `a.csv`"],
    );
    check(
        &format!("score dms.csv {known} --layers 1"),
        USAGE,
        &["'--layers'"],
    );
    check(
        &format!("score dms.csv {known} --methods x"),
        USAGE,
        &["'--method'"],
    );
    check(
        "contacts in.fa --contacts -o a.parquet",
        USAGE,
        &["'--contacts'"],
    );
    check(
        &format!("score dms.csv {known}"),
        INPUT,
        &["has no column `mutant`", "`--column"],
    );
    check(
        &format!("score dms.csv --sequence MKTAYIAKQR {table} --token-budget 11"),
        SCRIPT,
        &["raise `--token-budget` to at least 12"],
    );
    assert_eq!(place.names(), ["dms.csv", "in.fa", "wild_type.fa"]);
}
