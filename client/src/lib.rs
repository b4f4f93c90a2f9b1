//! The typed client of `sfvaultd`, the credential vault for Salesforce.
//!
//! Values of this crate go in and come out; nothing of gRPC shows. A job takes a session like this:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use sfvault::{Places, RecordName, SessionRequest, SessionsClient};
//!
//! let client = SessionsClient::connect(&Places::discover()?).await?;
//! let session = client.session(&SessionRequest::new(RecordName::parse("acme-prod")?)).await?;
//! let api = format!("{}/services/data/v{}", session.instance_url, session.api_version);
//! # Ok(()) }
//! ```
//!
//! Before anything is sent, the client asks the kernel whose process listens on the socket, and refuses
//! a stranger's. The crate starts no daemon, prints nothing and reads no clock; the feature `cli` adds
//! the program `sfvault`, which does.

mod access;
mod access_wire;
mod admin;
mod audit;
mod browser_login;
mod change;
mod connect;
mod convert;
mod doctor;
mod error;
mod holder;
mod last_use;
mod places;
mod reason;
mod record;
mod retirement;
mod secret;
mod session;
mod sessions;
mod status;
mod unsent;
mod watch;

pub use access::{
    Access, AccessChange, AccessRule, Explanation, HeldBack, Id, Limit, PeerIdentity, PeerLoad,
    Peers, RuleVerdict,
};
pub use admin::{AdminClient, Checked, Locked, Stored, Unlocked};
pub use audit::{
    AuditEntries, AuditEntry, AuditFilter, AuditFinding, AuditReport, Usage, UsageUser,
};
pub use browser_login::{BeginLogin, BegunLogin, Callback, FinishedLogin};
pub use change::{
    GeneratedPassword, KeptLogin, LoginFacts, Migrated, Migration, Rotated, Rotation,
    RotationResult,
};
pub use doctor::{Finding, Grade};
pub use error::Error;
pub use holder::Holder;
pub use last_use::{LastUse, LastUser};
pub use places::{Places, PlacesError};
pub use reason::Reason;
pub use record::{
    Credential, CredentialChange, Flow, LoginUsage, NewRecord, NotARecordName, RecordName,
    RecordState, RecordStatus,
};
pub use retirement::Retirement;
pub use secret::{
    ConsumerSecret, Passphrase, Password, PrivateKey, RefreshToken, SecurityToken, SessionId,
};
pub use session::{Environment, Session, SessionRequest};
pub use sessions::SessionsClient;
/// The longest reminder that sfvaultd takes.
pub use sfvault_proto::v1::LONGEST_REMINDER_DAYS;
pub use status::{DaemonStatus, Protection, ProtectionState, VaultState};
pub use watch::{News, Watch, WatchRequest, WatchState};
