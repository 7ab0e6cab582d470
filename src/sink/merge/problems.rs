//! What keeps shards from being merged, and what would help.

use crate::{
    job::Shard,
    sink::{place::Place, shards_error::ShardsError},
};
use std::path::Path;

/// What is wrong, and the shards that are to be run.
#[derive(Default)]
pub(super) struct Problems {
    lines: Vec<String>,
    to_run: Vec<Shard>,
    remedy: Option<String>,
}

impl Problems {
    /// Something that is mended by running the shard.
    pub(super) fn add_to_run(&mut self, shard: Shard, problem: &str) {
        self.lines.push(format!("shard {shard} {problem}"));
        self.to_run.push(shard);
    }

    /// A file of a shard that was damaged, and was removed.
    pub(super) fn add_damaged(&mut self, place: &Place, path: &Path) {
        let shard = place
            .which_shard()
            .expect("only shards lose their damaged files");
        let path = path.display();
        self.lines.push(format!(
            "`{path}` was damaged, and is removed: shard {shard} computes its rows again"
        ));
        if self.to_run.last() != Some(&shard) {
            self.to_run.push(shard);
        }
    }

    /// Something that is mended otherwise.
    pub(super) fn other(&mut self, problem: String, remedy: String) {
        self.lines.push(problem);
        self.remedy.get_or_insert(remedy);
    }

    /// The value, if nothing is wrong.
    ///
    /// # Errors
    /// All that is.
    pub(super) fn none_or<T>(self, place: &Place, value: T) -> Result<T, ShardsError> {
        if self.lines.is_empty() {
            return Ok(value);
        }
        Err(ShardsError::Unready {
            output: place.output().to_owned(),
            problems: self.lines,
            remedy: self.remedy,
            to_run: self.to_run,
        })
    }
}
