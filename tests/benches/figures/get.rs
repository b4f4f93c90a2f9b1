//! `sfvault get` as a whole process against the least client there can be, and against oidc-agent's.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::{
    peers::OidcAccount,
    stage::{Failed, RECORD, Stage},
    stopwatch::{Pairs, time},
    table::{Goal, head, row, skipped},
};

const ROUNDS: usize = 400;
const WARM_UP: usize = 20;
const SFVAULT: &str = "sfvault";
const BARE: &str = "bare-get";

pub(crate) async fn run() -> Result<(), Failed> {
    let programs = Programs::build()?;
    let stage = Stage::with_records(1).await?;
    let socket = stage.socket().display().to_string();
    let ours = || alike(&stage, command(&programs.path(SFVAULT), &["get", RECORD]));
    let bare = || alike(&stage, command(&programs.path(BARE), &[&socket, RECORD]));

    head("`sfvault get` as packaged, a whole process, microseconds");
    let line = |what, reference: &dyn Fn() -> Command, goal| -> Result<(), Failed> {
        let mut pairs = Pairs::default();
        for round in 0..ROUNDS + WARM_UP {
            let (one, other) = (whole(ours())?, whole(reference())?);
            if round >= WARM_UP {
                pairs.add(one, other);
            }
        }
        row(what, pairs.ours(), pairs.reference(), pairs.ratio(), goal);
        Ok(())
    };
    line(
        "clap, tonic, one call, linked alike",
        &bare,
        Goal::AtMost(1.15),
    )?;
    match OidcAccount::start()? {
        Some(account) => line("oidc-token", &|| silent(account.token()), Goal::AtMost(0.8))?,
        None => skipped("oidc-token", "it, python3 or openssl is not installed"),
    }
    stage.simulator.finish()?;
    Ok(())
}

/// Both clients as they are shipped: optimised alike and linked statically. And as they are installed: copied, for the kernel
/// maps what a linker has written in smaller pieces, which costs more page faults.
struct Programs {
    directory: TempDir,
}

impl Programs {
    fn build() -> Result<Self, Failed> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .ok_or("no workspace")?;
        // What cargo tells a bench would make another cargo build everything anew.
        let cargo = env::vars_os().map(|(name, _)| name).filter(|name| {
            let name = name.to_string_lossy();
            ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"]
                .iter()
                .any(|start| name.starts_with(start))
        });
        let mut build = Command::new(workspace.join("packaging/build"));
        build.args(["client", "--quiet", "--example", "bare-get"]);
        for name in cargo {
            build.env_remove(name);
        }
        if !build.status()?.success() {
            return Err("packaging/build failed".into());
        }
        let rustc = Command::new("rustc").arg("-vV").output()?.stdout;
        let host = String::from_utf8(rustc)?
            .lines()
            .find_map(|line| line.strip_prefix("host: ").map(ToOwned::to_owned))
            .ok_or("rustc names no host")?;
        // .../target/release/deps/figures-….
        let own = env::current_exe()?;
        let target = own.ancestors().nth(3).ok_or("no target directory")?;
        let built = target.join(host).join("release");
        let directory = TempDir::with_prefix("sfv-get-")?;
        for (program, name) in [("sfvault", SFVAULT), ("examples/bare-get", BARE)] {
            fs::copy(built.join(program), directory.path().join(name))?;
        }
        Ok(Self { directory })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

fn command(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    silent(command)
}

fn silent(mut command: Command) -> Command {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Both get the same few variables: what the standard library does to put together another environment than its own
/// would count as the program's.
fn alike(stage: &Stage, mut command: Command) -> Command {
    command.env_clear();
    stage.sfvault.environment(command)
}

/// Microseconds from before it starts until it has ended.
fn whole(mut command: Command) -> Result<f64, Failed> {
    let (took, status) = time(|| command.status());
    if status?.success() {
        Ok(took.as_secs_f64() * 1e6)
    } else {
        Err(format!("{:?} failed", command.get_program()).into())
    }
}
