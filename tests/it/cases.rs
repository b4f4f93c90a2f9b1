//! Salesforce's answer → class → reason → gRPC code → exit status → hint: each step by what the next one sees of it,
//! none of it by itself. The tables are `tests/cases/soap_login.json` and `oauth_login.json`; the daemon's own tests hold
//! their column `class`.

mod classes;
mod oauth_login;
mod soap_login;

use std::path::PathBuf;

use hyper_util::rt::TokioIo;
use sfvault_proto::v1::{GetSessionRequest, sessions_client::SessionsClient};
use sfvault_tests::simulator::Answer;
use tokio::net::UnixStream;
use tonic::{Code, Status, transport::Endpoint};
use tonic_types::StatusExt as _;
use tower::service_fn;

use crate::inside::Inside;

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
