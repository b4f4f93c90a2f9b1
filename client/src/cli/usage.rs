//! `sfvault usage`: who used a record.

use std::time::SystemTime;

use clap::Args;
use serde_json::json;
use sfvault::RecordName;

use super::{context::Context, failure::Failure, instant::rfc3339, since};

#[derive(Debug, Args)]
pub(crate) struct Usage {
    /// The record's name; one that was removed has its lines still
    #[arg(value_parser = RecordName::parse)]
    name: RecordName,

    /// Only from this time on, such as `2026-11-21T20:42:44Z`, `2026-11-21`, or `2h` for two hours ago
    #[arg(long, value_name = "TIME", value_parser = since::parse)]
    since: Option<SystemTime>,
}

impl Usage {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let output = context.output;
        let usage = context
            .admin()
            .await?
            .usage(&self.name, self.since)
            .await
            .map_err(|error| Failure::call(error, &self.name))?;
        if output.is_json() {
            let users: Vec<_> = usage
                .users
                .iter()
                .map(|user| {
                    json!({
                        "uid": user.uid,
                        "unit": user.unit,
                        "exe": user.exe,
                        "served": user.served,
                        "refused": user.refused,
                        "denied": user.denied,
                        "flow": user.flow,
                        "first": user.first.map(rfc3339),
                        "last": user.last.map(rfc3339),
                    })
                })
                .collect();
            return output.json(&json!({
                "users": users,
                "others": usage.others,
                "logins": usage.logins,
                "failed_logins": usage.failed_logins,
            }));
        }
        if usage.users.is_empty() {
            output.done(&format!("nobody used `{}`", self.name));
            return Ok(());
        }
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let time = |time: Option<SystemTime>| time.map_or_else(|| "-".to_owned(), rfc3339);
        let rows = usage
            .users
            .iter()
            .map(|user| {
                vec![
                    time(user.last),
                    time(user.first),
                    user.served.to_string(),
                    user.refused.to_string(),
                    user.denied.to_string(),
                    text(&user.flow),
                    user.uid
                        .map_or_else(|| "-".to_owned(), |uid| uid.to_string()),
                    text(&user.unit),
                    text(&user.exe),
                ]
            })
            .collect();
        output.table(
            &[
                "LAST", "FIRST", "SERVED", "REFUSED", "DENIED", "FLOW", "UID", "UNIT", "PROGRAM",
            ],
            rows,
        )?;
        if usage.others > 0 {
            output.warning(&format!(
                "{} uses were by more users than these",
                usage.others
            ));
        }
        output.done(&format!(
            "{} logins gave a session, {} gave none",
            usage.logins, usage.failed_logins
        ));
        Ok(())
    }
}
