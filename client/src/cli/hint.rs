//! What a person can do about each failure: the place in Salesforce, or the next command.

use sfvault::Reason;

/// What to do, in one line. `record` is the record's name as far as it is known.
pub(crate) fn hint(reason: Reason, record: Option<&str>) -> String {
    let name = record.unwrap_or("NAME");
    of(
        reason,
        name,
        &format!("then `sfvault check {name} --release`"),
    )
}

/// The same after a command tried a login and failed: the record is as it was, and only that command, which `again`
/// names, goes on.
pub(crate) fn hint_of_trial(reason: Reason, name: &str, again: &str) -> String {
    let rejected = [
        Reason::CredentialRejected,
        Reason::UserLockedOut,
        Reason::PasswordExpired,
        Reason::RefreshTokenDead,
    ];
    if rejected.contains(&reason) {
        return format!(
            "Setup > Identity > Login History tells the cause: wrong secret, security token reset, user locked or frozen, \
             wrong login URL; {again}"
        );
    }
    of(reason, name, again)
}

fn of(reason: Reason, name: &str, release: &str) -> String {
    match reason {
        Reason::InvalidArgument => "the command's `--help` says what it takes".to_owned(),
        Reason::HostNotAllowed => "take the org's My Domain host, `https://MYDOMAIN.my.salesforce.com`, from \
            Setup > Company Settings > My Domain; other hosts need `allowed_hosts` in `config.toml` and a restart of sfvaultd"
            .to_owned(),
        Reason::MinTtlTooLong => "ask for less with `--min-ttl`, or lengthen the timeout, of which three \
            eighths can be promised, under Setup > Security > Session Settings or in the user's profile"
            .to_owned(),
        Reason::RecordNotFound => {
            format!("`sfvault list` shows the records that this user may use; `sfvault add {name} --username USER --production` \
                     (or `--sandbox`, or `--login-url`) adds one, and the \
                     operator's `sfvault explain {name} --pid PID` tells what keeps a process from one that there is")
        }
        Reason::RecordExists => {
            format!("`sfvault set {name}` changes its secrets, `sfvault remove {name}` removes it")
        }
        Reason::Denied => "run this as a user whom the daemon serves: its own, or one of its rules (`sfvault allow`); \
            administration is for the daemon's user, root, and the group under `[admin]` in `config.toml`"
            .to_owned(),
        Reason::UnexpectedOrg => {
            format!("`sfvault show {name}` tells the record's org; correct `--expect-…` or take another record")
        }
        Reason::VaultMissing => "make the vault with `sfvault init`".to_owned(),
        Reason::VaultExists => "unlock the vault with `sfvault unlock`".to_owned(),
        Reason::VaultLocked => "unlock the vault with `sfvault unlock`".to_owned(),
        Reason::WrongPassphrase => {
            "try again; without its passphrase the vault can't be opened".to_owned()
        }
        Reason::VaultDamaged => "put a good copy of the vault file in its place; sfvaultd changed nothing".to_owned(),
        Reason::VaultForeign => {
            "run the sfvaultd that wrote the file, or name another directory with `SFVAULT_DATA_DIR`".to_owned()
        }
        Reason::Storage => {
            "look for a full disk, a read-only file system and wrong permissions; the daemon's log tells more".to_owned()
        }
        Reason::AuditUnavailable => "nothing was changed; look for a full disk and for who changed `audit.jsonl` and \
            `audit.state` in the data directory; sessions are handed out meanwhile"
            .to_owned(),
        Reason::CredentialRejected => format!(
            "Setup > Identity > Login History tells the cause: wrong password, security token reset, user locked, \
             frozen or inactive, wrong login URL; new secrets: `sfvault set {name}`, a new security token: `sfvault set {name} --open`; \
             if the stored ones are right: `sfvault check {name} --release`"
        ),
        Reason::UserLockedOut => format!(
            "let an administrator unlock the user (Unlock on its page under Setup > Users > Users), or wait for the lockout to end (15 min or more, as the \
             password policy says); a wrong secret would lock it again: `sfvault set {name}` if they changed (a new password \
             makes a new security token, see `sfvault set --help`), else `sfvault check {name} --release`"
        ),
        Reason::PasswordExpired => format!(
            "change the password in Salesforce, which mails a new security token (`sfvault set --help` says what to do if no \
             mail comes); then `sfvault set {name}` with both"
        ),
        Reason::LoginDisabled => format!(
            "an administrator must enable this way of logging in: for SOAP API login() in Setup, with the permission \
             Use Any API Auth for the user (Setup > Users > Permission Sets); for OAuth under Setup > Identity > OAuth and \
             OpenID Connect Settings, and in the app; {release}; if Salesforce has taken it away for good: {}",
            migrate(name)
        ),
        Reason::AccessPolicy => format!(
            "Setup > Identity > Login History tells which policy; then see Login IP Ranges and API Enabled in the \
             user's profile (Setup > Users > Profiles), and Setup > Company Settings > My Domain, which can forbid \
             logins at `login.salesforce.com`; {release}"
        ),
        Reason::OrgState => format!(
            "the org is locked, expired or gone: ask its administrator or Salesforce Customer Support; {release}"
        ),
        Reason::WrongHost => format!(
            "`sfvault show {name}` tells flow and login URL; compare it with Setup > Company Settings > My Domain, then \
             move the record, which keeps its access rules: `sfvault migrate {name} --flow FLOW --login-url \
             https://MYDOMAIN.my.salesforce.com`, with the flow that it has and, for OAuth, its `--consumer-key`"
        ),
        Reason::ApiVersion => format!(
            "if Salesforce has ended SOAP login() for the org (Summer '27): {}; else \
             update sfvaultd, for Salesforce does not serve the login of the version that it asks for; {release}",
            migrate(name)
        ),
        Reason::Protocol => format!(
            "`sfvault show {name}` tells what came; often a proxy answered in Salesforce's place; {release}"
        ),
        Reason::PinnedElsewhere => format!(
            "if that is right, as after a sandbox refresh: note `sfvault show {name}` and the rules of `sfvault access {name}`, then \
             `sfvault remove {name}`, `sfvault add {name} --username USER --sandbox`, and `sfvault allow` for each rule"
        ),
        Reason::AppConfig => format!(
            "under Setup > Apps > App Manager (or External Client App Manager) compare the app with the record: consumer key and \
             secret (a new app needs 10 min), the flow switched on, its run-as user, certificate and permitted users; \
             audience and login URL: `sfvault show {name}`; new secrets: `sfvault set {name}`; {release}"
        ),
        Reason::RefreshTokenDead => format!(
            "the user must approve the app again: `sfvault login {name}`, or `sfvault set {name}` with a new token; the refresh token was revoked, unused for 30 days, ended by a \
             new password or a sixth approval, or replaced by one that a crash or a lost answer kept from being saved"
        ),
        Reason::BrowserLogin => format!("begin again: `sfvault login {name}`"),
        Reason::TokenAwaited => format!(
            "Salesforce mails a security token after every change of the password, to the address that the user has in \
             Salesforce, and shows it nowhere, to administrators neither: give it to `sfvault rotate {name}`; if no mail comes, look \
             into the spam folder and at that address, then let the user reset the token: `sfvault rotate {name} --open`"
        ),
        Reason::RestrictedHours => {
            "see Login Hours in the user's profile (Setup > Users > Profiles)".to_owned()
        }
        Reason::RateLimited => "Salesforce counts logins per user and hour, and API calls per org and day: see who \
            else makes them, under Setup > Identity > Login History and Setup > Company Settings > Company Information"
            .to_owned(),
        Reason::SalesforceUnavailable => "see https://status.salesforce.com, and this host's network, DNS and proxy; \
            the certificate authority of a company's own belongs into `ca_file` in `config.toml`"
            .to_owned(),
        Reason::LoginUnanswered => "it may have been counted: Setup > Identity > Login History tells; see also \
            https://status.salesforce.com, and this host's network and proxy"
            .to_owned(),
        Reason::ClockSkew => "set the clock of sfvaultd's host, as with NTP; `timedatectl` shows whether it is kept right"
            .to_owned(),
        Reason::LoginBudgetSpent => format!(
            "sfvaultd waits, so that Salesforce does not lock the user; the daemon's log tells what failed; if the cause is mended, \
             `sfvault check {name} --release`"
        ),
        Reason::Throttled => "`sfvault status --peers` tells what is held back until when; find the job of this unit that asks so often".to_owned(),
        Reason::TooManyStreams => "end jobs that wait or watch, or let one of them share what it hears".to_owned(),
        Reason::SessionRefusedAgain => format!(
            "if it works, and yet a job is refused, see IP and session policies under Setup > Security > Session Settings, and the \
             instance URL that the job calls; if one after the other was ended, find the job that logs out: `sfvault usage {name}` \
             and `sfvault log {name}` tell who had which session"
        ),
        Reason::ShuttingDown => "try again when sfvaultd runs again".to_owned(),
        Reason::Internal => "the daemon's log tells more; please report it".to_owned(),
        Reason::NoSocket => {
            "start `sfvaultd` (the system's: `systemctl start sfvaultd`), or set `SFVAULT_RUNTIME_DIR` to the directory of its sockets"
                .to_owned()
        }
        Reason::NobodyListens => {
            "the daemon that made the socket is gone, or systemd has given it up: start `sfvaultd` again; systemd's by `systemctl \
             start sfvaultd`, with `--user` where it is a user's; `journalctl -u sfvaultd` tells why it ended"
                .to_owned()
        }
        Reason::SocketForbidden => {
            "ask the operator for the group that may open it; `ls -l` on the socket and its directory shows it".to_owned()
        }
        Reason::SocketPathTooLong => "set `SFVAULT_RUNTIME_DIR` to a shorter path".to_owned(),
        Reason::ForeignDaemon => "nothing was sent; find out who made the socket; a system-wide daemon's user must own \
            its runtime directory, below directories of root"
            .to_owned(),
        Reason::DaemonBusy => "try again; `sfvault status --peers` tells who is connected, the daemon's log what it does".to_owned(),
        Reason::ConnectFailed => "see whether sfvaultd runs and how busy it is".to_owned(),
        Reason::Disconnected => "try again; the daemon's log tells why it went away".to_owned(),
        Reason::NoAnswer => "try again; a login that was begun goes on, and its session is kept".to_owned(),
        Reason::Unimplemented => "sfvaultd is older than sfvault: install the same version of both and restart it".to_owned(),
        Reason::MalformedAnswer | Reason::Unrecognised => {
            "sfvault and sfvaultd do not fit together: install the same version of both".to_owned()
        }
    }
}

/// The way out of a login that Salesforce takes away.
fn migrate(name: &str) -> String {
    format!(
        "`sfvault migrate {name} --flow client-credentials --consumer-key KEY --login-url \
         https://MYDOMAIN.my.salesforce.com`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hint_is_one_line_in_the_house_voice() {
        for reason in Reason::ALL {
            let hint = hint(*reason, Some("prod"));
            assert!(
                !hint.is_empty() && !hint.ends_with('.'),
                "{reason:?}: {hint}"
            );
            assert!(
                !hint.contains('\n') && !hint.contains("  "),
                "{reason:?}: {hint}"
            );
            assert_eq!(hint.matches('`').count() % 2, 0, "{reason:?}: {hint}");
            assert!(!hint.contains("NAME"), "{reason:?}: {hint}");
            let first = hint.chars().next().unwrap();
            assert!(
                !first.is_uppercase()
                    || ["Salesforce", "Setup"]
                        .iter()
                        .any(|name| hint.starts_with(name)),
                "{hint}"
            );
        }
    }

    /// The daemon's message says which of the two it is.
    #[test]
    fn who_is_refused_again_is_advised_whether_the_session_lives_or_not() {
        let hint = hint(Reason::SessionRefusedAgain, Some("prod"));
        for cause in [
            "if it works",
            "IP",
            "if one after the other was ended",
            "`sfvault usage prod`",
        ] {
            assert!(hint.contains(cause), "{hint}");
        }
    }

    #[test]
    fn after_a_trial_only_the_command_that_tried_is_advised() {
        for reason in [
            Reason::CredentialRejected,
            Reason::UserLockedOut,
            Reason::PasswordExpired,
            Reason::AccessPolicy,
            Reason::AppConfig,
        ] {
            let hint = hint_of_trial(reason, "prod", "then `sfvault rotate prod`");
            assert!(hint.contains("then `sfvault rotate prod`"), "{hint}");
            assert!(!hint.contains("sfvault check"), "{hint}");
        }
        let hint = hint_of_trial(Reason::CredentialRejected, "prod", "then");
        assert!(!hint.contains("sfvault set"), "{hint}");
    }

    #[test]
    fn an_unknown_record_leaves_its_place_open() {
        assert!(hint(Reason::PasswordExpired, None).contains("`sfvault set NAME`"));
    }
}
