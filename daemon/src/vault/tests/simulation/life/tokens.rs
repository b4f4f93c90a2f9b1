//! Refresh tokens that every login replaces: the only valid one is on the disk before anything hangs on it.

use super::{super::way::Way, Life};
use crate::{
    credential::FlowKind,
    record::RecordId,
    store::{Keys, Store, tests::disk::Disk},
};

impl Life {
    /// The only valid token of a record is on the platter, or in memory because the disk would not take it.
    pub(super) fn check_tokens(&mut self) {
        for job in 0..self.jobs.len() {
            for way in self.ways_by_token(job) {
                let (vaulted, present) = {
                    let mut book = self.salesforce.book();
                    let door = book.door(&way);
                    (door.vaulted.clone(), door.secret.clone())
                };
                if present.is_empty() || vaulted.as_ref() == Some(&present) {
                    continue;
                }
                let saved = self.is_on_the_platter(job, &present);
                if saved {
                    if vaulted.is_some() {
                        self.figures.did("refresh tokens replaced");
                    }
                    self.salesforce.book().door(&way).vaulted = Some(present);
                } else if vaulted.is_some() {
                    assert!(
                        self.waits_to_be_saved(job),
                        "{}: the only valid token is nowhere",
                        self.jobs[job].name
                    );
                    self.figures.did("refresh tokens that waited for the disk");
                }
            }
        }
    }

    /// The daemon died; `in_memory` says of which jobs it had the only valid token in memory alone.
    pub(super) fn find_orphans(&mut self, in_memory: &[usize]) {
        for job in 0..self.jobs.len() {
            let lost_with_it = in_memory.contains(&job);
            for way in self.ways_by_token(job) {
                let (way_on_disk, kept) = self.stored(job);
                let mut book = self.salesforce.book();
                let door = book.door(&way);
                let on_disk = [Some(&way_on_disk), kept.as_ref()];
                let mut on_disk = on_disk.into_iter().flatten();
                // Unless an operator has given it up.
                let Some(on_disk) = on_disk.find(|it| it.flow == way.flow) else {
                    continue;
                };
                let saved = on_disk.secret == door.secret;
                if door.vaulted.is_some() && !door.secret.is_empty() && !saved {
                    assert!(
                        lost_with_it,
                        "{}: a restart lost a token",
                        self.jobs[job].name
                    );
                    door.orphaned = true;
                    door.vaulted = None;
                    self.figures.did("refresh tokens lost with a daemon");
                }
            }
        }
    }

    /// Those whose new token only the daemon's memory knows.
    pub(super) fn with_tokens_in_memory(&self) -> Vec<usize> {
        let jobs = 0..self.jobs.len();
        jobs.filter(|job| self.waits_to_be_saved(*job)).collect()
    }

    /// Somebody approves the app again, if what the vault has lets nobody in.
    pub(super) fn approve_if_dead(&mut self, job: usize) {
        let token = self.fresh("approved");
        let (way, _) = self.stored(job);
        let mut book = self.salesforce.book();
        let door = book.door(&way);
        if door.secret != way.secret {
            door.change(&token);
        }
    }

    fn ways_by_token(&self, job: usize) -> Vec<Way> {
        let job = &self.jobs[job];
        let ways = [Some(&job.way), job.kept.as_ref()];
        let by_token = |way: &&Way| way.kind() == FlowKind::RefreshToken;
        ways.into_iter()
            .flatten()
            .filter(by_token)
            .cloned()
            .collect()
    }

    fn waits_to_be_saved(&self, job: usize) -> bool {
        let (_, entry) = self.vault.find(self.jobs[job].name).unwrap();
        entry.lock().has_rotation()
    }

    /// Whether a daemon after a power cut would have it.
    fn is_on_the_platter(&self, job: usize, token: &str) -> bool {
        let (_, entry) = self.vault.find(self.jobs[job].name).unwrap();
        let store = Store::open_backend(Disk::holding(self.disk.after_losing(|| true))).unwrap();
        let (way, kept) = ways(&store, &self.keys, entry.id());
        way.secret == token || kept.is_some_and(|kept| kept.secret == token)
    }
}

/// The login that a store holds for a record, and the one that it keeps.
pub(super) fn ways(store: &Store, keys: &Keys, id: RecordId) -> (Way, Option<Way>) {
    let mut stored = store.load(keys).unwrap();
    stored.retain(|stored| stored.record.id == id);
    let record = stored.pop().unwrap().record;
    let credential = store.credential(keys, &record).unwrap();
    let kept = store.kept(keys, &record).unwrap();
    let kept = record.aside.kept.as_ref().zip(kept);
    let kept = kept.map(|(kept, credential)| Way::of(&kept.login_host, &kept.flow, &credential));
    (Way::of(&record.login_host, &record.flow, &credential), kept)
}
