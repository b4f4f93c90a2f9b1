//! Where `init` and `unlock` take the passphrase from.

use std::path::PathBuf;

use clap::Args;
use sfvault::Passphrase;
use zeroize::Zeroizing;

use super::{failure::Failure, input, output::Output, prompt};

#[derive(Debug, Args)]
pub(crate) struct PassphraseSource {
    /// Read the passphrase from this file or pipe; one line end is taken off
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_fd")]
    passphrase_file: Option<PathBuf>,

    /// Read the passphrase from this inherited descriptor; one line end is taken off
    #[arg(long, value_name = "FD")]
    passphrase_fd: Option<u32>,
}

impl PassphraseSource {
    /// The passphrase of a vault that is there.
    pub(crate) async fn existing(&self, output: Output) -> Result<Passphrase, Failure> {
        match self.given(output).await? {
            Some(passphrase) => checked(passphrase),
            None => checked(prompt::secret("passphrase of the vault", INSTEAD).await?),
        }
    }

    /// The passphrase of a new vault; who types it, types it twice.
    pub(crate) async fn fresh(&self, output: Output) -> Result<Passphrase, Failure> {
        if let Some(passphrase) = self.given(output).await? {
            return checked(passphrase);
        }
        let first = prompt::secret("new passphrase", INSTEAD).await?;
        let second = prompt::secret("the same again", INSTEAD).await?;
        if first != second {
            return Err(Failure::usage(
                "the two passphrases differ",
                "run `sfvault init` again",
            ));
        }
        checked(first)
    }

    async fn given(&self, output: Output) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        match (&self.passphrase_file, self.passphrase_fd) {
            (Some(path), _) => input::file(path, output).await.map(Some),
            (None, Some(number)) => input::descriptor(number).await.map(Some),
            (None, None) => Ok(None),
        }
    }
}

const INSTEAD: &str = "use `--passphrase-file` or `--passphrase-fd`";
/// As the protocol says.
const MAX: usize = 1024;

fn checked(mut passphrase: Zeroizing<Vec<u8>>) -> Result<Passphrase, Failure> {
    if passphrase.is_empty() || passphrase.len() > MAX {
        return Err(Failure::usage(
            format!(
                "the passphrase has {} bytes; 1 to {MAX} are possible",
                passphrase.len()
            ),
            "for a key file that is longer, take its digest",
        ));
    }
    Ok(Passphrase::new(std::mem::take(&mut passphrase)))
}
