//! An output file that grows while its parts are made.

use super::{
    job::{Job, REJECTED, SLOW, names_in},
    running::Running,
};
use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt, path::PathBuf};

/// Waits until a file has kept its temporary name while two parts were committed, which an open part does not.
fn growing(job: &Job, running: &mut Running) -> PathBuf {
    let n_before = job.commits().len();
    let mut seen = BTreeMap::new();
    let mut found = None;
    running.wait_until(|| {
        let n_commits = job.commits().len();
        // What was left of a process before is gone then.
        if n_commits == n_before {
            return false;
        }
        let mut names = names_in(&job.bookkeeping());
        names.retain(|name| name.ends_with(".partial"));
        seen.retain(|name, _| names.contains(name));
        for name in names {
            let since = *seen.entry(name.clone()).or_insert(n_commits);
            if n_commits >= since + 2 {
                found = Some(job.bookkeeping().join(name));
            }
        }
        found.is_some()
    });
    found.unwrap()
}

#[test]
fn a_file_grows_beside_its_parts_and_goes_with_its_process() {
    let job = Job::new();
    let mut running = job.start(SLOW);
    let left = growing(&job, &mut running);
    running.killed();
    assert!(left.exists());
    assert_eq!(job.names(), ["out.parquet.parts"]);
    let mut running = job.start(SLOW);
    let path = growing(&job, &mut running);
    assert!(!left.exists());
    let inode = fs::metadata(path).unwrap().ino();
    running.done().check_code(REJECTED);
    job.check_whole();
    // It was not made again.
    assert_eq!(fs::metadata(job.output_path()).unwrap().ino(), inode);
}

#[test]
fn a_file_that_grows_takes_the_place_of_another_at_the_end() {
    let mut job = Job::new();
    "overwrite: true,".clone_into(&mut job.options);
    fs::write(job.output_path(), "somebody's").unwrap();
    let mut running = job.start(SLOW);
    let inode = fs::metadata(growing(&job, &mut running)).unwrap().ino();
    assert_eq!(fs::read_to_string(job.output_path()).unwrap(), "somebody's");
    running.done().check_code(REJECTED);
    job.check_whole();
    assert_eq!(fs::metadata(job.output_path()).unwrap().ino(), inode);
}
