//! The command line.

use super::{
    call::{Contacts, Embed, Perplexity},
    call_args::{ProteinArgs, ScoreArgs},
    convert_args::ConvertArgs,
    parity_args::ParityArgs,
    work_args::Work,
};
use crate::{host::Forecasting, progress::Style};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use std::{io::IsTerminal, path::PathBuf};

/// Embed proteins at scale: a script says what, this program does it.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a script to begin with: one that runs as it is, and says what can be changed
    ///
    /// Beside it lies a small `proteins.fasta` then, unless inputs are named; one that is there stays as it is.
    New(NewArgs),
    /// Run a script
    Exec(ScriptArgs),
    /// Embed FASTA files without a script of one's own
    ///
    /// What is run is a script all the same, which is shown: `runner exec` runs it, and goes on with an output
    /// that was begun. So does the same command.
    Embed(ProteinArgs<Embed>),
    /// Predict contacts between residues without a script of one's own
    ///
    /// It is run as by `runner embed`, and what else is asked for is kept, too. With `--threshold` pairs of residues
    /// are listed, without it there is a number for each pair.
    Contacts(ProteinArgs<Contacts>),
    /// Score the mutants of a table, or all single mutants of proteins, without a script of one's own
    ///
    /// It is run as by `runner embed`. The wild type of a table is `--sequence` or in `--fasta`. Higher is fitter.
    Score(ScoreArgs),
    /// Find how likely proteins are, without a script of one's own
    ///
    /// It is run as by `runner embed`. Lower is likelier.
    Perplexity(ProteinArgs<Perplexity>),
    /// Check a script without doing its work: no model is loaded, nothing is written
    ///
    /// The script is run, but `esm2` only reads the model's config, and `embed` only looks for the
    /// inputs and checks the options and all paths. Runs report one sequence that nobody read, `print` is
    /// silent.
    Check {
        #[command(flatten)]
        script: ScriptArgs,
        #[command(flatten)]
        forecast: Forecast,
    },
    /// Look whether this machine has what the program needs
    ///
    /// GPUs with their driver and the parts of CUDA, caches, cores, memory and room, and whether a tiny model
    /// gives the right numbers on the CPU and on each GPU. Exit code 0 says that all of it works; what does not
    /// is listed with its remedy. Secrets of the environment are not shown.
    Doctor,
    /// Say how far an output is: a file or a folder, finished, in the making or stopped
    ///
    /// Nothing is changed, and nobody who works on it is disturbed. With `--json` it is one line of JSON
    /// on standard output.
    Status {
        /// The output, as the script names it
        output: PathBuf,
    },
    /// Read an output again, and compare it with its checksums
    ///
    /// Exit code 0 says that all of it is what was written; else the files are named that are not, or
    /// that are missing.
    Verify {
        /// The output, as the script names it
        output: PathBuf,
    },
    /// Put the shards of an output together
    ///
    /// All of them must be there and finished, else what is missing is named. What is left is the output
    /// that one process would have made. It can be run again whatever ended it, and an output that is merged
    /// stays as it is. Exit code 7 says that records were rejected; they are listed.
    Merge(MergeArgs),
    /// Write a finished output again, in the format that the name of the new file says
    ///
    /// The output is a folder of parts, or a file of any format. The new file is there when it is complete, and
    /// nothing is replaced unless that is asked for. One that is there and holds the same stays as it is.
    Export(ExportArgs),
    /// Write a model as a folder that HF transformers loads, whatever form it has
    ///
    /// The folder gets config.json, model.safetensors, vocab.txt and tokenizer_config.json. It is there when it is
    /// complete, and nothing is replaced unless that is asked for.
    Convert(ConvertArgs),
    /// Compare what a model says with what it says in f32
    ///
    /// Proteins are embedded twice, and the vectors compared by their cosines: of each protein, of each without
    /// the mean of all, and of each residue. So are contacts, logits and scores of mutants by their differences, where
    /// the model has the heads. It takes minutes for a large model on a CPU.
    Parity(ParityArgs),
    /// Download models of the Hugging Face Hub, and print their folders
    ///
    /// Files that are on this machine are not downloaded again. The Hub is asked what the revision is now. Scripts
    /// that name the model then need no network.
    Download(DownloadArgs),
    /// What scripts can say
    #[command(subcommand)]
    Script(ScriptCommand),
    /// Print what completes commands and flags in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or write one for each command
    Man {
        /// The folder to write them into
        folder: Option<PathBuf>,
    },
}

/// A script, and what it is given.
#[derive(Debug, Args)]
pub(super) struct ScriptArgs {
    /// The script, a `.rhai` file
    pub(super) script: PathBuf,
    /// What the script finds in `args`
    #[arg(last = true)]
    pub(super) args: Vec<String>,
    #[command(flatten)]
    pub(super) work: Work,
}

/// What a new script says.
#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// The script to write, a `.rhai` file
    #[arg(default_value = "job.rhai", value_name = "JOB.rhai")]
    pub(super) script: PathBuf,
    /// A FASTA file to embed, or a pattern of such; can be given more than once
    #[arg(short, long, value_name = "IN.fa", value_hint = ValueHint::FilePath)]
    pub(super) input: Vec<String>,
    /// The model: a folder, or a name on the Hugging Face Hub
    #[arg(short, long, default_value = "esm2_t6_8M_UR50D")]
    pub(super) model: String,
    /// Where embeddings go; without it, into `embeddings.parquet` beside the script
    #[arg(short, long, value_name = "OUT.parquet", value_hint = ValueHint::FilePath)]
    pub(super) output: Option<String>,
    /// Replace a script that is there
    #[arg(long)]
    pub(super) overwrite: bool,
}

/// What is merged.
#[derive(Debug, Args)]
pub(super) struct MergeArgs {
    /// The output, as the script names it
    pub(super) output: PathBuf,
    /// Make this file, of shards or of a finished folder, and leave them as they are
    pub(super) file: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long)]
    pub(super) overwrite: bool,
}

/// What is exported.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The output, as the script names it
    pub(super) output: PathBuf,
    /// The file to make: `.parquet`, `.arrow`, `.npy`, `.safetensors`, `.h5` or `.embed`
    pub(super) file: PathBuf,
    /// What the datasets of an `.h5` file are called by: `id`, `accession` in an id of UniProt, or `hash` of the residues
    #[arg(long, value_name = "NAME")]
    pub(super) keys: Option<String>,
    /// The columns of vectors to write, with commas between them, instead of all
    #[arg(long, value_name = "NAMES")]
    pub(super) columns: Option<String>,
    /// Replace a file that is there, and what lies beside it
    #[arg(long)]
    pub(super) overwrite: bool,
}

/// What is downloaded.
#[derive(Debug, Args)]
pub(super) struct DownloadArgs {
    /// Models, as scripts name them: `facebook/esm2_t33_650M_UR50D`, `owner/name@revision`
    #[arg(required = true, value_name = "MODEL")]
    pub(super) models: Vec<String>,
    /// A branch, a tag or a commit, instead of `main`
    #[arg(long)]
    pub(super) revision: Option<String>,
}

/// What a script would take.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Forecast")]
pub(super) struct Forecast {
    /// Tell what the runs of the script would take: records, tokens, time and bytes of the outputs
    ///
    /// The inputs are read, or 64 MiB of them if they are larger. Time is that of one H100 where a model of
    /// the same size was measured there.
    #[arg(long)]
    forecast: bool,
    /// Tokens that the devices do a second, all together, as a run reports them
    #[arg(long, value_name = "TOKENS_PER_SEC", requires = "forecast", value_parser = rate)]
    rate: Option<f64>,
}

impl Forecast {
    /// Whether it is asked for.
    pub(super) fn is_wanted(&self) -> bool {
        self.forecast
    }

    /// How it is made.
    pub(super) fn forecasting(&self) -> Option<Forecasting> {
        self.forecast.then_some(Forecasting {
            tokens_per_sec: self.rate,
        })
    }
}

/// A rate, which a thousand's `k` or a million's `M` may follow.
fn rate(text: &str) -> Result<f64, String> {
    let (number, scale) = match text.strip_suffix(['k', 'M']) {
        Some(number) if text.ends_with('k') => (number, 1e3),
        Some(number) => (number, 1e6),
        None => (text, 1.0),
    };
    // Commas are decimal to some and part thousands for others.
    let rate = number
        .parse()
        .map_or(f64::NAN, |number: f64| scale * number);
    match (1.0..1e15).contains(&rate) {
        true => Ok(rate),
        false => Err("write a number of tokens a second: 404900, 405k or 11.4M".to_owned()),
    }
}

/// What to do about the script language.
#[derive(Debug, Subcommand)]
pub(super) enum ScriptCommand {
    /// Write every function and property with its documentation, for editors and readers
    Definitions {
        /// The file to write instead of standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Flags that every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Report progress and errors on standard error as lines of JSON
    #[arg(long, global = true)]
    json: bool,
    /// Report only warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Log what happens inside, and what scripts write with `debug`; twice for more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Do not show progress
    #[arg(long, global = true)]
    no_progress: bool,
    /// Use colours; `auto` is for terminals, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

impl Global {
    /// How progress is shown.
    pub(super) fn style(&self) -> Style {
        if self.json {
            Style::Json
        } else if self.quiet || self.no_progress {
            Style::Quiet
        } else if std::io::stderr().is_terminal() {
            Style::Bars
        } else {
            Style::Lines
        }
    }

    /// Whether errors are lines of JSON.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether remarks on how a job ended are left out.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// When colours are used.
    pub(super) fn colors(&self) -> anstream::ColorChoice {
        match self.color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
    }

    /// What is logged if the environment variable RUST_LOG does not say it.
    pub(super) fn log_filter(&self) -> &'static str {
        match self.verbose {
            0 => "warn",
            1 => "warn,runner=debug,script=debug",
            _ => "info,runner=trace,script=debug",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_of_scripts_stand_after_two_dashes() {
        let cli = Cli::try_parse_from(["runner", "exec", "a.rhai", "--json", "--", "-q", "b"]);
        let cli = cli.expect("a valid command line");
        assert!(cli.global.is_json());
        let Command::Exec(script) = cli.command else {
            panic!("{:?}", cli.command);
        };
        assert_eq!(script.args, ["-q", "b"]);
        assert!(Cli::try_parse_from(["runner", "exec", "a.rhai", "b"]).is_err());
    }
}
