//! `sfvault check`: does a record work?

use clap::Args;
use serde_json::json;
use sfvault::RecordName;

use super::{
    clock,
    context::Context,
    failure::Failure,
    record_view::{RecordJson, fields},
    spinner,
};

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The record's name
    #[arg(value_parser = RecordName::parse)]
    name: RecordName,

    /// Lift what keeps the record from logging in first, and log in once more with the same secrets
    #[arg(long)]
    release: bool,
}

impl Check {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let output = context.output;
        let client = context.admin().await?;
        let work = client.check(&self.name, self.release);
        let checked = spinner::watch(output, "asking Salesforce", work)
            .await
            .map_err(|error| Failure::call(error, &self.name))?;
        if output.is_json() {
            return output.json(&json!({
                "record": RecordJson::from(&checked.record),
                "instance_url": checked.instance_url,
                "logged_in": checked.logged_in,
            }));
        }
        let how = if checked.logged_in {
            "yes, with a new login"
        } else {
            "yes, with the session at hand"
        };
        let mut lines = vec![
            ("works", how.to_owned()),
            ("instance URL", checked.instance_url),
        ];
        lines.extend(fields(&checked.record, clock::now()));
        output.fields(&lines)
    }
}
