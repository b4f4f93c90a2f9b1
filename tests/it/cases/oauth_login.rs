//! The answers of `tests/cases/oauth_login.json`.

use std::{collections::HashMap, time::Duration};

use serde::Deserialize;
use sfvault_tests::{
    clock::ManualClock,
    simulator::{Answer, Options, Place, Simulator},
};
use sfvaultd::clock::Clock as _;

use super::{follow, user_info};
use crate::{
    inside::{Inside, way_through_the_proxy},
    oauth::new_record,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OAuthCase {
    name: String,
    flows: Vec<String>,
    status: u16,
    headers: HashMap<String, String>,
    body: String,
    #[serde(default)]
    pad: usize,
    #[serde(rename = "class")]
    _class: Option<String>,
    #[serde(rename = "code")]
    _code: Option<String>,
    /// None for a grant.
    reason: Option<String>,
    exit: i32,
}

/// T36, T38, T39. Each row in one of its flows, one row in this and the next in that.
#[tokio::test]
async fn every_known_answer_of_oauth_reaches_the_shell_as_what_it_is_and_is_asked_for_once() {
    let text = include_str!("../../cases/oauth_login.json");
    let cases: Vec<OAuthCase> = serde_json::from_str(text).unwrap();
    let simulator = Simulator::start(Options::default()).await;
    let clock = ManualClock::new();
    let inside = Inside::start(way_through_the_proxy(&simulator), clock.clone()).await;
    for (number, case) in cases.iter().enumerate() {
        // A clock that went back ends what the case before meant for the user's and the host's other records.
        clock.set(clock.now() - Duration::from_hours(2));
        let record = format!("case-{number}");
        let flow = &case.flows[number % case.flows.len()];
        let (place, url) = match flow.as_str() {
            "client-credentials" => (Place::Instance, "https://acme.my.salesforce.com"),
            _ => (Place::Login, "https://login.salesforce.com"),
        };
        let new = new_record(&record, flow, url, "5Aep861.never-approved");
        inside.admin.add(new).await.unwrap();
        let answer = Answer::Raw {
            status: case.status,
            headers: case.headers.clone().into_iter().collect(),
            body: format!("{}{}", case.body, " ".repeat(case.pad)),
        };
        simulator.script(place, [answer]);
        let name = format!("{} ({flow})", case.name);
        match &case.reason {
            Some(reason) => follow(&inside, &record, reason, case.exit, &name).await,
            None => {
                simulator.script(Place::Instance, [user_info()]);
                let (ended, error) = inside.sfvault(&["get", &record]).await;
                assert_eq!((ended.status, case.exit), (0, 0), "{name}: {error}");
            }
        }
        let requests = simulator.requests();
        let asked = requests
            .iter()
            .filter(|request| request.path == "/services/oauth2/token")
            .count();
        assert_eq!(asked, number + 1, "{name}");
    }
    inside.finish().await;
    simulator.finish().unwrap();
}
