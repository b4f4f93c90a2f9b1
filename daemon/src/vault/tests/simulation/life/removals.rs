//! Records that operators remove, and add again under their names.

use super::{FLOWS, Life, record};
use crate::{error::Error, ledger::Ledger, vault::SessionRequest};

impl Life {
    /// Whoever watches hears that it is gone, and nobody gets anything more. Then the name means another record.
    pub(super) async fn replace_record(&mut self, job: usize) {
        if self.has_drawn(job) || self.with_tokens_in_memory().contains(&job) {
            return;
        }
        let (way, _) = self.stored(job);
        let (store, name) = {
            let (refresher, _) = self.vault.find(self.jobs[job].name).unwrap();
            (refresher.store.clone(), self.jobs[job].name)
        };
        self.vault.remove(self.name(job)).await.unwrap();
        self.check_streams_are_over(job).await;
        let sent = self.sent();
        let answer = self.vault.session(name, &SessionRequest::default()).await;
        assert!(
            matches!(answer, Err(Error::RecordNotFound(_))),
            "{answer:?}"
        );
        assert_eq!(self.sent(), sent, "a call for a record that is gone");
        // As another daemon's `add` would, but for the id.
        let record = record(name, &way, &mut self.dice, self.time.truly());
        let (ledger, secrets) = (Ledger::default(), way.credential());
        let put = store.put(&self.keys, None, &record, &ledger, Some(&secrets));
        put.unwrap();
        drop(store);
        for kind in FLOWS {
            // There is no pin any more that would find out an app misled.
            let way = self.way_by(job, kind, "");
            self.salesforce.book().door(&way).user = self.jobs[job].user.to_owned();
        }
        self.salesforce.book().forget_history(&way);
        let app = way.flow.consumer_key().map(str::to_owned);
        self.salesforce.book().strangers.extend(app);
        self.adopted(job);
        self.jobs[job].replaced(way);
        self.lock_and_unlock().await;
        self.figures.did("records removed and added");
    }
}
