//! The way through a proxy.

use super::*;
use crate::salesforce::{
    hosts::HostRules,
    proxy::{Proxy, ProxyUrl},
};

fn through(proxy: &Server) -> Settings {
    let url = format!("http://etl:pr%40xy@127.0.0.1:{}", proxy.port());
    Settings {
        proxy: Proxy::Url(ProxyUrl::parse(&url).unwrap()),
        host_rules: HostRules::default(),
        ..Settings::default()
    }
}

#[tokio::test]
async fn a_proxy_relays_tls_and_sees_no_request() {
    let authority = Authority::new();
    let server = Server::tls(authority.certify("localhost"), Script::Answer(ok("<a/>")));
    let proxy = Server::proxy(200);
    let client = client(&authority, through(&proxy));
    let answer = post_with(&client, &server.host()).await.unwrap();
    assert_eq!(answer.status, 200);
    let seen = proxy.seen();
    assert!(
        seen.starts_with(&format!("CONNECT {} HTTP/1.1\r\n", server.host())),
        "{seen}"
    );
    assert!(
        seen.contains("Proxy-Authorization: Basic ZXRsOnByQHh5\r\n"),
        "{seen}"
    );
    assert!(!seen.contains("hunter2"));
    assert!(server.seen().contains("hunter2") && !server.seen().contains("ZXRs"));
    assert!(!format!("{client:?}").contains("pr@xy"));
}

#[tokio::test]
async fn a_proxy_that_refuses_is_not_gone_around() {
    let authority = Authority::new();
    let server = Server::tls(authority.certify("localhost"), Script::Answer(ok("<a/>")));
    for status in [407, 403, 502] {
        let proxy = Server::proxy(status);
        let problem =
            not_sent(post_with(&client(&authority, through(&proxy)), &server.host()).await);
        assert!(problem.contains(&format!("(HTTP {status})")), "{problem}");
        assert!(
            !problem.contains("pr@xy") && !problem.contains("ZXRs"),
            "{problem}"
        );
    }
    let closed = Server::raw(|_, _| Ok(()));
    not_sent(post_with(&client(&authority, through(&closed)), &server.host()).await);
    assert_eq!(server.seen(), "");
}

#[tokio::test]
async fn the_proxy_of_the_environment_is_used_and_an_unusable_one_is_an_error() {
    let authority = Authority::new();
    let proxy = Server::proxy(403);
    let with = |url: String| {
        let environment = Environment {
            https_proxy: Some(zeroize::Zeroizing::new(url)),
            ssl_cert_file: Some(authority.path().to_owned()),
            ..Environment::default()
        };
        HttpClient::new(Settings::default(), environment)
    };
    let acme = Host::parse("acme.my.salesforce.com").unwrap();
    let problem =
        not_sent(post_with(&with(format!("http://127.0.0.1:{}", proxy.port())), &acme).await);
    assert!(problem.contains("(HTTP 403)"), "{problem}");
    let problem = not_sent(post_with(&with("https://u:pr@xy@127.0.0.1:1".to_owned()), &acme).await);
    assert!(
        problem.contains("only `http://` proxies") && !problem.contains("pr@xy"),
        "{problem}"
    );
}
