//! Access rules that change under those who call and watch.

use super::{Life, UID, policy, streams::Stream};
use crate::{
    access::Rule,
    error::Error,
    policy::{Asker, Peer},
    vault::SessionRequest,
};

/// Those of whom rules speak.
pub(super) const PEERS: [u32; 3] = [UID, 1001, 1002];

impl Life {
    pub(super) async fn change_rules(&mut self, job: usize) {
        self.figures.did("access rules changed");
        let watching: Vec<_> = self.streams.iter().map(Stream::who).collect();
        let (job, uid) = match watching.is_empty() || self.dice.one_in(2) {
            true => (job, self.dice.pick(&PEERS)),
            false => self.dice.pick(&watching),
        };
        let rule = Rule::of_user(uid);
        let name = self.name(job);
        if self.jobs[job].facts().rules.contains(&uid) {
            let all = self.dice.one_in(6);
            let rule = (!all).then_some(rule);
            self.vault.deny(policy(), name, rule).await.unwrap();
            let mut facts = self.jobs[job].facts();
            facts.rules.retain(|other| !all && *other != uid);
        } else {
            self.jobs[job].facts().rules.push(uid);
            self.vault.allow(policy(), name, rule).await.unwrap();
        }
        self.check_listings().await;
    }

    /// A peer that no rule allows learns nothing and causes nothing.
    pub(super) async fn intrude(&mut self, job: usize) {
        let rules = self.jobs[job].facts().rules.clone();
        let name = self.jobs[job].name;
        for uid in PEERS.into_iter().filter(|uid| !rules.contains(uid)) {
            let sent = self.sent();
            let (policy, peer) = (policy(), Peer::of_ids(uid, uid));
            let mut asker = Asker::new(&policy, &peer);
            let request = SessionRequest::default();
            let answer = self.vault.session_for(&mut asker, name, &request).await;
            let denied = matches!(answer, Err(Error::RecordNotFound(_)));
            assert!(denied, "{uid} got {name}: {answer:?}");
            assert_eq!(self.sent(), sent, "{uid} caused a call");
            self.figures.did("calls after a denial");
        }
    }

    /// Everybody sees what he may use.
    async fn check_listings(&self) {
        for uid in PEERS {
            let (policy, peer) = (policy(), Peer::of_ids(uid, uid));
            let asker = Asker::new(&policy, &peer);
            let listing = self.vault.records_for(&asker).await.unwrap();
            let shown = listing.records.iter();
            let shown: Vec<_> = shown.map(|view| view.record.name.as_str()).collect();
            let jobs = self.jobs.iter();
            let jobs = jobs.filter(|job| job.facts().rules.contains(&uid));
            let allowed: Vec<_> = jobs.map(|job| job.name).collect();
            assert_eq!(shown, allowed, "{uid}");
        }
    }
}
