//! Why a call failed, as one closed list: what the daemon says, and what the client finds out itself.

use sfvault_proto::v1;

macro_rules! reasons {
    (
        daemon { $($(#[$daemon_doc:meta])* $daemon:ident = $wire:literal,)+ }
        client { $($(#[$client_doc:meta])* $client:ident = $name:literal,)+ }
    ) => {
        /// Why a call failed. Match on this, never on a message.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$daemon_doc])* $daemon,)+
            $($(#[$client_doc])* $client,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$daemon,)+ $(Self::$client,)+];

            /// The name for scripts and logs, such as `CREDENTIAL_REJECTED`. It never changes.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$daemon => $wire,)+
                    $(Self::$client => $name,)+
                }
            }

            /// What `google.rpc.ErrorInfo.reason` of the daemon means.
            pub(crate) fn from_wire(name: &str) -> Self {
                match name {
                    $($wire => Self::$daemon,)+
                    _ => Self::Unrecognised,
                }
            }

            /// What the enum of the protocol means; nothing where the daemon left it out.
            pub(crate) fn from_number(number: i32) -> Option<Self> {
                match v1::Reason::try_from(number) {
                    Ok(v1::Reason::Unspecified) => None,
                    $(Ok(v1::Reason::$daemon) => Some(Self::$daemon),)+
                    Err(_) => Some(Self::Unrecognised),
                }
            }
        }
    };
}

reasons! {
    daemon {
        /// A field of the request is missing or malformed; the message names it.
        InvalidArgument = "INVALID_ARGUMENT",
        /// The host is not one to which a Salesforce credential may be sent.
        HostNotAllowed = "HOST_NOT_ALLOWED",
        /// No session of this org can be guaranteed for as long as was asked.
        MinTtlTooLong = "MIN_TTL_TOO_LONG",
        /// There is no record of this name.
        RecordNotFound = "RECORD_NOT_FOUND",
        /// There is a record of this name already.
        RecordExists = "RECORD_EXISTS",
        /// This user may not make this call.
        Denied = "DENIED",
        /// The record belongs to another org, or kind of org, than the caller expects.
        UnexpectedOrg = "UNEXPECTED_ORG",
        /// There is no vault yet.
        VaultMissing = "VAULT_MISSING",
        /// There is a vault already.
        VaultExists = "VAULT_EXISTS",
        /// The vault is locked.
        VaultLocked = "VAULT_LOCKED",
        /// No key slot opens with this passphrase.
        WrongPassphrase = "WRONG_PASSPHRASE",
        /// The vault file is damaged or was tampered with.
        VaultDamaged = "VAULT_DAMAGED",
        /// The vault file was written by a newer sfvault, or by another program.
        VaultForeign = "VAULT_FOREIGN",
        /// Reading or writing the vault file failed.
        Storage = "STORAGE",
        /// The audit can't be written, so administration is refused; or it can't be read.
        AuditUnavailable = "AUDIT_UNAVAILABLE",
        /// Salesforce turned the login down: user name, password, security token or user state.
        CredentialRejected = "CREDENTIAL_REJECTED",
        /// Rejected again and again: Salesforce has probably locked the user.
        UserLockedOut = "USER_LOCKED_OUT",
        /// The password has expired and must be changed.
        PasswordExpired = "PASSWORD_EXPIRED",
        /// This way of logging in is switched off for the org or user.
        LoginDisabled = "LOGIN_DISABLED",
        /// An IP range, domain, API or client policy forbids the login.
        AccessPolicy = "ACCESS_POLICY",
        /// The org is locked, expired or gone.
        OrgState = "ORG_STATE",
        /// The login URL is not the API host of a Salesforce org.
        WrongHost = "WRONG_HOST",
        /// Salesforce does not offer this login in the API version asked for.
        ApiVersion = "API_VERSION",
        /// Salesforce answered something that sfvault does not understand.
        Protocol = "PROTOCOL",
        /// The login led to another org or user than the one this record is pinned to.
        PinnedElsewhere = "PINNED_ELSEWHERE",
        /// The connected app or external client app is not set up for this login.
        AppConfig = "APP_CONFIG",
        /// The refresh token is spent, revoked or expired.
        RefreshTokenDead = "REFRESH_TOKEN_DEAD",
        /// The login in the browser was denied, took too long, or came back changed.
        BrowserLogin = "BROWSER_LOGIN",
        /// sfvault changed the password, or may have; its security token is awaited.
        TokenAwaited = "TOKEN_AWAITED",
        /// The user's login hours forbid it now.
        RestrictedHours = "RESTRICTED_HOURS",
        /// Salesforce limits the rate of logins or calls.
        RateLimited = "RATE_LIMITED",
        /// Salesforce, or the network on the way to it, is not available.
        SalesforceUnavailable = "SALESFORCE_UNAVAILABLE",
        /// The credential was sent, and no answer came.
        LoginUnanswered = "LOGIN_UNANSWERED",
        /// Salesforce called a fresh assertion expired, or gave a session that was over when it came: the clock of the
        /// daemon's host is wrong.
        ClockSkew = "CLOCK_SKEW",
        /// Too many failed logins lately: the daemon waits, so that Salesforce does not lock the user.
        LoginBudgetSpent = "LOGIN_BUDGET_SPENT",
        /// The session was called refused and yet works; or one session after the other was ended before its time.
        SessionRefusedAgain = "SESSION_REFUSED_AGAIN",
        /// The caller's systemd unit or user has all that it may have, or has caused all the logins that it may cause.
        Throttled = "THROTTLED",
        /// This connection, process, unit or user has too many calls open that wait or watch.
        TooManyStreams = "TOO_MANY_STREAMS",
        /// The daemon is shutting down.
        ShuttingDown = "SHUTTING_DOWN",
        /// A defect in the daemon.
        Internal = "INTERNAL",
    }
    client {
        /// There is no socket: no daemon was started.
        NoSocket = "NO_SOCKET",
        /// There is a socket, and nobody listens on it: the daemon that made it is gone.
        NobodyListens = "NOBODY_LISTENS",
        /// The file permissions of the socket or its directory shut this user out.
        SocketForbidden = "SOCKET_FORBIDDEN",
        /// The path of the socket is longer than a socket's path may be.
        SocketPathTooLong = "SOCKET_PATH_TOO_LONG",
        /// The process that listens on the socket belongs to a user whom the client does not trust.
        ForeignDaemon = "FOREIGN_DAEMON",
        /// The daemon takes no new connection: its queue of them stays full.
        DaemonBusy = "DAEMON_BUSY",
        /// Connecting failed in another way.
        ConnectFailed = "CONNECT_FAILED",
        /// The connection broke during the call.
        Disconnected = "DISCONNECTED",
        /// No answer came in time.
        NoAnswer = "NO_ANSWER",
        /// What answered does not know this call: the daemon is older than the client.
        Unimplemented = "UNIMPLEMENTED",
        /// The answer breaks the protocol.
        MalformedAnswer = "MALFORMED_ANSWER",
        /// The daemon names a reason that this client does not know: the daemon is newer.
        Unrecognised = "UNRECOGNISED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_the_protocol_has_its_namesake() {
        let mut known = 0;
        for number in 0..1000 {
            let Ok(wire) = v1::Reason::try_from(number) else {
                continue;
            };
            let name = wire.as_str_name().strip_prefix("REASON_").unwrap();
            match Reason::from_number(number) {
                None => assert_eq!(name, "UNSPECIFIED"),
                Some(reason) => {
                    assert_eq!((reason.name(), reason), (name, Reason::from_wire(name)));
                    known += 1;
                }
            }
        }
        assert_eq!(known, Reason::ALL.len() - CLIENTS_OWN.len());
        for own in CLIENTS_OWN {
            assert_eq!(
                Reason::from_wire(own.name()),
                Reason::Unrecognised,
                "{own:?}"
            );
        }
    }

    const CLIENTS_OWN: [Reason; 12] = [
        Reason::NoSocket,
        Reason::NobodyListens,
        Reason::SocketForbidden,
        Reason::SocketPathTooLong,
        Reason::ForeignDaemon,
        Reason::DaemonBusy,
        Reason::ConnectFailed,
        Reason::Disconnected,
        Reason::NoAnswer,
        Reason::Unimplemented,
        Reason::MalformedAnswer,
        Reason::Unrecognised,
    ];

    #[test]
    fn a_reason_of_a_newer_daemon_is_no_error_of_ours() {
        assert_eq!(Reason::from_number(9_999), Some(Reason::Unrecognised));
        assert_eq!(Reason::from_wire("FROM_THE_FUTURE"), Reason::Unrecognised);
    }
}
