//! Whether a user may log in: the same judgement at SOAP `login()` and at the OAuth token endpoint.

use std::time::SystemTime;

use super::{
    flow::Flow,
    org::{Org, PolicyChecks},
    retirement::has_come,
    soap::fault::Fault,
    state::World,
    user::{Judged, User, forget_older_than_an_hour},
};

/// Why a user may not log in; what the caller sees of it is the door's affair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    AddressBlocked,
    NoSuchUser,
    /// [`User::next_faults`].
    Scripted(Fault),
    RateExceeded,
    Inactive,
    Frozen,
    Locked,
    WrongPassword,
    TokenMissing,
    RestrictedIp,
    RestrictedTime,
    ApiDisabled,
    AnyApiAuthMissing,
}

impl Cause {
    /// What the login history would say.
    pub(super) fn history(&self) -> &'static str {
        match self {
            Self::AddressBlocked => "the caller's address is blocked",
            Self::NoSuchUser => "no such user",
            Self::Scripted(_) => "as scripted",
            Self::RateExceeded => "login rate exceeded",
            Self::Inactive => "the user is inactive",
            Self::Frozen => "the user is frozen",
            Self::Locked => "the user is locked",
            Self::WrongPassword => "wrong password or security token",
            Self::TokenMissing => "security token required",
            Self::RestrictedIp => "restricted IP",
            Self::RestrictedTime => "restricted time",
            Self::ApiDisabled => "API Enabled is missing",
            Self::AnyApiAuthMissing => "Use Any API Auth is missing",
        }
    }
}

/// Judges a login with a password, counts it, and returns the place of the user.
pub(super) fn judge_password(
    world: &mut World,
    flow: Flow,
    username: &str,
    password: &str,
) -> Result<usize, Cause> {
    let World {
        org,
        users,
        recent_failures,
        now,
        ..
    } = world;
    let now = *now;
    forget_older_than_an_hour(recent_failures, now);
    let too_many = |max| recent_failures.len() >= max;
    if org.failures_per_address.is_some_and(too_many) {
        return Err(Cause::AddressBlocked);
    }
    let Some((place, user)) = users
        .iter_mut()
        .enumerate()
        .find(|(_, user)| user.username.eq_ignore_ascii_case(username))
    else {
        recent_failures.push_back(now);
        return Err(Cause::NoSuchUser);
    };
    if flow == Flow::SoapLogin
        && let Some(fault) = user.next_faults.pop_front()
    {
        return Err(Cause::Scripted(fault));
    }
    check_user(user, org, now)?;
    if user.is_locked(now) {
        return Err(Cause::Locked);
    }
    if org.policy_checks == PolicyChecks::BeforePassword {
        check_policies(user, org, flow, now)?;
    }
    match user.judge(password, org) {
        Judged::Wrong => {
            user.count_failure(org, now);
            recent_failures.push_back(now);
            return Err(Cause::WrongPassword);
        }
        Judged::TokenMissing => {
            if org.missing_token_counts {
                user.count_failure(org, now);
                recent_failures.push_back(now);
            }
            return Err(Cause::TokenMissing);
        }
        Judged::Right => {}
    }
    if org.policy_checks == PolicyChecks::AfterPassword {
        check_policies(user, org, flow, now)?;
    }
    user.failed_logins = 0;
    Ok(place)
}

/// Judges a login that needs no password, and counts it. A lockout bars passwords only.
pub(super) fn judge_user(world: &mut World, flow: Flow, place: usize) -> Result<(), Cause> {
    let user = &mut world.users[place];
    check_user(user, &world.org, world.now)?;
    check_policies(user, &world.org, flow, world.now)
}

fn check_user(user: &mut User, org: &Org, now: SystemTime) -> Result<(), Cause> {
    if user.exceeds_rate(org.logins_per_hour, now) {
        return Err(Cause::RateExceeded);
    }
    if !user.active {
        return Err(Cause::Inactive);
    }
    if user.frozen {
        return Err(Cause::Frozen);
    }
    Ok(())
}

fn check_policies(user: &User, org: &Org, flow: Flow, now: SystemTime) -> Result<(), Cause> {
    if user.is_outside_login_ips(org) {
        return Err(Cause::RestrictedIp);
    }
    if user.is_outside_login_hours(now) {
        return Err(Cause::RestrictedTime);
    }
    // OAuth gives such a user a session, which the APIs then refuse.
    if flow != Flow::SoapLogin {
        return Ok(());
    }
    if !user.api_enabled {
        return Err(Cause::ApiDisabled);
    }
    let enforced = org.any_api_auth_enforced || has_come(org.retirement.any_api_auth, now);
    if enforced && !user.use_any_api_auth {
        return Err(Cause::AnyApiAuthMissing);
    }
    Ok(())
}
