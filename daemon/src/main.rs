//! `sfvaultd`: parses nothing but `--help` and `--version`, hardens itself, and serves.

use std::{
    alloc::System,
    env,
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
};

use rustix::process::Signal;
use sfvaultd::{
    clock::SystemClock,
    config::Config,
    daemon::{Daemon, Setup},
    descriptors,
    harden::{Protection, censor_panics, confine, harden, needs::Needs},
    log,
    mode::Mode,
    paths::Paths,
    policy::gid_of,
    salesforce::{SalesforceLogin, environment::Environment},
    systemd,
    witness::{self, Sight, Witness, testify},
};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};
use zeroizing_alloc::ZeroAlloc;

/// Wipes what is freed: the only way to reach the buffers of HTTP, TLS and gRPC, which hold secrets in passing.
#[global_allocator]
static HEAP: ZeroAlloc<System> = ZeroAlloc(System);

const HELP: &str = "\
sfvaultd keeps sealed Salesforce logins and gives short-lived sessions to local jobs.

Usage: sfvaultd [--help | --version]

It runs in the foreground, logs to stderr, and ends on SIGTERM or SIGINT. `sfvault` starts
it when it is not running; `sfvault help` tells the rest.

Environment:
  SFVAULT_MODE         user or system: whom it serves, and where these are (default: user)
  SFVAULT_CONFIG_DIR   holds config.toml        (default: ~/.config/sfvault)
  SFVAULT_DATA_DIR     holds vault.redb         (default: ~/.local/share/sfvault)
  SFVAULT_RUNTIME_DIR  holds the two sockets    (default: $XDG_RUNTIME_DIR/sfvault)
  RUST_LOG             what is logged           (default: info)

Exit status: 0 ended by a signal, 1 could not start, 2 wrong usage, 3 serves no more
though nobody ended it, 4 could not start because another sfvaultd runs.
";

/// Slow name servers may hold half of these for seconds; the disk needs one, a key derivation another.
const MOST_THREADS: usize = 16;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    match (arguments.next(), arguments.next()) {
        (None, _) => match run() {
            Ok(true) => ExitCode::SUCCESS,
            // A service manager must see that this was no orderly end, and that another start may mend it.
            Ok(false) => complain("the services ended by themselves", 3),
            Err(NotStarted { problem, status }) => complain(&problem, status),
        },
        (Some(argument), None) if argument == "--help" || argument == "-h" => print(HELP),
        (Some(argument), None) if argument == "--version" || argument == "-V" => {
            print(concat!("sfvaultd ", env!("CARGO_PKG_VERSION"), "\n"))
        }
        (Some(argument), None) if argument == witness::ARGUMENT && testify().is_ok() => {
            ExitCode::SUCCESS
        }
        (Some(_), _) => complain(
            "unexpected argument\nhint: sfvaultd takes none; see `sfvaultd --help`",
            2,
        ),
    }
}

/// Why nothing was served.
struct NotStarted {
    problem: String,
    status: u8,
}

impl From<String> for NotStarted {
    fn from(problem: String) -> Self {
        Self { problem, status: 1 }
    }
}

/// Where several clients start a daemon at once, all but one of them end so; the clients wait for the one that is left.
const ANOTHER_RUNS: u8 = 4;

/// Whether it ended because it was told to.
fn run() -> Result<bool, NotStarted> {
    let descriptors = descriptors::close_inherited();
    let text = |error: &dyn std::error::Error| error.to_string();
    let paths = Paths::from_environment().map_err(|error| text(&error))?;
    let mode = Mode::from_environment(&paths.runtime)?;
    let config = Config::load(&paths.config_file()).map_err(|error| text(&error))?;
    log::start();
    censor_panics();
    let mut protections = harden();
    protections.push(descriptors);
    let raised = descriptors::raise();
    let activated = systemd::activated().map_err(|error| text(&error))?;
    let environment = Environment::read();
    let mut warnings = Vec::new();
    let admin_group = match (mode, config.admin_group) {
        (Mode::System, Some(group)) => Some(gid_of(&group)?),
        (Mode::User, Some(_)) => {
            warnings.push("`group` under `[admin]` counts in system mode only".to_owned());
            None
        }
        (Mode::System | Mode::User, None) => None,
    };
    // Landlock's rules need the directories to be there, and one thread, as there is before the runtime. The vault is
    // opened behind them.
    paths.prepare(mode).map_err(|error| text(&error))?;
    let needs = Needs::of(&paths, &config.salesforce, &environment);
    let witness = config.hardening.landlock.then(Witness::start);
    let confined = confine(config.hardening, &needs);
    let (sight, told) = Sight::of(witness, &confined);
    protections.extend(confined.into_iter().chain(told));
    let refused = protections.iter().filter_map(Protection::warning);
    warnings.extend(refused.map(str::to_owned).chain(raised));
    for warning in &warnings {
        warn!("{warning}");
    }
    let setup = Setup {
        paths,
        mode,
        admin_group,
        clock: Arc::new(SystemClock),
        login: Arc::new(SalesforceLogin::new(
            config.salesforce,
            environment,
            Arc::new(SystemClock),
        )),
        kdf: config.kdf,
        token_upkeep: config.token_upkeep,
        retirements: config.retirements,
        login_share_percent: config.login_share_percent,
        hold_after_get: config.hold_after_get,
        api_version: config.api_version,
        warnings,
        audit: config.audit,
        protections,
        sight,
        activated,
    };
    // One thread serves: a cached session costs microseconds, and what is slow (disk, key derivation) has threads of its
    // own that end when idle.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(MOST_THREADS)
        .build()
        .map_err(|error| text(&error))?;
    runtime.block_on(async {
        let shutdown = shutdown_signal().map_err(|error| text(&error))?;
        let daemon = Daemon::start(setup).map_err(|error| NotStarted {
            problem: match error.hint() {
                Some(hint) => format!("{error}\nhint: {hint}"),
                None => error.to_string(),
            },
            status: if error.is_another() { ANOTHER_RUNS } else { 1 },
        })?;
        info!(version = env!("CARGO_PKG_VERSION"), "ready");
        systemd::notify_ready()
            .unwrap_or_else(|error| warn!(%error, "systemd can't be told that sfvaultd is ready"));
        Ok(daemon.serve(shutdown).await)
    })
}

/// Ends on SIGTERM or SIGINT. SIGHUP, which a closed terminal sends, is not for a daemon; and past a limit on file sizes
/// one write shall fail, not the daemon die of SIGXFSZ.
fn shutdown_signal() -> io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let mut hangup = signal(SignalKind::hangup())?;
    let mut file_size = signal(SignalKind::from_raw(Signal::XFSZ.as_raw()))?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = interrupt.recv() => return,
                _ = hangup.recv() => {}
                _ = file_size.recv() => {}
            }
        }
    })
}

fn print(text: &str) -> ExitCode {
    // A reader that went away is no failure of ours.
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn complain(problem: &str, status: u8) -> ExitCode {
    let _ = io::stderr().write_all(log::last_words(problem).as_bytes());
    ExitCode::from(status)
}
