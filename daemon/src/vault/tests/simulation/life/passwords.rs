//! Passwords that the vault draws and sets itself: somebody always knows the one that is in force.

use super::{super::book::Setting, Life};
use crate::{
    credential::FlowKind,
    error::Error,
    vault::{Rotated, Rotation},
};

impl Life {
    pub(super) async fn generate(&mut self, job: usize) {
        if self.jobs[job].way.kind() != FlowKind::SoapLogin || self.has_drawn(job) {
            return;
        }
        let setting = self.dice.pick(&[
            Setting::Done,
            Setting::Done,
            Setting::Refused,
            Setting::DoneUnanswered,
            Setting::Lost,
        ]);
        let was_known = self.knows_the_password(job);
        let done = self.draw(job, setting).await;
        (self.jobs[job].way, self.jobs[job].kept) = self.stored(job);
        assert!(
            self.knows_the_password(job) || !was_known,
            "nobody knows the password: {setting:?} {done:?}"
        );
        match done {
            Ok(Rotated::Replaced) => self.adopted(job),
            Ok(rotated) => assert_eq!(rotated, Rotated::TokenAwaited),
            Err(_) => {}
        }
    }

    /// The same whatever the disk does.
    pub(super) async fn draw(&mut self, job: usize, setting: Setting) -> Result<Rotated, Error> {
        self.salesforce.book().setting = setting;
        let door = self.jobs[job].way.clone();
        let before = self.salesforce.book().door(&door).secret.clone();
        let drawn = self.vault.rotate(self.name(job), Rotation::Generate).await;
        self.jobs[job].held = None;
        self.salesforce.book().setting = Setting::Done;
        if self.salesforce.book().door(&door).secret != before {
            self.figures.did("passwords generated");
        }
        if let Setting::DoneUnanswered | Setting::Lost = setting {
            self.figures.fault("lost answers to a new password");
        }
        drawn.map(|(_, rotated, _)| rotated)
    }

    pub(super) fn has_drawn(&self, job: usize) -> bool {
        let record = self.vault.record(self.jobs[job].name).unwrap().record;
        record.aside.drawn.is_some()
    }

    /// The password that was drawn and is not the record's yet.
    pub(super) fn drawn(&self, job: usize) -> Option<String> {
        let (refresher, entry) = self.vault.find(self.jobs[job].name).unwrap();
        let record = entry.lock().record.clone();
        let drawn = refresher.store.drawn(&refresher.keys, &record).unwrap()?;
        Some(drawn.password().unwrap().expose().to_owned())
    }

    /// Whether the password that is in force is on the vault's disk.
    pub(super) fn knows_the_password(&self, job: usize) -> bool {
        let (way, _) = self.stored(job);
        let force = self.salesforce.book().door(&way).secret.clone();
        let drawn = self.drawn(job);
        way.secret == force || drawn.as_deref() == force.split(' ').next()
    }
}
