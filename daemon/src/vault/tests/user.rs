//! A Salesforce with one user, who has a password and an app.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard},
};

use tokio::sync::Semaphore;

use super::answers::{USER, failure, grant, proof};
use crate::{
    credential::Credential,
    failure::{Class, Failure},
    host::Host,
    salesforce::{
        CodeRequest, Exchange, Grant, HostRefused, Login, LoginExchange, LoginRefused,
        LoginRequest, PasswordChange, PasswordExchange, PasswordNotSet, Proof, Survey,
    },
    secret::{ConsumerSecret, Password, RefreshToken, SecurityToken, SessionId},
};

pub(super) const OTHER_USER: &str = "005xx000001Sv6BAAS";
pub(super) const OTHER_USER_15: &str = "005xx000001Sv6B";

/// What becomes of the next change of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    Done,
    /// The password policy says no.
    Refused,
    /// It is done, and the answer lost.
    DoneUnanswered,
    /// It is not done, and there is no answer.
    Lost,
}

#[derive(Debug)]
pub(super) struct Salesforce {
    state: Mutex<State>,
    /// A login is answered when there is a permit.
    pub(super) may_answer: Semaphore,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) password: String,
    pub(super) token: Option<String>,
    /// The user of the app.
    pub(super) app_user: &'static str,
    pub(super) setting: Setting,
    /// Calls with a session fail so many times.
    pub(super) deaf_to_proofs: u32,
    /// The next call with a session is never answered; false when it came.
    pub(super) is_slow_to_prove: bool,
    /// The next login fails so, whatever it brings.
    pub(super) trouble: Option<Class>,
    /// What the next login brings is not believed.
    pub(super) is_unbelieved: bool,
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    /// Sessions prove to be this user's, whatever the login said.
    pub(super) proves_as: Option<&'static str>,
    /// No credential may go there.
    pub(super) foreign: Option<Host>,
    /// Changes of a password that came here.
    pub(super) changes: u64,
    pub(super) under_way: usize,
    /// Whether two logins were ever under way at once.
    pub(super) crowded: bool,
    serial: u64,
    living: BTreeSet<(String, &'static str)>,
}

impl Salesforce {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                password: "old password".to_owned(),
                token: Some("OldTokenOldTokenOldToken".to_owned()),
                app_user: USER,
                setting: Setting::Done,
                deaf_to_proofs: 0,
                is_slow_to_prove: false,
                trouble: None,
                is_unbelieved: false,
                accepted: 0,
                rejected: 0,
                proves_as: None,
                foreign: None,
                changes: 0,
                under_way: 0,
                crowded: false,
                serial: 0,
                living: BTreeSet::new(),
            }),
            may_answer: Semaphore::new(Semaphore::MAX_PERMITS / 2),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn end_sessions(&self) {
        self.state().living.clear();
    }

    fn judge(&self, request: &LoginRequest) -> Result<Grant, LoginRefused> {
        let mut state = self.state();
        let mut rotated = None;
        let user = match &request.credential {
            Credential::RefreshToken { refresh_token, .. } => {
                let valid = format!("refresh {}", state.accepted);
                rotated = Some(RefreshToken::new(format!("refresh {}", state.accepted + 1)));
                (refresh_token.expose() == valid).then_some(USER)
            }
            Credential::ClientCredentials { consumer_secret } => {
                (consumer_secret.expose() == APP_SECRET).then_some(state.app_user)
            }
            Credential::SoapLogin {
                password,
                security_token,
            } => {
                let token = security_token.as_ref().map(SecurityToken::expose);
                let fits = password.expose() == state.password && token == state.token.as_deref();
                fits.then_some(USER)
            }
            other @ (Credential::UsernamePassword { .. } | Credential::JwtBearer { .. }) => {
                panic!("{other:?}")
            }
        };
        if let Some(class) = state.trouble.take() {
            return Err(failure(class).into());
        }
        let Some(user) = user else {
            state.rejected += 1;
            return Err(failure(Class::BadCredentials).into());
        };
        state.accepted += 1;
        if std::mem::take(&mut state.is_unbelieved) {
            let failure = failure(Class::WrongHost);
            return Err(LoginRefused { failure, rotated });
        }
        Ok(state.grant(user, rotated))
    }
}

impl State {
    fn grant(&mut self, user: &'static str, rotated: Option<RefreshToken>) -> Grant {
        self.serial += 1;
        let session = format!("00Dxx0000001gPL!{}", self.serial);
        self.living.insert((session.clone(), user));
        Grant {
            username: Some("etl@acme.example".to_owned()),
            rotated,
            ..grant(session, "acme.my.salesforce.com", user)
        }
    }
}

impl Login for Salesforce {
    fn permit(&self, host: &Host) -> Result<(), HostRefused> {
        let foreign = self.state().foreign.as_ref() == Some(host);
        (!foreign).then_some(()).ok_or_else(|| HostRefused {
            host: host.clone(),
            hint: None,
        })
    }

    fn login<'a>(&'a self, request: &'a LoginRequest) -> LoginExchange<'a> {
        Box::pin(async move {
            {
                let mut state = self.state();
                state.under_way += 1;
                state.crowded |= state.under_way > 1;
            }
            self.may_answer.acquire().await.unwrap().forget();
            let judged = self.judge(request);
            self.state().under_way -= 1;
            judged
        })
    }

    fn set_password<'a>(&'a self, change: &'a PasswordChange) -> PasswordExchange<'a> {
        Box::pin(async move {
            let mut state = self.state();
            state.changes += 1;
            let known = state
                .living
                .contains(&(change.session_id.expose().to_owned(), USER));
            if !known || change.user_id != USER {
                return Err(PasswordNotSet {
                    failure: failure(Class::SessionDead),
                    unchanged: true,
                });
            }
            let setting = state.setting;
            if let Setting::Done | Setting::DoneUnanswered = setting {
                change.password.expose().clone_into(&mut state.password);
                if state.token.is_some() {
                    state.token = Some(NEW_TOKEN.to_owned());
                }
            }
            match setting {
                Setting::Done => Ok(()),
                Setting::Refused => Err(PasswordNotSet {
                    failure: Failure {
                        code: Some("INVALID_NEW_PASSWORD".to_owned()),
                        ..failure(Class::AccessPolicy)
                    },
                    unchanged: true,
                }),
                Setting::DoneUnanswered | Setting::Lost => Err(PasswordNotSet {
                    failure: failure(Class::Unanswered),
                    unchanged: false,
                }),
            }
        })
    }

    fn end<'a>(&'a self, _: &'a SessionId, _: &'a Host) -> Exchange<'a, ()> {
        Box::pin(async { unreachable!("nobody logs out") })
    }

    fn survey<'a>(&'a self, _: &'a Host) -> Exchange<'a, Survey> {
        Box::pin(async { Err(failure(Class::Unavailable)) })
    }

    fn prove<'a>(&'a self, session_id: &'a SessionId, _: &'a Host) -> Exchange<'a, Proof> {
        Box::pin(async move {
            if std::mem::take(&mut self.state().is_slow_to_prove) {
                std::future::pending::<()>().await;
            }
            let mut state = self.state();
            if state.deaf_to_proofs > 0 {
                state.deaf_to_proofs -= 1;
                return Err(failure(Class::Unavailable));
            }
            let living = state.living.iter();
            let found = living.clone().find(|(id, _)| id == session_id.expose());
            let (_, user) = found.ok_or_else(|| failure(Class::SessionDead))?;
            Ok(proof(state.proves_as.unwrap_or(user)))
        })
    }

    /// Any code brings the refresh token of this user.
    fn redeem<'a>(&'a self, _: &'a CodeRequest) -> Exchange<'a, Grant> {
        Box::pin(async {
            let mut state = self.state();
            state.accepted += 1;
            let token = RefreshToken::new(format!("refresh {}", state.accepted));
            Ok(state.grant(USER, Some(token)))
        })
    }
}

pub(super) const APP_SECRET: &str = "app secret";
pub(super) const NEW_TOKEN: &str = "NewTokenNewTokenNewToken";

pub(super) fn soap(password: &str, token: Option<&str>) -> Credential {
    Credential::SoapLogin {
        password: Password::new(password.to_owned()),
        security_token: token.map(|token| SecurityToken::new(token.to_owned())),
    }
}

pub(super) fn app(secret: &str) -> Credential {
    Credential::ClientCredentials {
        consumer_secret: ConsumerSecret::new(secret.to_owned()),
    }
}
