//! `sfvault completions`: a script that completes commands in a shell.

use clap::Args;
use clap_complete::Shell;

use super::{context::Context, failure::Failure};

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::definition(), "sfvault", &mut script);
        context.output.data(&script)
    }
}
