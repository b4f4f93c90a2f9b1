//! Guessing passphrases is slow: each user has one attempt at a time, and after wrong ones a growing pause.
//!
//! The pause is the guesser's own. Others have turns of their own, and the daemon's user and root, whom the pause must never
//! lock out, wait a second at most.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::OwnedMutexGuard,
    time::{Instant, sleep_until},
};

/// Slips of the finger cost nothing.
const FREE: u32 = 3;
/// Shorter than a client waits for an answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// For those who could stop the daemon anyway.
const LONGEST_PAUSE_OF_OWNER: Duration = Duration::from_secs(1);
/// After so long without an attempt, wrong ones are forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(15);

/// Who guessed how often.
#[derive(Debug, Default)]
pub struct Attempts {
    users: Mutex<HashMap<u32, Arc<tokio::sync::Mutex<Wrong>>>>,
}

/// A user's wrong passphrases since the last right one.
#[derive(Debug, Default)]
pub struct Wrong {
    times: u32,
    last: Option<Instant>,
}

/// A user's turn.
#[derive(Debug)]
pub struct Turn(OwnedMutexGuard<Wrong>);

impl Attempts {
    /// Waits for the user's turn, and out the pause that he has earned; `held_back` is told of that before it begins, with
    /// the number of wrong passphrases.
    pub async fn turn(
        &self,
        uid: u32,
        is_owner: bool,
        held_back: impl FnOnce(u32, Duration),
    ) -> Turn {
        let user = Arc::clone(self.lock().entry(uid).or_default());
        let mut wrong = user.lock_owned().await;
        if let Some(last) = wrong.last {
            if last.elapsed() >= FORGOTTEN_AFTER {
                *wrong = Wrong::default();
            } else {
                let due = last + pause(wrong.times, is_owner);
                let left = due.saturating_duration_since(Instant::now());
                if !left.is_zero() {
                    held_back(wrong.times, left);
                    sleep_until(due).await;
                }
            }
        }
        Turn(wrong)
    }

    /// As many users as the sockets let in, who are few: the owner, root, and a group.
    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Arc<tokio::sync::Mutex<Wrong>>>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Ends the turn.
    pub fn was(mut self, right: bool) {
        *self.0 = if right {
            Wrong::default()
        } else {
            Wrong {
                times: self.0.times.saturating_add(1),
                last: Some(Instant::now()),
            }
        };
    }
}

fn pause(wrong: u32, is_owner: bool) -> Duration {
    let longest = if is_owner {
        LONGEST_PAUSE_OF_OWNER
    } else {
        LONGEST_PAUSE
    };
    match wrong.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(beyond) => {
            Duration::from_secs(1u64.checked_shl(beyond.min(16)).unwrap_or(1)).min(longest)
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    async fn guesses(attempts: &Attempts, uid: u32, is_owner: bool, times: u32) -> Duration {
        let start = Instant::now();
        for _ in 0..times {
            attempts.turn(uid, is_owner, |_, _| {}).await.was(false);
        }
        start.elapsed()
    }

    /// T22
    #[tokio::test(start_paused = true)]
    async fn guessing_gets_slower_for_who_guesses_and_for_nobody_else() {
        let attempts = Attempts::default();
        assert_eq!(guesses(&attempts, 7, false, 3).await, Duration::ZERO);
        // 1, 2, 4, 8 and 16 seconds, then 30 each.
        assert_eq!(guesses(&attempts, 7, false, 5).await.as_secs(), 31);
        assert_eq!(guesses(&attempts, 7, false, 10).await.as_secs(), 300);
        assert_eq!(guesses(&attempts, 8, false, 3).await, Duration::ZERO);
        assert_eq!(guesses(&attempts, 0, true, 3).await, Duration::ZERO);
    }

    /// T22: a program of the owner's may guess; the owner himself waits no longer than it.
    #[tokio::test(start_paused = true)]
    async fn the_owner_is_never_kept_out() {
        let attempts = Attempts::default();
        guesses(&attempts, 1000, true, 10_000).await;
        let start = Instant::now();
        attempts.turn(1000, true, |_, _| {}).await.was(true);
        assert!(start.elapsed() <= Duration::from_secs(1));
        assert_eq!(guesses(&attempts, 1000, true, 3).await, Duration::ZERO);
    }

    /// T22: many guesses at once are guesses one after the other.
    #[tokio::test(start_paused = true)]
    async fn guesses_side_by_side_gain_nothing() {
        let attempts = Arc::new(Attempts::default());
        let start = Instant::now();
        let guessers: Vec<_> = (0..8)
            .map(|_| {
                let attempts = Arc::clone(&attempts);
                tokio::spawn(async move { attempts.turn(7, false, |_, _| {}).await.was(false) })
            })
            .collect();
        for guesser in guessers {
            guesser.await.unwrap();
        }
        assert_eq!(start.elapsed().as_secs(), 31);
    }

    #[tokio::test(start_paused = true)]
    async fn a_right_passphrase_and_time_forgive() {
        let attempts = Attempts::default();
        guesses(&attempts, 7, false, 5).await;
        attempts.turn(7, false, |_, _| {}).await.was(true);
        assert_eq!(guesses(&attempts, 7, false, 3).await, Duration::ZERO);
        guesses(&attempts, 7, false, 5).await;
        tokio::time::advance(FORGOTTEN_AFTER).await;
        assert_eq!(guesses(&attempts, 7, false, 3).await, Duration::ZERO);
    }

    /// T22: also of an attempt that is given up while it waits.
    #[tokio::test(start_paused = true)]
    async fn who_is_held_back_is_told_of_before_the_pause() {
        let attempts = Attempts::default();
        guesses(&attempts, 7, false, 4).await;
        let mut told = Vec::new();
        let held = attempts.turn(7, false, |wrong, pause| told.push((wrong, pause.as_secs())));
        assert!(timeout(Duration::from_millis(1), held).await.is_err());
        assert_eq!(told, [(4, 2)]);
    }
}
