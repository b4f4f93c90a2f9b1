//! Another way to log in under the same name: rehearsed first, then changed over at once.

use std::{sync::Arc, time::Duration};

use tracing::info;

use super::{NewRecord, RecordView, Vault, credential, kind};
use crate::{
    aside::Aside,
    credential::{Credential, FlowKind},
    error::Error,
    failure::{Class, Failure},
    host::Host,
    record::{Pin, Record, RecordName, same_org},
    salesforce::{LoginRequest, hosts::doubt},
    session::{
        Session,
        decision::{Effect, Passed, Want},
        entry::Rearranged,
        turn::{NotPassed, Turn, conflict},
    },
};

/// A migration to make.
#[derive(Debug)]
pub struct Migration {
    /// The record's name and how it is to log in.
    pub to: NewRecord,
    /// Only rehearse.
    pub dry_run: bool,
    /// The user that the new login must lead to, if it is another; 15 or 18 characters.
    pub expect_user: Option<String>,
    /// The same for the org.
    pub expect_org: Option<String>,
}

/// A migration that was rehearsed, and made unless it was to be rehearsed only.
#[derive(Debug)]
pub struct Migrated {
    pub record: RecordView,
    pub before: Facts,
    pub after: Facts,
    /// What looks odd but was accepted.
    pub warnings: Vec<String>,
}

/// What is known of one way to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub flow: FlowKind,
    pub login_host: Host,
    pub consumer_key: Option<String>,
    pub org_id: Option<String>,
    pub user_id: Option<String>,
    pub username: Option<String>,
    pub instance: Option<Host>,
    /// How long its sessions may be idle.
    pub timeout: Option<Duration>,
    /// Whether a call with a session of it succeeded just now. More can't be told without touching data: what the
    /// user may read and write is the user's, and an app's scopes may narrow it.
    pub proven: bool,
}

impl Vault {
    /// Logs in the new way and compares it with the present one. If it leads to the same org and user, or to those
    /// that are expected, the record logs in so from now on; the old login is kept aside.
    ///
    /// # Errors
    /// Why not; then nothing has changed.
    pub async fn migrate(self: &Arc<Self>, migration: Migration) -> Result<Migrated, Error> {
        let Migration {
            to,
            dry_run,
            expect_user,
            expect_org,
        } = migration;
        credential::check_flow(&to.flow)?;
        credential::check(&to.credential)?;
        kind::check(to.environment, &to.login_host, &to.flow)?;
        let (refresher, entry) = self.find(to.name.as_str())?;
        let record = Arc::clone(&entry.lock().record);
        no_drawn_password(&record)?;
        if record.flow == to.flow && record.login_host == to.login_host {
            return Err(invalid(
                "flow",
                "the record logs in so already; `sfvault rotate` changes its secrets",
            ));
        }
        if dry_run && to.credential.flow() == FlowKind::RefreshToken {
            let problem = "a refresh token may be spent by one use, so it can't be rehearsed only";
            return Err(invalid("dry_run", problem));
        }
        let warnings = to
            .flow
            .username()
            .and_then(|name| doubt(name, &to.login_host));
        let warnings = warnings
            .into_iter()
            .chain(credential::doubts(&to.credential));
        let want = Want {
            fresh_proof: true,
            ..Want::default()
        };
        let before = match refresher.session(&entry, want).await {
            Ok(session) => Facts::of_session(&record, &session),
            Err(error) if leaves_a_record(&error) => {
                let before = Facts::of_pin(&record);
                if before.org_id.is_none() && (expect_user.is_none() || expect_org.is_none()) {
                    let problem = format!(
                        "there is no session of the present login to compare with ({error}): say which \
                         org and user the new login must lead to"
                    );
                    return Err(invalid("expect_user", problem));
                }
                before
            }
            Err(error) => return Err(error),
        };
        let expected = Expected {
            org: expect_org.or_else(|| before.org_id.clone()),
            user: expect_user.or_else(|| before.user_id.clone()),
        };
        let base = record.credential_version;
        let name = to.name.clone();
        let after = refresher
            .turn(&entry, move |turn| async move {
                rehearse_and_flip(turn, to, base, expected, dry_run).await
            })
            .await?;
        info!(record = %name, flow = after.flow.name(), dry_run, "migrated the record");
        Ok(Migrated {
            record: self.record(name.as_str())?,
            before,
            after,
            warnings: warnings.collect(),
        })
    }

    /// Returns to the login that was kept aside, after a login with it unless `check` is off; the one that it leaves
    /// is kept aside in its place.
    ///
    /// # Errors
    /// If none is kept, or it does not work any more; then nothing has changed.
    pub async fn migrate_back(
        self: &Arc<Self>,
        name: RecordName,
        check: bool,
    ) -> Result<RecordView, Error> {
        let (refresher, entry) = self.find(name.as_str())?;
        refresher
            .turn(
                &entry,
                move |turn| async move { go_back(turn, check).await },
            )
            .await?;
        info!(record = %name, check, "went back to the login that was kept");
        self.record(name.as_str())
    }

    /// Wipes the login that was kept aside. Returns false if there was none.
    ///
    /// # Errors
    /// If there is no such record, or it can't be written.
    pub async fn forget_old(
        self: &Arc<Self>,
        name: RecordName,
    ) -> Result<(RecordView, bool), Error> {
        self.administer(move |vault| {
            let (refresher, entry) = vault.find(name.as_str())?;
            let kept = entry.lock().record.aside.kept.is_some();
            if kept {
                let change = |record: &Record| {
                    let aside = Aside {
                        kept: None,
                        ..record.aside.clone()
                    };
                    let record = Record {
                        aside,
                        ..record.clone()
                    };
                    Ok(Rearranged::of(record, Effect::Nothing))
                };
                let now = vault.parts.clock.now();
                entry.rearrange(&refresher.store, &refresher.keys, now, change)?;
                info!(record = %name, "forgot the login that was kept");
            }
            let now = vault.parts.clock.now();
            let view = RecordView::of(&entry, &vault.parts.retirements, now);
            Ok((view, kept))
        })
        .await
    }
}

/// Where a new login must lead.
struct Expected {
    org: Option<String>,
    user: Option<String>,
}

async fn rehearse_and_flip(
    turn: Turn,
    to: NewRecord,
    base: u64,
    expected: Expected,
    dry_run: bool,
) -> Result<Facts, Error> {
    let request = LoginRequest {
        login_host: to.login_host,
        flow: to.flow,
        credential: to.credential,
    };
    let tried = || format!("a login by `{}`", request.flow.kind().name());
    let passed = turn.log_in(&request).await;
    let passed = passed.map_err(|not| failed(&turn, tried(), not))?;
    leads_to(&passed, &expected).map_err(|failure| trial_failed(&turn, tried(), failure))?;
    let facts = Facts::of_login(&request, &passed);
    if dry_run {
        return Ok(facts);
    }
    let credential = renewed(request.credential, &passed);
    let (login_host, flow, pin) = (request.login_host, request.flow, pin(&passed));
    let now = turn.now();
    turn.rearrange(move |record| {
        if record.credential_version != base {
            return Err(conflict());
        }
        let aside = Aside {
            kept: Some(record.to_keep(now)),
            ..record.aside.clone()
        };
        let record = Record {
            login_host,
            flow,
            pin: Some(pin),
            credential_version: record.next_version(),
            credential_changed_at: now,
            aside,
            ..record.clone()
        };
        Ok(Rearranged {
            credential: Some(credential),
            ..Rearranged::of(record, Effect::Adopt(Box::new(passed)))
        })
    })
    .await?;
    Ok(facts)
}

async fn go_back(turn: Turn, check: bool) -> Result<(), Error> {
    let record = turn.record();
    no_drawn_password(&record)?;
    let Some(kept) = record.aside.kept.clone() else {
        let problem = "the record keeps no earlier login";
        return Err(invalid("name", problem));
    };
    let credential = turn
        .read(|refresher, record| Ok(refresher.store.kept(&refresher.keys, record)?))
        .await?
        .ok_or_else(conflict)?;
    let request = LoginRequest {
        login_host: kept.login_host.clone(),
        flow: kept.flow.clone(),
        credential,
    };
    let tried = || format!("a login by `{}`", request.flow.kind().name());
    let mut passed = None;
    if check {
        let result = turn.log_in(&request).await;
        let result = result.map_err(|not| failed(&turn, tried(), not))?;
        let pin = kept.pin.as_ref().or(record.pin.as_ref());
        let expected = Expected {
            org: pin.map(|pin| pin.org_id.clone()),
            user: pin.map(|pin| pin.user_id.clone()),
        };
        leads_to(&result, &expected).map_err(|failure| trial_failed(&turn, tried(), failure))?;
        passed = Some(result);
    }
    let credential = match &passed {
        Some(passed) => renewed(request.credential, passed),
        None => request.credential,
    };
    let learnt = passed.as_ref().map(pin);
    let (base, now) = (record.credential_version, turn.now());
    turn.rearrange(move |record| {
        if record.credential_version != base || record.aside.kept.as_ref() != Some(&kept) {
            return Err(conflict());
        }
        let aside = Aside {
            kept: Some(record.to_keep(now)),
            ..record.aside.clone()
        };
        let record = Record {
            login_host: kept.login_host,
            flow: kept.flow,
            pin: learnt.or(kept.pin),
            credential_version: record.next_version(),
            credential_changed_at: kept.credential_changed_at,
            aside,
            ..record.clone()
        };
        let effect = match passed {
            Some(passed) => Effect::Adopt(Box::new(passed)),
            None => Effect::ChangeOver,
        };
        Ok(Rearranged {
            credential: Some(credential),
            ..Rearranged::of(record, effect)
        })
    })
    .await
}

/// What of a login that was tried goes on into the record.
pub(super) fn pin(passed: &Passed) -> Pin {
    Pin {
        org_id: passed.grant.org_id.clone(),
        user_id: passed.grant.user_id.clone(),
        username: username(passed),
    }
}

fn username(passed: &Passed) -> Option<String> {
    let Passed { grant, proof, .. } = passed;
    grant.username.clone().or_else(|| proof.username.clone())
}

/// The credential after the login: Salesforce may have replaced a refresh token.
pub(super) fn renewed(credential: Credential, passed: &Passed) -> Credential {
    match (credential, &passed.grant.rotated) {
        (
            Credential::RefreshToken {
                consumer_secret, ..
            },
            Some(refresh_token),
        ) => Credential::RefreshToken {
            refresh_token: refresh_token.clone(),
            consumer_secret,
        },
        (credential, _) => credential,
    }
}

/// A record with a password whose fate is open is changed in one way only: by ending that.
pub(super) fn no_drawn_password(record: &Record) -> Result<(), Error> {
    match record.aside.drawn {
        None => Ok(()),
        Some(_) => Err(invalid(
            "name",
            format!(
                "a new password of `{0}` awaits its security token: end that first with `sfvault rotate {0}`",
                record.name
            ),
        )),
    }
}

pub(super) fn failed(turn: &Turn, tried: String, not: NotPassed) -> Error {
    match not {
        NotPassed::Failed(failure) => trial_failed(turn, tried, failure),
        NotPassed::NotSent(error) => error,
    }
}

pub(super) fn trial_failed(turn: &Turn, tried: String, failure: Failure) -> Error {
    Error::TrialFailed {
        record: turn.record().name.clone(),
        tried,
        failure,
    }
}

fn leads_to(passed: &Passed, expected: &Expected) -> Result<(), Failure> {
    let (grant, proof) = (&passed.grant, &passed.proof);
    let fits = |expected: &Option<String>, actual: &str| {
        expected
            .as_deref()
            .is_none_or(|expected| same_id(expected, actual))
    };
    let agree = grant.org_id == proof.org_id && grant.user_id == proof.user_id;
    if agree && fits(&expected.org, &grant.org_id) && fits(&expected.user, &grant.user_id) {
        return Ok(());
    }
    let of = |id: &Option<String>| id.clone().unwrap_or_else(|| "any".to_owned());
    Err(Failure {
        class: Class::PinnedElsewhere,
        code: None,
        message: format!(
            "it leads to org {}, user {} ({}); expected were org {}, user {}. If that is right, name them with \
             `--expect-org` and `--expect-user`",
            proof.org_id,
            proof.user_id,
            username(passed)
                .as_deref()
                .unwrap_or("a user without a name"),
            of(&expected.org),
            of(&expected.user)
        ),
        pause: None,
    })
}

/// Ids of 18 characters are those of 15 with a checksum of their case.
fn same_id(a: &str, b: &str) -> bool {
    same_org(a, b)
}

/// Whether the record can be migrated although this keeps its present login from giving a session.
fn leaves_a_record(error: &Error) -> bool {
    match error {
        Error::HostNotAllowed(_)
        | Error::Latched { .. }
        | Error::LoginBudgetSpent { .. }
        | Error::LoginFailed { .. }
        | Error::MinTtlTooLong { .. }
        | Error::SessionRefusedAgain { .. } => true,
        Error::Denied
        | Error::Internal(_)
        | Error::InvalidArgument { .. }
        | Error::RecordExists(_)
        | Error::RecordNotFound(_)
        | Error::ShuttingDown
        | Error::Store(_)
        | Error::TrialFailed { .. }
        | Error::UnexpectedEnvironment { .. }
        | Error::UnexpectedOrg { .. }
        | Error::VaultExists(_)
        | Error::VaultLocked
        | Error::VaultMissing(_) => false,
    }
}

fn invalid(field: &'static str, problem: impl Into<String>) -> Error {
    Error::InvalidArgument {
        field,
        problem: problem.into(),
    }
}

impl Facts {
    fn of_session(record: &Record, session: &Session) -> Self {
        Self {
            org_id: Some(session.org_id.clone()),
            user_id: Some(session.user_id.clone()),
            username: Some(session.username.clone()),
            instance: Some(session.instance.clone()),
            timeout: Some(session.timeout),
            proven: true,
            ..Self::of_pin(record)
        }
    }

    /// What the record's earlier logins told.
    fn of_pin(record: &Record) -> Self {
        let pin = record.pin.as_ref();
        Self {
            flow: record.flow.kind(),
            login_host: record.login_host.clone(),
            consumer_key: record.flow.consumer_key().map(str::to_owned),
            org_id: pin.map(|pin| pin.org_id.clone()),
            user_id: pin.map(|pin| pin.user_id.clone()),
            username: record.username().map(str::to_owned),
            instance: None,
            timeout: None,
            proven: false,
        }
    }

    fn of_login(request: &LoginRequest, passed: &Passed) -> Self {
        let Passed { grant, proof, .. } = passed;
        Self {
            flow: request.flow.kind(),
            login_host: request.login_host.clone(),
            consumer_key: request.flow.consumer_key().map(str::to_owned),
            org_id: Some(grant.org_id.clone()),
            user_id: Some(grant.user_id.clone()),
            username: username(passed),
            instance: Some(grant.instance.clone()),
            timeout: proof.timeout.or(grant.timeout),
            proven: true,
        }
    }
}
