//! Unlocking a vault and adding to it, small and large.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, SystemTime},
};

use argon2::{Algorithm, Argon2, Params, Version};
use sfvaultd::{
    audit::Audit,
    clock::SystemClock,
    credential::{Credential, Flow},
    host::Host,
    ledger::Ledger,
    record::{Record, RecordName},
    salesforce::{SalesforceLogin, environment::Environment, settings::Settings},
    secret::{Passphrase, Password, SecurityToken},
    store::{KdfCost, Store, new_record_id},
    vault::{NewRecord, Parts, Vault},
};
use tempfile::TempDir;

use crate::{
    stage::{Failed, Stage, failed},
    stopwatch::{Elapsed as _, Pairs, now, time},
    table::{Goal, head, row, single, skipped},
};

const FEW: u32 = 10;
const MANY: u32 = 10_000;
const UNLOCKS: usize = 15;
const ADDS: u32 = 200;

pub(crate) async fn run() -> Result<(), Failed> {
    let (few, many) = (Filled::with(FEW)?, Filled::with(MANY)?);
    head("unlocking, ms; reference: one Argon2id of the same cost, and redb opening the same file");
    for (what, filled) in [("10 records", &few), ("10,000 records", &many)] {
        let mut pairs = Pairs::default();
        for _ in 0..UNLOCKS {
            let start = now();
            let vault = filled.open()?;
            vault.unlock(passphrase()).await?;
            let ours = start.elapsed_since();
            drop(vault);
            let (reference, opened) = time(|| filled.least());
            opened?;
            pairs.add(millis(ours), millis(reference));
        }
        row(
            what,
            pairs.ours(),
            pairs.reference(),
            pairs.ratio(),
            Goal::AtMost(1.5),
        );
    }

    head("adding a record, ms");
    let (small, large) = (few.open()?, many.open()?);
    small.unlock(passphrase()).await?;
    large.unlock(passphrase()).await?;
    let mut pairs = Pairs::default();
    for number in 0..ADDS {
        let mut took = [0.0; 2];
        for (vault, took) in [&large, &small].into_iter().zip(&mut took) {
            let start = now();
            vault.add(new_record(number)?).await?;
            *took = millis(start.elapsed_since());
        }
        pairs.add(took[0], took[1]);
    }
    row(
        "to 10,000 records; reference: to 10",
        pairs.ours(),
        pairs.reference(),
        pairs.ratio(),
        Goal::AtMost(1.5),
    );
    syncs().await
}

/// What the kernel was asked to make durable while the real daemon added records.
async fn syncs() -> Result<(), Failed> {
    let what = "fsync and fdatasync per record added";
    let stage = Stage::with_records(2).await?;
    let counts = stage.sfvault.path("strace");
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-qq", "-e", "trace=fsync,fdatasync", "-p"])
        .arg(stage.pid.to_string())
        .arg("-o")
        .arg(&counts)
        .stderr(Stdio::null());
    let Ok(mut strace) = strace.spawn() else {
        skipped(
            what,
            "there is no strace; the store's test `cost` counts them",
        );
        return Ok(());
    };
    let traced = traced(stage.pid, strace.id()).await;
    for number in 0..10 {
        stage.add(&format!("traced-{number}")).await?;
    }
    strace.kill()?;
    strace.wait()?;
    if traced {
        let lines = fs::read_to_string(counts)?;
        let calls = lines.lines().filter(|line| line.contains("sync("));
        let calls = u32::try_from(calls.count())?;
        single(what, f64::from(calls) / 10.0, Goal::AtMost(1.0));
    } else {
        skipped(
            what,
            "strace may not trace the daemon, which is not dumpable",
        );
    }
    stage.simulator.finish()?;
    Ok(())
}

/// Waits until the process is traced by that tracer.
async fn traced(pid: u32, tracer: u32) -> bool {
    for _ in 0..100 {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        if status.contains(&format!("TracerPid:\t{tracer}\n")) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// A closed vault.
struct Filled(TempDir);

impl Filled {
    fn with(records: u32) -> Result<Self, Failed> {
        let filled = Self(TempDir::with_prefix("sfv-")?);
        let (store, keys) = Store::create(&filled.path(), &passphrase(), KdfCost::default())?;
        for number in 0..records {
            let record = record(&format!("record-{number}"))?;
            let credential = credential();
            store.put(&keys, None, &record, &Ledger::default(), Some(&credential))?;
        }
        Ok(filled)
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("vault.redb")
    }

    fn open(&self) -> Result<Arc<Vault>, Failed> {
        let settings = Settings::default();
        let parts = Parts {
            clock: Arc::new(SystemClock),
            login: Arc::new(SalesforceLogin::new(
                settings,
                Environment::default(),
                Arc::new(SystemClock),
            )),
            kdf: KdfCost::default(),
            token_upkeep: Default::default(),
            audit: Audit::nowhere(),
            retirements: Arc::default(),
            login_share_percent: 50,
            hold_after_get: std::time::Duration::ZERO,
        };
        Ok(Vault::open(&self.path(), parts)?)
    }

    /// What no vault in redb with a passphrase can do without.
    fn least(&self) -> Result<(), Failed> {
        derive()?;
        open_redb(&self.path())
    }
}

fn derive() -> Result<(), Failed> {
    let cost = KdfCost::default();
    let params = Params::new(cost.memory_kib, cost.iterations, cost.lanes, Some(32))
        .map_err(|error| failed(&error.to_string()))?;
    let mut key = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(b"correct horse", &[7; 16], &mut key)
        .map_err(|error| failed(&error.to_string()))
}

fn open_redb(path: &Path) -> Result<(), Failed> {
    redb::ReadOnlyDatabase::open(path)?;
    Ok(())
}

fn passphrase() -> Passphrase {
    Passphrase::new(b"correct horse".to_vec())
}

fn credential() -> Credential {
    Credential::SoapLogin {
        password: Password::new("a password of usual length".to_owned()),
        security_token: Some(SecurityToken::new("Tq3Xb7Lw0RzKc9MvYh2NsGdE".to_owned())),
    }
}

fn record(name: &str) -> Result<Record, Failed> {
    Ok(Record {
        id: new_record_id()?,
        name: name_of(name)?,
        login_host: host()?,
        flow: Flow::SoapLogin {
            username: format!("{name}@acme.example"),
        },
        pin: None,
        credential_version: 1,
        created_at: SystemTime::UNIX_EPOCH,
        credential_changed_at: SystemTime::UNIX_EPOCH,
        aside: sfvaultd::aside::Aside::default(),
        rules: None,
        remind_after: None,
    })
}

fn new_record(number: u32) -> Result<NewRecord, Failed> {
    let name = format!("added-{number}");
    Ok(NewRecord {
        name: name_of(&name)?,
        login_host: host()?,
        flow: Flow::SoapLogin {
            username: format!("{name}@acme.example"),
        },
        credential: credential(),
        environment: None,
        remind_after: None,
    })
}

fn name_of(name: &str) -> Result<RecordName, Failed> {
    RecordName::parse(name).map_err(|error| failed(&error.to_string()))
}

fn host() -> Result<Host, Failed> {
    Host::parse("login.salesforce.com").map_err(|error| failed(&error.to_string()))
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
