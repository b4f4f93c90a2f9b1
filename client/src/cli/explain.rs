//! `sfvault explain`: whether a process could use a record, and what it lacks.

use clap::Args;
use serde_json::json;
use sfvault::{Explanation, PeerIdentity, RecordName};

use super::{
    context::Context,
    failure::Failure,
    rule::{RuleJson, options},
};

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The record's name
    #[arg(value_parser = RecordName::parse)]
    name: RecordName,

    /// The process
    #[arg(long, value_name = "PID")]
    pid: u32,
}

impl Explain {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let (name, output) = (&self.name, context.output);
        let client = context.admin().await?;
        let explanation = client
            .explain(name, self.pid)
            .await
            .map_err(|error| Failure::call(error, name))?;
        if output.is_json() {
            return output.json(&json(name, self.pid, &explanation));
        }
        let mut fields = vec![(
            "verdict",
            if explanation.allowed {
                format!("process {} may use `{name}`", self.pid)
            } else {
                format!("process {} may not use `{name}`", self.pid)
            },
        )];
        fields.extend(seen(&explanation.peer));
        for verdict in &explanation.rules {
            let rule = options(&verdict.rule);
            fields.push((
                "rule",
                match (verdict.decides, verdict.missing.is_empty()) {
                    (true, _) => format!("{rule}: lets it in"),
                    (false, true) => format!("{rule}: was not needed"),
                    (false, false) => format!("{rule}: {}", verdict.missing.join("; ")),
                },
            ));
        }
        if explanation.rules.is_empty() {
            fields.push(("rule", "there is none, so nobody may use it".to_owned()));
        }
        output.fields(&fields)
    }
}

fn seen(peer: &PeerIdentity) -> Vec<(&'static str, String)> {
    let groups: Vec<_> = peer.groups.iter().map(u32::to_string).collect();
    let mut fields = vec![("uid", peer.uid.to_string()), ("gid", peer.gid.to_string())];
    if !groups.is_empty() {
        fields.push(("groups", groups.join(", ")));
    }
    let known = [
        ("unit", &peer.unit),
        ("user unit", &peer.user_unit),
        ("exe", &peer.exe),
    ];
    fields.extend(
        known
            .into_iter()
            .filter_map(|(label, value)| Some((label, value.clone()?))),
    );
    fields.extend(
        peer.unknown
            .iter()
            .map(|unknown| ("not known", unknown.clone())),
    );
    fields
}

fn json(name: &RecordName, pid: u32, explanation: &Explanation) -> serde_json::Value {
    let peer = &explanation.peer;
    let rules: Vec<_> = explanation
        .rules
        .iter()
        .map(|verdict| {
            json!({
                "rule": RuleJson::from(&verdict.rule),
                "decides": verdict.decides,
                "missing": verdict.missing,
            })
        })
        .collect();
    json!({
        "record": name.as_str(),
        "pid": pid,
        "allowed": explanation.allowed,
        "rules": rules,
        "peer": {
            "uid": peer.uid,
            "gid": peer.gid,
            "groups": peer.groups,
            "unit": peer.unit,
            "user_unit": peer.user_unit,
            "unit_uid": peer.unit_uid,
            "exe": peer.exe,
            "unknown": peer.unknown,
        },
    })
}
