//! One login: permitted, counted, durable in the ledger, and only then sent.

use std::sync::Arc;

use tracing::{info, warn};

use super::{denial::as_throttled, flight::Flight};
use crate::{
    blocking,
    error::Error,
    failure::Failure,
    record::Record,
    salesforce::LoginRequest,
    secret::RefreshToken,
    session::{causes, decision::Outcome, entry::Rotation},
};

impl Flight {
    pub(super) async fn log_in(&self) -> Result<Outcome, Error> {
        let refresher = &self.refresher;
        let (record, generation, reported) = {
            let mut state = self.entry.lock();
            // Before the login is entered: what was never sent must neither count nor latch, for it is the
            // configuration that is to be mended, and then all is well again.
            let permitted = refresher.login.permit(&state.record.login_host);
            permitted.map_err(Error::HostNotAllowed)?;
            let now = refresher.clock.now();
            let admitted = refresher.quota.admit(&state.record, now);
            admitted.map_err(|throttle| as_throttled(throttle, &state.record, now))?;
            let reported = state.machine.is_due_to_a_report();
            let Some(generation) = state.machine.enter_login(self.stamp, refresher.clock.now())
            else {
                refresher.quota.take_back(&state.record);
                return Ok(Outcome::NotSent);
            };
            (Arc::clone(&state.record), generation, reported)
        };
        self.entry.save(&refresher.store, &refresher.keys).await?;
        // Twice: saving may find another credential in the store, and reading one takes time, in which the vault may
        // be locked.
        if !self.may_send() {
            return Ok(Outcome::NotSent);
        }
        let request = self.request(record).await?;
        if !self.may_send() {
            return Ok(Outcome::NotSent);
        }
        if let Some(cause) = &self.cause {
            let mut state = self.entry.lock();
            causes::charge(&mut state, &refresher.quota, cause, reported, self.now());
        }
        info!(record = %self.name(), host = %request.login_host, generation, "logging in");
        let mut grant = match refresher.login.login(&request).await {
            Ok(grant) => grant,
            Err(refused) => {
                // Refused for another reason; and yet the token that was sent is spent.
                self.save_rotated(&request, refused.rotated).await;
                return Ok(Outcome::LoginFailed(refused.failure));
            }
        };
        let saved = self.save_rotated(&request, grant.rotated.take()).await;
        drop(request);
        self.answered();
        if let Some(failure) = self.led_elsewhere(&grant.org_id, &grant.user_id) {
            return Ok(Outcome::LoginFailed(failure));
        }
        if !saved {
            return Ok(Outcome::Unsaved {
                grant: Box::new(grant),
                generation,
            });
        }
        let now = self.now();
        let grant = Box::new(grant);
        Ok(match refresher.outages.ask(&grant.instance, now) {
            Ok(asking) => {
                self.set_asked(asking);
                self.prove_grant(grant, generation).await
            }
            Err((failure, until)) => Outcome::Unproven {
                grant,
                generation,
                failure: Failure {
                    pause: until.duration_since(now).ok(),
                    ..failure
                },
            },
        })
    }

    /// Makes the refresh token that the login brought durable, before anything else is done with what it brought; also
    /// if the record was closed meanwhile, or its result is not wanted any more. Returns whether it is.
    async fn save_rotated(&self, request: &LoginRequest, fresh: Option<RefreshToken>) -> bool {
        let sent = request.credential.refresh_token().cloned();
        let rotation = sent
            .zip(fresh)
            .and_then(|(spent, fresh)| Rotation::new(spent, fresh));
        let Some(rotation) = rotation else {
            return true;
        };
        self.entry.keep_rotation(rotation);
        let saved = self
            .entry
            .save_rotation(&self.refresher.store, &self.refresher.keys)
            .await;
        if let Err(error) = &saved {
            warn!(record = %self.name(), %error, "a new refresh token could not be saved");
            self.refresher.tokens.send_replace(());
        }
        saved.is_ok()
    }

    async fn request(&self, record: Arc<Record>) -> Result<LoginRequest, Error> {
        let (store, keys) = (
            Arc::clone(&self.refresher.store),
            self.refresher.keys.clone(),
        );
        let opened = blocking::spawn(move || {
            let credential = store.credential(&keys, &record)?;
            Ok::<_, Error>(LoginRequest {
                login_host: record.login_host.clone(),
                flow: record.flow.clone(),
                credential,
            })
        });
        opened
            .await
            .map_err(|_| Error::Internal("opening a credential broke off"))?
    }
}
