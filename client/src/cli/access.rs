//! `sfvault access`: who may use a record.

use clap::Args;
use serde_json::json;
use sfvault::RecordName;

use super::{
    context::Context,
    failure::Failure,
    rule::{names, options, rules_json},
};

#[derive(Debug, Args)]
pub(crate) struct Access {
    /// The record's name
    #[arg(value_parser = RecordName::parse)]
    name: RecordName,
}

impl Access {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let (name, output) = (&self.name, context.output);
        let client = context.admin().await?;
        let access = client
            .access(name)
            .await
            .map_err(|error| Failure::call(error, name))?;
        if output.is_json() {
            return output.json(&json!({
                "record": name.as_str(),
                "rules": rules_json(&access.rules),
                "default": access.is_default,
            }));
        }
        if access.rules.is_empty() {
            output.done(&format!(
                "nobody may use `{name}`; `sfvault allow` lets somebody in"
            ));
            return Ok(());
        }
        let rows = access
            .rules
            .iter()
            .map(|rule| vec![options(rule), names(rule)])
            .collect();
        output.table(&["RULE", "NAMES"], rows)?;
        if access.is_default {
            output.done("no operator said anything yet: this is what user mode gives");
        }
        Ok(())
    }
}
