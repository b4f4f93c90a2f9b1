//! The answers of `tests/cases/soap_login.json`.

use std::{collections::HashMap, time::Duration};

use serde::Deserialize;
use sfvault_tests::{
    clock::ManualClock,
    simulator::{Answer, Detail, Fault, Options, Place, Simulator, USERNAME},
};
use sfvaultd::clock::Clock as _;

use super::{ask, follow, user_info};
use crate::inside::{Inside, way_through_the_proxy};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    status: u16,
    headers: HashMap<String, String>,
    body: Option<String>,
    fault: Option<FaultCase>,
    #[serde(rename = "class")]
    _class: Option<String>,
    #[serde(rename = "code")]
    _code: Option<String>,
    /// None for a grant.
    reason: Option<String>,
    exit: i32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultCase {
    code: String,
    message: String,
    detail: String,
    prefix: bool,
}

impl Case {
    fn answer(&self) -> Answer {
        let body = match (&self.body, &self.fault) {
            (Some(body), None) => body.clone(),
            (None, Some(fault)) => fault.message(),
            (Some(_), Some(_)) | (None, None) => panic!("{}: body or fault", self.name),
        };
        Answer::Raw {
            status: self.status,
            headers: self.headers.clone().into_iter().collect(),
            body,
        }
    }
}

impl FaultCase {
    fn message(&self) -> String {
        Fault {
            code: self.code.clone(),
            message: self.message.clone(),
            detail: match self.detail.as_str() {
                "LoginFault" => Detail::LoginFault,
                "UnexpectedErrorFault" => Detail::UnexpectedErrorFault,
                "none" => Detail::Absent,
                other => panic!("no detail `{other}`"),
            },
            prefixed: self.prefix,
        }
        .to_message()
    }
}

/// T36, T38, T39.
#[tokio::test]
async fn every_known_answer_reaches_the_shell_as_what_it_is_and_the_password_goes_out_once() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../cases/soap_login.json")).unwrap();
    let simulator = Simulator::start(Options::default()).await;
    let clock = ManualClock::new();
    let inside = Inside::start(way_through_the_proxy(&simulator), clock.clone()).await;
    for (number, case) in cases.iter().enumerate() {
        // A clock that went back ends what the case before meant for the user's and the host's other records.
        clock.set(clock.now() - Duration::from_hours(2));
        let record = format!("case-{number}");
        inside.add(&record, "https://login.salesforce.com").await;
        simulator.script(Place::Login, [case.answer()]);
        match &case.reason {
            Some(reason) => follow(&inside, &record, reason, case.exit, &case.name).await,
            None => {
                simulator.script(Place::Instance, [user_info()]);
                let (ended, error) = inside.sfvault(&["get", &record]).await;
                assert_eq!((ended.status, case.exit), (0, 0), "{}: {error}", case.name);
                ask(inside.installation.path("run/sfvault.sock"), &record)
                    .await
                    .unwrap();
            }
        }
        assert_eq!(
            simulator.logins(USERNAME).total,
            number as u64 + 1,
            "{}",
            case.name
        );
    }
    inside.finish().await;
    simulator.finish().unwrap();
}
