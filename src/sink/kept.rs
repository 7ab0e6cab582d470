//! What is on the disk of an output that is not finished.

use super::{ledger, place::Place};
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
