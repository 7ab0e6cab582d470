//! Every question, in every format that has room for the answer, however its job fares: the output is the one that
//! nobody disturbed, bit by bit, with a row or a reason for each record of the input.
//!
//! What a question is, and what it is written to, stands in two tables: a new one of either is a line there.

mod content;
mod place;
mod table;

use crate::resume::running::{read, wait_until};
use nix::sys::signal::Signal;
use place::{CPU, CPU_AT_ONCE, FAST, IN_ORDER, Place, REJECTED, SMALL, mock};
use serde_json::Value;
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};
use table::{Ending, Input, QUESTIONS, Question};

/// Questions that are asked at the same time.
const N_THREADS: usize = 4;
/// How often jobs are begun that are done before they are killed, as it happens on a busy machine.
const N_TRIES: usize = 5;
/// The batches of each shard, which change no bit.
const BATCHES: [&str; 3] = [SMALL, "token_budget: 200", "token_budget: 300"];

/// Does something with each question.
fn of_each(check: impl Fn(&Question) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..N_THREADS {
            scope.spawn(|| {
                while let Some(question) = QUESTIONS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    check(question);
                }
            });
        }
    });
}

/// The events of this name that a run told.
fn events(stderr: &str, name: &str) -> Vec<Value> {
    let events = stderr.lines().map(serde_json::from_str::<Value>);
    let events = events.flatten().filter(|event| event["event"] == *name);
    events.collect()
}

#[test]
fn every_answer_is_written_where_there_is_room_for_it() {
    of_each(|question| {
        let place = Place::new(question);
        let reference = place.reference(FAST);
        let endings = question.endings();
        let script = place.script(FAST, SMALL, &endings);
        place.run(&[], &script).check_code(REJECTED);
        place.check(&endings, &reference);
        // A list of pairs may be empty, and nothing else is.
        let has_lists = reference.answers().contains(&"probability".to_owned());
        let empty = reference.has_empty_cells();
        assert_eq!(empty, (has_lists, true), "{}", question.name);
        for ending in question.others() {
            let refused = place.run(&[], &place.script(FAST, SMALL, &[ending]));
            let what = format!("{}, `{}`", question.name, ending.ending);
            assert_eq!(refused.code, Some(3), "{what}: {}", refused.stderr);
            assert!(!place.is_published(ending), "{what}");
        }
    });
}

/// Starts a job for each output, and kills it when so many rows are committed. Says whether none was faster.
fn kill_at(n_committed: usize, place: &Place<'_>, model: &str, endings: &[&Ending]) -> bool {
    let jobs = endings.iter().enumerate().map(|(n, ending)| {
        let script = place.script(model, IN_ORDER, &[ending]);
        (ending, place.start(&format!("job-{n}"), &script))
    });
    let mut jobs: Vec<_> = jobs.collect();
    let mut is_faster = false;
    wait_until(|| {
        jobs.retain_mut(|(ending, job)| {
            // It stands still while it is looked at.
            job.send(Signal::SIGSTOP);
            let is_there = place.n_committed(ending) >= n_committed;
            if let Some(status) = job.child.try_wait().unwrap() {
                assert_eq!(status.code(), Some(REJECTED), "{}", read(&job.stderr));
                is_faster = true;
            }
            let next = match is_there {
                true => Signal::SIGKILL,
                false => Signal::SIGCONT,
            };
            job.send(next);
            !is_there
        });
        is_faster || jobs.is_empty()
    });
    let mut endings = endings.iter();
    !is_faster && !endings.any(|ending| place.is_published(ending))
}

/// A place where each job was killed twice.
fn killed_twice<'a>(question: &'a Question, model: &str, endings: &[&Ending]) -> Place<'a> {
    for _ in 0..N_TRIES {
        let place = Place::new(question);
        let mut kills = question.n_at_kills().into_iter();
        if kills.all(|n_committed| kill_at(n_committed, &place, model, endings)) {
            return place;
        }
    }
    panic!("{}: jobs end before they are killed", question.name);
}

/// Kills jobs twice, and checks that the next process goes on with them.
fn check_goes_on(question: &Question, slow: &str, model: &str, endings: &[&Ending]) {
    let place = killed_twice(question, slow, endings);
    let script = place.script(model, SMALL, endings);
    let done = place.run(&[], &script).check_code(REJECTED);
    let resumed = events(&done.stderr, "resumed");
    assert_eq!(resumed.len(), endings.len(), "{}", question.name);
    let [_, n_committed] = question.n_at_kills();
    let has_rows = |event: &Value| event["rows"].as_u64() >= Some(n_committed as u64);
    assert!(resumed.iter().all(has_rows), "{}", question.name);
    place.check(endings, &place.reference(model));
}

#[test]
fn jobs_that_are_killed_go_on() {
    of_each(|question| {
        let slow = mock(question.slow(), "");
        check_goes_on(question, &slow, FAST, &question.endings());
    });
}

/// Runs the shards of a question one after the other, and puts them together.
fn in_shards(place: &Place<'_>, question: &Question, model: &str, endings: &[&Ending]) {
    let mut n_at_work = 0;
    for (index, batches) in BATCHES.into_iter().enumerate() {
        let shard = format!("{index}/{}", BATCHES.len());
        let script = place.script(model, batches, endings);
        let done = place.run(&["--shard", &shard], &script);
        let is_well = [Some(0), Some(REJECTED)].contains(&done.code);
        assert!(is_well, "{}: {}", question.name, done.stderr);
        n_at_work += usize::from(!events(&done.stderr, "batch_encoded").is_empty());
    }
    assert!(n_at_work >= question.n_at_work, "{}", question.name);
    let merge = |ending: &&Ending| format!("merge(\"out{}\");\n", ending.ending);
    let script = match question.endings {
        // Tables are made of their shards by the script itself.
        [".csv"] => place.script(model, SMALL, endings),
        _ => endings.iter().map(merge).collect(),
    };
    let done = place.run(&[], &script).check_code(REJECTED);
    let computed = events(&done.stderr, "batch_encoded");
    assert!(computed.is_empty(), "{}", question.name);
}

#[test]
fn shards_are_put_together() {
    of_each(|question| {
        let place = Place::new(question);
        let endings = question.endings();
        in_shards(&place, question, FAST, &endings);
        place.check(&endings, &place.reference(FAST));
    });
}

#[test]
fn so_it_is_with_what_is_really_computed() {
    of_each(|question| {
        // All masked copies would take half a minute.
        if question.input == Input::Short {
            let place = Place::new(question);
            let endings = &question.endings()[..1];
            in_shards(&place, question, CPU, endings);
            place.check(endings, &place.reference(CPU));
            // Batches are under way when it is killed.
            check_goes_on(question, CPU_AT_ONCE, CPU, endings);
        }
    });
}

#[test]
fn devices_share_the_work() {
    of_each(|question| {
        let place = Place::new(question);
        let reference = place.reference(FAST);
        let endings = question.endings();
        let lanes = "lanes: 3, jitter: 0.5, last_speed: 0.3";
        let script = place.script(&mock(40 * question.slow(), lanes), SMALL, &endings);
        place.run(&[], &script).check_code(REJECTED);
        place.check(&endings, &reference);
        // One of them is lost.
        let place = Place::new(question);
        let lanes = "lanes: 2, fail_lanes: 1, fail_after: 1, fail_with: \"lost in flight\"";
        let script = place.script(&mock(4 * question.slow(), lanes), SMALL, &endings[..1]);
        let done = place.run(&[], &script).check_code(REJECTED);
        let lost = events(&done.stderr, "lane_failed");
        assert_eq!(lost.len(), 1, "{}: {}", question.name, done.stderr);
        place.check(&endings[..1], &reference);
    });
}
