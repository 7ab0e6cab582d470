//! Everything that can end a run, and the exit code that it ends with.

use crate::{
    batch::PackError,
    cancel::StopReason,
    device::DeviceError,
    embeddings::EmbeddingsError,
    fasta::InputError,
    file::FileError,
    hint::{Hint, REPORT_IT},
    hub::HubError,
    job::Problems,
    model::{ConvertError, ModelError},
    monitor::MonitorError,
    paths::PathError,
    reader::ReaderError,
    report::ReportError,
    score::ScoreError,
    sink::{OrderError, ShardsError, SinkError},
};

/// What can end a run. Each floor's own error is one variant.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The plan makes no sense.
    #[error(transparent)]
    Plan(#[from] Problems),
    /// An input file or one of its records.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A file of embeddings that is read back.
    #[error(transparent)]
    Embeddings(#[from] EmbeddingsError),
    /// The reader subprocesses.
    #[error(transparent)]
    Reader(ReaderError),
    /// A record that no batch can hold.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The model or its weights.
    #[error(transparent)]
    Model(ModelError),
    /// The device that the model runs on.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// All devices of a run failed, one after the other.
    #[error("all {count} devices failed, the first one with: {first}")]
    AllDevicesFailed {
        /// How many.
        count: usize,
        /// What the first one failed with.
        first: Box<Error>,
    },
    /// The output files.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// Any other file that the script names.
    #[error(transparent)]
    File(#[from] FileError),
    /// A model that was to be written in another form.
    #[error(transparent)]
    Convert(ConvertError),
    /// The files of a report.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Scores, or the mutants that they are of.
    #[error(transparent)]
    Score(ScoreError),
    /// The files that measurements go to.
    #[error(transparent)]
    Monitor(#[from] MonitorError),
    /// A closure of the script threw while the run went on.
    #[error("stopped by the script: {0}; nothing was published")]
    StoppedByScript(String),
    /// Rows came out of the model twice or not at all. It is always a bug of this program.
    #[error("{0}; nothing was published")]
    Order(#[from] OrderError),
    /// Records went missing between two stations. It is always a bug of this program.
    #[error("{0}; nothing was published")]
    Conservation(String),
    /// A thread of the pipeline ended without a word. It is always a bug of this program.
    #[error("the {0} thread panicked; nothing was published")]
    Panicked(&'static str),
    /// The user or a scheduler stopped the run.
    #[error("stopped by {}", .0.name())]
    Stopped(StopReason),
}

const GO_ON: &str = "run the same command again to go on";

/// The exit codes of the program.
pub mod exit_code {
    /// All went well.
    pub const OK: u8 = 0;
    /// The machine failed: an output cannot be written, a reader cannot be kept alive, the network is down.
    pub const UNEXPECTED: u8 = 1;
    /// The command line makes no sense.
    pub const USAGE: u8 = 2;
    /// The script is wrong, or it threw.
    pub const SCRIPT: u8 = 3;
    /// An input is missing, broken or refused by a policy.
    pub const INPUT: u8 = 4;
    /// The model or its weights are missing, broken or not supported.
    pub const MODEL: u8 = 5;
    /// The device is missing or failed.
    pub const DEVICE: u8 = 6;
    /// The job finished, and policies rejected some records; they are listed.
    pub const REJECTED: u8 = 7;
    /// A bug of this program: it panicked, or noticed that something cannot be right. EX_SOFTWARE of
    /// `sysexits.h`.
    pub const BUG: u8 = 70;
    /// Stopped by SIGTERM, or by SIGINT where standard error is no terminal; the same command can be run
    /// again. EX_TEMPFAIL of `sysexits.h`.
    pub const TERMINATED: u8 = 75;
    /// Stopped by SIGHUP: the terminal is gone. It is what a shell shows for it.
    pub const HUNG_UP: u8 = 129;
    /// Stopped by Ctrl-C on a terminal.
    pub const INTERRUPTED: u8 = 130;
    /// Nobody reads standard output any more. It is what a shell shows for SIGPIPE.
    pub const OUTPUT_CLOSED: u8 = 141;
}

impl From<ReaderError> for Error {
    fn from(error: ReaderError) -> Self {
        match error {
            // What is wrong with an input is the same error wherever it was found.
            ReaderError::Input(error) => Self::Input(error),
            error => Self::Reader(error),
        }
    }
}

impl From<ScoreError> for Error {
    fn from(error: ScoreError) -> Self {
        match error {
            // What is wrong with an input or a file is the same error wherever it was found.
            ScoreError::Input(error) => Self::Input(error),
            ScoreError::File(error) => Self::File(error),
            ScoreError::Stopped(reason) => Self::Stopped(reason),
            error => Self::Score(error),
        }
    }
}

impl From<PathError> for Error {
    fn from(error: PathError) -> Self {
        match error {
            PathError::Plan(problems) => Self::Plan(problems),
            PathError::File(error) => Self::File(error),
        }
    }
}

impl From<ModelError> for Error {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Device(error) => Self::Device(error),
            error => Self::Model(error),
        }
    }
}

impl Error {
    /// Why a merge or an export failed, if it was not told to stop.
    pub fn of_merge(error: SinkError, reason: Option<StopReason>) -> Self {
        match (error, reason) {
            (SinkError::Shards(ShardsError::Ended(_)) | SinkError::Stopped(_), Some(reason)) => {
                Self::Stopped(reason)
            }
            (error, _) => error.into(),
        }
    }

    /// Why a model cannot be had, if it was not told to stop.
    pub fn of_model(error: ModelError, reason: Option<StopReason>) -> Self {
        match (error.of_the_hub(), reason) {
            (Some(HubError::Interrupted), Some(reason)) => Self::Stopped(reason),
            _ => error.into(),
        }
    }

    /// Why a conversion failed, if it was not told to stop.
    pub fn of_conversion(error: ConvertError, reason: Option<StopReason>) -> Self {
        match (error, reason) {
            (ConvertError::Stopped, Some(reason)) => Self::Stopped(reason),
            (ConvertError::Model(error), _) => error.into(),
            (error, _) => Self::Convert(error),
        }
    }

    /// The exit code of a program that ends with this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Plan(_)
            | Self::StoppedByScript(_)
            | Self::Monitor(MonitorError::Format(_))
            | Self::Sink(SinkError::Name(_) | SinkError::Unfit { .. }) => exit_code::SCRIPT,
            Self::Input(_)
            | Self::Embeddings(_)
            | Self::Score(ScoreError::Table { .. } | ScoreError::Column(_))
            | Self::Pack(_)
            | Self::Sink(SinkError::NoOutput { .. }) => exit_code::INPUT,
            Self::Convert(ConvertError::TooLarge { .. }) => exit_code::MODEL,
            Self::Model(error) => match error.of_the_hub() {
                Some(
                    HubError::Unreachable { .. }
                    | HubError::Busy { .. }
                    | HubError::Server { .. }
                    | HubError::Answer { .. }
                    | HubError::Cut { .. }
                    | HubError::Full { .. }
                    | HubError::Cache(_),
                ) => exit_code::UNEXPECTED,
                _ => exit_code::MODEL,
            },
            Self::Device(_) => exit_code::DEVICE,
            Self::AllDevicesFailed { first, .. } => first.exit_code(),
            Self::Order(_)
            | Self::Conservation(_)
            | Self::Panicked(_)
            | Self::Score(ScoreError::Conservation(_))
            | Self::Sink(SinkError::Conservation { .. })
            | Self::Reader(ReaderError::Lost) => exit_code::BUG,
            Self::Reader(_)
            | Self::Sink(_)
            | Self::Convert(_)
            | Self::File(_)
            | Self::Report(_)
            | Self::Score(_)
            | Self::Monitor(_) => exit_code::UNEXPECTED,
            Self::Stopped(StopReason::Interrupted) => exit_code::INTERRUPTED,
            Self::Stopped(StopReason::Terminated | StopReason::InterruptedUnseen) => {
                exit_code::TERMINATED
            }
            Self::Stopped(StopReason::HungUp) => exit_code::HUNG_UP,
        }
    }
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Plan(error) => error.hint(),
            Self::Input(error) => error.hint(),
            Self::Embeddings(error) => error.hint(),
            Self::Reader(error) => error.hint(),
            Self::Pack(error) => error.hint(),
            Self::Model(error) => error.hint(),
            Self::Device(error) => error.hint(),
            Self::AllDevicesFailed { first, .. } => {
                let of_first = first.hint().filter(|hint| hint != GO_ON);
                Some(match of_first {
                    Some(hint) => format!("{GO_ON}; {hint}"),
                    None => GO_ON.to_owned(),
                })
            }
            Self::Sink(error) => error.hint(),
            Self::File(error) => error.hint(),
            Self::Convert(error) => error.hint(),
            Self::Report(error) => error.hint(),
            Self::Score(error) => error.hint(),
            Self::Monitor(error) => error.hint(),
            Self::Order(error) => error.hint(),
            Self::Conservation(_) | Self::Panicked(_) => Some(REPORT_IT.to_owned()),
            Self::Stopped(_) => Some(GO_ON.to_owned()),
            Self::StoppedByScript(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_always_a_bug_has_a_code_of_its_own() {
        let bugs: [Error; 5] = [
            Error::Panicked("writing"),
            Error::Conservation("packer: 2 in, 1 out".to_owned()),
            OrderError::Duplicate {
                index: 0,
                id: "p".to_owned(),
            }
            .into(),
            SinkError::Conservation {
                n_records: 2,
                n_embedded: 1,
                n_rejected: 0,
            }
            .into(),
            ReaderError::Lost.into(),
        ];
        for bug in bugs {
            assert_eq!(bug.exit_code(), exit_code::BUG, "{bug}");
            assert_eq!(bug.hint().as_deref(), Some(REPORT_IT), "{bug}");
        }
        let full = std::io::ErrorKind::StorageFull.into();
        let full = SinkError::from(FileError::io("write", "out.parquet".as_ref(), full));
        assert_eq!(Error::from(full).exit_code(), exit_code::UNEXPECTED);
    }
}
