//! From parts to what the user asked for.

use super::{
    OutputPlan, Published, Rejects, SinkError,
    format::read_metadata,
    identity::Finished,
    ledger::{End, History},
    making::Making,
    manifest,
    place::Place,
    stitching::Stitching,
    verifier::is_as_it_was,
};
use crate::{
    file::{Existing, Keep, Staged},
    job::OutputFormat,
};
use std::path::PathBuf;

/// Whether all that was to be done for an output is done and published: a file has its name then, and a
/// folder its manifest. Of a shard nothing is published: it has an end.
pub(super) fn is_published(place: &Place, history: &History) -> bool {
    let Some(end) = &history.end else {
        return false;
    };
    if place.is_shard() {
        return true;
    }
    if place.is_folder() {
        return place.manifest().exists();
    }
    let metadata = read_metadata(place.output()).ok().flatten();
    let finished = metadata.as_ref().and_then(Finished::read);
    finished.is_some_and(|finished| {
        finished.end.hash == end.hash && finished.identity == history.header.identity
    })
}

/// A complete set of parts on its way to what the user asked for.
pub(super) struct Publication<'a> {
    pub(super) plan: &'a OutputPlan,
    pub(super) place: &'a Place,
    pub(super) history: &'a History,
    pub(super) end: &'a End,
    /// All that a finished file says of itself.
    pub(super) metadata: &'a [(String, String)],
    /// Whether the one part there is says all of that already.
    pub(super) is_whole: bool,
    /// The output as far as parts are put together, if they are.
    pub(super) stitching: Option<Stitching>,
}

impl Publication<'_> {
    /// Publishes the list of rejections, and the output. Both can be done again if it is ended half-way.
    ///
    /// # Errors
    /// If the file system refuses. The parts are still there then.
    pub(super) fn publish(mut self) -> Result<Published, SinkError> {
        let existing = Existing::unless(self.plan.overwrite);
        let rejects = Rejects::beside(self.place.rejects(), existing, &self.rejects()?)?;
        let ((), rejects) = rejects.publish_with(|| match self.place.is_folder() {
            true => manifest::write(self.place, self.history, self.end),
            false => self.publish_file(existing),
        })?;
        Ok(Published {
            output: Some(self.place.output().to_owned()),
            rejects,
        })
    }

    fn parts(&self) -> Vec<PathBuf> {
        let folder = self.place.parts();
        let parts = self.history.parts();
        parts.map(|part| folder.join(&part.name)).collect()
    }

    /// The lists of the parts, which nothing else reads before they are published.
    fn rejects(&self) -> Result<Vec<PathBuf>, SinkError> {
        let folder = self.place.bookkeeping();
        let commits = self.history.commits.iter();
        let rejects = commits.filter_map(|commit| commit.rejects.as_ref());
        let checked = rejects.map(|part| {
            let path = folder.join(&part.name);
            match is_as_it_was(&path, part)? {
                true => Ok(path),
                false => Err(SinkError::PartsLost {
                    output: self.place.output().to_owned(),
                    n_parts: 1,
                }),
            }
        });
        checked.collect()
    }

    fn publish_file(&mut self, existing: Existing) -> Result<(), SinkError> {
        let parts = self.parts();
        let is_alike = self.plan.target.format == OutputFormat::OF_PARTS;
        if self.is_whole
            && is_alike
            && let [part] = parts.as_slice()
            && Staged::link(part, self.place.output(), existing)
                .and_then(|linked| linked.publish(Keep::Safely))
                .is_ok()
        {
            return Ok(());
        }
        let stitching = self.stitching.take();
        let stitched = stitching.and_then(|begun| begun.finish(&parts, self.metadata));
        if stitched.is_some_and(|bundle| bundle.publish().is_ok()) {
            return Ok(());
        }
        // What is wrong is found again, if it is not over.
        let [first, others @ ..] = parts.as_slice() else {
            return Err(SinkError::NoParts);
        };
        let target = self.place.target();
        let mut making = Making::begin(target, None, &self.plan.export_options(), first)?;
        for part in others {
            making.append(part)?;
        }
        making.finish(self.metadata)?.publish()
    }
}
