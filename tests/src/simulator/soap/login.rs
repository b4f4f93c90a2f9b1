//! `login()`: the order of its checks, and what each refusal looks like.
//!
//! The order is a guess that fits what is known: the org's switch answers before credentials are looked
//! at, and every cause around the credentials gets the same fault. [`Org::policy_checks`] moves the rest.

use http::header;

use super::{Context, Fault, Reply, envelope, envelope::Call, fault_reply, result};
use crate::simulator::{
    credentials::{self, Cause},
    flow::Flow,
    org::Org,
    reply::Outcome,
    retirement::has_come,
    server::Listener,
    session::{Origin, Wanted},
    state::World,
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
    check_endpoint(world, context)?;
    let place = credentials::judge_password(world, Flow::SoapLogin, username, password)
        .map_err(|cause| refusal(&world.org, cause))?;
    let (org, user) = (&world.org, &world.users[place]);
    let wanted = Wanted {
        org_id: &org.id,
        username: &user.username,
        origin: Origin::Soap,
        password_expired: user.password_expired,
        address: org.caller,
        timeout: org.session_timeout,
        distinct: org.distinct_sessions,
        restamp: org.login_restamps,
    };
    let session = world.sessions.open(&wanted, world.now);
    Ok(result::login_result(org, user, context.endpoint, &session))
}

fn check_endpoint(world: &World, context: &Context<'_>) -> Result<(), Refusal> {
    let org = &world.org;
    let version = context.endpoint.version.unwrap_or_default();
    let retired = has_come(org.retirement.soap_login, world.now);
    if retired || version > org.max_login_version {
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
    if org.is_elsewhere(context.listener, context.host) {
        let fault = Fault::invalid_login();
        return Err(refuse(fault, "the user belongs elsewhere"));
    }
    Ok(())
}

fn refusal(org: &Org, cause: Cause) -> Refusal {
    let history = cause.history();
    let fault = match cause {
        Cause::AddressBlocked
        | Cause::NoSuchUser
        | Cause::Inactive
        | Cause::Frozen
        | Cause::Locked
        | Cause::WrongPassword => Fault::invalid_login(),
        Cause::Scripted(fault) => fault,
        Cause::RateExceeded => org.rate_fault.clone(),
        Cause::TokenMissing => Fault::must_use_security_token(),
        Cause::RestrictedIp => by_policy(Fault::restricted_domain(), org),
        Cause::RestrictedTime => by_policy(Fault::restricted_time(), org),
        Cause::ApiDisabled => by_policy(Fault::api_disabled(), org),
        Cause::AnyApiAuthMissing => by_policy(Fault::any_api_auth_missing(), org),
    };
    refuse(fault, history)
}

fn by_policy(fault: Fault, org: &Org) -> Fault {
    Fault {
        detail: org.fault_style.policy_detail.unwrap_or(fault.detail),
        ..fault
    }
}

fn refuse(fault: Fault, cause: &'static str) -> Refusal {
    Refusal { fault, cause }
}

/// What `login()` says instead when a `LoginScopeHeader` names a portal.
const PORTAL_INVALID_LOGIN: &str =
    "Invalid username or password, locked out or Self-Service portal is not enabled";
