//! `sfvault list`: the records that this user may use.

use clap::Args;
use serde_json::json;

use super::{
    clock,
    context::Context,
    failure::Failure,
    record_view::{HEAD, records_json, row},
};

#[derive(Debug, Args)]
pub(crate) struct List {}

impl List {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let records = context.sessions().await?.records().await?;
        if context.output.is_json() {
            return context
                .output
                .json(&json!({ "records": records_json(&records) }));
        }
        if records.is_empty() {
            context
                .output
                .done("there are no records that this user may use");
            return Ok(());
        }
        let now = clock::now();
        let rows = records.iter().map(|record| row(record, now)).collect();
        context.output.table(&HEAD, rows)
    }
}
