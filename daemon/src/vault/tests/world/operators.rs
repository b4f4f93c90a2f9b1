//! What operators do to the records of a world, and what the model makes of it.

use super::{Held, Known, Login, TOKEN, World, uids};
use crate::{
    access::Rule,
    credential::{Credential, Flow},
    error::Error,
    failure::Class,
    host::Host,
    mode::Mode,
    policy::Policy,
    record::RecordName,
    secret::{ConsumerSecret, Password, SecurityToken},
    store::StoreError,
    vault::{
        Migration, NewRecord, NewSecrets, Rotation,
        tests::{
            answers::{ORG, USER},
            org::app_of,
        },
    },
};

impl World {
    pub(in super::super) async fn add(&mut self, name: &'static str) -> Result<(), Error> {
        let login = Login {
            username: self.new_username(name),
            secret: self.new_secret(),
            by_app: false,
        };
        let result = self.vault.add(new_record(name, &login)).await.map(drop);
        let held = Held {
            login,
            kept: None,
            rules: Vec::new(),
        };
        self.replaced(name, Some(held), result)
    }

    pub(in super::super) async fn set(&mut self, name: &'static str) -> Result<(), Error> {
        let secret = self.new_secret();
        let new = self.secrets(name, &secret);
        let result = self.vault.set(record_name(name), new).await.map(drop);
        self.changed(name, result, |held| with(held, &secret))
    }

    pub(in super::super) async fn remove(&mut self, name: &'static str) -> Result<(), Error> {
        let result = self.vault.remove(record_name(name)).await;
        self.replaced(name, None, result)
    }

    pub(in super::super) async fn rotate(&mut self, name: &'static str) -> Result<(), Error> {
        self.figures.rotations += 1;
        let secret = self.new_secret();
        let rotation = Rotation::To(self.secrets(name, &secret));
        let rotated = self.vault.rotate(record_name(name), rotation).await;
        let result = rotated.map(drop);
        self.changed(name, result, |held| with(held, &secret))
    }

    /// From a password to an app; from there back, or the password is forgotten.
    pub(super) async fn migrate(&mut self, name: &'static str) -> Result<(), Error> {
        self.figures.migrations += 1;
        let known = self.known(name);
        let by_app = known.as_ref().is_some_and(|it| !it.flow.sends_password());
        let keeps = known.is_some_and(|it| it.aside.kept.is_some());
        match (by_app, keeps) {
            (true, true) if self.dice.one_in(3) => {
                let forgotten = self.vault.forget_old(record_name(name)).await;
                let result = forgotten.map(drop);
                self.changed(name, result, |held| Held { kept: None, ..held })
            }
            (true, true) => {
                let check = self.dice.one_in(2);
                let username = self.username(name).unwrap_or_default();
                self.org.forgiven(&username);
                let back = self.vault.migrate_back(record_name(name), check).await;
                match &back {
                    Err(Error::TrialFailed { failure, .. })
                        if failure.class == Class::BadCredentials =>
                    {
                        self.turned_back.insert(username);
                    }
                    // Nothing is sent again that was rejected.
                    Err(Error::InvalidArgument { .. })
                        if check && self.turned_back.contains(&username) =>
                    {
                        return Ok(());
                    }
                    Err(_) | Ok(_) => {}
                }
                self.changed(name, back.map(drop), |held| match held.kept.clone() {
                    Some(kept) => Held {
                        kept: Some(held.login),
                        login: kept,
                        ..held
                    },
                    None => held,
                })
            }
            (true, false) => Ok(()),
            (false, _) => self.migrate_to_app(name).await,
        }
    }

    async fn migrate_to_app(&mut self, name: &'static str) -> Result<(), Error> {
        let login = Login {
            username: self.username(name).unwrap_or_else(|| "no@body".to_owned()),
            secret: self.new_secret(),
            by_app: true,
        };
        let migration = Migration {
            to: new_record(name, &login),
            dry_run: false,
            expect_user: Some(USER.to_owned()),
            expect_org: Some(ORG.to_owned()),
        };
        let result = self.vault.migrate(migration).await.map(drop);
        self.changed(name, result, |held| Held {
            kept: Some(held.login),
            login: login.clone(),
            rules: held.rules,
        })
    }

    pub(super) async fn change_rules(&mut self, name: &'static str) -> Result<(), Error> {
        self.figures.rules += 1;
        let uid = self.dice.pick(&[1, 2, 3]);
        let known = self.known(name);
        let rules = uids(known.as_ref().and_then(|record| record.rules.as_deref()));
        let (policy, rule) = (Policy::new(Mode::System, 0), Rule::of_user(uid));
        let denies = rules.contains(&uid);
        let result = match denies {
            true => self.vault.deny(policy, record_name(name), Some(rule)).await,
            false => self.vault.allow(policy, record_name(name), rule).await,
        };
        self.changed(name, result.map(drop), |mut held| {
            if denies {
                held.rules.retain(|other| *other != uid);
            } else if !held.rules.contains(&uid) {
                held.rules.push(uid);
            }
            held
        })
    }

    /// There is a record now, or none, whatever there was.
    fn replaced(
        &mut self,
        name: &'static str,
        known: Known,
        result: Result<(), Error>,
    ) -> Result<(), Error> {
        match &result {
            Ok(()) => self.model.done(name, known),
            Err(error) if is_disks(error) => self.model.in_doubt(name, known),
            Err(_) => {}
        }
        result
    }

    fn changed(
        &mut self,
        name: &'static str,
        result: Result<(), Error>,
        change: impl Fn(Held) -> Held,
    ) -> Result<(), Error> {
        match &result {
            Ok(()) => self.model.changed(name, change),
            Err(error) if is_disks(error) => self.model.may_have_changed(name, change),
            Err(_) => {}
        }
        result
    }

    fn secrets(&self, name: &str, secret: &str) -> NewSecrets {
        let mut new = NewSecrets::default();
        let known = self.known(name);
        if known.is_some_and(|it| !it.flow.sends_password()) {
            new.consumer_secret = Some(Some(ConsumerSecret::new(secret.to_owned())));
        } else {
            new.password = Some(Password::new(secret.to_owned()));
        }
        new
    }

    fn new_username(&mut self, name: &str) -> String {
        self.serial += 1;
        format!("{name}-{}@acme.example", self.serial)
    }

    fn new_secret(&mut self) -> String {
        self.serial += 1;
        let kind = self.dice.pick(&["right", "right", "wrong"]);
        format!("{kind}-{}", self.serial)
    }
}

fn with(held: Held, secret: &str) -> Held {
    let login = Login {
        secret: secret.to_owned(),
        ..held.login
    };
    Held { login, ..held }
}

fn is_disks(error: &Error) -> bool {
    matches!(
        error,
        Error::Store(StoreError::Io { .. } | StoreError::Full { .. })
    )
}

fn record_name(name: &str) -> RecordName {
    RecordName::parse(name).unwrap()
}

fn new_record(name: &str, login: &Login) -> NewRecord {
    let (host, flow, credential) = if login.by_app {
        let flow = Flow::ClientCredentials {
            consumer_key: app_of(&login.username),
        };
        let credential = Credential::ClientCredentials {
            consumer_secret: ConsumerSecret::new(login.secret.clone()),
        };
        ("acme.my.salesforce.com", flow, credential)
    } else {
        let flow = Flow::SoapLogin {
            username: login.username.clone(),
        };
        let credential = Credential::SoapLogin {
            password: Password::new(login.secret.clone()),
            security_token: Some(SecurityToken::new(TOKEN.to_owned())),
        };
        ("login.salesforce.com", flow, credential)
    };
    NewRecord {
        name: record_name(name),
        login_host: Host::parse(host).unwrap(),
        flow,
        credential,
        environment: None,
        remind_after: None,
    }
}
