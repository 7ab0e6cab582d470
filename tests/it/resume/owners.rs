//! One process works on an output at a time.

use super::job::{FAST, Job, REJECTED, SLOW};
use nix::sys::signal::Signal;

#[test]
fn a_second_process_is_refused_and_the_first_goes_on() {
    Job::of_both_kinds(|mut job| {
        let mut first = job.start(SLOW);
        first.wait_until(|| !job.commits().is_empty());
        let pid = first.id().to_string();
        let host = super::running::read("/proc/sys/kernel/hostname".as_ref());
        let refused = ["is being written by process", &pid, host.trim()];
        for options in ["", "overwrite: true,", "overwrite: true, resume: false,"] {
            options.clone_into(&mut job.options);
            let second = job.start_again(FAST).done();
            second.check_refused(1, &refused);
        }
        assert!(!first.has_ended(), "it was to take longer");
        let status = job.status();
        assert_eq!(status["state"], "being_made", "{status}");
        assert_eq!(status["owner"]["pid"].to_string(), pid, "{status}");
        job.options.clear();
        first.done().check_code(REJECTED);
        let second = job.check_ends_well();
        assert_eq!(second.figure("computed"), 0);
        assert_eq!(job.status()["state"], "finished");
    });
}

#[test]
fn the_lock_of_a_dead_process_is_taken_over() {
    Job::of_both_kinds(|job| {
        let n_rows = job.interrupt();
        assert!(job.bookkeeping().join("lock").exists());
        assert_eq!(job.status()["state"], "stopped");
        let mut running = job.start(SLOW);
        running.wait_until(|| job.n_committed() > n_rows);
        assert_eq!(job.status()["state"], "being_made");
        running.send(Signal::SIGTERM);
        running.done().check_code(75);
        assert!(!job.bookkeeping().join("lock").exists());
        job.check_goes_on(job.n_committed());
    });
}

#[test]
fn many_processes_at_once_make_one_output() {
    let job = Job::new();
    let mut all: Vec<_> = (0..4)
        .map(|n| job.start_as(&format!("job{n}"), SLOW))
        .collect();
    let mut codes: Vec<_> = all.drain(..).map(|running| running.done().code).collect();
    codes.sort();
    // Whoever comes late may find it finished.
    assert!(
        codes
            .iter()
            .all(|code| [Some(1), Some(REJECTED)].contains(code)),
        "{codes:?}"
    );
    assert_eq!(codes[3], Some(REJECTED));
    job.check_whole();
}
