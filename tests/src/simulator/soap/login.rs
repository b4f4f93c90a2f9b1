//! `login()`: the order of its checks, and what each refusal looks like.
//!
//! The order is a guess that fits what is known: the org's switch answers before credentials are looked
//! at, and every cause around the credentials gets the same fault. [`PolicyChecks`] moves the rest.

use http::header;

use super::{Context, Fault, Reply, envelope, envelope::Call, fault_reply, result};
use crate::simulator::{
    org::{Org, PolicyChecks},
    reply::Outcome,
    server::Listener,
    session::Wanted,
    state::World,
    user::{Judged, User, forget_older_than_an_hour},
};

/// Why a login was refused: what the caller sees, and what the login history would say.
struct Refusal {
    fault: Fault,
    cause: &'static str,
}

pub(super) fn answer(
    world: &mut World,
    context: &Context<'_>,
    call: &Call,
    complaints: &mut Vec<String>,
) -> Reply {
    if context.headers.contains_key(header::AUTHORIZATION) {
        complaints.push("an Authorization header on login()".to_owned());
    }
    for name in call.header_names() {
        if !matches!(name, "CallOptions" | "LoginScopeHeader") {
            complaints.push(format!("the SOAP header `{name}` on login()"));
        }
    }
    let (Some(username), Some(password)) = (call.field("username"), call.field("password")) else {
        complaints.push("login() without username or password".to_owned());
        let outcome = Outcome::LoginRefused("no credentials");
        return fault_reply(world, context, &Fault::invalid_login(), outcome);
    };
    let decision = match decide(world, context, username, password) {
        Ok(xml) => Ok(envelope(world, context.endpoint.api, "login", &xml)),
        Err(refusal) => Err(refusal),
    };
    match decision {
        Ok(xml) => Reply::xml(200, xml).outcome(Outcome::LoginAccepted),
        Err(mut refusal) => {
            let portal = call.header_names().any(|name| name == "LoginScopeHeader");
            if portal && refusal.fault.code == "INVALID_LOGIN" {
                refusal.fault.message = PORTAL_INVALID_LOGIN.to_owned();
            }
            let outcome = Outcome::LoginRefused(refusal.cause);
            fault_reply(world, context, &refusal.fault, outcome)
        }
    }
}

fn decide(
    world: &mut World,
    context: &Context<'_>,
    username: &str,
    password: &str,
) -> Result<String, Refusal> {
    let World {
        org,
        users,
        sessions,
        recent_failures,
        now,
        ..
    } = world;
    let now = *now;
    check_endpoint(org, context)?;
    forget_older_than_an_hour(recent_failures, now);
    let too_many = |max| recent_failures.len() >= max;
    if org.failures_per_address.is_some_and(too_many) {
        return Err(invalid("the caller's address is blocked"));
    }
    let Some(user) = users
        .iter_mut()
        .find(|user| user.username.eq_ignore_ascii_case(username))
    else {
        recent_failures.push_back(now);
        return Err(invalid("no such user"));
    };
    if let Some(fault) = user.next_faults.pop_front() {
        return Err(refuse(fault, "as scripted"));
    }
    if user.exceeds_rate(org.logins_per_hour, now) {
        return Err(refuse(org.rate_fault.clone(), "login rate exceeded"));
    }
    if !user.active {
        return Err(invalid("the user is inactive"));
    }
    if user.frozen {
        return Err(invalid("the user is frozen"));
    }
    if user.is_locked(now) {
        return Err(invalid("the user is locked"));
    }
    if org.policy_checks == PolicyChecks::BeforePassword {
        check_policies(world.now, org, user)?;
    }
    match user.judge(password, org) {
        Judged::Wrong => {
            user.count_failure(org, now);
            recent_failures.push_back(now);
            return Err(invalid("wrong password or security token"));
        }
        Judged::TokenMissing => {
            if org.missing_token_counts {
                user.count_failure(org, now);
                recent_failures.push_back(now);
            }
            let fault = Fault::must_use_security_token();
            return Err(refuse(fault, "security token required"));
        }
        Judged::Right => {}
    }
    if org.policy_checks == PolicyChecks::AfterPassword {
        check_policies(world.now, org, user)?;
    }
    user.failed_logins = 0;
    let wanted = Wanted {
        org_id: &org.id,
        username: &user.username,
        password_expired: user.password_expired,
        address: org.caller,
        timeout: org.session_timeout,
        distinct: org.distinct_sessions,
        restamp: org.login_restamps,
    };
    let session = sessions.open(&wanted, now);
    Ok(result::login_result(org, user, context.endpoint, &session))
}

fn check_endpoint(org: &Org, context: &Context<'_>) -> Result<(), Refusal> {
    let version = context.endpoint.version.unwrap_or_default();
    if version > org.max_login_version {
        let fault = by_policy(Fault::no_login_in_version(version), org);
        return Err(refuse(fault, "no login() in this version"));
    }
    if !org.soap_login_enabled {
        let fault = by_policy(Fault::soap_login_disabled(), org);
        return Err(refuse(fault, "SOAP API login() is off"));
    }
    if org.my_domain_only && context.listener == Listener::Login {
        let fault = by_policy(org.my_domain_fault.clone(), org);
        return Err(refuse(fault, "restricted domain"));
    }
    let elsewhere = match context.host {
        "login.salesforce.com" => org.sandbox,
        "test.salesforce.com" => !org.sandbox,
        _ => context.listener == Listener::Instance && !org.is_at(context.host),
    };
    if elsewhere {
        return Err(invalid("the user belongs elsewhere"));
    }
    Ok(())
}

fn check_policies(now: std::time::SystemTime, org: &Org, user: &User) -> Result<(), Refusal> {
    let (fault, cause) = if user.is_outside_login_ips(org) {
        (Fault::restricted_domain(), "restricted IP")
    } else if user.is_outside_login_hours(now) {
        (Fault::restricted_time(), "restricted time")
    } else if !user.api_enabled {
        (Fault::api_disabled(), "API Enabled is missing")
    } else if org.any_api_auth_enforced && !user.use_any_api_auth {
        (Fault::any_api_auth_missing(), "Use Any API Auth is missing")
    } else {
        return Ok(());
    };
    Err(refuse(by_policy(fault, org), cause))
}

fn by_policy(fault: Fault, org: &Org) -> Fault {
    Fault {
        detail: org.fault_style.policy_detail.unwrap_or(fault.detail),
        ..fault
    }
}

fn invalid(cause: &'static str) -> Refusal {
    refuse(Fault::invalid_login(), cause)
}

fn refuse(fault: Fault, cause: &'static str) -> Refusal {
    Refusal { fault, cause }
}

/// What `login()` says instead when a `LoginScopeHeader` names a portal.
const PORTAL_INVALID_LOGIN: &str =
    "Invalid username or password, locked out or Self-Service portal is not enabled";
