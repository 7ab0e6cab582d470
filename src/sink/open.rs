//! The one door to outputs: from a plan to what is still to be done.

use super::{
    Circumstances, Output, OutputPlan, Published, RejectsSpool, Resumed, SinkError, Trail, Work,
    claim::Claim,
    format::read_metadata,
    formats::said_of_gone,
    identity::{Finished, differences},
    ledger::{self, Done, Header, History, LastWords, Ledger, Owner, ShardHeader},
    left,
    output::Opening,
    place::Place,
    publish::is_published,
    shards,
    shards_error::ShardsError,
    verifier::{Verifier, lost},
};
use crate::{
    fasta::{self, Input},
    file::{Existing, FileError, check_target, create_folder},
    meter::Meters,
};
use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

/// What there is to do for an output.
pub enum Opened {
    /// Nothing.
    Finished(Box<Resumed>),
    /// Some of it, or all.
    Begun(Box<Begun>),
}

/// An output that can be worked on.
pub struct Begun {
    /// What is to be done.
    pub work: Work,
    /// Where packing says how far it is.
    pub trail: Trail,
    /// Where packing puts what is rejected.
    pub rejects: RejectsSpool,
    /// What is there already.
    pub resumed: Resumed,
    /// What it takes to begin.
    pub ready: Ready,
}

/// An output before its work begins.
pub struct Ready(Kind);

enum Kind {
    Counted,
    Compared(Place),
    Kept(Box<Opening>),
}

impl Ready {
    /// Begins the work, which the meters measure.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn begin(
        self,
        circumstances: &Circumstances,
        meters: &Arc<Meters>,
    ) -> Result<Output, SinkError> {
        match self.0 {
            Kind::Counted => Ok(Output::counted()),
            Kind::Compared(place) => Ok(Output::compared(&place)),
            Kind::Kept(opening) => Output::begin(*opening, circumstances, meters),
        }
    }
}

/// Opens an output, or, without a plan, one that only counts. `inputs` are those of the run.
///
/// # Errors
/// - If what is there is another output, or not one of this program, and may not be replaced.
/// - If another process works on it.
/// - If the file system refuses.
pub fn open(plan: Option<&OutputPlan>, inputs: &[Input]) -> Result<Opened, SinkError> {
    let Some(plan) = plan else {
        return Ok(Opened::Begun(Box::new(Begun {
            work: Work::all(inputs),
            trail: Trail::nowhere(),
            rejects: RejectsSpool::uncollected(),
            resumed: Resumed::default(),
            ready: Ready(Kind::Counted),
        })));
    };
    let shard = plan.shard.map(|shard| shards::header(shard, inputs));
    let door = Door {
        identity: plan.identity.to_map(),
        place: Place::of_shard(&plan.target, plan.shard),
        shard: shard.transpose()?,
        plan,
        inputs,
    };
    door.open()
}

struct Door<'a> {
    plan: &'a OutputPlan,
    inputs: &'a [Input],
    place: Place,
    shard: Option<ShardHeader>,
    identity: BTreeMap<String, String>,
}

impl Door<'_> {
    fn open(self) -> Result<Opened, SinkError> {
        let place = &self.place;
        if let Some(finished) = self.finished_whole()? {
            return self.already(&place.whole(), &finished);
        }
        self.check_shards()?;
        if let (Some(shard), false) = (self.plan.shard, self.plan.overwrite) {
            shards::history(shard, place)?;
        }
        if let Some(path) = place.foreign_file() {
            return Err(SinkError::InTheWay(path));
        }
        if place.is_shard()
            && place.is_folder()
            && let Some(path) = left::foreign_file(&place.whole())?
        {
            return Err(SinkError::InTheWay(path));
        }
        if let Some(folder) = place.host_folder() {
            return Err(SinkError::Inside {
                output: place.output().to_owned(),
                folder,
            });
        }
        if !place.is_folder() {
            // Whatever is to be done: what is no file is never replaced.
            check_target(place.output(), Existing::IsReplaced)?;
        }
        if !place.bookkeeping().is_dir() {
            let finished = self.finished_file()?;
            if let Some(finished) = finished {
                return self.already(place, &finished);
            }
        } else if !self.plan.resume && !self.plan.overwrite {
            return Err(FileError::Exists(place.bookkeeping().to_owned()).into());
        }
        create_folder(place.bookkeeping())?;
        let makes_parts = place.is_folder() && !place.parts().exists();
        create_folder(place.parts())?;
        let (owner, last_words) = Owner::take(&place.lock())?;
        let claim = Claim::new(owner, place, makes_parts)?;
        // Others may have begun, or ended, at the same moment. Now they see this one.
        self.check_shards()?;
        if let Some(finished) = self.finished_whole()? {
            return self.already(&place.whole(), &finished);
        }
        match self.history()? {
            None => match self.finished_file()? {
                // It was published, and the process ended while it removed the parts.
                Some(finished) => self.already(place, &finished),
                None => self.begin_anew(claim),
            },
            Some((ledger, history)) => self.go_on(claim, ledger, history, last_words),
        }
    }

    /// Checks that shards, and those who make the output as a whole, do not get in each other's way.
    fn check_shards(&self) -> Result<(), SinkError> {
        match &self.shard {
            None => shards::check_none(&self.place),
            Some(header) => {
                let overwrite = self.plan.overwrite;
                shards::check_others(&self.place, header, &self.identity, overwrite)
            }
        }
    }

    /// The output that this is to be a shard of, if that is finished.
    fn finished_whole(&self) -> Result<Option<Finished>, SinkError> {
        let output = self.place.output();
        let whole = self.place.whole();
        if !self.place.is_shard() {
            return Ok(None);
        }
        let history = match self.place.is_folder() {
            true => ledger::read(&whole.ledger())?.filter(|history| is_published(&whole, history)),
            false => None,
        };
        if let Some(history) = &history {
            left::check_whole(&whole, history)?;
        }
        let is_there = history.is_some() || (!self.place.is_folder() && output.exists());
        if !is_there {
            return Ok(None);
        }
        if self.plan.overwrite {
            return Err(ShardsError::Replaces(output.to_owned()).into());
        }
        let finished = match history.and_then(|history| Finished::of(&history)) {
            Some(_) if !self.plan.resume => {
                return Err(FileError::Exists(output.to_owned()).into());
            }
            Some(finished) => {
                self.check_identity(&finished.identity)?;
                finished
            }
            None => self.read_finished(output)?,
        };
        if !self.is_same_input(&finished) {
            return Err(ShardsError::Touched(output.to_owned()).into());
        }
        Ok(Some(finished))
    }

    /// The output, if it is a finished file of ours that is not to be replaced.
    fn finished_file(&self) -> Result<Option<Finished>, SinkError> {
        let output = self.place.output();
        if self.place.keeps_parts() || self.plan.overwrite || !output.exists() {
            return Ok(None);
        }
        self.read_finished(output).map(Some)
    }

    fn read_finished(&self, output: &Path) -> Result<Finished, SinkError> {
        let exists = || FileError::Exists(output.to_owned());
        if !self.plan.resume {
            return Err(exists().into());
        }
        let metadata = read_metadata(output)?.ok_or_else(exists)?;
        let finished = Finished::read(&metadata).ok_or_else(exists)?;
        self.check_identity(&finished.identity)?;
        Ok(finished)
    }

    fn check_identity(&self, was: &BTreeMap<String, String>) -> Result<(), SinkError> {
        let differences = differences(was, &self.identity);
        if differences.is_empty() {
            return Ok(());
        }
        Err(SinkError::Different {
            output: self.place.output().to_owned(),
            differences,
        })
    }

    /// Whether the inputs are the files that they were.
    fn is_same_input(&self, finished: &Finished) -> bool {
        let now = fasta::inputs_state(self.inputs, self.inputs.len());
        now.is_some() && now == finished.end.inputs
    }

    /// A finished output: nothing is to be done if the inputs are the files that they were, else they
    /// are read.
    fn already(&self, place: &Place, finished: &Finished) -> Result<Opened, SinkError> {
        let end = &finished.end;
        let resumed = Resumed {
            records: end.records,
            rows: end.rows,
            rejected: end.rejected,
            n_lost: 0,
            stretches: finished.stretches.clone(),
            done: Vec::new(),
            lost: Done::default(),
            published: place.published(),
        };
        if self.is_same_input(finished) {
            return Ok(Opened::Finished(Box::new(resumed)));
        }
        Ok(Opened::Begun(Box::new(Begun {
            work: Work::compare(end, self.inputs),
            trail: Trail::nowhere(),
            rejects: RejectsSpool::uncollected(),
            resumed,
            ready: Ready(Kind::Compared(place.clone())),
        })))
    }

    /// The ledger, if it is to be gone on with. Whatever is there that is not is removed.
    fn history(&self) -> Result<Option<(Ledger, History)>, SinkError> {
        let place = &self.place;
        let path = place.ledger();
        let opened = match self.plan.resume {
            true if path.exists() => Ledger::open(&path),
            _ => Ok(None),
        };
        let opened = match opened {
            Err(_) if self.plan.overwrite => None,
            opened => opened?,
        };
        let Some((ledger, history)) = opened else {
            // Of a process that ended as it began, nothing is left but a line without an end.
            let is_torn = || fs::read(&path).is_ok_and(|text| !text.contains(&b'\n'));
            let is_nothing = || !place.has_parts() && (!path.exists() || is_torn());
            if !self.plan.overwrite && !is_nothing() {
                return Err(SinkError::NoLedger(path));
            }
            place.discard(None)?;
            return Ok(None);
        };
        let is_over = is_published(place, &history);
        match self.check_identity(&history.header.identity) {
            Ok(()) if !(is_over && self.plan.overwrite) => Ok(Some((ledger, history))),
            Err(error) if !self.plan.overwrite => Err(error),
            _ => {
                drop(ledger);
                place.discard(None)?;
                Ok(None)
            }
        }
    }

    /// Whether all that lies beside the output is there, of this very output, and only the file is gone: then it comes
    /// out as it was.
    fn is_only_file_gone(&self) -> bool {
        let said = said_of_gone(self.place.output());
        let finished = said.as_ref().and_then(Finished::read);
        finished.is_some_and(|finished| {
            self.check_identity(&finished.identity).is_ok() && self.is_same_input(&finished)
        })
    }

    fn begin_anew(&self, claim: Claim) -> Result<Opened, SinkError> {
        let place = &self.place;
        let existing = Existing::unless(self.plan.overwrite);
        check_target(&place.rejects(), existing)?;
        if !place.is_folder() {
            check_target(place.output(), existing)?;
            if !self.is_only_file_gone() {
                for path in place.sidecars(self.plan.has_many()) {
                    check_target(&path, existing)?;
                }
            }
        }
        let header = Header {
            ledger: ledger::VERSION,
            identity: self.identity.clone(),
            format: self.plan.target.format.name().to_owned(),
            settings: [("inputs".to_owned(), self.plan.inputs.clone())].into(),
            shard: self.shard.clone(),
        };
        let ledger = Ledger::create(&place.ledger(), &header)?;
        // Of two that begin other outputs at the same moment, one at least sees the other.
        if self.shard.is_some()
            && let Err(error) = self.check_shards()
        {
            drop(ledger);
            place.discard(None)?;
            return Err(error);
        }
        let history = History::begun(header);
        let work = Work::all(self.inputs);
        self.begun(claim, ledger, history, None, work)
    }

    fn go_on(
        &self,
        claim: Claim,
        ledger: Ledger,
        history: History,
        last_words: Option<LastWords>,
    ) -> Result<Opened, SinkError> {
        let place = &self.place;
        let lost = lost(&history, place)?;
        let is_published = is_published(place, &history);
        // A line of the ledger may be damaged, so that it does not speak of all records any more.
        let is_whole = lost.is_empty() && history.is_sound();
        if is_published && (is_whole || !place.keeps_parts()) {
            let finished = Finished::of(&history);
            // A file stands there, and only its parts were not removed.
            claim.clean_up();
            if let Some(finished) = finished {
                return self.already(place, &finished);
            }
            return Err(SinkError::LedgerGone(place.ledger()));
        }
        let existing = Existing::unless(self.plan.overwrite);
        if !place.is_folder() {
            check_target(place.output(), existing)?;
        }
        if history.end.is_none() && !place.manifest().exists() {
            // Else it may be the one of this output, which is published first.
            check_target(&place.rejects(), existing)?;
        }
        let n_lost = lost.len();
        let history = history.without(&lost);
        place.discard(Some(&history))?;
        let verifier = Verifier::start(&history, place);
        let work = Work::missing(history.clone(), self.inputs, verifier)?;
        let mut opened = self.begun(claim, ledger, history, last_words, work)?;
        if let Opened::Begun(begun) = &mut opened {
            begun.resumed.n_lost = n_lost;
        }
        Ok(opened)
    }

    fn begun(
        &self,
        claim: Claim,
        ledger: Ledger,
        history: History,
        last_words: Option<LastWords>,
        work: Work,
    ) -> Result<Opened, SinkError> {
        let rejects = RejectsSpool::create(self.place.bookkeeping())?;
        let (trail, marks) = Trail::new();
        let lost = history.lost(last_words.as_ref());
        let resumed = Resumed {
            records: history.records(),
            rows: history.rows(),
            rejected: history.rejected(),
            n_lost: 0,
            stretches: history.stretches.clone(),
            done: history.done().to_vec(),
            lost,
            published: Published::default(),
        };
        Ok(Opened::Begun(Box::new(Begun {
            work,
            trail,
            rejects: rejects.clone(),
            resumed,
            ready: Ready(Kind::Kept(Box::new(Opening {
                plan: self.plan.clone(),
                place: self.place.clone(),
                claim,
                ledger,
                history,
                marks,
                rejects,
                inputs: self.inputs.to_vec(),
                lost,
            }))),
        })))
    }
}
