//! What the daemon tells of a record, by its name.

use std::time::Duration;

use sfvault_proto::v1;
use tonic::Status;

use super::{CONSUMER_KEY, at, refusal};

/// The record, or the refusal that its name asks for: `reason.VAULT_LOCKED`, `wait.RATE_LIMITED`.
pub(super) fn record(name: &str) -> Result<v1::RecordStatus, Status> {
    if let Some(reason) = name.strip_prefix("reason.") {
        return Err(refusal(reason, None));
    }
    if let Some(reason) = name.strip_prefix("wait.") {
        return Err(refusal(reason, Some(Duration::from_millis(60_500))));
    }
    if name == "bare" {
        return Err(Status::unavailable("from elsewhere"));
    }
    // `flow.jwt-bearer` is a record of that flow.
    let flow = match name.strip_prefix("flow.") {
        Some("username-password") => v1::Flow::UsernamePassword,
        Some("client-credentials") => v1::Flow::ClientCredentials,
        Some("jwt-bearer") => v1::Flow::JwtBearer,
        Some("refresh-token") => v1::Flow::RefreshToken,
        Some("newer") => v1::Flow::Unspecified,
        Some(_) | None => v1::Flow::SoapLogin,
    };
    let has_app = flow != v1::Flow::SoapLogin;
    Ok(v1::RecordStatus {
        consumer_key: if has_app { CONSUMER_KEY } else { "" }.to_owned(),
        remind_after: name.starts_with("due").then_some(prost_types::Duration {
            seconds: 90 * 86_400,
            nanos: 0,
        }),
        credential_changed_at: at(1_700_000_000),
        retirements: if name.starts_with("due") {
            vec![retirement()]
        } else {
            Vec::new()
        },
        name: name.to_owned(),
        username: "etl@acme.example\u{1b}[2J\u{9b}31m\u{202e}".to_owned(),
        login_url: "https://login.salesforce.com".to_owned(),
        flow: flow.into(),
        state: v1::RecordState::Latched.into(),
        reason: v1::Reason::CredentialRejected.into(),
        problem: "INVALID_LOGIN: no\n".to_owned(),
        failed_at: at(1_795_293_764),
        created_at: at(0),
        generation: 3,
        logins: 2,
        ..v1::RecordStatus::default()
    })
}

fn retirement() -> v1::Retirement {
    v1::Retirement {
        event: "soap_login".to_owned(),
        text: "from about 2027-06-01 on, SOAP login() is switched off".to_owned(),
        day: "2027-06-01".to_owned(),
        certainty: "release-only".to_owned(),
        source: "Help 005132110\u{1b}[2J".to_owned(),
        advice: "`sfvault migrate due-prod`".to_owned(),
        over: false,
    }
}

/// By name: nobody used `unused`, nobody lately `unread`, and of the others it is not told unless something is due.
pub(super) fn last_use(name: &str) -> Option<v1::LastUse> {
    let user = |unit: &str, seconds| v1::LastUser {
        uid: Some(1000),
        unit: unit.to_owned(),
        exe: "/usr/bin/etl\u{1b}[2J".to_owned(),
        at: at(seconds),
    };
    let due = name.starts_with("due");
    (due || name.starts_with("un")).then(|| v1::LastUse {
        record: name.to_owned(),
        users: if due {
            vec![user("nightly.service", 1_795_293_764), user("", 0)]
        } else {
            Vec::new()
        },
        more: due,
        unread: name == "unread",
    })
}
