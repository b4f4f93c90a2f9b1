//! What every command needs: where the daemon is, and how to print.

use std::future::Future;

use sfvault::{AdminClient, Error, Places, PlacesError, SessionsClient};

use super::{autostart, failure::Failure, output::Output};

/// What every command needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    pub(crate) output: Output,
    /// Whether a daemon may be started.
    pub(crate) autostart: bool,
}

impl Context {
    pub(crate) fn places(&self) -> Result<Places, Failure> {
        Places::discover().map_err(|error| {
            let hint = match error {
                PlacesError::NotAbsolute(variable) => {
                    format!("set `{variable}` to a path that starts with `/`, or unset it")
                }
                PlacesError::NoMode => {
                    "set `SFVAULT_MODE` to `user` or `system`, or unset it".to_owned()
                }
                PlacesError::NoRuntimeDirectory => {
                    "set `SFVAULT_RUNTIME_DIR` to the directory of the daemon's sockets".to_owned()
                }
            };
            Failure::usage(error.to_string(), hint)
        })
    }

    /// The daemon's service for jobs; the daemon is started if need be.
    pub(crate) async fn sessions(&self) -> Result<SessionsClient, Failure> {
        let places = self.places()?;
        self.connect(&places, || SessionsClient::connect(&places))
            .await
    }

    /// The daemon's service for administration; the daemon is started if need be.
    pub(crate) async fn admin(&self) -> Result<AdminClient, Failure> {
        let places = self.places()?;
        self.connect(&places, || AdminClient::connect(&places))
            .await
    }

    async fn connect<T, F>(&self, places: &Places, attempt: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Error>>,
    {
        match attempt().await {
            Err(error) if self.autostart && autostart::is_for(error.reason(), places) => {
                autostart::start().await?;
                Ok(attempt().await?)
            }
            result => Ok(result?),
        }
    }
}
