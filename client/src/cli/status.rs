//! `sfvault status`: how the daemon is.

use clap::Args;
use serde_json::json;
use sfvault::{AdminClient, DaemonStatus, Places, Protection, ProtectionState, VaultState};

use super::{
    clock,
    context::Context,
    due,
    exit::Exit,
    failure::Failure,
    instant::{for_people, rfc3339},
    output::Output,
    peers,
    record_view::{HEAD, records_json, row},
    reminder::overdue,
};

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Tell who is connected, and who is held back
    #[arg(long, conflicts_with = "security")]
    peers: bool,
    /// Tell what keeps others from the daemon's process, and it from the system
    #[arg(long)]
    security: bool,
}

impl Status {
    /// Starts no daemon: that there is none is an answer.
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let places = context.places()?;
        if self.peers {
            let peers = AdminClient::connect(&places).await?.peers().await?;
            return peers::show(&peers, context.output);
        }
        if self.security {
            let status = AdminClient::connect(&places).await?.status().await?;
            return protections(&status.protections, context.output);
        }
        let answer = match AdminClient::connect(&places).await {
            Ok(client) => client.status().await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(status) => running(&status, context.output),
            Err(error) => {
                let failure = Failure::from(error);
                if failure.exit() == Exit::NO_DAEMON {
                    not_running(&places, context.output)?;
                }
                Err(failure)
            }
        }
    }
}

fn running(status: &DaemonStatus, output: Output) -> Result<(), Failure> {
    let vault = match status.vault {
        VaultState::Missing => "missing",
        VaultState::Locked => "locked",
        VaultState::Unlocked => "unlocked",
        VaultState::Unrecognised => "unrecognised",
    };
    let path = status.vault_path.display().to_string();
    if output.is_json() {
        return output.json(&json!({
            "running": true,
            "version": status.version,
            "pid": status.pid,
            "started_at": status.started_at.map(rfc3339),
            "vault": vault,
            "vault_path": path,
            "records": records_json(&status.records),
            "warnings": status.warnings,
        }));
    }
    let now = clock::now();
    let mut fields = vec![
        (
            "daemon",
            format!("running, version {}, pid {}", status.version, status.pid),
        ),
        ("vault", format!("{vault}, {path}")),
    ];
    if let Some(started) = status.started_at {
        fields.insert(1, ("since", for_people(started, now)));
    }
    output.fields(&fields)?;
    if !status.records.is_empty() {
        output.data(b"\n")?;
        output.table(
            &HEAD,
            status
                .records
                .iter()
                .map(|record| row(record, now))
                .collect(),
        )?;
    }
    let due = due::lines(&status.records, now);
    if !due.is_empty() {
        output.data(b"\n")?;
        output.fields(&due)?;
    }
    for warning in &status.warnings {
        output.warning(warning);
    }
    for record in &status.records {
        if let Some(due) = overdue(record, now) {
            output.warning(&due);
        }
    }
    Ok(())
}

fn protections(protections: &[Protection], output: Output) -> Result<(), Failure> {
    let state = |protection: &Protection| match protection.state {
        ProtectionState::On => "on",
        ProtectionState::Off => "off",
        ProtectionState::NotAvailable => "not available",
    };
    if output.is_json() {
        let list: Vec<_> = protections
            .iter()
            .map(|one| json!({ "name": one.name, "state": state(one), "reason": one.reason }))
            .collect();
        return output.json(&json!({ "protections": list }));
    }
    let row = |one: &Protection| vec![one.name.clone(), state(one).to_owned(), one.reason.clone()];
    output.table(
        &["PROTECTION", "STATE", "REASON"],
        protections.iter().map(row).collect(),
    )
}

fn not_running(places: &Places, output: Output) -> Result<(), Failure> {
    let vault = places.data_dir().map(|dir| dir.join("vault.redb"));
    let (state, path) = match &vault {
        Some(path) if path.exists() => ("locked", path.display().to_string()),
        Some(path) => ("missing", path.display().to_string()),
        None => ("missing", String::new()),
    };
    if output.is_json() {
        return output.json(&json!({ "running": false, "vault": state, "vault_path": path }));
    }
    output.fields(&[
        ("daemon", "not running".to_owned()),
        ("vault", format!("{state}, {path}")),
    ])
}
