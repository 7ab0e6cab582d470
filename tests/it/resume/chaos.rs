//! A job to which everything happens, one thing after the other.

use super::{
    damage::damage,
    inputs::touch,
    job::{Job, REJECTED, SLOW},
    random::Random,
    running::read,
};
use nix::sys::signal::Signal;
use std::{fs, thread, time::Duration};

/// How often something happens to a job.
const N_EVENTS: usize = 12;

/// Does something to what a job has committed, or to what it is given. Says what it was.
fn happen(job: &mut Job, random: &mut Random) -> &'static str {
    let commits = job.commits();
    let parts: Vec<_> = commits.iter().map(|commit| job.part(commit)).collect();
    let part = parts.get(random.below(parts.len() as u64) as usize);
    let part = part.filter(|part| part.exists());
    match (random.below(8), part) {
        (0, Some(part)) => {
            damage(part);
            "a part is damaged"
        }
        (1, Some(part)) => {
            fs::remove_file(part).unwrap();
            "a part is missing"
        }
        (2, _) if job.ledger().exists() => {
            let text = read(&job.ledger());
            let whole = text.find('\n').map_or(0, |end| end + 1);
            let cut = (random.below(200) as usize).min(text.len() - whole.min(text.len()));
            fs::write(job.ledger(), &text[..text.len() - cut]).unwrap();
            "the ledger is torn"
        }
        (3, _) => {
            touch(&job.path("in.fa"));
            "the input is touched"
        }
        (4, _) => {
            let budget = 256 + random.below(1000);
            job.batches = format!("token_budget: {budget}, commit_every: 0.01,");
            job.options = format!(
                "readers: {}, prefetch: {},",
                1 + random.below(4),
                1 + random.below(9)
            );
            "it runs otherwise"
        }
        (5, _) => {
            job.mock = format!("lanes: {}, jitter: 0.5", 1 + random.below(3));
            "it has other devices"
        }
        _ => "nothing else",
    }
}

fn check(seed: u64) {
    Job::of_both_kinds(|mut job| {
        let mut random = Random::new(seed);
        let mut events = Vec::new();
        for _ in 0..N_EVENTS {
            let signal = [Signal::SIGKILL, Signal::SIGTERM][random.below(2) as usize];
            let n_commits = job.commits().len() + random.below(3) as usize;
            let mut running = job.start(SLOW);
            while !running.has_ended() && job.commits().len() < n_commits {
                thread::sleep(Duration::from_millis(2));
            }
            thread::sleep(Duration::from_millis(random.below(80)));
            running.send(signal);
            let code = running.done().code;
            if [Some(0), Some(REJECTED)].contains(&code) {
                break;
            }
            events.push(happen(&mut job, &mut random));
        }
        let done = job.run();
        assert!(
            [Some(0), Some(REJECTED)].contains(&done.code),
            "{events:?}: {}",
            done.stderr
        );
        job.check_whole();
    });
}

#[test]
fn one_thing_after_the_other() {
    check(1);
}

#[test]
fn one_thing_after_another() {
    check(2);
}
