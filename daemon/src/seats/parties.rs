//! The accounts of those who are connected, and of some who were.

use std::{collections::BTreeMap, sync::Arc};

use crate::share::{Account, Good, Party, Pool};

/// Units that are gone and remembered.
const REMEMBERED: usize = 64;

/// Who came through one door.
#[derive(Debug, Default)]
pub(super) struct Parties(BTreeMap<Party, Arc<Account>>);

impl Parties {
    /// The account of a unit; a new one if it was never here, or was forgotten.
    pub(super) fn account(&mut self, party: &Party, pool: &Arc<Pool>) -> Arc<Account> {
        if let Some(known) = self.0.get(party) {
            return Arc::clone(known);
        }
        self.forget();
        let relative = self
            .0
            .values()
            .find(|account| account.party().uid == party.uid);
        let user = relative.map_or_else(Arc::default, |account| Arc::clone(account.user()));
        let account = Account::new(party.clone(), user, Arc::clone(pool));
        self.0.insert(party.clone(), Arc::clone(&account));
        account
    }

    /// All of them, in the order of their users and units.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.0.values()
    }

    /// Makes room for one more. Somebody who has nothing goes: first who was held back least.
    fn forget(&mut self) {
        // What an account has, it has through a connection, a call or a hold, which know it.
        let gone = self.0.values().filter(|it| Arc::strong_count(it) == 1);
        if gone.clone().count() < REMEMBERED {
            return;
        }
        let times = |account: &Account| -> u64 {
            let times = Good::ALL.map(|good| account.held_back(good));
            times
                .iter()
                .fold(account.logins(), |sum, one| sum.saturating_add(*one))
        };
        let least = gone.min_by_key(|account| times(account));
        if let Some(party) = least.map(|account| account.party().clone()) {
            self.0.remove(&party);
        }
    }
}
