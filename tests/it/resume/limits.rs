//! A job that the disk has no room for.

use super::job::{FAST, Job, REJECTED, SLOW, commits_in, n_rows};
use serde_json::Value;
use std::fs;

/// Limits the size of files that a job may write.
fn limit(job: &mut Job, kib: usize) {
    let script = format!("ulimit -f {kib}; exec \"$@\"");
    job.wrapper = ["bash", "-c", &script, "bash"].map(str::to_owned).into();
}

#[test]
fn what_fits_is_kept() {
    Job::of_both_kinds(|mut job| {
        let n_before = job.interrupt();
        let n_commits_before = job.commits().len();
        // Nothing is committed but what does not fit, as there is neither the time for a commit, nor an end
        // that would be reached.
        "token_budget: 256, commit_every: 3600,".clone_into(&mut job.batches);
        limit(&mut job, 32);
        let done = job.start(FAST).done();
        done.check_refused(1, &["File too large", "ulimit -f"]);
        let n_kept = job.n_committed();
        assert!(n_kept > n_before, "{n_kept}");
        let commits = job.commits();
        let commits = &commits[n_commits_before..];
        let sum = |of: &dyn Fn(&Value) -> u64| commits.iter().map(of).sum::<u64>();
        // Rejected records stand between rows that were kept.
        let n_rejected = sum(&|commit| commit["rejected"].as_u64().unwrap());
        assert!(n_rejected > 0, "{commits:?}");
        // Of the limit, more than half is made use of.
        let n_bytes = sum(&|commit| commit["file"]["bytes"].as_u64().unwrap());
        assert!(n_bytes > 16 << 10, "{commits:?}");
        job.wrapper.clear();
        job.check_goes_on(n_kept);
    });
}

#[test]
fn row_groups_that_are_on_the_disk_are_kept() {
    // Rows whose text fills row groups, and is not compressed to nothing.
    let mut state = 1_u64;
    let mut letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + (state % 90) as u8)
    };
    let mut text = String::new();
    for n_record in 0..90 {
        let description: String = (0..1_000_000).map(|_| letter()).collect();
        let residues = if n_record % 9 == 4 {
            "MKV"
        } else {
            "MKVLAAGIVGLLRA"
        };
        text += &format!(">p{n_record} {description}\n{residues}\n");
    }
    let mut job = Job::on(&text);
    "token_budget: 256, commit_every: 3600,".clone_into(&mut job.batches);
    // There is room for one row group, and not for two.
    limit(&mut job, 40 << 10);
    let done = job.start(FAST).done();
    done.check_refused(1, &["File too large", "ulimit -f"]);
    let commits = job.commits();
    let n_bytes = |n: usize| commits[n]["file"]["bytes"].as_u64().unwrap();
    assert!(n_bytes(0) > 20 << 20, "{}", commits[0]);
    assert!(commits.len() > 1 && n_bytes(1) > 5 << 20, "{commits:?}");
    job.wrapper.clear();
    job.check_goes_on(job.n_committed());
}

#[test]
fn a_limit_on_the_size_of_files_is_raised_at_last() {
    Job::of_both_kinds(|mut job| {
        // A part does not fit at first; then parts do, and the whole does not.
        for (blocks, options) in [
            (16, "token_budget: 256, commit_every: 3600,"),
            (128, "token_budget: 256, commit_every: 0.01,"),
        ] {
            limit(&mut job, blocks);
            options.clone_into(&mut job.batches);
            let done = job.start(SLOW * 2).done();
            if !(blocks == 128 && job.is_folder()) {
                done.check_refused(1, &["ulimit -f"]);
            }
        }
        assert!(job.n_committed() > 0);
        job.wrapper.clear();
        let done = job.check_ends_well();
        assert!(done.figure("resumed") > 0);
    });
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "whoever looks at the tests should know"
)]
fn a_full_disk_is_made_larger_at_last() {
    // Whether there is a commit in time or none, what fits is kept.
    let ways = [("0.01", SLOW * 2), ("3600", FAST)];
    let outputs = ["out.parquet", "out/"];
    for (output, (commit_every, speed)) in outputs
        .into_iter()
        .flat_map(|output| ways.map(|way| (output, way)))
    {
        let mut job = Job::new();
        job.batches = format!("token_budget: 256, commit_every: {commit_every},");
        fs::create_dir(job.path("disk")).unwrap();
        job.output = format!("disk/{output}");
        // Twice what is left of the disk, and then once more when there is room.
        let script = "mount -t tmpfs -o size=150k tmpfs disk || exit 99
            for try in 1 2; do
                \"$@\"; code=$?; [ $code = 1 ] || exit $code
                cp disk/out.*/ledger.jsonl kept$try
            done
            mount -o remount,size=16m disk || exit 98
            \"$@\"; code=$?
            cp -r disk kept; exit $code";
        job.wrapper = ["unshare", "-m", "sh", "-c", script, "sh"]
            .map(str::to_owned)
            .into();
        let done = job.start(speed).done();
        if done.code == Some(99) || done.stderr.contains("unshare") {
            println!("skipped: only root can mount a small disk, and not everywhere");
            return;
        }
        assert!(done.stderr.contains("free some space"), "{}", done.stderr);
        let done = done.check_code(REJECTED);
        let n_kept = ["kept1", "kept2"].map(|name| n_rows(&commits_in(&job.path(name))));
        assert!(n_kept[0] > 0 && n_kept[1] >= n_kept[0], "{n_kept:?}");
        assert_eq!(done.figure("resumed"), n_kept[1], "{}", done.stdout);
        job.wrapper.clear();
        fs::remove_dir(job.path("disk")).unwrap();
        fs::rename(job.path("kept"), job.path("disk")).unwrap();
        let found = super::content::Content::of(&job.output_path());
        job.output = output.to_owned();
        found.check_is(&job.undisturbed());
        job.output = format!("disk/{output}");
        job.start(FAST).done().check_code(REJECTED);
    }
}
