//! What comes over the wire, turned into this crate's types.

mod session;

use std::{
    collections::HashMap,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use sfvault_proto::v1;

pub(crate) use self::session::session;

use crate::{
    ConsumerSecret, Credential, DaemonStatus, Environment, Error, Finding, Flow, GeneratedPassword,
    Grade, Holder, KeptLogin, LastUse, LastUser, LoginFacts, LoginUsage, News, Protection,
    ProtectionState, Reason, RecordState, RecordStatus, Retirement, RotationResult, SecurityToken,
    VaultState, WatchState,
};

/// A credential for the wire; what is absent is empty there.
pub(crate) fn credential(credential: Credential) -> v1::add_record_request::Credential {
    use v1::add_record_request::Credential as Wire;
    let token =
        |token: Option<SecurityToken>| token.map_or_else(String::new, SecurityToken::into_wire);
    let secret =
        |secret: Option<ConsumerSecret>| secret.map_or_else(String::new, ConsumerSecret::into_wire);
    match credential {
        Credential::SoapLogin {
            password,
            security_token,
        } => Wire::SoapLogin(v1::SoapLoginCredential {
            password: password.into_wire(),
            security_token: token(security_token),
        }),
        Credential::UsernamePassword {
            password,
            security_token,
            consumer_secret,
        } => Wire::UsernamePassword(v1::UsernamePasswordCredential {
            password: password.into_wire(),
            security_token: token(security_token),
            consumer_secret: secret(consumer_secret),
        }),
        Credential::ClientCredentials { consumer_secret } => {
            Wire::ClientCredentials(v1::ClientCredentialsCredential {
                consumer_secret: consumer_secret.into_wire(),
            })
        }
        Credential::JwtBearer {
            private_key,
            consumer_secret,
        } => Wire::JwtBearer(v1::JwtBearerCredential {
            private_key: private_key.into_wire(),
            consumer_secret: secret(consumer_secret),
        }),
        Credential::RefreshToken {
            refresh_token,
            consumer_secret,
        } => Wire::RefreshToken(v1::RefreshTokenCredential {
            refresh_token: refresh_token.into_wire(),
            consumer_secret: secret(consumer_secret),
        }),
    }
}

/// A kind of org for the wire.
pub(crate) fn environment(environment: Option<Environment>) -> i32 {
    let wire = match environment {
        None => v1::Environment::Unspecified,
        Some(Environment::Production) => v1::Environment::Production,
        Some(Environment::Sandbox) => v1::Environment::Sandbox,
    };
    wire.into()
}

/// A record that the answer must hold.
pub(crate) fn required(wire: Option<v1::RecordStatus>) -> Result<RecordStatus, Error> {
    wire.map(record)
        .ok_or_else(|| Error::malformed("`record` is missing"))
}

pub(crate) fn record(wire: v1::RecordStatus) -> RecordStatus {
    RecordStatus {
        flow: flow(wire.flow),
        kept_login: wire.kept_login.map(|kept| KeptLogin {
            flow: flow(kept.flow),
            login_url: kept.login_url,
            since: instant(kept.since),
        }),
        generated_password: generated_password(wire.generated_password),
        state: match v1::RecordState::try_from(wire.state) {
            Ok(v1::RecordState::Idle) => RecordState::Idle,
            Ok(v1::RecordState::LoggingIn) => RecordState::LoggingIn,
            Ok(v1::RecordState::Ready) => RecordState::Ready,
            Ok(v1::RecordState::BackingOff) => RecordState::BackingOff,
            Ok(v1::RecordState::Latched) => RecordState::Latched,
            Ok(v1::RecordState::Unspecified) | Err(_) => RecordState::Unrecognised,
        },
        reason: Reason::from_number(wire.reason),
        name: wire.name,
        username: wire.username,
        login_url: wire.login_url,
        problem: filled(wire.problem),
        failed_at: instant(wire.failed_at),
        retry_at: instant(wire.retry_at),
        org_id: filled(wire.org_id),
        user_id: filled(wire.user_id),
        generation: wire.generation,
        created_at: instant(wire.created_at),
        credential_changed_at: instant(wire.credential_changed_at),
        session_issued_at: instant(wire.session_issued_at),
        guaranteed_until: instant(wire.guaranteed_until),
        logins: wire.logins,
        login_usage: wire.login_usage.map(|usage| LoginUsage {
            used: usage.used,
            limit: usage.limit,
            reached_at: instant(usage.reached_at),
            throttled_until: instant(usage.throttled_until),
        }),
        consumer_key: filled(wire.consumer_key),
        audience: filled(wire.audience),
        refresh_token_idle_until: instant(wire.refresh_token_idle_until),
        remind_after: wire
            .remind_after
            .and_then(|span| Duration::try_from(span).ok()),
        retirements: wire.retirements.into_iter().map(retirement).collect(),
        last_use: None,
    }
}

/// The same with what administration is told beside it.
pub(crate) fn with_last_use(record: RecordStatus, last_use: Option<v1::LastUse>) -> RecordStatus {
    let last_use = last_use.map(|wire| LastUse {
        users: wire.users.into_iter().map(last_user).collect(),
        more: wire.more,
        unread: wire.unread,
    });
    RecordStatus { last_use, ..record }
}

fn last_user(wire: v1::LastUser) -> LastUser {
    LastUser {
        uid: wire.uid,
        unit: filled(wire.unit),
        exe: filled(wire.exe),
        at: instant(wire.at),
    }
}

fn retirement(wire: v1::Retirement) -> Retirement {
    Retirement {
        event: wire.event,
        text: wire.text,
        day: filled(wire.day),
        certainty: wire.certainty,
        source: wire.source,
        advice: wire.advice,
        over: wire.over,
    }
}

pub(crate) fn finding(wire: v1::Finding) -> Finding {
    Finding {
        check: wire.check,
        subject: wire.subject,
        grade: match v1::Grade::try_from(wire.grade) {
            Ok(v1::Grade::Good) => Grade::Good,
            Ok(v1::Grade::Note) => Grade::Note,
            Ok(v1::Grade::Warning) => Grade::Warning,
            Ok(v1::Grade::Problem | v1::Grade::Unspecified) | Err(_) => Grade::Problem,
        },
        text: wire.text,
        fix: filled(wire.fix),
    }
}

pub(crate) fn login_facts(wire: Option<v1::LoginFacts>) -> Result<LoginFacts, Error> {
    let wire = wire.ok_or_else(|| Error::malformed("what is known of a login is missing"))?;
    Ok(LoginFacts {
        flow: flow(wire.flow),
        login_url: wire.login_url,
        consumer_key: filled(wire.consumer_key),
        org_id: filled(wire.org_id),
        user_id: filled(wire.user_id),
        username: filled(wire.username),
        instance_url: filled(wire.instance_url),
        timeout: wire
            .timeout
            .and_then(|timeout| Duration::try_from(timeout).ok()),
        proven: wire.proven,
    })
}

pub(crate) fn rotation(wire: i32) -> RotationResult {
    match v1::Rotation::try_from(wire) {
        Ok(v1::Rotation::Replaced) => RotationResult::Replaced,
        Ok(v1::Rotation::Same) => RotationResult::Same,
        Ok(v1::Rotation::TokenAwaited) => RotationResult::TokenAwaited,
        Ok(v1::Rotation::KeptOld) => RotationResult::KeptOld,
        Ok(v1::Rotation::Unspecified) | Err(_) => RotationResult::Unrecognised,
    }
}

pub(crate) fn generated_password(wire: i32) -> Option<GeneratedPassword> {
    match v1::GeneratedPassword::try_from(wire) {
        Ok(v1::GeneratedPassword::Unspecified) => None,
        Ok(v1::GeneratedPassword::InForce) => Some(GeneratedPassword::InForce),
        // A state that this client does not know is no reason to say that there is none.
        Ok(v1::GeneratedPassword::Unknown) | Err(_) => Some(GeneratedPassword::Unknown),
    }
}

fn flow(wire: i32) -> Flow {
    match v1::Flow::try_from(wire) {
        Ok(v1::Flow::SoapLogin) => Flow::SoapLogin,
        Ok(v1::Flow::UsernamePassword) => Flow::UsernamePassword,
        Ok(v1::Flow::ClientCredentials) => Flow::ClientCredentials,
        Ok(v1::Flow::JwtBearer) => Flow::JwtBearer,
        Ok(v1::Flow::RefreshToken) => Flow::RefreshToken,
        Ok(v1::Flow::Unspecified) | Err(_) => Flow::Unrecognised,
    }
}

pub(crate) fn daemon(wire: v1::GetStatusResponse) -> DaemonStatus {
    let last_uses = wire.last_uses.into_iter();
    let mut last_uses: HashMap<_, _> = last_uses.map(|last| (last.record.clone(), last)).collect();
    let used = |record: v1::RecordStatus| {
        let last_use = last_uses.remove(&record.name);
        with_last_use(self::record(record), last_use)
    };
    DaemonStatus {
        vault: match v1::VaultState::try_from(wire.vault) {
            Ok(v1::VaultState::Missing) => VaultState::Missing,
            Ok(v1::VaultState::Locked) => VaultState::Locked,
            Ok(v1::VaultState::Unlocked) => VaultState::Unlocked,
            Ok(v1::VaultState::Unspecified) | Err(_) => VaultState::Unrecognised,
        },
        version: wire.version,
        pid: wire.pid,
        started_at: instant(wire.started_at),
        vault_path: PathBuf::from(wire.vault_path),
        records: wire.records.into_iter().map(used).collect(),
        warnings: wire.warnings,
        protections: wire.protections.into_iter().map(protection).collect(),
    }
}

fn protection(wire: v1::Protection) -> Protection {
    Protection {
        state: match v1::ProtectionState::try_from(wire.state) {
            Ok(v1::ProtectionState::On) => ProtectionState::On,
            Ok(v1::ProtectionState::NotAvailable) => ProtectionState::NotAvailable,
            // What can't be told does not count as on.
            Ok(v1::ProtectionState::Off | v1::ProtectionState::Unspecified) | Err(_) => {
                ProtectionState::Off
            }
        },
        name: wire.name,
        reason: wire.reason,
    }
}

/// What one who watches is told.
pub(crate) fn news(wire: v1::WatchSessionResponse) -> Result<News, Error> {
    let state = match v1::WatchState::try_from(wire.state) {
        Ok(v1::WatchState::Ready) => WatchState::Ready,
        Ok(v1::WatchState::LoggingIn) => WatchState::LoggingIn,
        Ok(v1::WatchState::BackingOff) => WatchState::BackingOff,
        Ok(v1::WatchState::Latched) => WatchState::Latched,
        Ok(v1::WatchState::Locked) => WatchState::Locked,
        Ok(v1::WatchState::Unspecified) | Err(_) => WatchState::Unrecognised,
    };
    Ok(News {
        state,
        generation: wire.generation,
        session: wire.session.map(session).transpose()?,
        guaranteed_until: instant(wire.guaranteed_until),
        expires_at: instant(wire.expires_at),
        retry_at: instant(wire.retry_at),
        reason: Reason::from_number(wire.reason),
        problem: filled(wire.problem),
    })
}

pub(crate) fn holder(wire: v1::Holder) -> Holder {
    Holder {
        uid: wire.uid,
        pid: u32::try_from(wire.pid).ok().filter(|pid| *pid != 0),
        watching: wire.watching,
        until_exit: wire.until_exit,
        at: instant(wire.at),
    }
}

pub(crate) fn duration(duration: Duration) -> Result<prost_types::Duration, Error> {
    prost_types::Duration::try_from(duration).map_err(|_| {
        Error::new(
            Reason::InvalidArgument,
            "a duration is longer than the protocol can say",
        )
    })
}

/// A time that can't be told counts as none: who shows it must not fail over it.
pub(crate) fn instant(wire: Option<prost_types::Timestamp>) -> Option<SystemTime> {
    wire.and_then(|time| SystemTime::try_from(time).ok())
}

pub(crate) fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;

    use super::*;

    fn at(seconds: i64) -> Option<Timestamp> {
        Some(Timestamp { seconds, nanos: 0 })
    }

    #[test]
    fn what_a_newer_daemon_adds_does_not_break_a_list() {
        let wire = v1::RecordStatus {
            flow: 99,
            state: 99,
            reason: 99,
            created_at: at(i64::MAX),
            ..v1::RecordStatus::default()
        };
        let record = record(wire);
        assert_eq!(record.flow, Flow::Unrecognised);
        assert_eq!(record.state, RecordState::Unrecognised);
        assert_eq!(record.reason, Some(Reason::Unrecognised));
        assert_eq!((record.problem, record.org_id), (None, None));
    }
}
