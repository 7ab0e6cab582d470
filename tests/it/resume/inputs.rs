//! The input of a job that goes on: the same, elsewhere, or another one.

use super::{
    content::Content,
    damage::damage,
    job::{Job, N_RECORDS, REJECTED, proteins},
    running::read,
};
use crate::inputs::compression::{COMPRESSORS, gzip};
use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, SystemTime},
};

/// Another time of modification.
pub fn touch(path: &Path) {
    let file = File::options().append(true).open(path).unwrap();
    let at = SystemTime::now() - Duration::from_secs(1000);
    file.set_modified(at).unwrap();
}

/// A record that is not what it was, and as long.
fn change(job: &Job, id: &str) {
    let text = read(&job.path("in.fa"));
    let at = text.find(&format!(">{id} ")).unwrap();
    let begin = at + text[at..].find('\n').unwrap() + 1;
    let residue = if &text[begin..=begin] == "A" {
        "G"
    } else {
        "A"
    };
    let changed = format!("{}{residue}{}", &text[..begin], &text[begin + 1..]);
    fs::write(job.path("in.fa"), changed).unwrap();
}

#[test]
fn an_input_that_was_touched_is_read_again() {
    Job::of_both_kinds(|job| {
        let n_rows = job.interrupt();
        touch(&job.path("in.fa"));
        job.check_goes_on(n_rows);
    });
}

#[test]
fn an_input_may_move_and_be_copied() {
    Job::of_both_kinds(|mut job| {
        job.interrupt();
        fs::rename(job.path("in.fa"), job.path("moved.fa")).unwrap();
        job.dataset = job.dataset.replace("in.fa", "moved.fa");
        let n_rows = job.interrupt();
        fs::copy(job.path("moved.fa"), job.path("copied.fa")).unwrap();
        fs::remove_file(job.path("moved.fa")).unwrap();
        job.dataset = job.dataset.replace("moved.fa", "copied.fa");
        job.check_goes_on(n_rows);
    });
}

#[test]
fn an_input_that_is_another_one_before_the_frontier_is_refused() {
    Job::of_both_kinds(|job| {
        let n_rows = job.interrupt();
        let text = read(&job.path("in.fa"));
        let before = job.snapshot();
        let refused = [
            "the input has changed since the output was begun",
            "`overwrite: true`",
        ];
        for id in ["p0", "p1"] {
            change(&job, id);
            job.run().check_refused(1, &refused);
            fs::write(job.path("in.fa"), &text).unwrap();
        }
        // A record less, and one that has another name.
        let less = &text[text[1..].find('>').unwrap() + 1..];
        for other in [
            less,
            &text.replacen("p0", "q0", 1),
            &text.replacen("turned", "tuned", 1),
        ] {
            fs::write(job.path("in.fa"), other).unwrap();
            job.run().check_refused(1, &refused);
        }
        fs::write(job.path("in.fa"), ">p0\nMKVLAAGICEMKVLAAGICE\n").unwrap();
        job.run()
            .check_refused(1, &["the input ends after record 1"]);
        // All is there, but for what stretches were added.
        for (path, bytes) in before {
            if path != job.ledger() {
                assert!(fs::read(&path).unwrap() == bytes, "{}", path.display());
            }
        }
        fs::write(job.path("in.fa"), &text).unwrap();
        job.check_goes_on(n_rows);
    });
}

#[test]
fn an_input_that_is_another_one_behind_the_frontier_is_gone_on_with() {
    Job::of_both_kinds(|job| {
        let n_rows = job.interrupt();
        change(&job, &format!("p{}", N_RECORDS - 5));
        job.check_goes_on(n_rows);
    });
    Job::of_both_kinds(|job| {
        let n_rows = job.interrupt();
        let text = read(&job.path("in.fa"));
        fs::write(job.path("in.fa"), text + ">new one\nMKVLAAGICEMKVLAAGICE\n").unwrap();
        job.check_goes_on(n_rows);
    });
}

#[test]
fn inputs_of_every_kind() {
    let text = proteins(N_RECORDS);
    for (n, compress) in COMPRESSORS.into_iter().enumerate() {
        let mut job = Job::new();
        job.output = ["out.parquet", "out/"][n % 2].to_owned();
        fs::write(job.path("in.fa"), compress(text.as_bytes())).unwrap();
        job.interrupt();
        let n_rows = job.interrupt();
        touch(&job.path("in.fa"));
        job.check_goes_on(n_rows);
    }
}

#[test]
fn an_input_from_a_pipe() {
    Job::of_both_kinds(|mut job| {
        job.dataset = job.dataset.replace("in.fa", "-");
        job.stdin = Some(job.path("in.fa"));
        // A file that is redirected is one; a pipe is what `cat` fills.
        job.wrapper = ["bash", "-c", "cat | \"$@\"", "bash"]
            .map(str::to_owned)
            .into();
        let n_before = job.commits().len();
        let mut running = job.start(super::job::SLOW);
        running.wait_until(|| job.commits().len() > n_before + 3);
        running.kill_children();
        running.done();
        let n_rows = job.n_committed();
        let commits = job.commits();
        damage(&job.part(&commits[1]));
        let done = job.check_ends_well();
        let n_whole = n_rows - commits[1]["rows"].as_u64().unwrap() as usize;
        let n_all = Content::of(&job.output_path()).rows.len();
        assert_eq!(done.figure("computed"), n_all - n_whole);
        // Once more, and nothing is computed.
        let done = job.run().check_code(REJECTED);
        assert_eq!(done.figure("computed"), 0);
    });
}

#[test]
fn several_inputs() {
    Job::of_both_kinds(|mut job| {
        let text = read(&job.path("in.fa"));
        let at = |n: usize| text.find(&format!(">p{n} ")).unwrap();
        let pieces = [&text[..at(40)], &text[at(40)..at(91)], "", &text[at(91)..]];
        for (n, piece) in pieces.into_iter().enumerate() {
            fs::write(job.path(&format!("in{n}.fa")), piece).unwrap();
        }
        fs::write(job.path("in1.fa"), gzip(pieces[1].as_bytes())).unwrap();
        fs::remove_file(job.path("in.fa")).unwrap();
        job.dataset = job.dataset.replace("in.fa", "in*.fa");
        job.interrupt();
        job.interrupt();
        job.interrupt();
        let n_rows = job.n_committed();
        // The first input is behind the frontier, and is not what it was.
        touch(&job.path("in0.fa"));
        job.check_goes_on(n_rows);
    });
}

#[test]
fn a_part_of_the_input() {
    Job::of_both_kinds(|mut job| {
        let all = job.dataset.clone();
        job.dataset += ".take(333)";
        let n_rows = job.interrupt();
        let before = job.snapshot();
        for other in [".take(334)", ""] {
            job.dataset = format!("{all}{other}");
            job.run()
                .check_refused(1, &["take: it has 333, the script asks for"]);
        }
        assert!(job.snapshot() == before);
        job.dataset = format!("{all}.take(333)");
        job.check_goes_on(n_rows);
        touch(&job.path("in.fa"));
        let done = job.run().check_code(REJECTED);
        assert_eq!(done.figure("computed"), 0);
    });
}

#[test]
fn an_input_that_is_rejected_or_empty() {
    for text in [proteins(30).as_str(), ""] {
        for output in ["out.parquet", "out/"] {
            let mut job = Job::on(text);
            output.clone_into(&mut job.output);
            job.dataset = job.dataset.replace("min_length(10)", "min_length(5_000)");
            let done = job.check_ends_well();
            assert_eq!((done.figure("resumed"), done.figure("computed")), (0, 0));
            let before = job.snapshot();
            job.check_ends_well();
            touch(&job.path("in.fa"));
            job.check_ends_well();
            assert!(job.snapshot() == before);
        }
    }
}

#[test]
fn rejections_alone_are_kept() {
    let mut job = Job::new();
    // All is rejected, and when something stands in the way of the output, there is no more to come.
    job.dataset =
        "fasta([\"in.fa\", \"-\"]).min_length(5_000).long_sequences(\"skip\", 100)".to_owned();
    let wrapper = |input: &str| {
        let script = format!("exec \"$@\" < <({input})");
        ["bash", "-c", &script, "bash"].map(str::to_owned).to_vec()
    };
    job.wrapper = wrapper("until [ -e out.parquet ]; do sleep 0.02; done");
    let mut running = job.start(super::job::SLOW);
    running.wait_until(|| job.ledger().exists());
    fs::write(job.output_path(), "somebody's").unwrap();
    running.done().check_refused(1, &["exists"]);
    assert_eq!(job.commits().len(), 1);
    fs::remove_file(job.output_path()).unwrap();
    job.wrapper = wrapper("true");
    job.check_ends_well();
}
