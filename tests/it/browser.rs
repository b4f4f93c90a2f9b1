//! A browser of a few lines, in which a person logs in.

use std::time::Duration;

use http_body_util::Full;
use sfvault::{BeginLogin, Callback, ConsumerSecret, RecordName};
use sfvault_tests::simulator::{CONSUMER_KEY, CONSUMER_SECRET, Simulator};

use crate::simulator::client::{request, send};

/// Where nobody listens: what the browser brings is handed over by the test.
pub(crate) const REDIRECT_URI: &str = "http://localhost:1717/callback";

/// A login for this record, old or new, by the simulator's app, which has to have [`REDIRECT_URI`] among its callbacks.
pub(crate) fn login(name: &str, simulator: &Simulator) -> BeginLogin {
    BeginLogin {
        name: RecordName::parse(name).unwrap(),
        login_url: Some(simulator.login_url()),
        consumer_key: Some(CONSUMER_KEY.to_owned()),
        consumer_secret: Some(ConsumerSecret::new(CONSUMER_SECRET.to_owned())),
        redirect_uri: REDIRECT_URI.to_owned(),
        timeout: Duration::from_mins(5),
    }
}

/// Where Salesforce sends the browser of a person who logs in on this page.
pub(crate) async fn sent_to(simulator: &Simulator, authorize_url: &str) -> String {
    let request = request("GET", authorize_url).body(Full::default()).unwrap();
    let answer = send(simulator, authorize_url, request).await.unwrap();
    assert_eq!(answer.status, 302, "{}", answer.body);
    answer.header("location").to_owned()
}

/// What it brings there.
pub(crate) fn brought(login_id: String, location: &str) -> Callback {
    let (_, query) = location.split_once('?').unwrap();
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(of, _)| *of == name);
        found.map_or_else(String::new, |(_, value)| value.replace("%3D", "="))
    };
    let (code, state) = (value("code"), value("state"));
    assert!(!code.is_empty() && !state.is_empty(), "{location}");
    Callback {
        login_id,
        code: code.into(),
        state: state.into(),
        issuer: String::new().into(),
        error: String::new().into(),
        error_description: String::new().into(),
    }
}
