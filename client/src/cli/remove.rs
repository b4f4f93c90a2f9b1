//! `sfvault remove`: a record goes.

use clap::Args;
use serde_json::json;
use sfvault::RecordName;

use super::{context::Context, failure::Failure, prompt};

#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The record's name
    #[arg(value_parser = RecordName::parse)]
    name: RecordName,

    /// Do not ask
    #[arg(long)]
    yes: bool,

    /// Also a generated password that awaits its security token: nobody knows it afterwards
    #[arg(long)]
    with_generated_password: bool,
}

impl Remove {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let name = &self.name;
        let question = format!("remove `{name}` with its secrets?");
        if !self.yes && !prompt::confirm(&question, "say `--yes`").await? {
            return Err(Failure::local(format!("`{name}` was not removed")));
        }
        let client = context.admin().await?;
        let removed = match self.with_generated_password {
            true => client.remove_with_generated_password(name).await,
            false => client.remove(name).await,
        };
        removed.map_err(|error| Failure::call(error, name))?;
        context.output.done(&format!(
            "removed `{name}`; a session that it had at Salesforce goes on until it expires"
        ));
        if context.output.is_json() {
            context.output.json(&json!({ "removed": name.as_str() }))?;
        }
        Ok(())
    }
}
