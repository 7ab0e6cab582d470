//! An output file that grows while its parts are made.

use super::{
    job::{Job, REJECTED, SLOW, names_in},
    running::Running,
};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

/// Waits until a file with a temporary name holds more than two parts, which an open part never does.
fn growing(job: &Job, running: &mut Running) -> PathBuf {
    let n_commits = job.commits().len();
    running.wait_until(|| job.commits().len() > n_commits);
    let mut found = None;
    running.wait_until(|| {
        let paths = names_in(&job.bookkeeping()).into_iter();
        let paths: Vec<_> = paths.map(|name| job.bookkeeping().join(name)).collect();
        let is_temporary = |path: &&PathBuf| path.to_str().unwrap().ends_with(".partial");
        let is_part = |path: &&PathBuf| path.to_str().unwrap().ends_with(".parquet");
        let largest = paths.iter().filter(is_part).map(|path| size(path)).max();
        let Some(largest) = largest.filter(|size| *size > 0) else {
            return false;
        };
        let mut temporary = paths.iter().filter(is_temporary);
        found = temporary.find(|path| size(path) > 2 * largest).cloned();
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
