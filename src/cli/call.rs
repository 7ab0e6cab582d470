//! Calls of scripts that are commands, too, and their flags, all of them from the tables of options.

use crate::job::{
    Dataset, EmbedOptions, ModelSpec, MutantsTable, OptionFlag, OptionValue, PerplexityOptions,
    ScoreOptions,
};
use clap::Arg;
use std::{fmt::Debug, sync::LazyLock};

/// A call of a script that is a command, too.
pub(super) struct Call {
    /// What it is called.
    pub(super) name: &'static str,
    /// What its output is called in its help.
    pub(super) output: &'static str,
    groups: LazyLock<Vec<Group>>,
}

/// Flags that stand together in the help, under a title.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) flags: Vec<OptionFlag>,
    /// Where it is kept what was given of them.
    pub(super) place: fn(&mut Flags) -> &mut Given,
    /// What each of them asks of the other arguments.
    pub(super) beside: fn(Arg) -> Arg,
}

/// What was given of a group of flags, by the names in scripts.
pub(super) type Given = Vec<(&'static str, OptionValue)>;

/// What was given of all flags.
#[derive(Clone, Debug, Default)]
pub(super) struct Flags {
    /// Rules of the dataset.
    pub(super) rules: Given,
    /// Options of `mutants`.
    pub(super) mutants: Given,
    /// Options of `esm2`.
    pub(super) model: Given,
    /// Options of the call.
    pub(super) run: Given,
}

/// The switch by which all mutants of proteins are scored, in place of those of a table.
pub(super) const ALL_SINGLE_MUTANTS: &str = "all_single_mutants";

static EMBED: Call = Call {
    name: "embed",
    output: "OUT.parquet",
    groups: LazyLock::new(|| vec![rules(), model(), run(EmbedOptions::OPTIONS.flags())]),
};

static CONTACTS: Call = Call {
    name: "contacts",
    output: "OUT.parquet",
    groups: LazyLock::new(|| {
        let mut flags = EmbedOptions::OPTIONS.flags();
        // They are what the command is for.
        flags.retain(|flag| flag.name != "contacts");
        vec![rules(), model(), run(flags)]
    }),
};

static SCORE: Call = Call {
    name: "score",
    output: "SCORES.csv",
    groups: LazyLock::new(|| {
        let mutants = Group {
            title: "Mutants of a table",
            flags: MutantsTable::OPTIONS.flags(),
            place: |to| &mut to.mutants,
            beside: |argument| argument.conflicts_with(ALL_SINGLE_MUTANTS),
        };
        let rules = Group {
            title: "Dataset of all single mutants",
            beside: |argument| argument.conflicts_with_all(["sequence", "fasta"]),
            ..rules()
        };
        vec![mutants, rules, model(), run(ScoreOptions::flags())]
    }),
};

static PERPLEXITY: Call = Call {
    name: "perplexity",
    output: "OUT.csv",
    groups: LazyLock::new(|| vec![rules(), model(), run(PerplexityOptions::flags())]),
};

/// Every call that is a command.
pub(super) static CALLS: [&Call; 4] = [&EMBED, &CONTACTS, &SCORE, &PERPLEXITY];

fn rules() -> Group {
    Group {
        title: "Dataset",
        flags: Dataset::flags(),
        place: |to| &mut to.rules,
        beside: |argument| argument,
    }
}

fn model() -> Group {
    Group {
        title: "Model",
        flags: ModelSpec::OPTIONS.flags(),
        place: |to| &mut to.model,
        beside: |argument| argument,
    }
}

fn run(flags: Vec<OptionFlag>) -> Group {
    Group {
        title: "Run",
        flags,
        place: |to| &mut to.run,
        beside: |argument| argument,
    }
}

impl Call {
    /// Its flags.
    pub(super) fn groups(&'static self) -> &'static [Group] {
        &self.groups
    }

    /// The names of its rules of a dataset in scripts.
    pub(super) fn rules(&'static self) -> impl Iterator<Item = &'static str> {
        self.names().filter(|name| Self::is_rule(name))
    }

    /// The names of its options in scripts.
    pub(super) fn options(&'static self) -> impl Iterator<Item = &'static str> {
        self.names().filter(|name| !Self::is_rule(name))
    }

    /// The names of all flags in scripts.
    pub(super) fn names(&'static self) -> impl Iterator<Item = &'static str> {
        let flags = self.groups().iter().flat_map(|group| &group.flags);
        flags.map(|flag| flag.name)
    }

    fn is_rule(name: &str) -> bool {
        static RULES: LazyLock<Vec<OptionFlag>> = LazyLock::new(Dataset::flags);
        RULES.iter().any(|rule| rule.name == name)
    }
}

/// A call as a type, which the arguments of its command have.
pub(super) trait OfCall: Clone + Debug + Send + Sync + 'static {
    /// The call.
    fn call() -> &'static Call;
}

/// Vectors of proteins.
#[derive(Clone, Debug)]
pub(super) struct Embed;

/// Which residues are in contact.
#[derive(Clone, Debug)]
pub(super) struct Contacts;

/// How fit mutants are.
#[derive(Clone, Debug)]
pub(super) struct Score;

/// How likely proteins are.
#[derive(Clone, Debug)]
pub(super) struct Perplexity;

impl OfCall for Embed {
    fn call() -> &'static Call {
        &EMBED
    }
}

impl OfCall for Contacts {
    fn call() -> &'static Call {
        &CONTACTS
    }
}

impl OfCall for Score {
    fn call() -> &'static Call {
        &SCORE
    }
}

impl OfCall for Perplexity {
    fn call() -> &'static Call {
        &PERPLEXITY
    }
}
