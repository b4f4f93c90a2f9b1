//! `sfvault init`: the vault is made.

use clap::Args;
use serde_json::json;

use super::{context::Context, failure::Failure, passphrase::PassphraseSource, spinner};

#[derive(Debug, Args)]
pub(crate) struct Init {
    #[command(flatten)]
    source: PassphraseSource,
}

impl Init {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let passphrase = self.source.fresh(context.output).await?;
        let client = context.admin().await?;
        let work = client.initialize(passphrase);
        let path = spinner::watch(context.output, "making the vault", work).await?;
        let path = path.display().to_string();
        context
            .output
            .done(&format!("made the vault `{path}`; it is unlocked"));
        if context.output.is_json() {
            context.output.json(&json!({ "vault_path": path }))?;
        }
        Ok(())
    }
}
