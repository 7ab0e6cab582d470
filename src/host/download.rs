//! Models of the Hub, downloaded before they are loaded.

use crate::{
    cancel::CancelToken,
    error::Error,
    event::{Event, EventSender},
    hint::Hint,
    hub::Step,
    job::{ModelSpec, OptionValue},
    model::{Absent, Model, ModelError, Offer},
};
use std::{collections::BTreeSet, ops::ControlFlow, path::PathBuf, time::Instant};

/// A model of the Hub whose files are on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Downloaded {
    /// The repository.
    pub repository: String,
    /// The branch, tag or commit that was asked for.
    pub revision: String,
    /// The commit.
    pub commit: String,
    /// The folder with its files.
    pub folder: PathBuf,
    /// Files that were not there before.
    pub n_files: usize,
    /// Bytes of them.
    pub n_bytes: u64,
}

/// Downloads what is missing of a model, whether it is on this machine in an earlier state or not: the Hub is
/// asked what its revision is now. If it is an adapter, the model that it changes is downloaded, too.
///
/// # Errors
/// It is no model of the Hub, or cannot be had.
pub fn download(
    source: &str,
    revision: Option<&str>,
    events: &EventSender,
    cancel: &CancelToken,
) -> Result<Downloaded, Error> {
    let revision = revision.map(|name| ("revision".to_owned(), OptionValue::from(name)));
    let spec = ModelSpec::from_map(source, revision.into_iter().collect())?;
    let absent = Model::on_the_hub(source, spec.revision.as_deref())?;
    let offer = absent.offer_now(cancel).and_then(|offer| {
        // Nothing comes of what cannot be computed.
        offer.check(cancel)?;
        Ok(offer)
    });
    let downloaded = match offer {
        Ok(offer) => fetch(&offer, events, cancel)?,
        Err(error) => as_it_is(&absent, error, events)
            .map_err(|error| Error::of_model(error, cancel.reason()))?,
    };
    if !absent.is_noted(&downloaded.commit) {
        events.warn(format!(
            "it could not be noted in the cache that `{}` is commit {} now: others find what was noted before, or \
             ask the Hub; `{}@{}` names this commit",
            absent.repository(),
            downloaded.commit,
            downloaded.repository,
            downloaded.commit
        ));
    }
    download_missing(&spec, events, cancel)?;
    Ok(downloaded)
}

/// A model that is on this machine, if nobody says whether it is current.
fn as_it_is(
    absent: &Absent,
    error: ModelError,
    events: &EventSender,
) -> Result<Downloaded, ModelError> {
    let reason = error.of_the_hub().filter(|error| error.is_no_answer());
    let (Some(reason), Some(snapshot)) = (reason, absent.cached()) else {
        return Err(error);
    };
    let repository = absent.repository();
    events.warn(format!(
        "`{repository}` is taken as it is in the cache, as the Hub was not asked whether it is current: {reason}"
    ));
    Ok(Downloaded {
        repository: repository.id.clone(),
        revision: repository.revision().to_owned(),
        commit: snapshot.commit,
        folder: snapshot.folder,
        n_files: 0,
        n_bytes: 0,
    })
}

/// Downloads what loading the model of `spec` needs and is not on this machine. If nothing is missing, nobody is
/// asked.
///
/// # Errors
/// There is no such model, or it cannot be had.
pub(super) fn download_missing(
    spec: &ModelSpec,
    events: &EventSender,
    cancel: &CancelToken,
) -> Result<(), Error> {
    let mut fetched = BTreeSet::new();
    while let Some(absent) = Model::absent(spec)? {
        // Whoever removes the files again and again must not keep this going.
        if !fetched.insert(absent.repository().to_string()) {
            let repository = absent.repository().to_string();
            return Err(ModelError::Incomplete { repository }.into());
        }
        let stopped = |error| Error::of_model(error, cancel.reason());
        let offer = absent.offer(cancel).map_err(stopped)?;
        offer.check(cancel).map_err(stopped)?;
        fetch(&offer, events, cancel)?;
    }
    Ok(())
}

/// Fetches the files of an offer, and tells how far it is.
fn fetch(offer: &Offer, events: &EventSender, cancel: &CancelToken) -> Result<Downloaded, Error> {
    if let Some(reason) = cancel.reason() {
        return Err(Error::Stopped(reason));
    }
    let start = Instant::now();
    let model = offer.repository.to_string();
    events.send(Event::DownloadStarted {
        model: model.clone(),
        commit: offer.commit.clone(),
        files: offer.n_files,
        bytes: offer.n_bytes,
    });
    let mut last_wait = None;
    let mut on_step = |step: Step<'_>| {
        match step {
            Step::Progress {
                file,
                file_bytes,
                file_of,
                bytes,
                of,
            } => events.send(Event::Download {
                model: model.clone(),
                file: file.to_owned(),
                file_bytes,
                file_of,
                bytes,
                of,
            }),
            Step::Waiting { file, wait } => {
                let wait = (file.to_owned(), wait.clone());
                if last_wait.as_ref() != Some(&wait) {
                    events.send(Event::DownloadWaiting {
                        model: model.clone(),
                        file: file.to_owned(),
                        reason: wait.1.to_string(),
                    });
                    last_wait = Some(wait);
                }
            }
        }
        match cancel.reason() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    };
    let result = match offer.fetch(&mut on_step) {
        Ok(snapshot) => Ok(snapshot),
        Err(error) => {
            let error = ModelError::Download {
                repository: model.clone(),
                error: Box::new(error),
            };
            Err(Error::of_model(error, cancel.reason()))
        }
    };
    let failure = result.as_ref().err();
    events.send(Event::DownloadFinished {
        model: model.clone(),
        folder: result.as_ref().ok().map(|snapshot| snapshot.folder.clone()),
        seconds: start.elapsed().as_secs_f64(),
        error: failure.map(Hint::in_full),
        stopped: failure.is_some_and(|failure| matches!(failure, Error::Stopped(_))),
    });
    let snapshot = result?;
    Ok(Downloaded {
        repository: offer.repository.id.clone(),
        revision: offer.repository.revision().to_owned(),
        commit: snapshot.commit,
        folder: snapshot.folder,
        n_files: offer.n_files,
        n_bytes: offer.n_bytes,
    })
}
