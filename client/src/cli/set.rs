//! `sfvault set`: new secrets for a record.

use std::time::Duration;

use clap::Args;
use serde_json::json;
use sfvault::{CredentialChange, RecordName};

use super::{
    clock, context::Context, credential::SecretSource, failure::Failure, flow::FlowName,
    instant::for_people, record_view::RecordJson, reminder, token_help,
};

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// The record's name
    #[arg(value_parser = RecordName::parse)]
    name: RecordName,

    /// Remind people to change the credential this long after it was changed, such as `90d`, or `never`; alone it
    /// changes no secret
    #[arg(long, value_name = "SPAN", value_parser = reminder::parse)]
    remind: Option<Duration>,

    /// Open the page where the record's user resets the security token, and say what to know of it
    #[arg(long)]
    open: bool,

    #[command(flatten)]
    source: SecretSource,
}

impl Set {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let output = context.output;
        let client = context.admin().await?;
        let record = client
            .describe(&self.name)
            .await
            .map_err(|error| Failure::call(error, &self.name))?;
        let flow = FlowName::of(record.flow).ok_or_else(|| {
            Failure::usage(
                format!("`{}` has a flow that this sfvault does not know", self.name),
                "install the version of sfvaultd that `sfvault status` tells",
            )
        })?;
        if self.open {
            token_help::show(&record, flow, output)?;
        }
        let only_reminder = self.remind.is_some() && !self.open && !self.source.is_given();
        let mut change = if only_reminder {
            CredentialChange::default()
        } else {
            self.source.changed(flow, &self.name, output).await?
        };
        change.remind_after = self.remind;
        let stored = client
            .set_credential(&self.name, change)
            .await
            .map_err(|error| Failure::call(error, &self.name))?;
        let name = &self.name;
        output.done(&if stored.changed {
            format!("changed `{name}`; `sfvault check {name}` proves that it works")
        } else if only_reminder {
            match stored.record.credential_due_at() {
                Some(due) => format!(
                    "the credential of `{name}` is due for a change {}",
                    for_people(due, clock::now())
                ),
                None => format!("nobody is reminded of `{name}`"),
            }
        } else {
            format!("`{name}` holds these secrets already; nothing changed")
        });
        if output.is_json() {
            output.json(&json!({
                "record": RecordJson::from(&stored.record),
                "changed": stored.changed,
                "warnings": stored.warnings,
            }))?;
        } else {
            stored
                .warnings
                .iter()
                .for_each(|warning| output.warning(warning));
        }
        Ok(())
    }
}
