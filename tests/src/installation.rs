//! sfvault as a user has it: the real programs, directories of their own, and a configuration that knows a simulator.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::{
        fs::{OpenOptionsExt as _, PermissionsExt as _, chown},
        net::UnixDatagram,
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{binaries::Binaries, simulator::Simulator};

/// A cold debug build of the daemon opens its vault in milliseconds; a loaded machine needs some patience.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// One installation. Its daemon dies with it.
#[derive(Debug)]
pub struct Installation {
    directory: TempDir,
    binaries: &'static Binaries,
    daemon: Option<Child>,
    owner: Option<u32>,
}

impl Installation {
    /// Directories and a configuration for this simulator; nothing runs yet.
    ///
    /// # Errors
    /// If the programs can't be built or the directories not be made.
    pub fn new(simulator: &Simulator) -> io::Result<Self> {
        let installation = Self::without_config()?;
        let hosts = [simulator.login_url(), simulator.instance_url()];
        // Its own copy, which whoever owns the installation can read.
        let ca_file = installation.path("config/ca.pem");
        fs::copy(simulator.ca_file(), &ca_file)?;
        installation.configure(&format!(
            "[salesforce]\nallowed_hosts = {hosts:?}\nca_file = {:?}\nproxy = \"none\"\n\n\
             [vault]\nkdf_memory_mib = 8\nkdf_iterations = 1\n",
            ca_file
        ))?;
        Ok(installation)
    }

    /// Directories only.
    ///
    /// # Errors
    /// If the programs can't be built or the directories not be made.
    pub fn without_config() -> io::Result<Self> {
        let binaries = Binaries::build()?;
        // A short path: socket addresses hold 107 bytes.
        let directory = TempDir::with_prefix("sfv-")?;
        for name in ["config", "data", "run"] {
            fs::DirBuilder::new().create(directory.path().join(name))?;
            let private = fs::Permissions::from_mode(0o700);
            fs::set_permissions(directory.path().join(name), private)?;
        }
        Ok(Self {
            directory,
            binaries,
            daemon: None,
            owner: None,
        })
    }

    /// Gives all there is so far to another user, as whom the programs run from now on. Only root can.
    ///
    /// # Errors
    /// If something can't be given away.
    pub fn give_to(&mut self, uid: u32) -> io::Result<()> {
        self.owner = Some(uid);
        self.hand_over(self.directory.path())
    }

    /// Writes `config.toml`.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn configure(&self, text: &str) -> io::Result<()> {
        fs::write(self.path("config/config.toml"), text)
    }

    /// A path inside.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file with a secret for `--…-file` and returns its path.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn secret_file(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.path(name);
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)?;
        writeln!(file, "{text}")?;
        self.hand_over(&path)?;
        Ok(path)
    }

    /// Starts the daemon and waits until it says that it is ready.
    ///
    /// # Errors
    /// If it does not get ready; the message holds its log.
    pub fn start(&mut self) -> io::Result<()> {
        self.start_in(&[])
    }

    /// The same with these environment variables, and no proxy of the machine's own.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_in(&mut self, variables: &[(&str, &str)]) -> io::Result<()> {
        let mut command = self.sfvaultd();
        for name in ["HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command.envs(variables.iter().copied());
        self.start_as(command)
    }

    /// The same through a shell that first does this, such as lowering a limit.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_after(&mut self, preparation: &str) -> io::Result<()> {
        let mut shell = self.environment(Command::new("/bin/sh"));
        shell
            .args(["-c", &format!("{preparation} && exec \"$0\"")])
            .arg(&self.binaries.sfvaultd)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        self.start_as(shell)
    }

    /// The same with a command of the caller's making, which ends up as the daemon.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_as(&mut self, mut command: Command) -> io::Result<()> {
        let ready = self.path("ready");
        let _ = fs::remove_file(&ready);
        let listener = UnixDatagram::bind(&ready)?;
        // Whoever the daemon runs as; the directory is private enough.
        fs::set_permissions(&ready, fs::Permissions::from_mode(0o666))?;
        self.hand_over(&ready)?;
        command.env("NOTIFY_SOCKET", &ready).stderr(self.log()?);
        let mut child = command.spawn()?;
        let mut word = [0; 64];
        // A daemon that fails ends, and nobody writes: so look at it now and then.
        listener.set_read_timeout(Some(Duration::from_millis(50)))?;
        let mut looks = READY_WITHIN.as_millis() / 50;
        while listener.recv(&mut word).is_err() {
            looks = looks.saturating_sub(1);
            if child.try_wait()?.is_some() || looks == 0 {
                let _ = child.kill();
                let _ = child.wait();
                return Err(io::Error::other(format!(
                    "sfvaultd did not get ready:\n{}",
                    self.daemon_log()
                )));
            }
        }
        self.daemon = Some(child);
        Ok(())
    }

    /// The daemon's process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.daemon.as_ref().map(Child::id)
    }

    /// Kills the daemon: no goodbye, as in a crash.
    ///
    /// # Errors
    /// If it can't be killed.
    pub fn kill(&mut self) -> io::Result<()> {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill()?;
            daemon.wait()?;
        }
        Ok(())
    }

    /// Asks the daemon to end and waits for it.
    ///
    /// # Errors
    /// If there is none, or it can't be asked.
    pub fn stop(&mut self) -> io::Result<ExitStatus> {
        self.end(Signal::TERM)
    }

    /// Sends the daemon a signal that ends it, and waits for that.
    ///
    /// # Errors
    /// If there is none, or it can't be sent one.
    pub fn end(&mut self, signal: Signal) -> io::Result<ExitStatus> {
        let mut daemon = self
            .daemon
            .take()
            .ok_or_else(|| io::Error::other("no daemon runs"))?;
        let pid = i32::try_from(daemon.id()).ok().and_then(Pid::from_raw);
        kill_process(
            pid.ok_or_else(|| io::Error::other("no process id"))?,
            signal,
        )?;
        daemon.wait()
    }

    /// What the daemons of this installation have logged.
    #[must_use]
    pub fn daemon_log(&self) -> String {
        fs::read_to_string(self.path("daemon.log")).unwrap_or_default()
    }

    /// The daemon of this installation as a command, for tests that start it in a way of their own.
    #[must_use]
    pub fn sfvaultd(&self) -> Command {
        let mut command = self.environment(Command::new(&self.binaries.sfvaultd));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// A `sfvault` command of this installation.
    #[must_use]
    pub fn sfvault<A: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = self.environment(Command::new(&self.binaries.sfvault));
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs `sfvault`.
    ///
    /// # Errors
    /// If it can't be run.
    pub fn run(&self, arguments: &[&str]) -> io::Result<Output> {
        self.sfvault(arguments).output()
    }

    /// The same programs elsewhere: what a command needs to be of this installation.
    #[must_use]
    pub fn environment(&self, mut command: Command) -> Command {
        for (variable, name) in [
            ("SFVAULT_CONFIG_DIR", "config"),
            ("SFVAULT_DATA_DIR", "data"),
            ("SFVAULT_RUNTIME_DIR", "run"),
        ] {
            command.env(variable, self.path(name));
        }
        command.env_remove("RUST_LOG").env_remove("RUST_BACKTRACE");
        if let Some(uid) = self.owner {
            command.uid(uid).gid(uid);
        }
        command
    }

    /// Where everything is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// To the owner, if that is another user; with all that is in it.
    fn hand_over(&self, path: &Path) -> io::Result<()> {
        let Some(uid) = self.owner else {
            return Ok(());
        };
        chown(path, Some(uid), Some(uid))?;
        if path.is_dir() {
            for entry in fs::read_dir(path)? {
                self.hand_over(&entry?.path())?;
            }
        }
        Ok(())
    }

    fn log(&self) -> io::Result<File> {
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.path("daemon.log"))
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
