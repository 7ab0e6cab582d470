//! What is on the disk of an output that is not finished.

use super::{SinkError, ledger, place::Place, shards};
use crate::{
    event::Kept,
    job::{OutputTarget, Shard},
};

/// What is on the disk of an output that is not finished, where there are rows of it. It is looked for and
/// not remembered, so that it is true however a run ended.
pub fn kept(target: &OutputTarget, shard: Option<Shard>) -> Option<Kept> {
    let place = Place::of_shard(target, shard);
    let history = ledger::read(&place.ledger()).ok().flatten()?;
    let rows = history.rows();
    (rows > 0).then(|| Kept {
        rows,
        folder: place.parts().to_owned(),
    })
}

/// The shards that lie beside an output, whatever became of them.
///
/// # Errors
/// If nobody can tell.
pub fn shards_of(target: &OutputTarget) -> Result<Vec<Shard>, SinkError> {
    shards::beside(&Place::of(target))
}
