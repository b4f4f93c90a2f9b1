//! The operators who mend what is broken.

use super::{Job, Life};
use crate::{error::Error, record::RecordName, secret::Password, vault::NewSecrets};

impl Life {
    /// The operator gives the vault the password that holds now, or releases what is latched.
    pub(super) async fn mend(&mut self, job: usize) {
        // A check proves the session, and may find it dead.
        self.jobs[job].held = None;
        let Job {
            name,
            username,
            ref host,
            ..
        } = self.jobs[job];
        if self.dice.one_in(3) {
            self.salesforce.released(username, host);
            let checked = self
                .vault
                .check(RecordName::parse(name).unwrap(), true)
                .await;
            if let Err(Error::Latched { .. }) = checked {
                let Job { host, password, .. } = &self.jobs[job];
                self.salesforce.told_rejected(username, host, password);
            }
            return;
        }
        self.set(job).await;
    }

    pub(super) async fn set(&mut self, job: usize) {
        self.figures.credentials_set += 1;
        let password = self.salesforce.password(self.jobs[job].username);
        let new = NewSecrets {
            password: Some(Password::new(password.clone())),
            ..NewSecrets::default()
        };
        let name = RecordName::parse(self.jobs[job].name).unwrap();
        let (_, changed, _) = self.vault.set(name, new).await.unwrap();
        self.jobs[job].password = password;
        self.jobs[job].lost |= changed;
    }
}
