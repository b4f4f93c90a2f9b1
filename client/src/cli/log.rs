//! `sfvault log`: who asked for what, and whether the log is whole.

use std::{path::PathBuf, time::SystemTime};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sfvault::{AuditEntry, AuditFilter, AuditReport, RecordName, SessionId};

use super::{
    context::Context,
    failure::Failure,
    input,
    instant::rfc3339,
    output::{Output, printable},
    rule, since,
};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Log {
    #[command(subcommand)]
    command: Option<Command>,

    /// Only of this record
    #[arg(value_parser = RecordName::parse)]
    name: Option<RecordName>,

    /// Only from this time on, such as `2026-11-21T20:42:44Z`, `2026-11-21`, or `2h` for two hours ago
    #[arg(long, value_name = "TIME", value_parser = since::parse)]
    since: Option<SystemTime>,

    /// Only of this user: its name, or its number
    #[arg(long, value_name = "USER")]
    peer_uid: Option<String>,

    /// Only this action, such as `get`, `login` or `set`
    #[arg(long)]
    action: Option<String>,

    /// Only what was denied
    #[arg(long)]
    denied: bool,

    /// Only of the session with this fingerprint
    #[arg(long, value_name = "HEX", value_parser = fingerprint)]
    fingerprint: Option<String>,

    /// Only of the session whose id is in this file
    #[arg(long, value_name = "FILE", conflicts_with = "fingerprint")]
    session_file: Option<PathBuf>,

    /// Of what is there, only the newest N lines
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    last: Option<u32>,

    /// Go on with what is yet to come
    #[arg(long)]
    follow: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check that no line was changed, removed, reordered or cut off
    #[command(after_long_help = super::help::LOG_VERIFY)]
    Verify,
}

impl Log {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let output = context.output;
        let peer = self.peer_uid.map(|user| rule::user(user, "--peer-uid"));
        let peer = peer.transpose()?;
        let client = context.admin().await?;
        if let Some(Command::Verify) = self.command {
            return verified(&client.verify_audit().await?, output);
        }
        let session = match &self.session_file {
            None => None,
            Some(path) => {
                let text = input::text(input::file(path, output).await?, "the session id")?;
                Some(SessionId::new(text))
            }
        };
        let filter = AuditFilter {
            record: self.name,
            since: self.since,
            uid: peer.map(|user| user.number),
            action: self.action,
            denied: self.denied,
            fingerprint: self.fingerprint,
            session,
            follow: self.follow,
            last: self.last,
        };
        let follow = filter.follow;
        let mut entries = client.audit(filter).await?;
        let writing = async {
            while let Some(entry) = entries.next().await? {
                if output.is_json() {
                    output.json(&entry_json(&entry))?;
                } else {
                    output.data(format!("{}\n", printable(&sentence(&entry))).as_bytes())?;
                }
            }
            Ok(())
        };
        if !follow {
            return writing.await;
        }
        tokio::select! {
            gone = output.reader_gone() => Err(gone),
            result = writing => result,
        }
    }
}

fn verified(report: &AuditReport, output: Output) -> Result<(), Failure> {
    let count = report.findings.len() as u64 + report.more;
    if output.is_json() {
        let findings: Vec<_> = report
            .findings
            .iter()
            .map(|found| json!({"file": found.file, "line": found.line, "problem": found.problem}))
            .collect();
        output.json(&json!({
            "whole": count == 0,
            "files": report.files,
            "lines": report.lines,
            "findings": findings,
            "more": report.more,
        }))?;
    } else {
        for found in &report.findings {
            let text = format!("{}:{}: {}", found.file, found.line, found.problem);
            output.data(format!("{}\n", printable(&text)).as_bytes())?;
        }
        output.done(&format!(
            "checked {} lines in {} files",
            report.lines, report.files
        ));
    }
    if count == 0 {
        return Ok(());
    }
    Err(Failure::Local {
        message: format!("the audit is not whole: {count} findings"),
        hint: Some(
            "keep a copy of the data directory and find out who could write there; journald may have the lines too"
                .to_owned(),
        ),
    })
}

fn fingerprint(text: &str) -> Result<String, String> {
    let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("a fingerprint has 16 hexadecimal digits".to_owned())
    }
}

fn entry_json(entry: &AuditEntry) -> Value {
    json!({
        "seq": entry.seq,
        "time": entry.time.map(rfc3339),
        "action": entry.action,
        "verdict": entry.verdict,
        "count": entry.count,
        "record": entry.record,
        "reason": entry.reason,
        "rule": entry.rule,
        "class": entry.class,
        "flow": entry.flow,
        "generation": entry.generation,
        "fingerprint": entry.fingerprint,
        "uid": entry.uid,
        "gid": entry.gid,
        "pid": entry.pid,
        "unit": entry.unit,
        "exe": entry.exe,
        "note": entry.note,
    })
}

/// Such as `2026-11-21T20:42:44Z get served prod, uid 1000, pid 42, generation 7`.
fn sentence(entry: &AuditEntry) -> String {
    let time = entry.time.map_or_else(|| "-".to_owned(), rfc3339);
    let mut text = format!("{time} {} {}", entry.action, entry.verdict);
    if let Some(record) = &entry.record {
        text.push(' ');
        text.push_str(record);
    }
    if entry.count > 1 {
        text.push_str(&format!(" ({} times)", entry.count));
    }
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    for (label, value) in [
        ("", entry.reason.clone()),
        ("class ", entry.class.clone()),
        ("rule ", entry.rule.clone()),
        ("uid ", number(entry.uid.map(u64::from))),
        ("pid ", entry.pid.map(|pid| pid.to_string())),
        ("unit ", entry.unit.clone()),
        ("exe ", entry.exe.clone()),
        ("flow ", entry.flow.clone()),
        ("generation ", number(entry.generation)),
        ("fingerprint ", entry.fingerprint.clone()),
        ("", entry.note.clone()),
    ] {
        if let Some(value) = value {
            text.push_str(", ");
            text.push_str(label);
            text.push_str(&value);
        }
    }
    text
}
