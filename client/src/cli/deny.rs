//! `sfvault deny`: a rule less for who may use a record.

use clap::Args;
use serde_json::json;
use sfvault::RecordName;

use super::{
    context::Context,
    failure::Failure,
    rule::{RuleArgs, rules_json},
};

#[derive(Debug, Args)]
pub(crate) struct Deny {
    /// The record's name
    #[arg(value_parser = RecordName::parse)]
    name: RecordName,

    #[command(flatten)]
    rule: RuleArgs,

    /// Remove all rules: nobody may use the record
    #[arg(long, conflicts_with_all = ["uid", "gid", "unit", "user_unit", "exe"])]
    all: bool,
}

impl Deny {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let (name, output) = (&self.name, context.output);
        let rule = match (self.all, self.rule.is_empty()) {
            (true, _) => None,
            (false, false) => Some(self.rule.rule()?),
            (false, true) => {
                return Err(Failure::usage(
                    "which rule?",
                    format!(
                        "`sfvault access {name}` shows the rules; give one as it is there, or `--all`"
                    ),
                ));
            }
        };
        let client = context.admin().await?;
        let change = client
            .deny(name, rule.as_ref())
            .await
            .map_err(|error| Failure::call(error, name))?;
        output.done(&match (change.changed, change.rules.len()) {
            (false, _) => format!("`{name}` has no rules; nothing changed"),
            (true, 0) => format!("nobody may use `{name}` now"),
            (true, 1) => format!("removed the rule; `{name}` has one more"),
            (true, left) => format!("removed the rule; `{name}` has {left} more"),
        });
        if output.is_json() {
            output.json(&json!({
                "record": name.as_str(),
                "rules": rules_json(&change.rules),
                "changed": change.changed,
            }))?;
        }
        Ok(())
    }
}
