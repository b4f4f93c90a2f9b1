//! The secrets of every flow are nowhere but where they belong.

use sfvault::{AdminClient, Places};
use sfvault_tests::simulator::{
    Answer, CONSUMER_KEY, CONSUMER_SECRET, OAuthError, PASSWORD, PRIVATE_KEY, Place,
    SECURITY_TOKEN, Simulator, USERNAME,
};

use super::{FLOWS, new_record, options};
use crate::{leaks, scene::Scene};

/// T43. Every flow, the failing ones included, with the daemon as talkative as it can be.
#[tokio::test]
async fn no_secret_of_oauth_is_in_logs_messages_or_files() {
    let simulator = Simulator::start(options()).await;
    let hosts = [simulator.login_url(), simulator.instance_url()];
    let salesforce = format!(
        "allowed_hosts = {hosts:?}\nca_file = {:?}\nproxy = \"none\"\n",
        simulator.ca_file()
    );
    let scene = Scene::configured(simulator, &salesforce, &[("RUST_LOG", "trace")]).await;
    let admin = AdminClient::connect(&Places::at(&scene.sfvault.path("run")))
        .await
        .unwrap();
    let sim = &scene.simulator;
    let refresh_token = sim.approve(USERNAME, CONSUMER_KEY);
    let (mut said, mut secrets) = (String::new(), vec![refresh_token.clone()]);
    for jwt_tokens in [false, true] {
        sim.app(CONSUMER_KEY, |app| app.jwt_tokens = jwt_tokens);
        for flow in FLOWS {
            let name = format!("{flow}-{jwt_tokens}");
            let new = new_record(&name, flow, &sim.instance_url(), &refresh_token);
            admin.add(new).await.unwrap();
            // What was sent; what the daemon does not have it can't know.
            let echo = match flow {
                "refresh-token" => refresh_token.as_str(),
                "jwt-bearer" => "nothing that could be known here",
                _ => CONSUMER_SECRET,
            };
            for answer in [
                Answer::EchoedPassword,
                Answer::OAuth(OAuthError::new(echo, echo)),
                Answer::LoginPage,
            ] {
                sim.script(Place::Instance, [answer]);
                for command in [&["check", &name, "--release"][..], &["show", &name]] {
                    let ended = scene.run(command).await;
                    said.push_str(&ended.stdout);
                    said.push_str(&ended.stderr);
                }
            }
            let ended = scene.run(&["check", &name, "--release"]).await;
            assert_eq!(ended.status, 0, "{name}: {}", ended.stderr);
            secrets.extend(sim.sessions(USERNAME));
        }
    }
    secrets.extend([
        CONSUMER_SECRET.to_owned(),
        format!("{PASSWORD}{SECURITY_TOKEN}"),
    ]);
    let key_lines = PRIVATE_KEY.lines().filter(|line| !line.starts_with('-'));
    secrets.extend(key_lines.skip(1).take(3).map(str::to_owned));
    // A JWT's header and claims are no secret: its signature is. The ids of other sessions may have dots, too.
    let secrets: Vec<&str> = secrets
        .iter()
        .map(|secret| match secret.starts_with("eyJ") {
            true => secret.rsplit('.').next().unwrap(),
            false => secret,
        })
        .collect();
    leaks::assert_none("what sfvault printed", &said, &secrets);
    let log = scene.sfvault.daemon_log();
    assert!(log.contains("TRACE"), "the log is not at its loudest");
    leaks::assert_none("the daemon's log", &log, &secrets);
    let vault = std::fs::read(scene.sfvault.path("data/vault.redb")).unwrap();
    leaks::assert_none("the vault", &String::from_utf8_lossy(&vault), &secrets);
    scene.finish().await;
}
