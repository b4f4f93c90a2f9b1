//! `sfvault allow`: a rule more for who may use a record.

use clap::Args;
use serde_json::json;
use sfvault::RecordName;

use super::{
    context::Context,
    failure::Failure,
    rule::{RuleArgs, options, rules_json},
};

#[derive(Debug, Args)]
pub(crate) struct Allow {
    /// The record's name
    #[arg(value_parser = RecordName::parse)]
    name: RecordName,

    #[command(flatten)]
    rule: RuleArgs,
}

impl Allow {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let (name, output) = (&self.name, context.output);
        if self.rule.is_empty() {
            return Err(Failure::usage(
                "a rule has to name somebody",
                "give `--uid`, `--gid` or `--unit`",
            ));
        }
        let rule = self.rule.rule()?;
        let client = context.admin().await?;
        let change = client
            .allow(name, &rule)
            .await
            .map_err(|error| Failure::call(error, name))?;
        let rule = options(&rule);
        output.done(&if change.changed {
            format!("allowed `{name}` to {rule}")
        } else {
            format!("`{name}` has this rule already; nothing changed")
        });
        if output.is_json() {
            return output.json(&json!({
                "record": name.as_str(),
                "rules": rules_json(&change.rules),
                "changed": change.changed,
                "warnings": change.warnings,
            }));
        }
        change
            .warnings
            .iter()
            .for_each(|warning| output.warning(warning));
        Ok(())
    }
}
