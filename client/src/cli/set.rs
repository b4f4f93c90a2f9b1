//! `sfvault set`: new secrets for a record.

use clap::Args;
use serde_json::json;
use sfvault::RecordName;

use super::{
    context::Context, credential::SecretSource, failure::Failure, flow::FlowName,
    record_view::RecordJson,
};

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// The record's name
    #[arg(value_parser = RecordName::parse)]
    name: RecordName,

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
        let change = self.source.changed(flow, &self.name, output).await?;
        let stored = client
            .set_credential(&self.name, change)
            .await
            .map_err(|error| Failure::call(error, &self.name))?;
        let name = &self.name;
        output.done(&if stored.changed {
            format!("changed `{name}`; `sfvault check {name}` proves that it works")
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
