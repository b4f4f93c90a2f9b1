//! How a simulator starts.

use super::{oauth::App, org::Org, tls::Certificate, user::User};
use crate::clock::ManualClock;

/// What a simulator starts with.
#[derive(Debug)]
pub struct Options {
    pub clock: ManualClock,
    /// An empty `instance_url` becomes the address of the instance's listener.
    pub org: Org,
    pub users: Vec<User>,
    pub apps: Vec<App>,
    pub certificate: Certificate,
}

/// The user of [`Options::default`].
pub const USERNAME: &str = "etl@acme.example";
/// The password of [`USERNAME`]: all that XML has to escape is in it.
pub const PASSWORD: &str = "Pa<s>&\"w'ørd; 1";
/// The security token of [`USERNAME`].
pub const SECURITY_TOKEN: &str = "Tq3Xb7Lw0RzKc9MvYh2NsGdE";
/// The consumer key of the app of [`Options::default`].
pub const CONSUMER_KEY: &str =
    "3MVG9simulated.ConsumerKey_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV";
/// The consumer secret of [`CONSUMER_KEY`].
pub const CONSUMER_SECRET: &str =
    "5D1C0FFEE5D1C0FFEE5D1C0FFEE5D1C0FFEE5D1C0FFEE5D1C0FFEE5D1C0FFEE0";

impl Default for Options {
    /// One user, in an org that lets it in, an app that lets it in by every flow, and a clock that stands still.
    fn default() -> Self {
        Self {
            clock: ManualClock::new(),
            org: Org::default(),
            users: vec![User::new(USERNAME, PASSWORD, SECURITY_TOKEN)],
            apps: vec![App::new(CONSUMER_KEY, CONSUMER_SECRET, USERNAME)],
            certificate: Certificate::Right,
        }
    }
}
