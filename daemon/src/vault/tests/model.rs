//! What the vault may hold, as far as its answers tell.
//!
//! An acknowledged change leaves one possibility; a change that failed for the disk's sake adds one.

use std::collections::{BTreeMap, BTreeSet};

/// The names of all records that ever are.
pub(super) const NAMES: [&str; 3] = ["dev", "prod", "uat"];

/// What the vault holds of a record; `None` where there is none.
pub(super) type Known = Option<Held>;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Held {
    pub(super) login: Login,
    /// What it kept aside when it was migrated.
    pub(super) kept: Option<Login>,
    /// Users who may use it.
    pub(super) rules: Vec<u32>,
}

/// A user's password, or the secret of an app that is this user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Login {
    pub(super) username: String,
    pub(super) secret: String,
    pub(super) by_app: bool,
}

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

    /// The record was changed, whatever it was before.
    pub(super) fn changed(&mut self, name: &'static str, change: impl Fn(Held) -> Held) {
        let before = self.possible.remove(name).unwrap();
        let after = before.into_iter().flatten().map(|held| Some(change(held)));
        let after: BTreeSet<Known> = after.collect();
        for known in &after {
            self.history.insert((name, known.clone()));
        }
        self.possible.insert(name, after);
    }

    /// The same, if the change was made.
    pub(super) fn may_have_changed(&mut self, name: &'static str, change: impl Fn(Held) -> Held) {
        let before = self.possible[name].clone();
        self.changed(name, change);
        self.possible.get_mut(name).unwrap().extend(before);
    }

    /// Whether an operation may have met another record than whoever began it thought.
    pub(super) fn is_in_doubt(&self, name: &str) -> bool {
        self.possible[name].len() > 1
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
        if let Some(held) = &known {
            let before = self
                .handed_out
                .get(&held.login.username)
                .copied()
                .unwrap_or(0);
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
