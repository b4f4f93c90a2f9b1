//! Another way to log in under the same name: rehearsed first, then changed over at once.

use std::{sync::Arc, time::Duration};

use tracing::info;

use super::{
    Facts, NewRecord, RecordView, Vault, credential, kind,
    trial::{failed, no_drawn_password, pin, renewed, trial_failed, username},
};
use crate::{
    aside::Aside,
    credential::FlowKind,
    error::Error,
    failure::{Class, Failure},
    record::{Record, RecordName, same_org},
    salesforce::{LoginRequest, hosts::doubt},
    session::{
        decision::{Effect, Passed, Want},
        entry::Rearranged,
        pin::disagree,
        turn::{Turn, conflict},
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
        credential::check_login_host(&to.flow, &to.login_host)?;
        credential::check(&to.credential)?;
        kind::check(to.environment, &to.login_host, &to.flow)?;
        self.parts
            .login
            .permit(&to.login_host)
            .map_err(Error::HostNotAllowed)?;
        let (refresher, entry) = self.find(to.name.as_str())?;
        let record = Arc::clone(&entry.lock().record);
        no_drawn_password(&record)?;
        if record.flow == to.flow && record.login_host == to.login_host {
            return Err(Error::invalid(
                "flow",
                "the record logs in so already; `sfvault rotate` changes its secrets",
            ));
        }
        if dry_run && to.credential.flow() == FlowKind::RefreshToken {
            let problem = "a refresh token may be spent by one use, so it can't be rehearsed only: leave `--dry-run` out";
            return Err(Error::invalid("dry_run", problem));
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
                    return Err(nothing_to_compare(error));
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
    let record = turn.record();
    no_drawn_password(&record)?;
    if record.credential_version != base {
        return Err(conflict());
    }
    let passed = turn.log_in(&request).await;
    let passed = passed.map_err(|not| failed(&turn, tried(), not))?;
    leads_to(&passed, &expected).map_err(|failure| trial_failed(&turn, tried(), failure))?;
    let facts = Facts::of_login(&request, &passed);
    if dry_run {
        return Ok(facts);
    }
    let credential = renewed(request.credential, &passed);
    let (login_host, flow, pin) = (request.login_host, request.flow, pin(&passed));
    let (base, now) = (turn.record_unless_set()?.credential_version, turn.now());
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
    // An attempt that was said to have failed may have been made; to go back once more would undo it.
    let (store, keys) = (&turn.refresher.store, &turn.refresher.keys);
    turn.entry.save(store, keys).await?;
    let record = turn.record_unless_set()?;
    no_drawn_password(&record)?;
    let Some(kept) = record.aside.kept.clone() else {
        let problem = "the record keeps no earlier login";
        return Err(Error::invalid("name", problem));
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
    // The login may have replaced the refresh token that is kept.
    let record = turn.record_unless_set()?;
    let kept = record.aside.kept.clone().ok_or_else(conflict)?;
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

fn leads_to(passed: &Passed, expected: &Expected) -> Result<(), Failure> {
    let (grant, proof) = (&passed.grant, &passed.proof);
    let fits = |expected: &Option<String>, actual: &str| {
        expected
            .as_deref()
            .is_none_or(|expected| same_id(expected, actual))
    };
    if let Some(failure) = proof.as_ref().and_then(|proof| disagree(grant, proof)) {
        return Err(failure);
    }
    if fits(&expected.org, &grant.org_id) && fits(&expected.user, &grant.user_id) {
        return Ok(());
    }
    let of = |id: &Option<String>| id.clone().unwrap_or_else(|| "any".to_owned());
    Err(Failure {
        class: Class::PinnedElsewhere,
        code: None,
        message: format!(
            "it leads to org {}, user {} ({}); expected were org {}, user {}. If that is right, name them with \
             `--expect-org` and `--expect-user`",
            grant.org_id,
            grant.user_id,
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

/// Why a record can't be migrated that has never had a session: what passes by itself is worth waiting for, else the
/// operator must know where the new login is to lead.
fn nothing_to_compare(error: Error) -> Error {
    // A latched record passes too, but only when somebody mends it.
    if error
        .may_pass_in()
        .is_some_and(|pause| pause < Duration::MAX)
    {
        return error;
    }
    let problem = format!(
        "there is no session of the present login to compare with ({error}): say which org and user the new login must \
         lead to, with `--expect-org` and `--expect-user`"
    );
    Error::invalid("expect_user", problem)
}

/// Whether the record can be migrated although this keeps its present login from giving a session.
fn leaves_a_record(error: &Error) -> bool {
    match error {
        Error::HostNotAllowed(_)
        | Error::Latched { .. }
        | Error::LoginShareSpent { .. }
        | Error::LoginBudgetSpent { .. }
        | Error::LoginFailed { .. }
        | Error::MinTtlTooLong { .. }
        | Error::SessionRefusedAgain { .. } => true,
        Error::AuditUnavailable(_)
        | Error::BrowserLogin { .. }
        | Error::CodeRefused { .. }
        | Error::Denied
        | Error::Internal(_)
        | Error::InvalidArgument { .. }
        | Error::RecordExists(_)
        | Error::RecordNotFound(_)
        | Error::ShuttingDown
        | Error::Store(_)
        | Error::TokenAwaited(_)
        | Error::TokenUnsaved { .. }
        | Error::TrialFailed { .. }
        | Error::UnexpectedEnvironment { .. }
        | Error::UnexpectedOrg { .. }
        | Error::VaultExists(_)
        | Error::VaultLocked
        | Error::LogoutFailed { .. }
        | Error::Throttled { .. }
        | Error::TooManyStreams
        | Error::VaultMissing(_) => false,
    }
}
