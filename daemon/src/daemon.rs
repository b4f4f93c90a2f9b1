//! The daemon as a whole: started in an order in which each step is a reason to stop, served, and ended.

use std::{fmt, io, sync::Arc, time::Duration};

use tokio::{sync::watch, time::timeout};
use tracing::{error, info};

use crate::{
    accept::{Activated, Sockets, channels},
    api::{About, House, serve_admin, serve_sessions},
    audit::{Audit, settings::Settings as AuditSettings},
    clock::Clock,
    descriptors::room,
    harden::Protection,
    listen::{InstanceLock, ListenError},
    mode::Mode,
    paths::{PathError, Paths, own_uid},
    policy::Policy,
    retirement::Retirements,
    salesforce::Login,
    store::{KdfCost, StoreError},
    token_upkeep::TokenUpkeep,
    vault::{Parts, Vault},
    witness::Sight,
};

/// How long calls under way may take to end once the daemon is told to.
const LAST_CALLS: Duration = Duration::from_secs(5);
/// How long a login under way may take to end; its result is worth more than a quick exit, for without it the login
/// counts as failed. Shorter than systemd's patience of 90 s.
const LAST_LOGINS: Duration = Duration::from_secs(70);

/// What a daemon is made of.
#[derive(Debug)]
pub struct Setup {
    pub paths: Paths,
    /// Whom it serves.
    pub mode: Mode,
    /// Whose members may administer it besides its own user and root; only in system mode.
    pub admin_group: Option<u32>,
    pub clock: Arc<dyn Clock>,
    pub login: Arc<dyn Login>,
    /// What a passphrase slot of a new vault costs to open.
    pub kdf: KdfCost,
    pub token_upkeep: TokenUpkeep,
    /// What Salesforce is taking away.
    pub retirements: Retirements,
    /// See [`Parts::login_share_percent`].
    pub login_share_percent: u32,
    /// For how long after a GetSession its session is held.
    pub hold_after_get: Duration,
    /// The API version that jobs are told to use.
    pub api_version: String,
    /// What could not be hardened, in words.
    pub warnings: Vec<String>,
    /// How the audit is kept.
    pub audit: AuditSettings,
    /// What was hardened, and what not.
    pub protections: Vec<Protection>,
    /// How other processes are seen.
    pub sight: Sight,
    pub activated: Activated,
}

/// A daemon that is ready to serve.
#[derive(Debug)]
pub struct Daemon {
    sockets: Sockets,
    vault: Arc<Vault>,
    about: About,
    house: Arc<House>,
}

/// Why a daemon did not start.
#[derive(Debug)]
pub enum StartError {
    Listen(ListenError),
    Path(PathError),
    Store(StoreError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(error) => error.fmt(f),
            Self::Path(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl StartError {
    /// Whether another daemon has the runtime directory.
    #[must_use]
    pub fn is_another(&self) -> bool {
        matches!(self, Self::Listen(ListenError::Running { .. }))
    }

    /// What to do, in one line, where the message does not say it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Listen(ListenError::Running { .. }) => Some(
                "one daemon serves all clients of its user; `sfvault status` tells its pid: end it first if systemd shall start it",
            ),
            Self::Listen(
                ListenError::Group { .. }
                | ListenError::Io { .. }
                | ListenError::Occupied { .. }
                | ListenError::TooLong { .. },
            )
            | Self::Path(_) => None,
            Self::Store(error) => Some(error.hint()),
        }
    }
}

impl Daemon {
    /// Checks the directories, takes the instance lock, opens the vault file, binds the sockets, in this order. Needs a
    /// tokio runtime.
    ///
    /// # Errors
    /// The first step that fails.
    pub fn start(setup: Setup) -> Result<Self, StartError> {
        let Setup {
            paths,
            mode,
            admin_group,
            clock,
            login,
            kdf,
            token_upkeep,
            retirements,
            login_share_percent,
            hold_after_get,
            api_version,
            warnings,
            audit,
            protections,
            sight,
            activated,
        } = setup;
        paths.prepare(mode).map_err(StartError::Path)?;
        let lock = InstanceLock::take(&paths.runtime).map_err(StartError::Listen)?;
        let audit = Audit::open(&paths.data, audit, Arc::clone(&clock));
        let about = About {
            started_at: clock.now(),
            warnings,
            protections: protections.into(),
            sight: sight.clone(),
            api_version: api_version.into(),
            audit: audit.clone(),
            paths: Arc::new(paths.clone()),
        };
        let parts = Parts {
            clock,
            login,
            kdf,
            token_upkeep,
            audit,
            retirements: Arc::new(retirements),
            login_share_percent,
            hold_after_get,
        };
        let vault = Vault::open(&paths.vault(), parts).map_err(StartError::Store)?;
        let sockets = Sockets::bind(&paths.runtime, lock, activated, mode, admin_group)
            .map_err(StartError::Listen)?;
        let house = Arc::new(House::new(
            Policy::new(mode, own_uid()).with_sight(sight),
            admin_group,
            room(),
        ));
        Ok(Self {
            sockets,
            vault,
            about,
            house,
        })
    }

    /// Serves until `shutdown` ends, then answers what was asked, waits for logins under way, and removes the sockets.
    /// Returns whether it ended because it was told to.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> bool {
        let Self {
            sockets,
            vault,
            about,
            house,
        } = self;
        let (audit, writer) = (about.audit.clone(), about.audit.clone());
        let (to_sessions, sessions) = channels();
        let (to_admin, admin) = channels();
        let (stop, stopped) = watch::channel(false);
        let until_stopped = || {
            let mut stopped = stopped.clone();
            // The sender outlives the services, so an error can't end the wait.
            async move { drop(stopped.wait_for(|stop| *stop).await) }
        };
        // Half a daemon would be taken for a whole one: whichever service ends, the other does.
        let stop = &stop;
        let ended = |name: &'static str, result: io::Result<()>| {
            if let Err(failed) = result {
                error!(%failed, "{name} ended");
            }
            stop.send_replace(true);
        };
        let mut services = Box::pin(async {
            tokio::join!(
                async {
                    let (vault, about) = (Arc::clone(&vault), about.clone());
                    let house = Arc::clone(&house);
                    let served = serve_sessions(vault, about, house, sessions, until_stopped());
                    ended("sfvault.sock", served.await);
                },
                async {
                    let (vault, about) = (Arc::clone(&vault), about.clone());
                    let house = Arc::clone(&house);
                    let served = serve_admin(vault, about, house, admin, until_stopped());
                    ended("admin.sock", served.await);
                },
            );
        });
        let watched = Arc::clone(&vault);
        let (one_ended, all_stopped) = (until_stopped(), until_stopped());
        let served = async move {
            let (as_told, all_ended) = tokio::select! {
                () = &mut services => (false, true),
                () = one_ended => (false, false),
                () = shutdown => (true, false),
            };
            if as_told {
                info!("ending");
            } else {
                error!("the services ended by themselves");
            }
            stop.send_replace(true);
            watched.end_watches();
            audit.end_readers();
            if !all_ended && timeout(LAST_CALLS, &mut services).await.is_err() {
                info!("calls were cut off");
            }
            as_told
        };
        let served =
            async { tokio::join!(served, sockets.serve(to_sessions, to_admin, all_stopped)).0 };
        let working = async {
            let as_told = tokio::select! {
                as_told = served => as_told,
                never = vault.keep_tokens_alive() => match never {},
            };
            if !vault.settle(LAST_LOGINS).await {
                error!("a login was cut off; it counts as failed");
            }
            vault.save_tokens().await;
            as_told
        };
        let as_told = tokio::select! {
            as_told = working => as_told,
            never = writer.run() => match never {},
        };
        writer.finish().await;
        as_told
    }
}
