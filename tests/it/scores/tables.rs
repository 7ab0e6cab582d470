//! Which rows and columns a table has, what is refused, and what is replaced.

use super::place::{Place, cells, numbers};

const SCRIPT: i32 = 3;
const INPUT: i32 = 4;
const UNEXPECTED: i32 = 1;
const REJECTED: i32 = 7;
const MODEL: &str = "esm2_t6_2M_demo";
const SCORE: &str = "score(mock(#{}), mutants(\"dms.csv\", #{ sequence: \"MKTAYIAKQR\" }), #{ output: \"scores.csv\" });";

fn place() -> Place {
    let place = Place::new();
    place.write(
        "dms.csv",
        "note,mutant,DMS_score\n\"a, b\",M1A,1.5\n,K2R:T3A,-1\n\"\"\"x\"\"\",WT,0\n",
    );
    place
}

#[test]
fn rows_and_columns_stay_as_they_are() {
    let place = place();
    let said = place.exec(
        "let dms = mutants(\"dms.csv\", #{ sequence: \"MKTAYIAKQR\" });
        let scores = score(demo(), dms, #{ output: \"scores.csv\" });
        print(scores);
        print(`${scores.len} ${scores.sequences} ${scores.tokens} ${scores.output} ${scores.spearman}`);",
    );
    for expect in [
        "3 mutants of 1 protein",
        "masked_marginals; other mutated sites: wild type",
        "3 sequences, 36 tokens",
        "with DMS_score",
        "scores.csv, column `esm2_t6_2M_demo`",
        "\n3 3 36 scores.csv ",
    ] {
        assert!(said.contains(expect), "{expect}: {said}");
    }
    let table = place.read("scores.csv");
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines[0], "note,mutant,DMS_score,esm2_t6_2M_demo");
    assert!(lines[1].starts_with("\"a, b\",M1A,1.5,"), "{table}");
    assert!(lines[2].starts_with(",K2R:T3A,-1,"), "{table}");
    assert_eq!(lines[3], "\"\"\"x\"\"\",WT,0,0.0000000");
    let note: serde_json::Value = serde_json::from_str(&place.read("scores.csv.json")).unwrap();
    assert!(
        note["meaning"]
            .as_str()
            .unwrap()
            .contains("stands the wild type"),
        "{note}"
    );
    let expect = ["dms.csv", "job.rhai", "scores.csv", "scores.csv.json"];
    assert_eq!(place.names(), expect);
}

#[test]
fn all_single_mutants_are_nineteen_a_site() {
    let place = Place::new();
    place.write("in.fa", ">a some protein\nMKXT\n>b\nWW\n>short\nM\n");
    let said = place.run(
        &["exec"],
        "let all = all_single_mutants(fasta(\"in.fa\").min_length(2));
        print(score(demo(), all, #{ output: \"scores.csv\" }).len);",
    );
    assert_eq!(said.exit_code, Some(REJECTED), "{}", said.stderr);
    assert_eq!(said.stdout.trim(), (19 * 5).to_string());
    let table = place.read("scores.csv");
    let cells = cells(&table);
    assert_eq!(cells[0], ["seq_id", "mut_name", MODEL]);
    assert_eq!(cells[1][..2], ["a", "M1A"]);
    assert_eq!(cells[39][..2], ["a", "T4A"]);
    assert_eq!(cells[95][..2], ["b", "W2Y"]);
    assert_eq!(cells.len(), 96);
    let scores = numbers(&table, MODEL);
    assert!(
        scores
            .iter()
            .all(|score| score.is_finite() && *score != 0.0)
    );
    let list = place.read("scores.csv.rejects.tsv");
    assert_eq!(
        list,
        "ordinal\tid\treason\n3\tshort\t1 residues, fewer than min_length 2\n"
    );
}

#[test]
fn what_is_wrong_with_mutants_has_a_line() {
    let place = place();
    let check = |table: &str, expect: &str| {
        place.write("dms.csv", table);
        for command in ["exec", "check"] {
            let done = place.run(&[command], SCORE);
            assert_eq!(done.exit_code, Some(INPUT), "{command}: {}", done.stderr);
            assert!(done.stderr.contains(expect), "{command}: {}", done.stderr);
        }
        let expect = ["dms.csv", "job.rhai"];
        assert_eq!(place.names(), expect);
    };
    check(
        "mutant\nM1A\nA2P\n",
        "`dms.csv`, line 3: `A2P` has A as the wild type, and the protein has K",
    );
    check(
        "mutant\nK22A\n",
        "line 2: `K22A` is outside of the protein, whose sites are 1 to 10",
    );
    check("mutant\nM1*\n", "a stop has no score");
    check("mutant\nM1A:M1C\n", "mutates site 1 twice");
    check("mutation\nM1A\n", "has no column `mutant`");
    check(
        "mutant,esm2_t6_2M_demo\nM1A,0.5\n",
        "has a column `esm2_t6_2M_demo` already",
    );
    check(
        "mutant,x,mutant\nM1A,1,M1C\n",
        "has several columns `mutant`",
    );
    place.write("dms.csv", "esm2_t6_2M_demo\nM1A\n");
    let own = SCORE.replace("sequence:", "column: \"esm2_t6_2M_demo\", sequence:");
    let said = place.refused(INPUT, &own.replace("output:", "overwrite: true, output:"));
    assert!(
        said.contains("give that column another name") && !said.contains("`overwrite: true`"),
        "{said}"
    );
}

#[test]
fn batches_need_room_for_what_the_model_has_to_see() {
    let place = place();
    let with = |budget: &str| SCORE.replace("output:", &format!("token_budget: {budget}, output:"));
    for command in ["check", "exec"] {
        let done = place.run(&[command], &with("11"));
        assert_eq!(done.exit_code, Some(SCRIPT), "{command}: {}", done.stderr);
        let hint = "raise `token_budget` to at least 12";
        assert!(
            done.stderr.contains(hint) && !done.stderr.contains("long_sequences"),
            "{}",
            done.stderr
        );
        assert_eq!(place.names(), ["dms.csv", "job.rhai"]);
    }
    for command in ["check", "exec"] {
        let done = place.run(&[command], &with("12"));
        assert_eq!(done.exit_code, Some(0), "{command}: {}", done.stderr);
    }
}

#[test]
fn warnings_are_about_files_of_the_user() {
    let place = Place::new();
    place.write("in.fa", ">a\nMK1T\n>b\nM-K\n");
    let done = place.run(
        &["exec"],
        "perplexity(mock(#{}), fasta(\"in.fa\"), #{ output: \"scores.csv\" });",
    );
    assert_eq!(done.exit_code, Some(0), "{}", done.stderr);
    for expect in [
        "`in.fa`: 1 character outside",
        "`1` 1",
        "1 record holds gaps",
    ] {
        assert!(done.stderr.contains(expect), "{}", done.stderr);
    }
    assert!(!done.stderr.contains("plan.fa"), "{}", done.stderr);
}

#[test]
fn a_column_is_replaced_where_that_is_asked_for() {
    let place = place();
    place.write("dms.csv", "esm2_t6_2M_demo,mutant\n77,M1A\n");
    place.exec(&SCORE.replace("output:", "overwrite: true, output:"));
    let cells = cells(&place.read("scores.csv"));
    assert_eq!(cells[0], [MODEL, "mutant"]);
    assert_ne!(cells[1][0], "77");
    assert_eq!(cells[1].len(), 2);
}

#[test]
fn nothing_is_replaced_that_nobody_asked_to_replace() {
    let place = place();
    place.write("scores.csv", "mine");
    let said = place.refused(SCRIPT, SCORE);
    assert!(said.contains("scores.csv, which exists"), "{said}");
    assert_eq!(place.read("scores.csv"), "mine");
    // Nor a file that looks as if this program had written it.
    place.write("scores.csv.json", "{\n  \"generator\": \"runner\"\n}\n");
    let said = place.refused(UNEXPECTED, SCORE);
    assert!(said.contains("`scores.csv` exists"), "{said}");
    assert_eq!(place.read("scores.csv"), "mine");
    std::fs::remove_file(place.path("scores.csv.json")).unwrap();
    place.write("scores.csv.json", "{\"mine\": true}");
    let said = place.refused(
        SCRIPT,
        &SCORE.replace("output:", "overwrite: true, output:"),
    );
    assert!(said.contains("was not written by runner"), "{said}");
    std::fs::remove_file(place.path("scores.csv.json")).unwrap();
    place.exec(&SCORE.replace("output:", "overwrite: true, output:"));
    let first = place.read("scores.csv");
    assert_eq!(numbers(&first.replace("\"a, b\"", "a"), MODEL).len(), 3);
    // The same again is there; another method is another table.
    let said = place.exec(&format!("print({});", SCORE.trim_end_matches(';')));
    assert!(said.contains("all of which was there before"), "{said}");
    let other = SCORE.replace("output:", "method: \"wt_marginals\", output:");
    let said = place.refused(UNEXPECTED, &other);
    let checked = place.run(&["check"], &other).stderr;
    assert!(
        checked.contains("`method` was masked_marginals"),
        "{checked}"
    );
    assert!(
        said.contains("`method` was masked_marginals and is wt_marginals"),
        "{said}"
    );
    assert_eq!(place.read("scores.csv"), first);
    place.exec(&other.replace("output:", "overwrite: true, output:"));
    assert_ne!(place.read("scores.csv"), first);
    // Nor an old table beside the note of a new one, as whoever is killed between the two leaves them.
    place.write("scores.csv", &first);
    let said = place.refused(UNEXPECTED, &other);
    assert!(said.contains("`scores.csv` exists"), "{said}");
    assert_eq!(place.read("scores.csv"), first);
    // Nor the table that is read.
    let said = place.refused(SCRIPT, &SCORE.replace("scores.csv", "dms.csv"));
    assert!(said.contains("dms.csv"), "{said}");
    assert!(place.read("dms.csv").starts_with("note,mutant,DMS_score\n"));
}

#[test]
fn models_without_a_head_are_refused() {
    let place = place();
    let script = format!(
        "score(esm2(\"{}/tests/golden/torch\", #{{ device: \"cpu\" }}),
            mutants(\"dms.csv\", #{{ sequence: \"MKTAYIAKQR\" }}), #{{ output: \"scores.csv\" }});",
        crate::ROOT
    );
    for command in ["exec", "check"] {
        let done = place.run(&[command], &script);
        assert_eq!(done.exit_code, Some(5), "{}", done.stderr);
        assert!(done.stderr.contains("lm_head"), "{}", done.stderr);
    }
    assert_eq!(place.names(), ["dms.csv", "job.rhai"]);
}

#[test]
fn progress_is_of_the_sequences_of_the_plan() {
    let place = place();
    place.write("in.fa", ">a\nMKT\n>b\nWW\n");
    let script = "perplexity(mock(#{}), fasta(\"in.fa\"), #{ output: \"perplexity.csv\" });";
    let done = place.run(&["exec", "--json"], script);
    assert_eq!(done.exit_code, Some(0), "{}", done.stderr);
    let events = done.stderr.lines().map(|line| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event
    });
    let started = events
        .into_iter()
        .find(|event| event["event"] == "run_started");
    let started = started.unwrap();
    let counted = (started["sequences"].as_u64(), started["tokens"].as_u64());
    assert_eq!(counted, (Some(5), Some(3 * 5 + 2 * 4)));
}

#[test]
fn what_a_run_came_to_stands_before_what_the_script_prints_next() {
    let place = place();
    place.write("in.fa", ">a\nMKT\n");
    place.write(
        "job.rhai",
        &format!(
            "let model = esm2(\"{}\", #{{ device: \"mock\" }});
            for n in 0..5 {{ embed(model, fasta(\"in.fa\")); print(`printed ${{n}}`); }}",
            crate::DEMO
        ),
    );
    let command = format!("{} exec job.rhai 2>&1", crate::RUNNER);
    let output = std::process::Command::new("bash")
        .args(["-c", &command])
        .current_dir(place.path(""))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("embedding "));
    for (n, pair) in lines.collect::<Vec<_>>().chunks(2).enumerate() {
        assert!(pair[0].starts_with("finished after"), "{text}");
        assert_eq!(pair[1], format!("printed {n}"), "{text}");
    }
}

#[test]
fn a_forecast_counts_sequences_and_tokens() {
    let place = place();
    place.write("in.fa", ">a\nMKT\n>b\nWW\n");
    let script = format!(
        "{SCORE}
        score(mock(#{{}}), all_single_mutants(\"in.fa\"), #{{ output: \"all.csv\" }});
        perplexity(mock(#{{}}), fasta(\"in.fa\"), #{{ output: \"perplexity.csv\" }});"
    );
    let done = place.run(&["check", "--forecast", "--json", "--rate", "10"], &script);
    assert_eq!(done.exit_code, Some(0), "{}", done.stderr);
    let found: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let runs = found["forecast"].as_array().unwrap();
    let counts = runs
        .iter()
        .map(|run| (run["rows"].as_u64(), run["tokens"].as_u64()));
    let counts: Vec<_> = counts.collect();
    let expect = [(3, 36), (5, 3 * 5 + 2 * 4), (5, 3 * 5 + 2 * 4)];
    assert_eq!(
        counts,
        expect.map(|(rows, tokens)| (Some(rows), Some(tokens)))
    );
    let proteins: Vec<_> = runs.iter().map(|run| run["proteins"].as_u64()).collect();
    assert_eq!(proteins, [Some(1), Some(2), Some(2)]);
    // Columns of the input are part of a table of scores.
    let comment = "a comment that is longer than all else of its row";
    let rows = (1..=3).map(|site| format!("M{site}A,{comment}\n"));
    place.write(
        "long.csv",
        &format!("mutant,comment\n{}", rows.collect::<String>()),
    );
    let script = "score(mock(#{}), mutants(\"long.csv\", #{ sequence: \"MMM\" }), #{ output: \"long_scores.csv\" });";
    let done = place.run(
        &["check", "--forecast", "--json"],
        &format!("{SCORE}{script}"),
    );
    let found: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let told = found["forecast"][1]["output_bytes"].as_f64().unwrap();
    let least = 3.0 * comment.len() as f64;
    assert!((least..2.0 * least).contains(&told), "{told}");
}

#[test]
fn what_is_printed_is_so() {
    let place = place();
    place.write("empty.fa", "");
    place.write("in.fa", &format!(">a\nMKT\n>b\n{}\n", "M".repeat(1025)));
    let said = place.exec(
        "print(perplexity(demo(), fasta(\"in.fa\"), #{ output: \"pp.csv\", method: \"one_pass\" }));
        print(score(demo(), mutants(\"dms.csv\", #{ sequence: \"MKTAYIAKQR\" }), #{ output: \"scores.csv\" }));",
    );
    for expect in [
        "truncated   1 protein\n",
        "pp.csv, columns `perplexity_one_pass`, `pseudo_log_likelihood_one_pass`\n",
    ] {
        assert!(said.contains(expect), "{expect}: {said}");
    }
    let note: serde_json::Value = serde_json::from_str(&place.read("pp.csv.json")).unwrap();
    let header = place.read("pp.csv");
    let header: Vec<_> = header.lines().next().unwrap().split(',').collect();
    for column in note["columns"].as_array().unwrap() {
        assert!(header.contains(&column.as_str().unwrap()), "{note}");
    }
    assert!(said.contains("with DMS_score\n"), "of all rows: {said}");
    // Nothing to do is nothing that was there before.
    let script = "print(perplexity(demo(), fasta(\"empty.fa\"), #{ output: \"none.csv\" }));";
    let done = place.run(&["exec"], script);
    assert!(
        done.stderr.contains("`empty.fa` holds no records"),
        "{}",
        done.stderr
    );
    assert!(!done.stdout.contains("there before"), "{}", done.stdout);
}

#[test]
fn proteins_are_no_mutants() {
    let place = place();
    place.write("in.fa", ">a\nMKT\n");
    let said = place.refused(
        SCRIPT,
        "score(mock(#{}), fasta(\"in.fa\"), #{ output: \"scores.csv\" });",
    );
    assert!(said.contains("all_single_mutants("), "{said}");
}
