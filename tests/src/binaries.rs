//! The real `sfvaultd` and `sfvault`, built.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// Where the two programs are.
#[derive(Debug, Clone)]
pub struct Binaries {
    pub sfvaultd: PathBuf,
    pub sfvault: PathBuf,
}

impl Binaries {
    /// Has cargo bring both up to date, once per process, in the profile of the program that runs.
    ///
    /// # Errors
    /// If cargo can't build them.
    pub fn build() -> io::Result<&'static Self> {
        static BUILT: OnceLock<Result<Binaries, String>> = OnceLock::new();
        BUILT
            .get_or_init(|| build().map_err(|error| error.to_string()))
            .as_ref()
            .map_err(|error| io::Error::other(error.as_str()))
    }
}

fn build() -> io::Result<Binaries> {
    // .../target/PROFILE/sfvault-demo, or .../target/PROFILE/deps/it-….
    let own = env::current_exe()?;
    let directory = own
        .ancestors()
        .skip(1)
        .find(|path| path.file_name().is_some_and(|name| name != "deps"))
        .ok_or_else(|| io::Error::other("this program lies outside a target directory"))?;
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."));
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // The whole workspace, for with the same features the dependencies are those already built.
    // What cargo tells the program that it runs is not for another cargo: ring's build script, for one, would run again
    // and everything above it be built anew.
    for (name, _) in env::vars_os() {
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"]
            .iter()
            .any(|own| name.to_string_lossy().starts_with(own))
        {
            cargo.env_remove(name);
        }
    }
    cargo
        .current_dir(workspace)
        .args(["build", "--quiet", "--workspace", "--bins"]);
    if directory.file_name().is_some_and(|name| name == "release") {
        cargo.arg("--release");
    }
    if !cargo.status()?.success() {
        return Err(io::Error::other(
            "cargo could not build sfvaultd and sfvault",
        ));
    }
    Ok(Binaries {
        sfvaultd: directory.join("sfvaultd"),
        sfvault: directory.join("sfvault"),
    })
}
