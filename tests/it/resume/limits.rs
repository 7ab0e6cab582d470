//! A job that the disk has no room for.

use super::job::{FAST, Job, REJECTED, SLOW};
use std::fs;

#[test]
fn a_limit_on_the_size_of_files_is_raised_at_last() {
    Job::of_both_kinds(|mut job| {
        // A part does not fit at first; then parts do, and the whole does not.
        for (blocks, options) in [
            (16, "token_budget: 256, commit_every: 3600,"),
            (128, "token_budget: 256, commit_every: 0.01,"),
        ] {
            job.wrapper = [
                "bash",
                "-c",
                &format!("ulimit -f {blocks}; exec \"$@\""),
                "bash",
            ]
            .map(str::to_owned)
            .into();
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
    for output in ["out.parquet", "out/"] {
        let mut job = Job::new();
        fs::create_dir(job.path("disk")).unwrap();
        job.output = format!("disk/{output}");
        // Twice what is left of the disk, and then once more when there is room.
        let script = "mount -t tmpfs -o size=150k tmpfs disk || exit 99
            for try in 1 2; do \"$@\"; code=$?; [ $code = 1 ] || exit $code; done
            mount -o remount,size=16m disk || exit 98
            \"$@\"; code=$?
            cp -r disk kept; exit $code";
        job.wrapper = ["unshare", "-m", "sh", "-c", script, "sh"]
            .map(str::to_owned)
            .into();
        let done = job.start(SLOW * 2).done();
        if done.code == Some(99) || done.stderr.contains("unshare") {
            println!("skipped: only root can mount a small disk, and not everywhere");
            return;
        }
        assert!(done.stderr.contains("free some space"), "{}", done.stderr);
        let done = done.check_code(REJECTED);
        assert!(done.figure("resumed") > 0, "{}", done.stdout);
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
