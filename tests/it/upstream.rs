//! The way to Salesforce: certificates, proxies, hosts. Nothing is sent before the other end is who it should be.

use std::{fmt::Write as _, fs, net::TcpListener};

use sfvault_tests::simulator::{Certificate, Listener, Options, Org, Simulator, USERNAME};

use crate::{leaks, scene::Scene};

/// An org at Salesforce's own host names, which only the simulator's proxy knows.
async fn acme() -> Simulator {
    Simulator::start(Options {
        org: Org {
            instance_url: ACME.to_owned(),
            ..Org::default()
        },
        ..Options::default()
    })
    .await
}

const ACME: &str = "https://acme.my.salesforce.com";

async fn with_certificate(certificate: Certificate) -> Simulator {
    Simulator::start(Options {
        certificate,
        ..Options::default()
    })
    .await
}

/// The hosts to which the proxy was asked to lead.
fn tunnels(simulator: &Simulator) -> Vec<String> {
    let requests = simulator.requests().into_iter();
    requests
        .filter(|request| request.listener == Listener::Proxy)
        .map(|request| request.host)
        .collect()
}

/// T35
#[tokio::test]
async fn a_certificate_that_is_not_right_gets_nothing_and_is_named() {
    let (mut hosts, mut trusted) = (Vec::new(), String::new());
    let mut impostors = Vec::new();
    for certificate in [
        Certificate::Expired,
        Certificate::OtherHost,
        Certificate::OtherIssuer,
    ] {
        let simulator = with_certificate(certificate).await;
        hosts.push(simulator.login_url());
        trusted.push_str(&fs::read_to_string(simulator.ca_file()).unwrap());
        impostors.push(simulator);
    }
    let right = Simulator::start(Options::default()).await;
    let bundle = right.directory().join("bundle.pem");
    fs::write(&bundle, trusted).unwrap();
    let salesforce = format!("allowed_hosts = {hosts:?}\nca_file = {bundle:?}\nproxy = \"none\"");
    let scene = Scene::configured(right, &salesforce, &[]).await;
    for (number, url) in hosts.iter().enumerate() {
        let record = format!("record-{number}");
        scene.add_at(&record, &["--login-url", url]).await;
        let (status, error) = scene.fails(&["get", &record]).await;
        assert_eq!(
            (status, error["reason"].as_str()),
            (75, Some("SALESFORCE_UNAVAILABLE")),
            "{error}"
        );
        let message = error["message"].as_str().unwrap();
        let host = url.trim_start_matches("https://");
        assert!(
            message.contains("certificate") && message.contains(host),
            "{message}"
        );
    }
    for impostor in impostors {
        assert_eq!(impostor.requests(), []);
        impostor.finish().unwrap();
    }
    scene.finish().await;
}

/// T35
#[tokio::test]
async fn a_certificate_authority_of_the_environment_is_trusted_and_no_other() {
    let simulator = Simulator::start(Options::default()).await;
    let hosts = [simulator.login_url(), simulator.instance_url()];
    let ca_file = simulator.ca_file();
    let salesforce = format!("allowed_hosts = {hosts:?}\nproxy = \"none\"");
    let variables = [("SSL_CERT_FILE", ca_file.to_str().unwrap())];
    let mut scene = Scene::configured(simulator, &salesforce, &variables).await;
    scene.add("prod").await;
    scene.session(&[]).await;

    let other = Simulator::start(Options::default()).await;
    scene.sfvault.stop().unwrap();
    let ca_file = other.ca_file();
    scene
        .sfvault
        .start_in(&[("SSL_CERT_FILE", ca_file.to_str().unwrap())])
        .unwrap();
    scene.unlock().await;
    let (status, error) = scene
        .fails(&["get", "prod", "--refused-generation", "1"])
        .await;
    assert_eq!(status, 75, "{error}");
    assert!(error["message"].as_str().unwrap().contains("certificate"));
    scene.assert_logins(1, 0);
    scene.finish().await;
}

/// Takes a session through the proxy, with the host rules as they are without a word of the operator's.
async fn through_the_proxy(salesforce: &str, variables: &[(&str, &str)], simulator: Simulator) {
    let login_url = "https://login.salesforce.com";
    let scene = Scene::configured(simulator, salesforce, variables).await;
    scene.add_at("prod", &["--production"]).await;
    let session = scene.session(&[]).await;
    assert_eq!(session["instance_url"], ACME);
    let record: serde_json::Value =
        serde_json::from_str(&scene.ok(&["show", "prod", "--json"]).await).unwrap();
    assert_eq!(record["login_url"], login_url);
    assert_eq!(
        tunnels(&scene.simulator),
        ["login.salesforce.com:443", "acme.my.salesforce.com:443"]
    );
    let report = scene.run(&["doctor", "prod", "--all"]).await.stdout;
    let url = scene.simulator.proxy_url();
    let proxy = url.rsplit(['@', '/']).find(|part| !part.is_empty());
    let told = format!("goes through the proxy {}", proxy.unwrap());
    assert!(report.contains(&told), "{report}");
    scene.assert_logins(1, 0);
    scene.finish().await;
}

#[tokio::test]
async fn a_production_login_goes_through_the_proxy_of_the_configuration() {
    let simulator = acme().await;
    let salesforce = format!(
        "ca_file = {:?}\nproxy = {:?}",
        simulator.ca_file(),
        simulator.proxy_url()
    );
    through_the_proxy(&salesforce, &[], simulator).await;
}

#[tokio::test]
async fn a_production_login_goes_through_the_proxy_of_the_environment() {
    let simulator = acme().await;
    let salesforce = format!("ca_file = {:?}", simulator.ca_file());
    let proxy = simulator.proxy_url();
    let variables = [("HTTPS_PROXY", proxy.as_str()), ("NO_PROXY", "example")];
    through_the_proxy(&salesforce, &variables, simulator).await;
}

/// T43
#[tokio::test]
async fn the_password_of_a_proxy_is_never_told() {
    let simulator = acme().await;
    let login = "robot:s3cret-Of-The-Proxy";
    let proxy = simulator
        .proxy_url()
        .replace("http://", &format!("http://{login}@"));
    let salesforce = format!("ca_file = {:?}\nproxy = {proxy:?}", simulator.ca_file());
    let mut scene = Scene::configured(simulator, &salesforce, &[("RUST_LOG", "trace")]).await;
    scene.add_at("prod", &["--production"]).await;
    scene.session(&[]).await;
    let mut said = scene.ok(&["status"]).await;

    // The same proxy, and nobody there.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    scene.sfvault.stop().unwrap();
    scene
        .sfvault
        .configure(&format!(
            "[salesforce]\nca_file = {:?}\nproxy = \"http://{login}@127.0.0.1:{port}\"\n",
            scene.simulator.ca_file()
        ))
        .unwrap();
    scene.sfvault.start_in(&[("RUST_LOG", "trace")]).unwrap();
    scene.unlock().await;
    let (status, error) = scene
        .fails(&["get", "prod", "--refused-generation", "1"])
        .await;
    assert_eq!(
        (status, error["reason"].as_str()),
        (75, Some("SALESFORCE_UNAVAILABLE"))
    );
    let message = error["message"].as_str().unwrap();
    let proxy = format!("the proxy 127.0.0.1:{port} is not there");
    assert!(message.contains(&proxy), "{message}");
    write!(said, "{error}").unwrap();
    scene.assert_logins(1, 0);

    let (_, password) = login.split_once(':').unwrap();
    leaks::assert_none("what sfvault printed", &said, &[login, password]);
    let log = scene.sfvault.daemon_log();
    leaks::assert_none("the daemon's log", &log, &[login, password]);
    scene.finish().await;
}

/// T36, T37
#[tokio::test]
async fn plain_http_and_hosts_that_nobody_allowed_are_refused_before_anything_is_kept() {
    let simulator = Simulator::start(Options::default()).await;
    let salesforce = format!("ca_file = {:?}\nproxy = \"none\"", simulator.ca_file());
    let scene = Scene::configured(simulator, &salesforce, &[]).await;
    let simulated = scene.simulator.login_url();
    for url in [
        "http://login.salesforce.com",
        "http://acme.my.salesforce.com",
        simulated.as_str(),
        &simulated.replace("https", "http"),
    ] {
        let add = ["add", "prod", "--username", USERNAME, "--login-url", url];
        let secrets = ["--password-file", "@password", "--token-file", "@token"];
        let (status, error) = scene.fails(&[&add[..], &secrets].concat()).await;
        assert_eq!(status, 2, "{url}: {error}");
        assert!(
            ["HOST_NOT_ALLOWED", "INVALID_ARGUMENT"].contains(&error["reason"].as_str().unwrap()),
            "{url}: {error}"
        );
    }
    assert_eq!(scene.fails(&["show", "prod"]).await.0, 4);
    assert_eq!(scene.simulator.requests(), []);
    scene.finish().await;
}

/// T36
#[tokio::test]
async fn a_host_that_is_not_allowed_any_more_gets_nothing_until_it_is_again() {
    let mut scene = Scene::with_record().await;
    let config = scene.sfvault.path("config/config.toml");
    let allowed = fs::read_to_string(&config).unwrap();
    let line = allowed.lines().find(|l| l.starts_with("allowed_hosts"));
    let withdrawn = allowed.replace(line.unwrap(), "");
    let restart = async |scene: &mut Scene, text: &str| {
        scene.sfvault.stop().unwrap();
        scene.sfvault.configure(text).unwrap();
        scene.sfvault.start().unwrap();
        scene.unlock().await;
    };
    restart(&mut scene, &withdrawn).await;
    let (status, error) = scene.fails(&["get", "prod"]).await;
    assert_eq!(
        (status, error["reason"].as_str()),
        (2, Some("HOST_NOT_ALLOWED")),
        "{error}"
    );
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("`allowed_hosts`")
    );
    assert_eq!(scene.simulator.requests(), []);
    // It was the configuration's fault: once that is mended, nobody has to release anything.
    restart(&mut scene, &allowed).await;
    scene.session(&[]).await;
    scene.assert_logins(1, 0);
    scene.finish().await;
}
