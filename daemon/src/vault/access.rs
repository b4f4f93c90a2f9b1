//! Who may use which record: the rules, changed by the operator and asked for every call of a peer.

use std::sync::{Arc, PoisonError};

use tokio::task::yield_now;
use tracing::{debug, info};

use super::{Open, Phase, RecordView, Vault, parse_name};
use crate::{
    access::{MOST_RULES, Rule},
    error::Error,
    policy::{Asker, Capture, Decision, Guests, Policy, Verdict},
    record::{Record, RecordName},
    session::{entry::Entry, refresh::Refresher},
};

/// The rules of a record.
#[derive(Debug, Clone)]
pub struct Access {
    /// Those that count.
    pub rules: Arc<[Rule]>,
    /// Whether they are what the mode gives to a record of which no operator said anything.
    pub default: bool,
    /// Whether a call changed them.
    pub changed: bool,
}

/// Reasons are found for so many records of a listing: they are texts for each rule, and the audit has no room for all.
const MOST_DECISIONS: usize = 16;
/// After so many records of a listing others get their turn.
pub(super) const RECORDS_AT_ONCE: usize = 64;

/// What a peer sees of the records.
#[derive(Debug, Default)]
pub struct Listing {
    /// Those that it may use, in the order of their names.
    pub records: Vec<RecordView>,
    /// Why it sees which of the first few, or not. Not for the peer.
    pub decisions: Vec<(RecordName, Decision)>,
}

impl Vault {
    /// The records that the peer may use.
    ///
    /// # Errors
    /// If the vault is missing or locked.
    pub async fn records_for(&self, asker: &Asker<'_>) -> Result<Listing, Error> {
        let now = self.parts.clock.now();
        let (guests, entries) = {
            let phase = self.read();
            let open = self.opened(&phase)?;
            let entries: Vec<_> = open.records.values().map(Arc::clone).collect();
            (Arc::clone(&open.guests), entries)
        };
        let mut listing = Listing::default();
        for (number, entry) in entries.iter().enumerate() {
            if number > 0 && number % RECORDS_AT_ONCE == 0 {
                yield_now().await;
            }
            let record = Arc::clone(&entry.lock().record);
            let allowed = if number < MOST_DECISIONS {
                let decision = decide(asker, Some(&record), &guests);
                let allowed = matches!(decision, Decision::Allowed(_));
                listing.decisions.push((record.name.clone(), decision));
                allowed
            } else {
                asker.may_use(record.rules.as_deref(), &guests)
            };
            if allowed {
                let view = RecordView::of(entry, &self.parts.retirements, now);
                listing.records.push(view);
            }
        }
        Ok(listing)
    }

    /// Whether a rule of some record could let this user in; nothing while the rules are sealed.
    #[must_use]
    pub fn may_serve(&self, uid: u32) -> Option<bool> {
        self.guests().map(|guests| guests.may_include(uid))
    }

    /// What has to be known of a peer of this user when it connects: everything while the rules are sealed.
    #[must_use]
    pub fn capture(&self, uid: u32) -> Capture {
        match &*self.read() {
            Phase::Unlocked(open) => open.guests.capture(uid),
            Phase::Locked(_) => Capture::Process,
            Phase::Missing => Capture::Ids,
        }
    }

    /// Whom the rules of all records speak of; nothing while they are sealed.
    #[must_use]
    pub fn guests(&self) -> Option<Arc<Guests>> {
        match &*self.read() {
            Phase::Unlocked(open) => Some(Arc::clone(&open.guests)),
            Phase::Missing | Phase::Locked(_) => None,
        }
    }

    /// The rules of a record.
    ///
    /// # Errors
    /// If there is none of this name, or the vault is missing or locked.
    pub fn access(&self, policy: &Policy, name: &str) -> Result<Access, Error> {
        let (_, entry) = self.find(name)?;
        Ok(access(policy, &entry, false))
    }

    /// Adds a rule; it takes nothing from anybody.
    ///
    /// # Errors
    /// If there is no such record, it has too many rules, or they can't be written.
    pub async fn allow(
        self: &Arc<Self>,
        policy: Policy,
        name: RecordName,
        rule: Rule,
    ) -> Result<Access, Error> {
        self.change_rules(policy, name, move |rules| {
            if rules.contains(&rule) {
                return Ok(None);
            }
            if rules.len() >= MOST_RULES {
                let problem =
                    format!("would be one more than the {MOST_RULES} that a record can have");
                return Err(Error::invalid("rule", problem));
            }
            let more = rules.iter().cloned().chain([rule]);
            Ok(Some(more.collect()))
        })
        .await
    }

    /// Removes a rule, or all of them; it gives nothing to anybody.
    ///
    /// # Errors
    /// If there is no such record or rule, or the rules can't be written.
    pub async fn deny(
        self: &Arc<Self>,
        policy: Policy,
        name: RecordName,
        rule: Option<Rule>,
    ) -> Result<Access, Error> {
        self.change_rules(policy, name, move |rules| match &rule {
            None if rules.is_empty() => Ok(None),
            None => Ok(Some(Arc::from([]))),
            Some(rule) if rules.contains(rule) => {
                let others = rules.iter().filter(|other| *other != rule).cloned();
                Ok(Some(others.collect()))
            }
            Some(rule) => Err(Error::invalid(
                "rule",
                format!("`{rule}` is none of the record's; a rule is removed as it was given"),
            )),
        })
        .await
    }

    async fn change_rules(
        self: &Arc<Self>,
        policy: Policy,
        name: RecordName,
        change: impl FnOnce(&[Rule]) -> Result<Option<Arc<[Rule]>>, Error> + Send + 'static,
    ) -> Result<Access, Error> {
        self.administer(move |vault| {
            let (refresher, entry) = vault.find(name.as_str())?;
            let result = entry.set_rules(&refresher.store, &refresher.keys, |own| {
                change(policy.rules(own))
            });
            // Also after a failure, for an earlier change that was in doubt may have turned out to be made.
            vault.count_guests();
            vault.changed.send_replace(());
            let access = access(&policy, &entry, result?);
            info!(record = %name, rules = access.rules.len(), changed = access.changed, "set the access rules");
            Ok(access)
        })
        .await
    }

    fn count_guests(&self) {
        let mut phase = self.phase.write().unwrap_or_else(PoisonError::into_inner);
        if let Phase::Unlocked(open) = &mut *phase {
            open.guests = guests(open.records.values());
        }
    }

    /// The record, if the peer may use it; otherwise what there would be without the record. The asker knows afterwards
    /// which of both it was.
    pub(super) fn find_for(
        &self,
        asker: &mut Asker<'_>,
        name: &str,
    ) -> Result<(Arc<Refresher>, Arc<Entry>), Error> {
        let (refresher, guests, entry) = {
            let phase = self.read();
            let Open {
                refresher,
                guests,
                records,
                ..
            } = self.opened(&phase)?;
            (
                Arc::clone(refresher),
                Arc::clone(guests),
                records.get(name).map(Arc::clone),
            )
        };
        let record = entry.as_ref().map(|entry| Arc::clone(&entry.lock().record));
        let decision = decide(asker, record.as_deref(), &guests);
        let allowed = matches!(decision, Decision::Allowed(_));
        asker.decided(decision);
        if let Some(entry) = entry.filter(|_| allowed) {
            return Ok((refresher, entry));
        }
        // Checked for everybody alike, so that only names can be told apart from what is none.
        let name = parse_name(name)?;
        let peer = asker.peer();
        debug!(record = %name, uid = peer.uid, pid = peer.pid, "denied");
        Err(Error::RecordNotFound(name))
    }
}

/// Judges without a record as with one, and only then looks whether there is one.
fn decide(asker: &Asker<'_>, record: Option<&Record>, guests: &Guests) -> Decision {
    let verdict = asker.judge(record.map(|record| record.rules.as_deref()), guests);
    let Some(record) = record else {
        return Decision::NoRecord;
    };
    match verdict {
        Verdict::Allowed { rule } => {
            Decision::Allowed(asker.policy().ruling(record.rules.as_ref(), rule))
        }
        Verdict::Denied { missing } => Decision::Denied { missing },
        Verdict::Unsettled => Decision::Denied {
            missing: Vec::new(),
        },
    }
}

/// Whom the rules of these records speak of.
pub(super) fn guests<'a>(entries: impl Iterator<Item = &'a Arc<Entry>>) -> Arc<Guests> {
    let lists: Vec<_> = entries
        .filter_map(|entry| entry.lock().record.rules.clone())
        .collect();
    Arc::new(Guests::of(lists.iter().flat_map(|rules| rules.iter())))
}

fn access(policy: &Policy, entry: &Entry, changed: bool) -> Access {
    let record = Arc::clone(&entry.lock().record);
    Access {
        rules: policy.rules(record.rules.as_deref()).into(),
        default: record.rules.is_none(),
        changed,
    }
}
