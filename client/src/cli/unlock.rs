//! `sfvault unlock`: secrets can be had.

use clap::Args;
use serde_json::json;

use super::{context::Context, failure::Failure, passphrase::PassphraseSource, spinner};

#[derive(Debug, Args)]
pub(crate) struct Unlock {
    #[command(flatten)]
    source: PassphraseSource,
}

impl Unlock {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let passphrase = self.source.existing(context.output).await?;
        let client = context.admin().await?;
        let work = client.unlock(passphrase);
        let unlocked = spinner::watch(context.output, "unlocking the vault", work).await?;
        let what = if unlocked.changed {
            "unlocked"
        } else {
            "was unlocked already"
        };
        context.output.done(&format!(
            "the vault is open ({what}); records: {}",
            unlocked.records
        ));
        if context.output.is_json() {
            context
                .output
                .json(&json!({ "records": unlocked.records, "changed": unlocked.changed }))?;
        }
        Ok(())
    }
}
