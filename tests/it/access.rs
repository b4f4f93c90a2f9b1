//! Who gets which session: rules judged by what the kernel says about real processes of other users.

mod administration;
mod audit;
mod processes;
mod programs;
mod rules;
mod units;
mod users;

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    process::Command,
};

use serde_json::Value;
use sfvault_tests::{
    installation::Installation,
    simulator::{Options, Simulator},
};

use crate::{nobody, scene::Scene, skipped::skip};

/// A user without a name.
const ETL: u32 = 4242;
const OTHER: u32 = 4243;
/// A group of administrators.
const ADMINS: u32 = 4250;

/// A daemon of the host, run by root, with the records `prod` and `uat`; nothing if only a user runs these tests.
pub(crate) async fn host() -> Option<Scene> {
    if !nobody::can_be_played() {
        return None;
    }
    let simulator = Simulator::start(Options::default()).await;
    let sfvault = Installation::new(&simulator).unwrap();
    let config = fs::read_to_string(sfvault.path("config/config.toml")).unwrap();
    sfvault
        .configure(&format!("{config}\n[admin]\ngroup = \"{ADMINS}\"\n"))
        .unwrap();
    // As /run is, and as the daemon makes its directory if there is none.
    fs::set_permissions(sfvault.directory(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_dir(sfvault.path("run")).unwrap();
    let scene = Scene::of(simulator, sfvault, &[("SFVAULT_MODE", "system")]).await;
    scene.add("prod").await;
    scene.add("uat").await;
    Some(scene)
}

impl Scene {
    pub(crate) async fn allow(&self, record: &str, rule: &str) {
        self.ok(&[&["allow", record], &words(rule)[..]].concat())
            .await;
    }

    async fn deny(&self, record: &str, rule: &str) {
        self.ok(&[&["deny", record], &words(rule)[..]].concat())
            .await;
    }

    pub(crate) async fn explain(&self, record: &str, pid: u32) -> Value {
        let said = self
            .ok(&["explain", record, "--pid", &pid.to_string(), "--json"])
            .await;
        serde_json::from_str(&said).unwrap()
    }
}

fn words(rule: &str) -> Vec<&str> {
    rule.split(' ').collect()
}

/// The daemon says who waits.
async fn await_waiting(scene: &Scene, uid: u32) {
    loop {
        let peers = scene.ok(&["status", "--peers", "--json"]).await;
        let peers: Value = serde_json::from_str(&peers).unwrap();
        let peers = peers["peers"].as_array().unwrap();
        if peers
            .iter()
            .any(|peer| peer["uid"] == uid && peer["waiting"] == 1)
        {
            return;
        }
    }
}

async fn log(scene: &Scene, filter: &[&str]) -> Vec<Value> {
    let text = scene.ok(&[&["log", "--json"], filter].concat()).await;
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn namespaces() -> bool {
    let mut command = Command::new("unshare");
    let made = command.args(["-Urm", "true"]).uid(ETL).gid(ETL).status();
    let made = made.is_ok_and(|status| status.success());
    if !made {
        skip("users may make no namespaces here");
    }
    made
}
