//! Runs that lose a GPU. A process that has lost one is of no use to other tests, so each is one of its own.
#![expect(clippy::print_stdout, reason = "what is left out must be seen")]

use super::common::{GOLDEN_MODELS, project};
use crate::{
    child::finish,
    run::{Unwatched, context, real_pool},
};
use runner::{
    embeddings::Embeddings,
    error::exit_code,
    event::EventSender,
    job::{Dataset, EmbedOptions, EmbedPlan, ModelSpec, OptionValue},
    model::Model,
    monitor::Recorder,
    pipeline::{self, Context, RunFailure},
    report::RunSummary,
};
use std::{
    env,
    fmt::Write,
    fs,
    num::NonZeroUsize,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// The folder in which a process of these tests works.
const FOLDER: &str = "RUNNER_TEST_LOST_FOLDER";
/// What it does there.
const PART: &str = "RUNNER_TEST_LOST_PART";
const SEQUENCES: u64 = 3_000;

/// A model and what its runs share.
struct Job {
    folder: PathBuf,
    model: Model,
    context: Context,
}

impl Job {
    fn new(folder: &Path, devices: &str) -> Self {
        let source = project(GOLDEN_MODELS[4]);
        let device = OptionValue::Text(devices.to_owned());
        let options = [("device".to_owned(), device)].into();
        let spec = ModelSpec::from_map(&source.to_string_lossy(), options).expect("devices");
        let (events, _) = EventSender::channel();
        Self {
            folder: folder.to_owned(),
            model: Model::load(&spec).expect("the model loads"),
            context: context(real_pool(), Recorder::default(), events),
        }
    }

    fn run(
        &mut self,
        output: &str,
        lose_gpu: Option<(usize, u64)>,
    ) -> Result<RunSummary, RunFailure> {
        let input = self.folder.join("in.fa").to_string_lossy().into_owned();
        let options = EmbedOptions {
            token_budget: NonZeroUsize::new(8_192),
            output: Some(self.folder.join(output)),
            commit_every: Duration::from_millis(50),
            lose_gpu,
            ..EmbedOptions::default()
        };
        let plan = EmbedPlan::new(Dataset::new(vec![input]), options, self.model.n_layers());
        let plan = plan.expect("a plan");
        pipeline::embed(&mut self.context, &self.model, &plan, &mut Unwatched)
    }
}

/// Does a part of a test, where a test asks for it.
#[test]
#[ignore = "needs a GPU"]
fn part() {
    let (Some(folder), Ok(part)) = (env::var_os(FOLDER), env::var(PART)) else {
        return;
    };
    let folder = PathBuf::from(folder);
    match part.as_str() {
        "undisturbed" => {
            let run = Job::new(&folder, "cuda:0").run("undisturbed.parquet", None);
            assert_eq!(run.expect("it ends well").sequences, SEQUENCES);
        }
        "the only GPU is lost" => {
            let mut job = Job::new(&folder, "cuda:0");
            let failure = job.run("one.parquet", Some((0, 60))).expect_err("it fails");
            assert_eq!(failure.error.exit_code(), exit_code::DEVICE, "{failure}");
            println!("LOST: {failure}");
            let kept = failure.kept.expect("an output in the making");
            assert!((1..SEQUENCES).contains(&kept.rows), "{} rows", kept.rows);
            let again = job.run("other.parquet", None).expect_err("it is lost");
            assert!(
                again.to_string().contains("no device of the model"),
                "{again}"
            );
            job.model.unload();
        }
        "it goes on" => {
            let run = Job::new(&folder, "cuda:0").run("one.parquet", None);
            let run = run.expect("it ends well");
            assert!(run.resumed > 0);
            assert_eq!(run.resumed + run.sequences, SEQUENCES);
        }
        "one of several GPUs is lost" => {
            let mut job = Job::new(&folder, "cuda:all");
            let n_gpus = job.model.replicas().len();
            if n_gpus < 2 {
                println!("SKIPPED: there is one GPU only");
                return;
            }
            // The driver takes the others away with it, which another process has again.
            let failure = job.run("several.parquet", Some((0, 60)));
            let failure = failure.expect_err("all are lost");
            assert_eq!(failure.error.exit_code(), exit_code::DEVICE, "{failure}");
            assert!(failure.kept.is_some() && job.model.has_lost_several());
            let mut program = this_program("another process goes on");
            panic!("{}", program.env(FOLDER, &folder).exec());
        }
        "another process goes on" => {
            let run = Job::new(&folder, "cuda:all").run("several.parquet", None);
            let run = run.expect("it ends well");
            assert!(run.resumed > 0);
            assert_eq!(run.failed_lanes, 0);
            assert_eq!(run.resumed + run.sequences, SEQUENCES);
        }
        other => panic!("{other}"),
    }
    println!("ENDED: {part}");
}

/// This program, to do a part.
fn this_program(part: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("this program has a path"));
    command
        .args([
            "embeddings::lost::part",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(PART, part);
    command
}

/// Has a process do a part in `folder`. It must end, and well.
fn process(folder: &Path, part: &str) -> String {
    let output = finish(this_program(part).env(FOLDER, folder), b"");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{part}: {:?}, {stdout}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}

fn folder_with_input() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut text = String::new();
    let residues = "MKVLAAGICDEFHNPQRSTWY".repeat(50);
    for n in 0..SEQUENCES as usize {
        let sequence = &residues[n % 21..][..20 + n * 131 % 900];
        writeln!(text, ">p{n}\n{sequence}").expect("a string takes text");
    }
    fs::write(folder.path().join("in.fa"), text).expect("the input");
    folder
}

fn vectors(folder: &Path, output: &str) -> Vec<f32> {
    let embeddings = Embeddings::read(&folder.join(output)).expect("an output");
    assert_eq!(embeddings.len() as u64, SEQUENCES);
    (0..embeddings.len())
        .flat_map(|row| embeddings.vector(row).to_vec())
        .collect()
}

#[test]
#[ignore = "needs a GPU"]
fn a_run_that_loses_its_only_gpu_ends_and_another_goes_on() {
    let folder = folder_with_input();
    let folder = folder.path();
    process(folder, "undisturbed");
    println!("{}", process(folder, "the only GPU is lost"));
    process(folder, "it goes on");
    assert!(vectors(folder, "one.parquet") == vectors(folder, "undisturbed.parquet"));
}

#[test]
#[ignore = "needs GPUs"]
fn a_run_that_loses_one_of_several_gpus_goes_on_in_another_process() {
    let folder = folder_with_input();
    let folder = folder.path();
    let said = process(folder, "one of several GPUs is lost");
    if said.contains("SKIPPED") {
        println!("{said}");
        return;
    }
    process(folder, "undisturbed");
    let undisturbed = vectors(folder, "undisturbed.parquet");
    assert!(said.contains("ENDED: another process goes on"), "{said}");
    assert!(vectors(folder, "several.parquet") == undisturbed);
}
