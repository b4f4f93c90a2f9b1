//! Uses refresh tokens that nobody uses, and tries again to save those that the disk would not take.
//!
//! It sleeps until something is due, hours at most, because sleeps do not notice a suspend or a clock step. A vault
//! without refresh tokens, or a locked one, has no timer at all.

use std::{convert::Infallible, future::pending, sync::Arc, time::Duration};

use tokio::time::sleep;
use tracing::{info, warn};

use super::{Phase, Vault};
use crate::session::{decision::Want, entry::Entry, refresh::Refresher};

/// The longest sleep, and the pause after a use that failed: a tenth of a day late is early enough.
const LONGEST_NAP: Duration = Duration::from_hours(2);
/// While a token waits to be saved.
const SAVE_PAUSE: Duration = Duration::from_mins(1);

/// What the keeper finds when it looks.
pub(super) struct Look {
    refresher: Arc<Refresher>,
    /// Whose token is to be used now, or to be saved.
    due: Vec<Arc<Entry>>,
    /// Until there is something to do again; `None`: nothing ever, as things stand.
    pub(super) nap: Option<Duration>,
}

impl Vault {
    /// Keeps refresh tokens alive.
    pub async fn keep_tokens_alive(self: &Arc<Self>) -> Infallible {
        let mut tokens = self.tokens.subscribe();
        loop {
            // Before the look, so that no change falls between looking and sleeping.
            tokens.borrow_and_update();
            let look = self.look();
            let nap = match look {
                Some(Look {
                    refresher,
                    due,
                    nap,
                }) => {
                    for entry in &due {
                        use_token(&refresher, entry).await;
                    }
                    // What failed is not tried again at once.
                    let again = (!due.is_empty()).then_some(LONGEST_NAP);
                    let waiting = due.iter().any(|entry| entry.lock().has_rotation());
                    let soon = waiting.then_some(SAVE_PAUSE);
                    [nap, again, soon].into_iter().flatten().min()
                }
                None => None,
            };
            let over = async {
                match nap {
                    Some(nap) => sleep(nap).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = over => {}
                // The vault lives as long as this.
                _ = tokens.changed() => {}
            }
        }
    }

    /// `None` while the vault is not unlocked.
    pub(super) fn look(&self) -> Option<Look> {
        let now = self.parts.clock.now();
        let phase = self.read();
        let Phase::Unlocked(open) = &*phase else {
            return None;
        };
        let mut look = Look {
            refresher: Arc::clone(&open.refresher),
            due: Vec::new(),
            nap: None,
        };
        for entry in open.records.values() {
            let state = entry.lock();
            if state.has_rotation() {
                look.due.push(Arc::clone(entry));
                continue;
            }
            let Some(at) = self
                .parts
                .token_upkeep
                .due(&state.record, state.machine.ledger())
            else {
                continue;
            };
            let in_time = at.duration_since(now).unwrap_or_default();
            if in_time.is_zero() && state.machine.may_log_in(now).is_ok() {
                look.due.push(Arc::clone(entry));
            } else {
                // A latched record as well: whoever mends it need not tell.
                let nap = if in_time.is_zero() {
                    LONGEST_NAP
                } else {
                    in_time.min(LONGEST_NAP)
                };
                look.nap = Some(look.nap.map_or(nap, |other| other.min(nap)));
            }
        }
        Some(look)
    }
}

async fn use_token(refresher: &Arc<Refresher>, entry: &Arc<Entry>) {
    let (name, waits) = {
        let state = entry.lock();
        (state.record.name.clone(), state.has_rotation())
    };
    if waits {
        if let Err(error) = entry.save_rotation(&refresher.store, &refresher.keys).await {
            warn!(record = %name, %error, "a new refresh token still can't be saved");
        }
        return;
    }
    info!(record = %name, "using the refresh token, so that it lives on");
    let want = Want {
        fresh_login: true,
        ..Want::default()
    };
    if let Err(error) = refresher.session(entry, want).await {
        warn!(record = %name, %error, "the refresh token could not be used");
    }
}
