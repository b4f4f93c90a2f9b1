//! Salesforce's answer → class → reason → gRPC code → exit status → hint: each step by what the next one sees of it,
//! none of it by itself. The tables are `tests/cases/soap_login.json` and `oauth_login.json`; the daemon's own tests hold
//! their column `class`.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::Value;
use sfvault_proto::v1::{GetSessionRequest, sessions_client::SessionsClient};
use sfvault_tests::{
    clock::ManualClock,
    simulator::{Answer, Detail, Fault, Options, Place, Simulator, USERNAME},
};
use sfvaultd::{
    clock::Clock as _,
    failure::{Class, Failure, Next},
    host::Host,
    salesforce::{
        CodeRequest, Exchange, Grant, HostRefused, Login, LoginExchange, LoginRequest, Proof,
        Survey,
    },
    secret::SessionId,
};
use tokio::net::UnixStream;
use tonic::{Code, Status, transport::Endpoint};
use tonic_types::StatusExt as _;
use tower::service_fn;

use crate::{
    inside::{Inside, way_through_the_proxy},
    oauth::new_record,
};

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

/// What a reason of a failed login must come with, at the socket and in the shell.
struct Due {
    code: Code,
    exit: i32,
    /// What an operator who reads the hint must find in it; `@` is the record's name.
    hint: &'static [&'static str],
}

fn due(reason: &str) -> Due {
    let latched = |hint| Due {
        code: Code::FailedPrecondition,
        exit: 6,
        hint,
    };
    let later = |code, hint| Due {
        code,
        exit: 75,
        hint,
    };
    match reason {
        "CREDENTIAL_REJECTED" => latched(&[
            "Setup > Identity > Login History",
            "security token",
            "login URL",
            "`sfvault set @`",
            "`sfvault check @ --release`",
        ]),
        "USER_LOCKED_OUT" => latched(&[
            "Unlock",
            "15 min",
            "`sfvault set @`",
            "`sfvault check @ --release`",
        ]),
        "PASSWORD_EXPIRED" => latched(&["security token", "`sfvault set @`"]),
        "LOGIN_DISABLED" => latched(&[
            "SOAP API login()",
            "Use Any API Auth",
            "OAuth and OpenID Connect Settings",
            "`sfvault check @ --release`",
        ]),
        "ACCESS_POLICY" => latched(&[
            "Setup > Identity > Login History",
            "Login IP Ranges",
            "API Enabled",
            "My Domain",
            "`sfvault check @ --release`",
        ]),
        "ORG_STATE" => latched(&["administrator", "`sfvault check @ --release`"]),
        "WRONG_HOST" => latched(&["`sfvault show @`", "My Domain", "`sfvault migrate @ "]),
        "API_VERSION" => latched(&["update sfvaultd", "`sfvault check @ --release`"]),
        "PROTOCOL" => latched(&["`sfvault show @`", "proxy", "`sfvault check @ --release`"]),
        "PINNED_ELSEWHERE" => latched(&["sandbox refresh", "`sfvault remove @`"]),
        "APP_CONFIG" => latched(&[
            "App Manager",
            "External Client App Manager",
            "consumer key",
            "run-as user",
            "certificate",
            "audience",
            "`sfvault set @`",
            "`sfvault check @ --release`",
        ]),
        "REFRESH_TOKEN_DEAD" => latched(&["approve the app again", "30 days", "`sfvault set @`"]),
        "TOKEN_AWAITED" => latched(&["Salesforce mails", "`sfvault rotate @`"]),
        "CLOCK_SKEW" => later(Code::Unavailable, &["NTP", "timedatectl", "try again in"]),
        "RESTRICTED_HOURS" => later(Code::Unavailable, &["Login Hours", "try again in"]),
        "RATE_LIMITED" => later(Code::ResourceExhausted, &["who else", "try again in"]),
        "SALESFORCE_UNAVAILABLE" => later(
            Code::Unavailable,
            &[
                "status.salesforce.com",
                "proxy",
                "`ca_file`",
                "try again in",
            ],
        ),
        "LOGIN_UNANSWERED" => later(
            Code::Unavailable,
            &["Login History", "network", "try again in"],
        ),
        other => panic!("no login fails with {other}"),
    }
}

/// Asks for a session as any gRPC program does.
async fn ask(socket: PathBuf, record: &str) -> Result<(), Status> {
    let channel = Endpoint::from_static("http://localhost")
        .connect_with_connector(service_fn(move |_| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        }))
        .await
        .unwrap();
    let request = GetSessionRequest {
        record: record.to_owned(),
        ..GetSessionRequest::default()
    };
    SessionsClient::new(channel)
        .get_session(request)
        .await
        .map(drop)
}

/// Follows a failed login of a record from the socket to the shell.
async fn follow(inside: &Inside, record: &str, reason: &str, exit: i32, case: &str) {
    let due = due(reason);
    let (ended, error) = inside.sfvault(&["get", record]).await;
    assert_eq!(
        (
            ended.status,
            ended.stdout.as_str(),
            error["reason"].as_str()
        ),
        (exit, "", Some(reason)),
        "{case}: {error}"
    );
    assert_eq!(exit, due.exit, "{case}");
    let hint = error["hint"].as_str().unwrap();
    for words in due.hint {
        assert!(
            hint.contains(&words.replace('@', record)),
            "{case}: `{words}` is not in: {hint}"
        );
    }
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(record), "{case}: {message}");
    let waits = error["retry_after_seconds"].as_u64();
    assert_eq!(waits.is_some(), exit == 75, "{case}: {error}");

    let status = ask(inside.installation.path("run/sfvault.sock"), record)
        .await
        .unwrap_err();
    let info = status.get_details_error_info().unwrap();
    assert_eq!(
        (status.code(), info.reason.as_str(), info.domain.as_str()),
        (due.code, reason, "sfvault.v1"),
        "{case}"
    );
    assert_eq!(
        status.get_details_retry_info().is_some(),
        exit == 75,
        "{case}"
    );
    assert_eq!(status.message(), message, "{case}");
}

/// T36, T38, T39.
#[tokio::test]
async fn every_known_answer_reaches_the_shell_as_what_it_is_and_the_password_goes_out_once() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../cases/soap_login.json")).unwrap();
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
    let text = include_str!("../cases/oauth_login.json");
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

/// A proof of the session that the table's grants give.
fn user_info() -> Answer {
    Answer::Raw {
        status: 200,
        headers: vec![("content-type".to_owned(), "text/xml".to_owned())],
        body: "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" \
               xmlns=\"urn:partner.soap.sforce.com\"><e:Body><getUserInfoResponse><result>\
               <organizationId>00Dxx0000001gPLEAY</organizationId><sessionSecondsValid>7200</sessionSecondsValid>\
               <userId>005xx000001Sv6AAAS</userId></result></getUserInfoResponse></e:Body></e:Envelope>"
            .to_owned(),
    }
}

/// A Salesforce that fails every login in the way that the username names.
#[derive(Debug)]
struct Failing;

impl Login for Failing {
    fn permit(&self, _: &Host) -> Result<(), HostRefused> {
        Ok(())
    }

    fn login<'a>(&'a self, request: &'a LoginRequest) -> LoginExchange<'a> {
        let class = request.login_host.name().split('.').next();
        let class = class.and_then(Class::from_name).unwrap();
        Box::pin(async move {
            Err(Failure {
                class,
                code: None,
                message: "as scripted".to_owned(),
                pause: None,
            }
            .into())
        })
    }

    fn redeem<'a>(&'a self, _: &'a CodeRequest) -> Exchange<'a, Grant> {
        unreachable!("nobody logs in in a browser")
    }

    fn prove<'a>(&'a self, _: &'a SessionId, _: &'a Host) -> Exchange<'a, Proof> {
        unreachable!("no login gave a session")
    }

    fn end<'a>(&'a self, _: &'a SessionId, _: &'a Host) -> Exchange<'a, ()> {
        unreachable!("no login gave a session")
    }

    fn survey<'a>(&'a self, _: &'a Host) -> Exchange<'a, Survey> {
        Box::pin(async { unreachable!("nobody asks") })
    }
}

#[tokio::test]
async fn every_class_of_failure_has_its_reason_its_status_and_a_hint_that_helps() {
    let clock = ManualClock::new();
    let inside = Inside::start(Failing, clock.clone()).await;
    for class in Class::ALL {
        clock.set(clock.now() - Duration::from_hours(2));
        let reason = match class {
            Class::AccessPolicy | Class::SessionBarred => "ACCESS_POLICY",
            Class::ApiVersion => "API_VERSION",
            Class::AppConfig => "APP_CONFIG",
            Class::BadCredentials => "CREDENTIAL_REJECTED",
            Class::ClockSkew => "CLOCK_SKEW",
            Class::LockedOut => "USER_LOCKED_OUT",
            Class::LoginDisabled => "LOGIN_DISABLED",
            Class::OrgState => "ORG_STATE",
            Class::PasswordExpired => "PASSWORD_EXPIRED",
            Class::PinnedElsewhere => "PINNED_ELSEWHERE",
            Class::Protocol => "PROTOCOL",
            Class::RateLimited => "RATE_LIMITED",
            Class::RefreshDead => "REFRESH_TOKEN_DEAD",
            Class::RestrictedHours => "RESTRICTED_HOURS",
            Class::SessionDead | Class::Unavailable => "SALESFORCE_UNAVAILABLE",
            Class::TokenAwaited => "TOKEN_AWAITED",
            Class::Unanswered => "LOGIN_UNANSWERED",
            Class::WrongHost => "WRONG_HOST",
        };
        // Only what ends by itself may tell a scheduler to come back.
        let exit = match class.next() {
            Next::Latch => 6,
            Next::BackOff | Next::CountAndBackOff => 75,
        };
        let name = class.name();
        inside.add(name, &format!("https://{name}.example")).await;
        follow(&inside, name, reason, exit, name).await;
    }
    inside.finish().await;
}

/// The budget is the last thing between a broken line and a locked user: what it says must not be mistaken.
#[tokio::test]
async fn a_spent_budget_says_that_it_protects_the_user_and_when_it_ends() {
    let clock = ManualClock::new();
    let inside = Inside::start(Failing, clock.clone()).await;
    inside.add("prod", "https://unanswered.example").await;
    for _ in 0..2 {
        let error = inside.session("prod").await.map(drop).unwrap_err();
        assert_eq!(error.reason(), sfvault::Reason::LoginUnanswered);
        clock.advance(Duration::from_secs(60));
    }
    let (ended, error) = inside.sfvault(&["get", "prod"]).await;
    assert_eq!(
        (
            ended.status,
            &error["reason"],
            &error["retry_after_seconds"]
        ),
        (75, &Value::from("LOGIN_BUDGET_SPENT"), &Value::from(780)),
    );
    let hint = error["hint"].as_str().unwrap();
    for words in [
        "does not lock the user",
        "`sfvault check prod --release`",
        "try again in",
    ] {
        assert!(hint.contains(words), "{hint}");
    }
    inside.finish().await;
}
