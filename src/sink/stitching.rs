//! The one file of many parts, which grows while parts are still being made, so that little is left to be
//! done at the end.

use super::{
    OutputPlan, SinkError,
    bundle::Bundle,
    format::format_of,
    ledger::{Commit, History, PartFile},
    making::Making,
    place::Place,
    writeback::Writeback,
};
use crate::{
    file::free_bytes,
    job::{ExportOptions, OutputFormat},
};
use arrow_array::RecordBatch;
use std::{collections::VecDeque, fs::File, path::PathBuf};

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
    /// Whether rows are the same in the file however they come.
    is_seamless: bool,
    /// What is committed, in input order.
    parts: Vec<Part>,
    /// Records of that.
    n_records: u64,
    /// Whether rows come ahead of their parts, which then need not be copied.
    is_ahead: bool,
    /// Parts whose rows came, and that are not known to be committed.
    coming: VecDeque<Coming>,
    file: Option<Growing>,
}

/// A part that is committed.
struct Part {
    file: PartFile,
    from: u64,
    to: u64,
    n_rows: u64,
}

/// A part whose rows came ahead of it.
struct Coming {
    from: u64,
    /// Where it ends, when it has ended.
    to: Option<u64>,
    n_rows: u64,
}

/// The file. It lies beside the parts, so that whatever becomes of it belongs to them.
struct Growing {
    making: Making,
    /// Parts that are in it.
    n_parts: usize,
    /// To have it on the disk.
    file: File,
    /// What has rows that come ahead on the disk.
    writeback: Writeback,
}

impl Stitching {
    /// Nothing is copied yet of what is there. Where parts stay as they are, none of this is needed.
    pub(super) fn new(plan: &OutputPlan, place: &Place, history: &History) -> Option<Self> {
        let nothing = Self {
            place: place.clone(),
            options: plan.export_options(),
            is_seamless: plan.question.columns.len() == 1
                && format_of(plan.target.format).is_some_and(|format| format.is_seamless),
            parts: Vec::new(),
            n_records: 0,
            is_ahead: false,
            coming: VecDeque::new(),
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
        self.parts.extend(commit.file.clone().map(|file| Part {
            file,
            from: commit.from,
            to: commit.to,
            n_rows: commit.rows,
        }));
        self.settle()
    }

    /// Whether rows can come ahead of their parts: there are none yet, and the file is the same as if they were copied.
    pub(super) fn can_go_ahead(&self) -> bool {
        self.is_seamless && self.n_records == 0
    }

    /// From now on rows come ahead of their parts.
    pub(super) fn ahead(self) -> Self {
        Self {
            is_ahead: true,
            ..self
        }
    }

    /// The rows come next of the part that begins with this record.
    pub(super) fn begin_ahead(mut self, from: u64) -> Option<Self> {
        if self.free_bytes() < RESERVE_BYTES {
            return None;
        }
        self.coming.push_back(Coming {
            from,
            to: None,
            n_rows: 0,
        });
        Some(self)
    }

    /// Takes rows of the part that was begun.
    pub(super) fn take(mut self, rows: &RecordBatch) -> Option<Self> {
        self.coming.back_mut()?.n_rows += rows.num_rows() as u64;
        if self.file.is_none() {
            let (target, folder) = (self.place.target(), self.place.bookkeeping());
            let schema = rows.schema();
            let making = Making::begin_empty(target, folder, &self.options, &schema).ok()?;
            self.file = Some(Growing::new(making, 0).ok()?);
        }
        let file = self.file.as_mut()?;
        file.making.take(rows).ok()?;
        file.writeback.reach(file.file.metadata().ok()?.len());
        Some(self)
    }

    /// No more rows come of the part, which ends before this record.
    pub(super) fn end_ahead(mut self, to: u64) -> Option<Self> {
        self.coming.back_mut()?.to = Some(to);
        self.settle()
    }

    /// Counts the parts that are committed and whose rows have come.
    fn settle(mut self) -> Option<Self> {
        while let Some(part) = self.parts.get(self.n_parts())
            && let Some(Coming {
                from,
                to: Some(to),
                n_rows,
            }) = self.coming.front()
        {
            if (*from, *to, *n_rows) != (part.from, part.to, part.n_rows) {
                return None;
            }
            self.coming.pop_front();
            self.file.as_mut()?.n_parts += 1;
        }
        Some(self)
    }

    /// Whether a part can be copied. A single one is published as it is, if the output is a file as parts are.
    pub(super) fn is_behind(&self) -> bool {
        let is_alike = self.place.target().format == OutputFormat::OF_PARTS;
        !self.is_ahead && self.parts.len() > self.n_parts().max(usize::from(is_alike))
    }

    /// Copies the next part, and has it on the disk.
    pub(super) fn advance(mut self) -> Option<Self> {
        let next = self.parts.get(self.n_parts())?.file.bytes;
        let n_bytes = match &self.file {
            Some(_) => next,
            // In the end there will be more parts, and as much of them in the file.
            None => 2 * self.parts.iter().map(|part| part.file.bytes).sum::<u64>(),
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
        let is_open = self.is_ahead && self.n_parts() < self.parts.len();
        if self.file.is_none() || is_open || !known.eq(parts.iter().cloned()) {
            return None;
        }
        while self.is_behind() {
            self.append().ok()?;
        }
        let Growing {
            making,
            mut writeback,
            ..
        } = self.file?;
        writeback.finish().ok()?;
        making.finish(metadata).ok()
    }

    /// Parts that are in the file.
    fn n_parts(&self) -> usize {
        self.file.as_ref().map_or(0, |file| file.n_parts)
    }

    fn path(&self, n: usize) -> PathBuf {
        self.place.parts().join(&self.parts[n].file.name)
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
        self.file = Some(Growing::new(making, 1)?);
        Ok(())
    }
}

impl Growing {
    /// A file that has so many parts.
    ///
    /// # Errors
    /// If the system has no room for another thread or an open file.
    fn new(making: Making, n_parts: usize) -> Result<Self, SinkError> {
        let writeback = Writeback::start(making.main()?);
        Ok(Self {
            file: making.main()?,
            writeback: writeback.map_err(SinkError::writing)?,
            making,
            n_parts,
        })
    }
}

#[cfg(test)]
mod tests;
