//! What stands for the Hub in a program that is built without downloads.

use super::{
    environment::Environment,
    error::HubError,
    remote::Remote,
    repository::{Repository, Snapshot},
    step::Step,
};
use crate::cancel::CancelToken;
use std::ops::ControlFlow;

/// No connection: whatever is asked for, the program is not built for it.
#[derive(Debug)]
pub(super) struct Connection;

impl Connection {
    /// It is the same whatever the environment says.
    pub(super) fn new(_: &Environment) -> Self {
        Self
    }

    /// # Errors
    /// Always.
    pub(super) fn look(&self, _: &Repository, _: &CancelToken) -> Result<Remote, HubError> {
        Err(HubError::NotBuilt)
    }

    /// # Errors
    /// Always.
    pub(super) fn text(
        &self,
        _: &Repository,
        _: &Remote,
        _: &str,
        _: u64,
        _: &CancelToken,
    ) -> Result<String, HubError> {
        Err(HubError::NotBuilt)
    }

    /// # Errors
    /// Always.
    pub(super) fn download(
        &self,
        _: &Repository,
        _: &Remote,
        _: &[String],
        _: &mut dyn FnMut(Step) -> ControlFlow<()>,
    ) -> Result<Snapshot, HubError> {
        Err(HubError::NotBuilt)
    }
}
