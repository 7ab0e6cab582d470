//! What scores must not be made of, must not replace, or must not be asked for.

use super::place::Place;

const SCRIPT: i32 = 3;
const INPUT: i32 = 4;
const UNEXPECTED: i32 = 1;
const REJECTED: i32 = 7;

/// A script that scores the mutants of a table, with options of `mutants` and of `score`.
fn script(mutants: &str, score: &str) -> String {
    format!(
        "print(score(mock(#{{}}), mutants(\"dms.csv\", #{{ sequence: \"MKTAYIAKQR\" {mutants} }}),
            #{{ output: \"scores.csv\" {score} }}));"
    )
}

/// Checks that a script is refused, rehearsed and run, and that nothing is written.
fn check_refused(place: &Place, exit_code: i32, script: &str, expect: &str) {
    place.write("job.rhai", "");
    let before = place.names();
    for command in ["check", "exec"] {
        let done = place.run(&[command], script);
        let said = &done.stderr;
        assert_eq!(done.exit_code, Some(exit_code), "{command}: {said}");
        assert!(said.contains(expect), "{command}: {expect}: {said}");
        assert_eq!(place.names(), before, "{command}");
    }
}

#[test]
fn a_table_of_another_column_is_another_table() {
    let place = Place::new();
    place.write("dms.csv", "mutant,other\nM1A,K2A\nT3A,A4C\n");
    place.exec(&script("", ""));
    let first = place.read("scores.csv");
    let said = place.refused(UNEXPECTED, &script(", column: \"other\"", ""));
    assert!(
        said.contains("has other scores") && said.contains("mutants_and_proteins"),
        "{said}"
    );
    assert_eq!(place.read("scores.csv"), first);
    place.exec(&script(", column: \"other\"", ", overwrite: true"));
    let second = place.read("scores.csv");
    assert_ne!(second, first);
    place.exec(&script("", ", overwrite: true"));
    assert_eq!(place.read("scores.csv"), first);
}

#[test]
fn lengths_and_reasons_are_a_part_of_the_table() {
    let check = |one: &str, other: &str| {
        let place = Place::new();
        let script =
            "perplexity(mock(#{}), fasta(\"in.fa\").long_sequences(\"truncate\", 4).min_length(3),
            #{ output: \"scores.csv\" });";
        let exit_code = |text: &str| match text.contains(">b") {
            true => Some(REJECTED),
            false => Some(0),
        };
        for text in [one, one] {
            place.write("in.fa", text);
            let done = place.run(&["exec"], script);
            assert_eq!(done.exit_code, exit_code(text), "{}", done.stderr);
        }
        place.write("in.fa", other);
        let said = place.refused(UNEXPECTED, script);
        assert!(said.contains("has other scores"), "{said}");
    };
    check(">a\nMKTV\n", ">a\nMKTVAA\n");
    check(">a\nMKTV\n>b\nM\n", ">a\nMKTV\n>b\nMK\n");
    check(">a\nMKTV\n>b\nM\n", ">a\nMKTV\n>b2\nM\n");
}

#[test]
fn quotes_that_make_no_sense_are_refused() {
    let place = Place::new();
    let check = |table: &str, expect: &str| {
        place.write("dms.csv", table);
        check_refused(&place, INPUT, &script("", ""), expect);
    };
    check(
        "mutant,note\nM1A,\"5 prime\nK2A,ok\nT3A,ok\n",
        "`dms.csv`, line 2: a quote opens a field here, and nothing closes it",
    );
    check(
        "mutant\tnote\nM1A\t\"5 prime\nK2A\tok\nT3A\t3\" end\nA4C\tok\n",
        "`dms.csv`, line 4: text follows the closing quote of the field that a quote opens in line 2",
    );
    place.write("dms.csv", "mutant,note\nM1A,\"a\nb\"\nT3A,x\n,\nA4C,y\n");
    let done = place.run(&["exec"], &script("", ""));
    assert_eq!(done.exit_code, Some(0), "{}", done.stderr);
    assert!(done.stderr.contains("lines 2 to 3"), "{}", done.stderr);
    let table = place.read("scores.csv");
    assert!(table.contains("\n,,0.0000000\nA4C,y,"), "{table}");
}

#[test]
fn what_lies_beside_a_table_that_is_gone_stays() {
    let place = Place::new();
    place.write("in.fa", ">a\nMKTV\n>b\nM\n>c\nMKTVA\n");
    let script = |length: usize, more: &str| {
        format!(
            "perplexity(mock(#{{}}), fasta(\"in.fa\").min_length({length}), #{{ output: \"scores.csv\" {more} }});"
        )
    };
    let done = place.run(&["exec"], &script(2, ""));
    assert_eq!(done.exit_code, Some(REJECTED), "{}", done.stderr);
    let (table, list) = (
        place.read("scores.csv"),
        place.read("scores.csv.rejects.tsv"),
    );
    std::fs::rename(place.path("scores.csv"), place.path("mine.csv")).unwrap();
    for length in [1, 5] {
        // What is rejected is known when it was read.
        let said = place.refused(UNEXPECTED, &script(length, ""));
        assert!(said.contains("scores.csv.json` exists"), "{said}");
        assert_eq!(place.read("scores.csv.rejects.tsv"), list);
    }
    std::fs::rename(place.path("scores.csv.json"), place.path("mine.json")).unwrap();
    for length in [1, 2, 5] {
        let expect = "scores.csv.rejects.tsv` exists, and `scores.csv`";
        check_refused(&place, UNEXPECTED, &script(length, ""), expect);
        assert_eq!(place.read("scores.csv.rejects.tsv"), list);
    }
    // Where the note says that they are of the same table, that is made again.
    std::fs::rename(place.path("mine.json"), place.path("scores.csv.json")).unwrap();
    let done = place.run(&["exec"], &script(2, ""));
    assert_eq!(done.exit_code, Some(REJECTED), "{}", done.stderr);
    assert_eq!(place.read("scores.csv"), table);
    std::fs::remove_file(place.path("scores.csv")).unwrap();
    let done = place.run(&["exec"], &script(1, ", overwrite: true"));
    assert_eq!(done.exit_code, Some(0), "{}", done.stderr);
    assert!(!place.path("scores.csv.rejects.tsv").exists());
}

#[test]
fn sequences_of_mutants_agree_with_their_names() {
    let place = Place::new();
    place.write(
        "dms.csv",
        "mutant,mutated_sequence\nM1A,AKTAYIAKQR\nK2A,MKTAYIAKQR\n",
    );
    let expect = "line 3: `mutated_sequence` has K at site 2";
    check_refused(&place, INPUT, &script("", ""), expect);
    // They go with the column `mutant`, where there is one.
    place.write(
        "dms.csv",
        "mutant,other,mutated_sequence\nM1A,K2A,AKTAYIAKQR\nK2A,T3A,TAYIAKQR\n",
    );
    place.exec(&script(", column: \"other\"", ""));
    let done = place.run(&["exec"], &script("", ", overwrite: true"));
    assert_eq!(done.exit_code, Some(0), "{}", done.stderr);
    let expect = "1 field of `mutated_sequence` with more or fewer residues";
    assert!(done.stderr.contains(expect), "{}", done.stderr);
}

#[test]
fn mutants_without_a_protein_are_told_so() {
    let place = Place::new();
    place.write("dms.csv", "mutant\nM1A\n");
    let script = "score(mock(#{}), mutants(\"dms.csv\"), #{ output: \"scores.csv\" });";
    let expect = "the protein without mutations is missing";
    check_refused(&place, SCRIPT, script, expect);
}

#[test]
fn no_shard_replaces_a_table() {
    let place = Place::new();
    place.write("dms.csv", "mutant\nM1A\n");
    place.exec(&script("", ""));
    let (before, table) = (place.names(), place.read("scores.csv"));
    for command in ["check", "exec"] {
        let arguments = [command, "--shard", "0/2"];
        let done = place.run(&arguments, &script("", ", overwrite: true"));
        let said = &done.stderr;
        assert_eq!(done.exit_code, Some(UNEXPECTED), "{command}: {said}");
        assert!(said.contains("a shard of it replaces nothing"), "{said}");
        assert_eq!(place.names(), before);
        assert_eq!(place.read("scores.csv"), table);
    }
}

#[test]
fn mutants_of_truncated_proteins_are_refused() {
    let place = Place::new();
    place.write("in.fa", ">a\nMKTV\n");
    let script = |residues: usize| {
        format!(
            "score(mock(#{{}}), all_single_mutants(fasta(\"in.fa\").long_sequences(\"truncate\", {residues})),
                #{{ output: \"scores.csv\" }});"
        )
    };
    check_refused(
        &place,
        SCRIPT,
        &script(3),
        "all single mutants are those of whole proteins",
    );
    place.exec(&script(1022));
}

#[test]
fn scores_are_no_points_of_a_sweep() {
    let place = Place::new();
    place.write("in.fa", ">a\nMKTV\n");
    for call in [
        "score(mock(#{}), all_single_mutants(\"in.fa\"), #{ output: \"scores.csv\" })",
        "perplexity(mock(#{}), fasta(\"in.fa\"), #{ output: \"scores.csv\" })",
    ] {
        let run = format!("table.run(#{{ n: 1 }}, || {call})");
        for run in [run.clone(), format!("try {{ {run} }} catch {{ }}")] {
            let script = format!(
                "embed(mock(#{{}}), fasta(\"in.fa\"), #{{ output: \"before.parquet\" }});
                let table = sweep(\"a\");
                {run};"
            );
            let expect = "a point of a sweep gives a run, and `";
            check_refused(&place, SCRIPT, &script, expect);
        }
    }
}
