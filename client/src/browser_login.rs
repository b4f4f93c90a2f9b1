//! A login in a browser: what is sent to begin and to finish it.

use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use crate::{ConsumerSecret, RecordName, RecordStatus};

/// A login in a browser to begin. What is `None` is as the record says, which must exist then.
pub struct BeginLogin {
    /// The record, old or new.
    pub name: RecordName,
    /// Where to log in.
    pub login_url: Option<String>,
    /// The app.
    pub consumer_key: Option<String>,
    /// The app's secret; empty where it needs none.
    pub consumer_secret: Option<ConsumerSecret>,
    /// Where the browser brings the code: on this host, and one of the app's callback URLs.
    pub redirect_uri: String,
    /// How long the person may take.
    pub timeout: Duration,
}

/// A login in a browser that was begun.
pub struct BegunLogin {
    /// Names it when it is finished.
    pub login_id: String,
    /// What the browser is to open; it holds the `state`.
    pub authorize_url: Zeroizing<String>,
    /// When it is too late to finish.
    pub expires_at: Option<SystemTime>,
}

/// The parameters that the browser brought back; empty where absent.
pub struct Callback {
    /// From [`BegunLogin`].
    pub login_id: String,
    /// `code`
    pub code: Zeroizing<String>,
    /// `state`
    pub state: Zeroizing<String>,
    /// `iss`
    pub issuer: Zeroizing<String>,
    /// `error`
    pub error: Zeroizing<String>,
    /// `error_description`
    pub error_description: Zeroizing<String>,
}

/// A login in a browser that gave a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedLogin {
    /// The record as it is now. Nobody has logged in with its new refresh token yet.
    pub record: RecordStatus,
    /// Whether the record is a new one.
    pub added: bool,
}
