//! The org: its switches and policies, and what nobody outside Salesforce knows for sure.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use super::{
    id,
    oauth::OAuthPolicy,
    retirement::Retirement,
    server::Listener,
    soap::fault::{Detail, Fault},
    user::User,
};

/// The state of the simulated org. Every field can be changed while the simulator runs.
#[derive(Debug, Clone)]
pub struct Org {
    /// 15 characters.
    pub id: String,
    pub name: String,
    /// Users of a sandbox can't log in at `login.salesforce.com`, others can't at `test.salesforce.com`.
    pub sandbox: bool,
    /// Scheme and host that a login's `serverUrl` names.
    pub instance_url: String,

    /// The idle timeout of a session.
    pub session_timeout: Duration,
    /// Whether every login makes a new session. Off: a user's living session is handed out again.
    pub distinct_sessions: bool,
    /// Whether a login that hands out a living session counts as activity. Uncertain.
    pub login_restamps: bool,
    /// "Lock sessions to the IP address from which they originated".
    pub sessions_locked_to_ip: bool,
    /// Whether a new password ends the user's sessions. Uncertain.
    pub password_change_ends_sessions: bool,

    /// Failed logins that lock a user. `None`: no limit.
    pub attempts_max: Option<u32>,
    /// How long a lock lasts. `None`: until an administrator unlocks the user.
    pub lockout: Option<Duration>,
    /// Whether a missing security token counts as a failed login. Uncertain.
    pub missing_token_counts: bool,
    /// Logins of one user in any hour.
    pub logins_per_hour: usize,
    /// The answer above it. Uncertain.
    pub rate_fault: Fault,
    /// Failed logins in any hour after which the caller's address is blocked. `None`: no block.
    pub failures_per_address: Option<usize>,

    /// The lowest API version that is served at all.
    pub min_version: u32,
    /// The highest API version whose endpoint has `login()`. 0: `login()` is retired.
    pub max_login_version: u32,
    /// "SOAP API login()", off by default in orgs created since Winter '26.
    pub soap_login_enabled: bool,
    /// Whether `login()` needs the user permission "Use Any API Auth" already.
    pub any_api_auth_enforced: bool,
    /// When Salesforce ends what of this.
    pub retirement: Retirement,
    /// "Prevent SOAP API login from login.salesforce.com".
    pub my_domain_only: bool,
    /// The answer to that. Uncertain.
    pub my_domain_fault: Fault,
    /// Where the permission, hours and address checks stand. Uncertain.
    pub policy_checks: PolicyChecks,

    /// What concerns OAuth.
    pub oauth: OAuthPolicy,

    /// The address that all requests seem to come from.
    pub caller: IpAddr,
    /// "Network Access": from here no security token is needed.
    pub trusted: Vec<IpRange>,
    /// Whether a right security token from a trusted address does no harm. Uncertain.
    pub token_from_trusted_ok: bool,

    /// How faults look. Uncertain.
    pub fault_style: FaultStyle,
    /// Whether results carry elements that no WSDL knows yet.
    pub extra_elements: bool,
    /// Whether SOAP answers other than that of `login()` carry a `LimitInfoHeader`.
    pub limit_info: bool,
    /// The HTTP status with which REST refuses a session of an expired password. Uncertain.
    pub expired_password_status: u16,

    /// Rows in a page of query results.
    pub batch_size: usize,
    /// API calls before `REQUEST_LIMIT_EXCEEDED`.
    pub api_calls_max: u64,
}

impl Org {
    /// The 18-character id.
    #[must_use]
    pub fn id_18(&self) -> String {
        id::eighteen(&self.id)
    }

    /// Whether a host name, without port, is the org's. A port of this machine always is.
    pub(super) fn is_at(&self, host: &str) -> bool {
        let own = self
            .instance_url
            .trim_start_matches("https://")
            .split(':')
            .next();
        matches!(host, "localhost" | "127.0.0.1") || own == Some(host)
    }

    /// Whether a request to this host, without port, is to another environment or to another org.
    pub(super) fn is_elsewhere(&self, listener: Listener, host: &str) -> bool {
        match host {
            "login.salesforce.com" => self.sandbox,
            "test.salesforce.com" => !self.sandbox,
            _ => listener == Listener::Instance && !self.is_at(host),
        }
    }

    /// The URL of a user's identity, which is always at a login host.
    pub(super) fn identity_url(&self, user: &User) -> String {
        let host = match self.sandbox {
            true => "test.salesforce.com",
            false => "login.salesforce.com",
        };
        format!("https://{host}/id/{}/{}", self.id_18(), user.id_18())
    }

    pub(super) fn trusts_caller(&self) -> bool {
        self.trusted.iter().any(|range| range.contains(self.caller))
    }
}

impl Default for Org {
    /// A production org with `login()` allowed and the limits that Salesforce sets.
    fn default() -> Self {
        Self {
            id: "00Dxx0000001gPL".to_owned(),
            name: "Ærø & Søn <GmbH> 株式会社".to_owned(),
            sandbox: false,
            instance_url: String::new(),
            session_timeout: Duration::from_secs(7200),
            distinct_sessions: false,
            login_restamps: false,
            sessions_locked_to_ip: false,
            password_change_ends_sessions: false,
            attempts_max: Some(10),
            lockout: Some(Duration::from_secs(15 * 60)),
            missing_token_counts: true,
            logins_per_hour: 3600,
            rate_fault: Fault::invalid_login(),
            failures_per_address: Some(100),
            min_version: 31,
            max_login_version: 64,
            soap_login_enabled: true,
            any_api_auth_enforced: true,
            retirement: Retirement::announced(),
            my_domain_only: false,
            my_domain_fault: Fault::restricted_domain(),
            policy_checks: PolicyChecks::AfterPassword,
            oauth: OAuthPolicy::default(),
            caller: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
            trusted: Vec::new(),
            token_from_trusted_ok: true,
            fault_style: FaultStyle::default(),
            extra_elements: false,
            limit_info: true,
            expired_password_status: 403,
            batch_size: 2000,
            api_calls_max: 5_000_000,
        }
    }
}

/// The highest API version that the org serves: Winter '27.
pub(super) const NEWEST_VERSION: u32 = 68;

/// Whether a user who may not log in learns that before or after the password is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyChecks {
    BeforePassword,
    AfterPassword,
}

/// How faults look beyond their code and message.
#[derive(Debug, Clone, Copy, Default)]
pub struct FaultStyle {
    /// Whether faults come without `detail`.
    pub no_detail: bool,
    /// Whether `faultcode` has the prefix `sf:`. `None`: as each fault has it.
    pub prefixed: Option<bool>,
    /// The detail element of refusals by policy. `None`: `UnexpectedErrorFault`.
    pub policy_detail: Option<Detail>,
}

/// Addresses from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpRange {
    pub first: IpAddr,
    pub last: IpAddr,
}

impl IpRange {
    /// One address.
    #[must_use]
    pub fn only(address: IpAddr) -> Self {
        Self {
            first: address,
            last: address,
        }
    }

    pub(super) fn contains(self, address: IpAddr) -> bool {
        (self.first..=self.last).contains(&address)
    }
}
