//! `sfvault show`: one record.

use clap::Args;
use sfvault::RecordName;

use super::{
    clock,
    context::Context,
    failure::Failure,
    record_view::{RecordJson, fields},
};

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The record's name
    #[arg(value_parser = RecordName::parse)]
    name: RecordName,
}

impl Show {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.admin().await?;
        let record = client
            .describe(&self.name)
            .await
            .map_err(|error| Failure::call(error, &self.name))?;
        if context.output.is_json() {
            context.output.json(&RecordJson::from(&record))
        } else {
            context.output.fields(&fields(&record, clock::now()))
        }
    }
}
