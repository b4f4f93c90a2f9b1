//! Logins in a browser that were begun: few, short-lived, and each finished at most once.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    host::Host,
    record::RecordName,
    secret::{CodeVerifier, ConsumerSecret, LoginState},
};

/// How long a person may take if nobody says otherwise, and at most.
pub(super) const USUAL_TIME: Duration = Duration::from_mins(5);
pub(super) const LONGEST_TIME: Duration = Duration::from_mins(30);
/// Who begins one more gives up the oldest.
const MOST: usize = 16;

/// A login in a browser, begun and not finished.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) id: String,
    pub(super) name: RecordName,
    pub(super) login_host: Host,
    pub(super) consumer_key: String,
    /// `Some(None)`: none; `None`: as the record says.
    pub(super) consumer_secret: Option<Option<ConsumerSecret>>,
    pub(super) redirect_uri: String,
    pub(super) state: LoginState,
    pub(super) verifier: CodeVerifier,
    pub(super) until: Instant,
}

/// All of them, the oldest first.
#[derive(Debug, Default)]
pub(super) struct PendingLogins(Vec<Pending>);

impl PendingLogins {
    pub(super) fn begin(&mut self, login: Pending, now: Instant) {
        self.0.retain(|login| now < login.until);
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push(login);
    }

    /// The login of this id, which is not there any more then; `None` if it is unknown or too late.
    pub(super) fn take(&mut self, id: &str, now: Instant) -> Option<Pending> {
        self.0.retain(|login| now < login.until);
        let at = self.0.iter().position(|login| login.id == id)?;
        Some(self.0.remove(at))
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(number: usize, until: Instant) -> Pending {
        Pending {
            id: number.to_string(),
            name: RecordName::parse("prod").unwrap(),
            login_host: Host::parse("login.salesforce.com").unwrap(),
            consumer_key: "3MVG9".to_owned(),
            consumer_secret: None,
            redirect_uri: "http://127.0.0.1:1717/callback".to_owned(),
            state: LoginState::new("s".to_owned()),
            verifier: CodeVerifier::new("v".to_owned()),
            until,
        }
    }

    #[test]
    fn a_login_is_taken_once_and_in_time() {
        let now = Instant::now();
        let mut logins = PendingLogins::default();
        logins.begin(login(1, now + USUAL_TIME), now);
        logins.begin(login(2, now + USUAL_TIME), now);
        assert!(logins.take("3", now).is_none());
        assert!(logins.take("1", now).is_some());
        assert!(logins.take("1", now).is_none());
        assert!(logins.take("2", now + USUAL_TIME).is_none());
    }

    #[test]
    fn the_oldest_makes_room() {
        let now = Instant::now();
        let mut logins = PendingLogins::default();
        for number in 0..MOST + 3 {
            logins.begin(login(number, now + USUAL_TIME), now);
        }
        assert!(logins.take("2", now).is_none());
        assert!(logins.take("3", now).is_some());
    }
}
