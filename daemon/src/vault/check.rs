//! Whether a record works.

use std::sync::Arc;

use tracing::info;

use super::{RecordView, SessionRequest, Vault, trial::no_drawn_password};
use crate::{
    error::Error,
    record::RecordName,
    session::{Session, decision::Want},
};

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    pub record: RecordView,
    pub session: Arc<Session>,
    /// Whether the check made a login.
    pub logged_in: bool,
}

impl Vault {
    /// Proves that a record works; with `release`, one more login is made even if the credential is latched.
    ///
    /// # Errors
    /// Why there is no session, or why the release can't be written.
    pub async fn check(
        self: &Arc<Self>,
        name: RecordName,
        release: bool,
    ) -> Result<Checked, Error> {
        let before = self.find(name.as_str())?.1.lock().machine.logins();
        if release {
            let released = name.clone();
            self.administer(move |vault| {
                let (refresher, entry) = vault.find(released.as_str())?;
                entry.release(&refresher.store, &refresher.keys, no_drawn_password)?;
                let (record, instance) = {
                    let state = entry.lock();
                    (Arc::clone(&state.record), state.machine.instance())
                };
                refresher.quota.release(&record);
                for host in [Some(record.login_host.clone()), instance].iter().flatten() {
                    refresher.outages.answered(host);
                }
                vault.changed.send_replace(());
                info!(record = %released, "released the record");
                Ok(())
            })
            .await?;
        }
        let want = Want {
            fresh_proof: true,
            ..Want::default()
        };
        let session = self
            .session(
                name.as_str(),
                &SessionRequest {
                    want,
                    ..SessionRequest::default()
                },
            )
            .await?;
        let after = self.find(name.as_str())?.1.lock().machine.logins();
        Ok(Checked {
            record: self.record(name.as_str())?,
            session,
            logged_in: after > before,
        })
    }
}
