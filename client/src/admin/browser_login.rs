//! Logins in a browser.

use sfvault_proto::v1;
use zeroize::Zeroizing;

use super::{AdminClient, call};
use crate::{
    BeginLogin, BegunLogin, Callback, ConsumerSecret, Error, FinishedLogin, convert,
    sessions::{DEADLINE, LOGIN_DEADLINE},
};

impl AdminClient {
    /// Begins a login in a browser.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn begin_login(&self, begin: BeginLogin) -> Result<BegunLogin, Error> {
        let request = v1::BeginLoginRequest {
            name: begin.name.as_str().to_owned(),
            login_url: begin.login_url.unwrap_or_default(),
            consumer_key: begin.consumer_key.unwrap_or_default(),
            consumer_secret: begin.consumer_secret.map(ConsumerSecret::into_wire),
            redirect_uri: begin.redirect_uri,
            timeout: Some(convert::duration(begin.timeout)?),
        };
        let mut wire = self.records().await?;
        let answer = call(DEADLINE, request, |r| wire.begin_login(r)).await?;
        Ok(BegunLogin {
            login_id: answer.login_id,
            authorize_url: Zeroizing::new(answer.authorize_url),
            expires_at: convert::instant(answer.expires_at),
        })
    }

    /// Finishes it: the daemon redeems the code and stores the refresh token. Once only.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn finish_login(&self, callback: Callback) -> Result<FinishedLogin, Error> {
        let take = |mut text: Zeroizing<String>| std::mem::take(&mut *text);
        let request = v1::FinishLoginRequest {
            login_id: callback.login_id,
            code: take(callback.code),
            state: take(callback.state),
            issuer: take(callback.issuer),
            error: take(callback.error),
            error_description: take(callback.error_description),
        };
        let mut wire = self.records().await?;
        let answer = call(LOGIN_DEADLINE, request, |r| wire.finish_login(r)).await?;
        Ok(FinishedLogin {
            record: convert::required(answer.record)?,
            added: answer.added,
        })
    }
}
