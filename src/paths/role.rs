//! What a path is for.

/// What a path is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The script itself.
    Script,
    /// A module that it imports.
    Module,
    /// A file of a model.
    ModelFile,
    /// A FASTA file.
    Input,
    /// Embeddings that are read back.
    Embeddings,
    /// Embeddings that are written.
    Output,
    /// What is kept of an output while it is made.
    Parts,
    /// A file that lies beside an output, as it has no room in it.
    Beside,
    /// The list of rejected records beside an output.
    Rejects,
    /// What says how a table of scores came about.
    ScoreNote,
    /// The page about all runs.
    Report,
    /// Lines of measurements.
    Metrics,
    /// What every stage does when.
    Trace,
    /// The latest measurements.
    Prometheus,
    /// The table that a sweep keeps.
    SweepTable,
    /// The table of a sweep, saved by hand.
    SavedTable,
    /// The page of a sweep.
    Plot,
    /// A picture of the contacts of a sequence.
    ContactMap,
    /// A table of contacts.
    ContactTable,
    /// Attention maps.
    AttentionMaps,
    /// The definitions of the script API.
    Definitions,
    /// A page of the manual.
    Manual,
    /// What the program prints, where a shell has sent it to a file.
    Printed,
}

impl Role {
    /// Whether the file is only read.
    pub(super) fn is_read(self) -> bool {
        matches!(
            self,
            Self::Script | Self::Module | Self::ModelFile | Self::Input | Self::Embeddings
        )
    }

    /// The role, for people.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Script => "the script",
            Self::Module => "a module of the script",
            Self::ModelFile => "a file of a model",
            Self::Input => "an input",
            Self::Embeddings => "a file of embeddings that the script reads",
            Self::Output => "an output",
            Self::Parts => "the folder of an output that is being made",
            Self::Beside => "a file that lies beside an output",
            Self::Rejects => "the list of an output's rejected records",
            Self::ScoreNote => "the file that says how scores came about",
            Self::Report => "the report",
            Self::Metrics => "the file of `metrics`",
            Self::Trace => "the file of `trace`",
            Self::Prometheus => "the file of `prometheus`",
            Self::SweepTable => "the table that a sweep keeps",
            Self::SavedTable => "the saved table of a sweep",
            Self::Plot => "the page of a sweep",
            Self::ContactMap => "a picture of contacts",
            Self::ContactTable => "a table of contacts",
            Self::AttentionMaps => "attention maps",
            Self::Definitions => "the file of definitions",
            Self::Manual => "a page of the manual",
            Self::Printed => "where the program's own text goes",
        }
    }
}
