//! What the vault may hold, as far as its answers tell.
//!
//! An acknowledged change leaves one possibility; a change that failed for the disk's sake adds one.

use std::collections::{BTreeMap, BTreeSet};

/// The names of all records that ever are.
pub(super) const NAMES: [&str; 3] = ["dev", "prod", "uat"];

/// A record's user and password; `None` where there is no record.
pub(super) type Known = Option<(String, String)>;

#[derive(Debug)]
pub(super) struct Model {
    possible: BTreeMap<&'static str, BTreeSet<Known>>,
    /// By username: the newest generation that was handed out.
    handed_out: BTreeMap<String, u64>,
    /// By username: the newest generation that was reported as refused.
    refused: BTreeMap<String, u64>,
    /// Everything that was ever possible.
    history: BTreeSet<(&'static str, Known)>,
}

impl Model {
    pub(super) fn empty() -> Self {
        let possible: BTreeMap<_, _> = NAMES
            .into_iter()
            .map(|name| (name, BTreeSet::from([None])))
            .collect();
        Self {
            possible,
            handed_out: BTreeMap::new(),
            refused: BTreeMap::new(),
            history: NAMES.into_iter().map(|name| (name, None)).collect(),
        }
    }

    /// The change was acknowledged.
    pub(super) fn done(&mut self, name: &'static str, known: Known) {
        self.history.insert((name, known.clone()));
        self.possible.insert(name, BTreeSet::from([known]));
    }

    /// The change failed, and may have been made.
    pub(super) fn in_doubt(&mut self, name: &'static str, known: Known) {
        self.history.insert((name, known.clone()));
        self.possible.get_mut(name).unwrap().insert(known);
    }

    pub(super) fn may_be_missing(&self, name: &str) -> bool {
        self.possible[name].contains(&None)
    }

    pub(super) fn may_be_there(&self, name: &str) -> bool {
        self.possible[name].iter().any(Option::is_some)
    }

    /// What was found must have been possible. Where all of it is on the platter, it is certain now; what a failed
    /// sync left in the cache is read like the rest, but the next power cut may take it.
    pub(super) fn found(
        &mut self,
        name: &'static str,
        known: Known,
        generation: u64,
        durable: bool,
    ) {
        assert!(
            self.possible[name].contains(&known),
            "`{name}` is {known:?}; possible were {:?}",
            self.possible[name]
        );
        if let Some((username, _)) = &known {
            let before = self.handed_out.get(username).copied().unwrap_or(0);
            assert!(
                generation >= before,
                "`{name}`: generation {generation} after {before}"
            );
        }
        if durable {
            self.done(name, known);
        }
    }

    /// After a disk that lied, anything goes that was once so.
    pub(super) fn was_once(&self, name: &'static str, known: Known) {
        let entry = (name, known);
        assert!(self.history.contains(&entry), "never so: {entry:?}");
    }

    pub(super) fn refuse(&mut self, username: &str, generation: u64) {
        let newest = self.refused.entry(username.to_owned()).or_default();
        *newest = generation.max(*newest);
    }

    pub(super) fn hand_out(&mut self, username: &str, generation: u64) {
        let refused = self.refused.get(username).copied().unwrap_or(0);
        assert!(generation > refused, "{username}: {generation} was refused");
        let newest = self.handed_out.entry(username.to_owned()).or_default();
        assert!(generation >= *newest, "{username}: {generation} is old");
        *newest = generation;
    }
}
