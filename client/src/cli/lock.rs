//! `sfvault lock`: secrets leave the daemon's memory.

use clap::Args;
use serde_json::json;
use sfvault::AdminClient;

use super::{context::Context, failure::Failure};

#[derive(Debug, Args)]
pub(crate) struct Lock {}

impl Lock {
    /// Starts no daemon: a vault that nobody serves is locked.
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = AdminClient::connect(&context.places()?).await?;
        let locked = client.lock().await?;
        context.output.done(&if locked.changed {
            format!(
                "locked the vault; sessions dropped here, which go on at Salesforce: {}",
                locked.sessions_dropped
            )
        } else {
            "the vault was locked already".to_owned()
        });
        if context.output.is_json() {
            context.output.json(&json!({
                "changed": locked.changed,
                "sessions_dropped": locked.sessions_dropped,
            }))?;
        }
        Ok(())
    }
}
