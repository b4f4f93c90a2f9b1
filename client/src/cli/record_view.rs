//! A record as JSON and as text.

use std::time::SystemTime;

use serde::Serialize;
use sfvault::{
    Flow, GeneratedPassword, LastUser, LoginUsage, RecordState, RecordStatus, Retirement,
};

use super::{
    due,
    flow::FlowName,
    instant::{distance, for_people, rfc3339},
    reminder::age,
};

/// A record as JSON; what is not known is `null`.
#[derive(Serialize)]
pub(crate) struct RecordJson<'a> {
    name: &'a str,
    username: Option<&'a str>,
    login_url: &'a str,
    flow: &'static str,
    state: &'static str,
    reason: Option<&'static str>,
    problem: Option<&'a str>,
    failed_at: Option<String>,
    retry_at: Option<String>,
    org_id: Option<&'a str>,
    user_id: Option<&'a str>,
    generation: u64,
    created_at: Option<String>,
    credential_changed_at: Option<String>,
    session_issued_at: Option<String>,
    guaranteed_until: Option<String>,
    logins: u64,
    logins_last_hour: Option<u32>,
    logins_per_hour_limit: Option<u32>,
    login_limit_reached_at: Option<String>,
    logins_throttled_until: Option<String>,
    refresh_token_idle_until: Option<String>,
    consumer_key: Option<&'a str>,
    audience: Option<&'a str>,
    remind_after_seconds: Option<u64>,
    kept_flow: Option<&'static str>,
    generated_password: Option<&'static str>,
    credential_due_at: Option<String>,
    retirements: Vec<RetirementJson<'a>>,
    last_users: Option<Vec<LastUserJson<'a>>>,
}

/// Something that Salesforce takes away, as JSON.
#[derive(Serialize)]
struct RetirementJson<'a> {
    event: &'a str,
    text: &'a str,
    day: Option<&'a str>,
    certainty: &'a str,
    source: &'a str,
    advice: &'a str,
    over: bool,
}

/// Who used it, as JSON.
#[derive(Serialize)]
struct LastUserJson<'a> {
    uid: Option<u32>,
    unit: Option<&'a str>,
    exe: Option<&'a str>,
    at: Option<String>,
}

impl<'a> From<&'a LastUser> for LastUserJson<'a> {
    fn from(user: &'a LastUser) -> Self {
        Self {
            uid: user.uid,
            unit: user.unit.as_deref(),
            exe: user.exe.as_deref(),
            at: user.at.map(rfc3339),
        }
    }
}

impl<'a> From<&'a Retirement> for RetirementJson<'a> {
    fn from(retirement: &'a Retirement) -> Self {
        Self {
            event: &retirement.event,
            text: &retirement.text,
            day: retirement.day.as_deref(),
            certainty: &retirement.certainty,
            source: &retirement.source,
            advice: &retirement.advice,
            over: retirement.over,
        }
    }
}

impl<'a> From<&'a RecordStatus> for RecordJson<'a> {
    fn from(record: &'a RecordStatus) -> Self {
        Self {
            name: &record.name,
            username: Some(record.username.as_str()).filter(|username| !username.is_empty()),
            login_url: &record.login_url,
            flow: flow(record.flow),
            state: state(record.state),
            reason: record.reason.map(sfvault::Reason::name),
            problem: record.problem.as_deref(),
            failed_at: record.failed_at.map(rfc3339),
            retry_at: record.retry_at.map(rfc3339),
            org_id: record.org_id.as_deref(),
            user_id: record.user_id.as_deref(),
            generation: record.generation,
            created_at: record.created_at.map(rfc3339),
            credential_changed_at: record.credential_changed_at.map(rfc3339),
            session_issued_at: record.session_issued_at.map(rfc3339),
            guaranteed_until: record.guaranteed_until.map(rfc3339),
            logins: record.logins,
            logins_last_hour: record.login_usage.map(|usage| usage.used),
            logins_per_hour_limit: record.login_usage.map(|usage| usage.limit),
            login_limit_reached_at: record
                .login_usage
                .and_then(|usage| usage.reached_at)
                .map(rfc3339),
            logins_throttled_until: record
                .login_usage
                .and_then(|usage| usage.throttled_until)
                .map(rfc3339),
            refresh_token_idle_until: record.refresh_token_idle_until.map(rfc3339),
            consumer_key: record.consumer_key.as_deref(),
            audience: record.audience.as_deref(),
            remind_after_seconds: record.remind_after.map(|span| span.as_secs()),
            kept_flow: record.kept_login.as_ref().map(|kept| flow(kept.flow)),
            generated_password: record.generated_password.map(generated),
            credential_due_at: record.credential_due_at().map(rfc3339),
            retirements: record.retirements.iter().map(Into::into).collect(),
            last_users: record
                .last_use
                .as_ref()
                .filter(|last| !last.unread)
                .map(|last| last.users.iter().map(Into::into).collect()),
        }
    }
}

/// Records as JSON.
pub(crate) fn records_json(records: &[RecordStatus]) -> Vec<RecordJson<'_>> {
    records.iter().map(RecordJson::from).collect()
}

/// The head of a table of records.
pub(crate) const HEAD: [&str; 7] = [
    "NAME",
    "STATE",
    "FLOW",
    "USERNAME",
    "LOGIN",
    "SESSION",
    "CREDENTIAL",
];

/// A record as a row of that table.
pub(crate) fn row(record: &RecordStatus, now: SystemTime) -> Vec<String> {
    let last = match (record.guaranteed_until, record.reason) {
        (Some(until), _) => format!("guaranteed, ends {}", distance(until, now)),
        (None, Some(reason)) => reason.name().to_owned(),
        (None, None) => "-".to_owned(),
    };
    let host = record.login_url.strip_prefix("https://");
    vec![
        record.name.clone(),
        state(record.state).to_owned(),
        match record.kept_login {
            Some(_) => format!("{} (old kept)", flow(record.flow)),
            None => flow(record.flow).to_owned(),
        },
        // Some flows send none: Salesforce tells it at the first login.
        Some(record.username.clone())
            .filter(|username| !username.is_empty())
            .unwrap_or_else(|| "-".to_owned()),
        host.unwrap_or(&record.login_url).to_owned(),
        last,
        age(record, now).unwrap_or_else(|| "-".to_owned()),
    ]
}

/// A record as lines of label and value, without what is not known.
pub(crate) fn fields(record: &RecordStatus, now: SystemTime) -> Vec<(&'static str, String)> {
    let time = |time: Option<SystemTime>| time.map(|time| for_people(time, now));
    let known = [
        ("name", Some(record.name.clone())),
        (
            "username",
            Some(record.username.clone()).filter(|username| !username.is_empty()),
        ),
        ("login URL", Some(record.login_url.clone())),
        ("flow", Some(flow(record.flow).to_owned())),
        ("consumer key", record.consumer_key.clone()),
        ("audience", record.audience.clone()),
        ("state", Some(state(record.state).to_owned())),
        (
            "reason",
            record.reason.map(|reason| reason.name().to_owned()),
        ),
        ("problem", record.problem.clone()),
        ("failed", time(record.failed_at)),
        ("next login", time(record.retry_at)),
        ("org", record.org_id.clone()),
        ("user", record.user_id.clone()),
        ("session issued", time(record.session_issued_at)),
        ("guaranteed until", time(record.guaranteed_until)),
        (
            "old login kept",
            record.kept_login.as_ref().map(|kept| {
                let since = time(kept.since).unwrap_or_default();
                format!("{} at {}, since {since}", flow(kept.flow), kept.login_url)
            }),
        ),
        (
            "generated password",
            record.generated_password.map(|state| {
                let name = &record.name;
                match state {
                    GeneratedPassword::InForce => {
                        format!("in force; `sfvault rotate {name}` takes its security token")
                    }
                    GeneratedPassword::Unknown => format!(
                        "not known whether in force: `sfvault rotate {name}` if a security token came, \
                         else `sfvault rotate {name} --keep-old`"
                    ),
                }
            }),
        ),
        ("generation", Some(record.generation.to_string())),
        ("logins", Some(record.logins.to_string())),
        (
            "user's logins",
            record.login_usage.map(|usage| logins_of_user(usage, now)),
        ),
        ("token idle until", time(record.refresh_token_idle_until)),
        ("secrets changed", time(record.credential_changed_at)),
        ("change due", time(record.credential_due_at())),
        ("added", time(record.created_at)),
    ];
    let known = known.into_iter();
    let known = known.filter_map(|(label, value)| Some((label, value?)));
    let users = due::users(record, now).into_iter();
    known
        .chain(due::retirements("retirement", record))
        .chain(users.map(|user| ("used last by", user)))
        .collect()
}

fn logins_of_user(usage: LoginUsage, now: SystemTime) -> String {
    let LoginUsage { used, limit, .. } = usage;
    let forecast = match (usage.throttled_until, usage.reached_at) {
        (Some(until), _) => format!("; none before {}", for_people(until, now)),
        (None, Some(at)) => format!("; at this rate none are left {}", for_people(at, now)),
        (None, None) => String::new(),
    };
    format!("{used} of {limit} in the last hour{forecast}")
}

fn generated(state: GeneratedPassword) -> &'static str {
    match state {
        GeneratedPassword::Unknown => "unknown",
        GeneratedPassword::InForce => "in-force",
    }
}

pub(crate) fn flow(flow: Flow) -> &'static str {
    FlowName::of(flow).map_or("unrecognised", FlowName::name)
}

fn state(state: RecordState) -> &'static str {
    match state {
        RecordState::Idle => "idle",
        RecordState::LoggingIn => "logging-in",
        RecordState::Ready => "ready",
        RecordState::BackingOff => "backing-off",
        RecordState::Latched => "latched",
        RecordState::Unrecognised => "unrecognised",
    }
}

#[cfg(test)]
mod tests {
    use sfvault::LastUse;

    use super::*;
    use crate::cli::help;

    #[test]
    fn the_help_of_show_names_the_keys_of_the_json_and_no_others() {
        let retirement = Retirement {
            event: String::new(),
            text: String::new(),
            day: None,
            certainty: String::new(),
            source: String::new(),
            advice: String::new(),
            over: false,
        };
        let user = LastUser {
            uid: None,
            unit: None,
            exe: None,
            at: None,
        };
        let record = RecordStatus {
            retirements: vec![retirement],
            last_use: Some(LastUse {
                users: vec![user],
                more: false,
                unread: false,
            }),
            ..crate::cli::reminder::tests::record(None)
        };
        let json = serde_json::to_string(&RecordJson::from(&record)).unwrap();
        let keys = |text: &str| -> std::collections::BTreeSet<String> {
            let text: String = text.split_whitespace().collect();
            let ends = text.split('"').collect::<Vec<_>>();
            let quoted = ends.iter().skip(1).step_by(2);
            quoted.map(|key| (*key).to_owned()).collect()
        };
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let own = value.as_object().unwrap().keys();
        let of = |list: &str| value[list][0].as_object().unwrap().keys();
        let all = own.chain(of("retirements")).chain(of("last_users"));
        assert_eq!(keys(help::SHOW), all.cloned().collect());
    }
}
