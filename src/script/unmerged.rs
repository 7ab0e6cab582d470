//! Outputs of which only shards are there, so that nobody can read them before they are merged.

use crate::job::{OutputTarget, Problems, Shard, parts_beside};
use std::path::{Path, PathBuf};

/// What is wrong with reading the embeddings of `output`, of which this process makes a shard.
pub(super) fn own(output: &Path, shard: Shard) -> Problems {
    let shown = output.display();
    problem(format!("this is shard {shard} of `{shown}`"), output)
}

/// Checks that `path` is no output of which only shards are there, and no shard of one.
///
/// # Errors
/// It is.
pub(super) fn check_merged(path: &Path) -> Result<(), Problems> {
    let shown = path.display();
    if let Some((shard, output)) = shard_at(path) {
        let message = format!("`{shown}` is shard {shard} of `{}`", output.display());
        return Err(problem(message, &output));
    }
    let in_shards = |target: &OutputTarget| {
        let entries = parts_beside(target).read_dir().into_iter().flatten();
        let mut names = entries.flatten().map(|entry| entry.file_name());
        names.any(|name| is_of_shard(name.to_str()).is_some())
    };
    let as_folder = path.join("");
    let targets = [path, &as_folder].map(OutputTarget::of).into_iter();
    match targets.flatten().find(in_shards) {
        Some(target) if !path.exists() => {
            let message = format!("`{shown}` is made in shards, which are not merged");
            Err(problem(message, &target.path))
        }
        _ => Ok(()),
    }
}

/// The shard whose folder a path is, and the output that it is one of.
fn shard_at(path: &Path) -> Option<(Shard, PathBuf)> {
    let shard = is_of_shard(path.file_name()?.to_str())?;
    let whole = path.parent()?;
    let name = whole.file_name()?.to_str()?;
    let output = match (name.strip_suffix(".parts"), name.strip_suffix(".ledger")) {
        (Some(name), _) => name.to_owned(),
        (None, Some(name)) => format!("{name}/"),
        (None, None) => return None,
    };
    Some((shard, whole.with_file_name(output)))
}

fn is_of_shard(name: Option<&str>) -> Option<Shard> {
    name.and_then(Shard::of_folder_name)
}

fn problem(message: String, output: &Path) -> Problems {
    let shown = output.display();
    Problems::one(
        format!("{message}: its embeddings are there after `runner merge {shown}`"),
        Some(
            "leave `embeddings` out here; when all shards are finished, merge them and read the embeddings in \
             another script"
                .to_owned(),
        ),
    )
}
