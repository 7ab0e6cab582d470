//! One file of all parts.

use super::{MergeStep, OnStep, damage, renumber, step, whole::Whole};
use crate::{
    file::{Existing, Staged},
    job::ExportOptions,
    sink::{
        Rejects, SinkError,
        bundle::Bundle,
        format::{check_fits, schema_of},
        making::Making,
        place::Place,
    },
};
use std::{
    io::{BufWriter, Write},
    path::PathBuf,
};

/// Publishes one file, and its list of rejections. Gives the list, if there is one.
///
/// # Errors
/// If a part is damaged, or the file system refuses.
pub(super) fn publish(
    whole: &Whole,
    place: &Place,
    existing: Existing,
    on_step: &mut OnStep<'_>,
) -> Result<Option<PathBuf>, SinkError> {
    let list = list(whole, place)?;
    let lists: Vec<_> = list.iter().map(|list| list.path().to_owned()).collect();
    let rejects = Rejects::beside(place.rejects(), existing, &lists)?;
    let bundle = stitched(whole, place, existing, on_step)?;
    let published = rejects.publish_with(|| {
        step(on_step, MergeStep::Listed, place)?;
        bundle.publish()
    });
    let ((), rejects) = published?;
    Ok(rejects)
}

/// The parts, put together.
fn stitched(
    whole: &Whole,
    place: &Place,
    existing: Existing,
    on_step: &mut OnStep<'_>,
) -> Result<Bundle, SinkError> {
    let has_file = |n: &usize| whole.pieces[*n].file.is_some();
    let of = (0..whole.pieces.len()).filter(has_file).count();
    let mut joined = 0;
    let identity = &whole.history.header.identity;
    let options = ExportOptions::of(identity, existing == Existing::IsReplaced);
    let mut begun: Option<Making> = None;
    for (n, piece) in whole.pieces.iter().enumerate() {
        // What was just read is still in memory when it is copied.
        damage::check(whole, n, place, on_step)?;
        let Some(part) = &piece.file else {
            continue;
        };
        let (parts, of) = (joined, of as u64);
        step(on_step, MergeStep::Joined { parts, of }, place)?;
        joined += 1;
        match &mut begun {
            Some(making) => making.append(part)?,
            None => {
                let folder = Some(place.bookkeeping());
                let schema = schema_of(part)?;
                check_fits(place.target().format, &options, &schema, identity)
                    .map_err(|error| error.named(place.output()))?;
                begun = Some(Making::begin(place.target(), folder, &options, part)?);
            }
        }
    }
    let making = begun.ok_or(SinkError::NoParts)?;
    let bundle = making.finish(&whole.metadata(place.target().format)?)?;
    let of = of as u64;
    step(on_step, MergeStep::Joined { parts: joined, of }, place)?;
    Ok(bundle)
}

/// The rejected records of all parts, if there are any, under a temporary name.
fn list(whole: &Whole, place: &Place) -> Result<Option<Staged>, SinkError> {
    if whole.pieces.iter().all(|piece| piece.rejects.is_none()) {
        return Ok(None);
    }
    let path = place.rejects();
    let staged = Staged::create_in(place.bookkeeping(), &path, Existing::IsReplaced)?;
    let mut writer = BufWriter::new(staged.writer()?);
    for piece in &whole.pieces {
        if let Some(list) = &piece.rejects {
            let copied = renumber::copy(list, piece.base, &mut writer);
            copied.map_err(|error| SinkError::io("copy", list, error))?;
        }
    }
    let flushed = writer.flush();
    flushed.map_err(|error| SinkError::io("write", &path, error))?;
    Ok(Some(staged))
}
