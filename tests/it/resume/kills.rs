//! A job that is killed again and again.

use super::{
    content::Content,
    job::{Job, N_RECORDS, proteins},
    random::Random,
    running::Done,
};
use nix::sys::signal::Signal;
use std::{
    env, thread,
    time::{Duration, Instant},
};

/// How often the job is killed, if it is to be killed in earnest.
const VARIABLE: &str = "RUNNER_KILLS";
/// Rows that are computed before one of them can leave, at most: so many budgets of the packer. And as many
/// may have been computed and not been written.
const BUDGETS_ON_THEIR_WAY: u64 = 18 + 8;
const BUDGET: u64 = 256;

/// What a job did that was killed.
#[derive(Default)]
struct Record {
    n_kills: u64,
    n_computed: u64,
    /// The largest commit.
    most_rows: u64,
    n_tokens: u64,
}

impl Record {
    fn add(&mut self, job: &Job, done: &Done) {
        self.n_computed += done.sum("batch_encoded", "sequences");
        self.n_tokens += done.sum("batch_encoded", "tokens");
        let rows = job.commits().into_iter();
        let most = rows.filter_map(|commit| commit["rows"].as_u64()).max();
        self.most_rows = self.most_rows.max(most.unwrap_or(0));
    }
}

/// Runs a job of so many records until it ends, and kills it so often on the way: as it starts, while it works,
/// while it commits, as it publishes.
fn kill_at_random_moments(job: &Job, n_records: u64, n_kills: u64, seed: u64) -> Record {
    let mut random = Random::new(seed);
    let mut record = Record::default();
    loop {
        // Commits may be slow on a busy disk, and rows must not all be computed by then.
        let mut running = job.start(super::job::SLOW / 3);
        let is_early = random.below(4) == 0;
        // The last ones come when all is committed, or nearly so.
        let share = n_records * (record.n_kills + 1) / n_kills;
        let goal = random.below(share + 1);
        let start = Instant::now();
        let early = Duration::from_millis(random.below(300));
        while !running.has_ended() && record.n_kills < n_kills {
            let is_there = match is_early {
                true => start.elapsed() >= early,
                false => job.n_committed() as u64 >= goal,
            };
            if is_there {
                break;
            }
            thread::sleep(Duration::from_millis(2));
        }
        if record.n_kills < n_kills {
            thread::sleep(Duration::from_micros(random.below(60_000)));
            if !running.has_ended() {
                record.n_kills += 1;
                record.add(job, &running.killed());
                continue;
            }
        }
        let done = running.done();
        record.add(job, &done);
        assert!([Some(0), Some(7)].contains(&done.code), "{}", done.stderr);
        return record;
    }
}

/// How often a job that takes its time is killed.
fn wanted_kills() -> u64 {
    env::var(VARIABLE).map_or(10, |n| n.parse().expect("a number"))
}

/// Kills a job and checks what it leaves, and how much it has done twice.
fn check(mut job: Job, n_records: usize, seed: u64, n_kills: u64) {
    job.is_told = true;
    let record = kill_at_random_moments(&job, n_records as u64, n_kills, seed);
    assert!(
        record.n_kills >= n_kills / 2,
        "only {} kills",
        record.n_kills
    );
    let content = job.check_whole();
    check_done_twice(&job, &content, &record);
}

#[expect(
    clippy::print_stdout,
    reason = "whoever looks at the tests should know"
)]
fn check_done_twice(job: &Job, content: &Content, record: &Record) {
    let n_rows = content.rows.len() as u64;
    let Record {
        n_kills,
        n_computed,
        most_rows,
        n_tokens,
    } = *record;
    let told = job.status()["lost_rows"].as_u64().unwrap();
    let twice = n_computed - n_rows.min(n_computed);
    let on_their_way = BUDGETS_ON_THEIR_WAY * BUDGET * n_computed / n_tokens;
    let bound = n_rows / 20 + n_kills * (most_rows + on_their_way);
    // A process says that a batch came back before it tells of it here, unless it spoke within the last
    // 50 microseconds, which a busy machine makes long: a kill just then loses a batch in silence. What is told
    // here in vain, as the process dies, is counted there all the same.
    let untold = twice.saturating_sub(told);
    let rows_of_a_batch = (BUDGET * n_computed).div_ceil(n_tokens);
    let most_untold = rows_of_a_batch * n_kills;
    println!(
        "{n_kills} kills of {n_rows} rows: {twice} were computed twice ({told} by the output's own account); \
         5%, and of each kill a commit ({most_rows} rows at most) and what was on its way ({on_their_way} rows), are {bound}"
    );
    assert!(twice <= bound, "{twice} rows were computed twice");
    assert!(told <= bound, "{told} rows are said to be lost");
    assert!(
        untold <= most_untold,
        "{untold} of {twice} rows were lost in silence"
    );
}

/// A job on the CPU.
fn on_the_cpu(output: &str) -> (Job, usize) {
    let n_records = if env::var_os(VARIABLE).is_some() {
        3_000
    } else {
        900
    };
    let mut job = Job::on(&proteins(n_records));
    "cpu".clone_into(&mut job.device);
    output.clone_into(&mut job.output);
    (job, n_records)
}

#[test]
fn a_file_that_is_killed_at_random_moments() {
    let (job, n_records) = on_the_cpu("out.parquet");
    check(job, n_records, 1, wanted_kills());
}

#[test]
fn a_folder_that_is_killed_at_random_moments() {
    let (job, n_records) = on_the_cpu("out/");
    check(job, n_records, 2, wanted_kills());
}

#[test]
fn several_lanes_that_are_killed_at_random_moments() {
    let mut job = Job::new();
    "lanes: 3, jitter: 1.0".clone_into(&mut job.mock);
    check(job, N_RECORDS, 3, 10);
}

#[test]
fn readers_that_are_killed_are_no_matter_for_commits() {
    Job::of_both_kinds(|job| {
        for _ in 0..2 {
            let mut running = job.start(super::job::SLOW);
            for _ in 0..2 {
                let n_before = job.commits().len();
                running.kill_children();
                running.wait_until(|| job.commits().len() > n_before);
            }
            running.send(Signal::SIGKILL);
            running.done();
        }
        let n_committed = job.n_committed();
        let mut running = job.start(super::job::SLOW);
        running.kill_children();
        running.wait_until(|| job.n_committed() > n_committed);
        running.kill_children();
        running.done().check_code(7);
        job.check_whole();
    });
}
