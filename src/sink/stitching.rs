//! The one file of many parts, which grows while parts are still being made, so that little is left to be
//! done at the end.

use super::{
    OutputPlan, SinkError,
    bundle::Bundle,
    ledger::{Commit, History, PartFile},
    making::Making,
    place::Place,
};
use crate::{
    file::free_bytes,
    job::{ExportOptions, OutputFormat},
};
use std::{fs::File, path::PathBuf};

/// Bytes that are left to the parts, of which one is written, and one committed, while a third is copied.
const RESERVE_BYTES: u64 = 2 << 30;

/// The one file of many parts in the making.
///
/// It only saves time: whoever gets nothing back from it makes the file of the parts at the end, and is told
/// then what is wrong. So it gives up, and removes its file, as soon as anything is out of the ordinary: an
/// error, parts that do not follow each other, parts that are made again, a disk that is getting full.
pub(super) struct Stitching {
    place: Place,
    options: ExportOptions,
    /// What is committed, in input order.
    parts: Vec<PartFile>,
    /// Records of that.
    n_records: u64,
    file: Option<Growing>,
}

/// The file. It lies beside the parts, so that whatever becomes of it belongs to them.
struct Growing {
    making: Making,
    /// Parts that are in it.
    n_parts: usize,
    /// To have it on the disk.
    file: File,
}

impl Stitching {
    /// Nothing is copied yet of what is there. Where parts stay as they are, none of this is needed.
    pub(super) fn new(plan: &OutputPlan, place: &Place, history: &History) -> Option<Self> {
        let nothing = Self {
            place: place.clone(),
            options: plan.export_options(),
            parts: Vec::new(),
            n_records: 0,
            file: None,
        };
        let mut commits = history.commits.iter();
        match place.keeps_parts() {
            true => None,
            false => commits.try_fold(nothing, Self::with),
        }
    }

    /// Takes note of a part, to be copied when there is time. It must follow those before.
    pub(super) fn with(mut self, commit: &Commit) -> Option<Self> {
        if commit.from != self.n_records {
            return None;
        }
        self.n_records = commit.to;
        self.parts.extend(commit.file.clone());
        Some(self)
    }

    /// Whether a part can be copied. A single one is published as it is, if the output is a file as parts are.
    pub(super) fn is_behind(&self) -> bool {
        let is_alike = self.place.target().format == OutputFormat::OF_PARTS;
        self.parts.len() > self.n_parts().max(usize::from(is_alike))
    }

    /// Copies the next part, and has it on the disk.
    pub(super) fn advance(mut self) -> Option<Self> {
        let next = self.parts.get(self.n_parts())?.bytes;
        let n_bytes = match &self.file {
            Some(_) => next,
            // In the end there will be more parts, and as much of them in the file.
            None => 2 * self.parts.iter().map(|part| part.bytes).sum::<u64>(),
        };
        if self.free_bytes() < n_bytes + RESERVE_BYTES {
            return None;
        }
        self.append().ok()?;
        self.file.as_ref()?.file.sync_data().ok()?;
        Some(self)
    }

    /// Gives up if the disk is so full that parts may need what the file takes.
    pub(super) fn unless_in_the_way(self) -> Option<Self> {
        let is_in_the_way = self.file.is_some() && self.free_bytes() < RESERVE_BYTES;
        (!is_in_the_way).then_some(self)
    }

    /// The complete file of these parts, to be published. Nothing, if it was not begun.
    pub(super) fn finish(
        mut self,
        parts: &[PathBuf],
        metadata: &[(String, String)],
    ) -> Option<Bundle> {
        let known = (0..self.parts.len()).map(|n| self.path(n));
        if self.file.is_none() || !known.eq(parts.iter().cloned()) {
            return None;
        }
        while self.is_behind() {
            self.append().ok()?;
        }
        self.file?.making.finish(metadata).ok()
    }

    /// Parts that are in the file.
    fn n_parts(&self) -> usize {
        self.file.as_ref().map_or(0, |file| file.n_parts)
    }

    fn path(&self, n: usize) -> PathBuf {
        self.place.parts().join(&self.parts[n].name)
    }

    fn free_bytes(&self) -> u64 {
        free_bytes(self.place.bookkeeping()).unwrap_or(0)
    }

    /// Copies the next part.
    fn append(&mut self) -> Result<(), SinkError> {
        let path = self.path(self.n_parts());
        if let Some(file) = &mut self.file {
            file.making.append(&path)?;
            file.n_parts += 1;
            return Ok(());
        }
        let place = &self.place;
        let folder = Some(place.bookkeeping());
        let making = Making::begin(place.target(), folder, &self.options, &path)?;
        self.file = Some(Growing {
            file: making.main()?,
            making,
            n_parts: 1,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
