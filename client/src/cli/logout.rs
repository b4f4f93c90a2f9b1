//! `sfvault logout`: a session ends for all who share it.

use clap::Args;
use serde_json::json;
use sfvault::{Holder, RecordName};

use super::{context::Context, failure::Failure, instant::rfc3339, prompt};

#[derive(Debug, Args)]
pub(crate) struct Logout {
    /// The record's name
    #[arg(value_parser = RecordName::parse)]
    name: RecordName,

    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Logout {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let (name, output) = (&self.name, context.output);
        if output.is_json() && !self.yes {
            return Err(Failure::usage(
                "with `--json` nobody is shown who would be cut off, so nobody can be asked",
                "say `--yes`",
            ));
        }
        let failed = |error| Failure::call(error, name);
        let client = context.admin().await?;
        let holders = client.holders(name).await.map_err(failed)?;
        let has_session = holders.is_some();
        let holders = holders.unwrap_or_default();
        if has_session {
            output.done(&format!(
                "who may be cut off, besides others that were given the session: {}",
                if holders.is_empty() {
                    "nobody known"
                } else {
                    ""
                }
            ));
            for holder in &holders {
                output.done(&format!("  {}", words(holder)));
            }
            let question = format!("end the session of `{name}` for all of them?");
            if !self.yes && !prompt::confirm(&question, "say `--yes`").await? {
                return Err(Failure::local(format!("the session of `{name}` goes on")));
            }
        }
        let ended = has_session && client.end_session(name).await.map_err(failed)?;
        output.done(&if ended {
            format!("ended the session of `{name}`")
        } else {
            format!("sfvaultd has no session of `{name}`")
        });
        if output.is_json() {
            let holders: Vec<_> = holders
                .iter()
                .map(|holder| {
                    json!({
                        "uid": holder.uid,
                        "pid": holder.pid,
                        "watching": holder.watching,
                        "until_exit": holder.until_exit,
                        "at": holder.at.map(rfc3339),
                    })
                })
                .collect();
            output.json(&json!({ "record": name.as_str(), "ended": ended, "holders": holders }))?;
        }
        Ok(())
    }
}

fn words(holder: &Holder) -> String {
    let process = holder
        .pid
        .map_or_else(|| "a process".to_owned(), |pid| format!("process {pid}"));
    let does = if holder.watching {
        "has watched it since"
    } else if holder.until_exit {
        "holds it until it exits, since"
    } else {
        "took it at"
    };
    let at = holder.at.map(rfc3339).unwrap_or_default();
    format!("{process} of uid {}: {does} {at}", holder.uid)
}
