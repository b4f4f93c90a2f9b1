//! REST: versions, pages of a query, limits, and who a session is.

use http_body_util::Full;
use serde_json::json;
use sfvault_tests::simulator::{Options, Simulator, USERNAME};

use super::client::{get, request, send, session};

#[tokio::test]
async fn the_version_list_needs_no_session_at_either_host() {
    let sim = Simulator::start(Options::default()).await;
    for base in [sim.login_url(), sim.instance_url()] {
        let url = format!("{base}/services/data/");
        let request = request("GET", &url).body(Full::default()).unwrap();
        let answer = send(&sim, &url, request).await.unwrap();
        assert_eq!(answer.status, 200);
        let list = answer.json();
        let list = list.as_array().unwrap();
        assert_eq!(list.len(), 38);
        assert_eq!(
            list[0],
            json!({ "label": "Summer '14", "url": "/services/data/v31.0", "version": "31.0" })
        );
        assert_eq!(
            list[37],
            json!({ "label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0" })
        );
    }
    sim.finish().unwrap();
}

#[tokio::test]
async fn versions_are_served_retired_or_unknown() {
    let sim = Simulator::start(Options::default()).await;
    let id = session(&sim).await;
    for (version, status, code) in [
        ("v31.0", 200, None),
        ("v68.0", 200, None),
        ("v69.0", 404, Some("NOT_FOUND")),
        ("64.0", 404, Some("NOT_FOUND")),
        ("v30.0", 410, Some("UNSUPPORTED_API_VERSION")),
    ] {
        let answer = get(&sim, &id, &format!("/services/data/{version}/limits")).await;
        assert_eq!(answer.status, status, "{version}");
        if let Some(code) = code {
            assert_eq!(answer.json()[0]["errorCode"], code);
        }
    }
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_query_comes_in_pages_of_the_batch_size() {
    let sim = Simulator::start(Options::default()).await;
    sim.org(|org| org.batch_size = 2);
    let id = session(&sim).await;
    let mut path = "/services/data/v64.0/query?q=SELECT+Id,Name,Industry+FROM+Account".to_owned();
    let mut names = Vec::new();
    let mut sizes = Vec::new();
    loop {
        let page = get(&sim, &id, &path).await.json();
        assert_eq!(page["totalSize"], 5);
        let records = page["records"].as_array().unwrap();
        sizes.push(records.len());
        names.extend(
            records
                .iter()
                .map(|r| r["Name"].as_str().unwrap().to_owned()),
        );
        match page["nextRecordsUrl"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break assert_eq!(page["done"], true),
        }
    }
    assert_eq!(sizes, [2, 2, 1]);
    assert_eq!(names[2], "株式会社サンプル");
    let answer = get(
        &sim,
        &id,
        "/services/data/v64.0/query/01gxx0000000001AAA-99",
    )
    .await;
    assert_eq!(answer.json()[0]["errorCode"], "INVALID_QUERY_LOCATOR");
    sim.finish().unwrap();
}

#[tokio::test]
async fn errors_of_a_query_have_status_400() {
    let sim = Simulator::start(Options::default()).await;
    let id = session(&sim).await;
    for (query, code) in [
        ("?q=SELECT+Id+FROM+Nothing", "INVALID_TYPE"),
        ("?q=SELECT+Nope+FROM+Account", "INVALID_FIELD"),
        ("?q=nonsense", "MALFORMED_QUERY"),
        ("", "MALFORMED_QUERY"),
    ] {
        let answer = get(&sim, &id, &format!("/services/data/v64.0/query{query}")).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.json()[0]["errorCode"], code);
    }
    sim.finish().unwrap();
}

#[tokio::test]
async fn calls_are_counted_up_to_the_limit() {
    let sim = Simulator::start(Options::default()).await;
    sim.org(|org| org.api_calls_max = 2);
    let id = session(&sim).await;
    let path = "/services/data/v64.0/limits";
    let answer = get(&sim, &id, path).await;
    assert_eq!(answer.header("sforce-limit-info"), "api-usage=1/2");
    assert_eq!(
        answer.json()["DailyApiRequests"],
        json!({ "Max": 2, "Remaining": 1 })
    );
    assert_eq!(get(&sim, &id, path).await.status, 200);
    let answer = get(&sim, &id, path).await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.json()[0]["errorCode"], "REQUEST_LIMIT_EXCEEDED");
    sim.finish().unwrap();
}

#[tokio::test]
async fn userinfo_says_whose_the_session_is() {
    let sim = Simulator::start(Options::default()).await;
    let id = session(&sim).await;
    let info = get(&sim, &id, "/services/oauth2/userinfo").await.json();
    assert_eq!(info["organization_id"], "00Dxx0000001gPLEAY");
    assert_eq!(info["user_id"], "005xx000001Sv6AAAS");
    assert_eq!(info["preferred_username"], USERNAME);
    let own = "/id/00Dxx0000001gPLEAY/005xx000001Sv6AAAS";
    assert_eq!(
        info["sub"],
        format!("https://login.salesforce.com{own}").as_str()
    );
    let identity = get(&sim, &id, own).await.json();
    assert_eq!(identity["id"], info["sub"]);
    assert_eq!(identity["username"], USERNAME);
    for (path, text) in [
        ("/id/00Dyy0000009ZZZEA2/005xx000001Sv6AAAS", "Wrong_Org"),
        ("/id/00Dxx0000001gPLEAY/005xx000001Sv6BAAS", "Bad_Id"),
    ] {
        let answer = get(&sim, &id, path).await;
        assert_eq!((answer.status, answer.body.as_str()), (403, text));
    }
    sim.finish().unwrap();
}
