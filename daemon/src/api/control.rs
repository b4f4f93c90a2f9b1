//! `sfvault.v1.Control`.

use std::sync::Arc;

use sfvault_proto::v1::{
    self, GetPeersRequest, GetPeersResponse, GetStatusRequest, GetStatusResponse,
    InitializeVaultRequest, InitializeVaultResponse, LockVaultRequest, LockVaultResponse,
    ProtectionState, UnlockVaultRequest, UnlockVaultResponse, control_server::Control,
};
use tonic::{Request, Response, Status};

use super::{About, House, audit, audited, convert, peer::Origin, peers, status};
use crate::{
    attempts::Attempts,
    audit::{event::Action, who::Who},
    error::Error,
    harden::{Protection, State},
    locked,
    secret::Passphrase,
    vault::{Vault, doctor},
};

pub(super) struct Service {
    pub(super) vault: Arc<Vault>,
    pub(super) about: About,
    pub(super) house: Arc<House>,
    pub(super) attempts: Attempts,
}

impl Service {
    async fn initialize(
        &self,
        request: InitializeVaultRequest,
    ) -> Result<InitializeVaultResponse, Error> {
        let path = self
            .vault
            .initialize(Passphrase::new(request.passphrase))
            .await?;
        Ok(InitializeVaultResponse {
            path: path.display().to_string(),
        })
    }

    async fn unlock(
        &self,
        uid: u32,
        who: Who,
        request: UnlockVaultRequest,
    ) -> Result<UnlockVaultResponse, Error> {
        let passphrase = Passphrase::new(request.passphrase);
        let turn = self
            .attempts
            .turn(uid, self.house.policy.is_owner(uid), |wrong, pause| {
                audited::held_back(&self.about.audit, &who, wrong, pause);
            })
            .await;
        // The turn is the attempt's, not the caller's: who hangs up has guessed all the same, and guesses no second time
        // meanwhile.
        let ended = move |unlocked: &Result<_, Error>| {
            if unlocked.as_ref().is_err_and(Error::is_wrong_passphrase) {
                turn.was(false);
            } else if unlocked.is_ok() {
                turn.was(true);
            }
        };
        let (records, changed) = self.vault.unlock_and(passphrase, ended).await?;
        Ok(UnlockVaultResponse {
            records: convert::count(records),
            changed,
        })
    }

    async fn lock(&self) -> Result<LockVaultResponse, Error> {
        let (sessions_dropped, changed) = self.vault.lock().await?;
        Ok(LockVaultResponse {
            changed,
            sessions_dropped: convert::count(sessions_dropped),
        })
    }

    fn warnings(&self) -> Vec<String> {
        let unlocked = locked::warning().map(str::to_owned);
        self.about
            .warnings
            .iter()
            .cloned()
            .chain(unlocked)
            .chain(self.about.audit.warnings())
            .collect()
    }

    async fn status(&self) -> Result<GetStatusResponse, Error> {
        let records = match self.vault.records().await {
            Ok(records) => records,
            Err(Error::VaultLocked | Error::VaultMissing(_)) => Vec::new(),
            Err(error) => return Err(error),
        };
        let due = records.iter().filter(|view| doctor::is_due(view));
        let due = due.map(|view| view.record.name.to_string()).collect();
        Ok(GetStatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started_at: Some(self.about.started_at.into()),
            vault_path: self.vault.path().display().to_string(),
            vault: convert::lock_state(self.vault.lock_state()).into(),
            records: records.iter().map(convert::record_status).collect(),
            warnings: self.warnings(),
            protections: self.about.protections().map(protection).collect(),
            last_uses: audit::last_uses(&self.about.audit, due).await,
        })
    }
}

#[tonic::async_trait]
impl Control for Service {
    async fn initialize_vault(
        &self,
        request: Request<InitializeVaultRequest>,
    ) -> Result<Response<InitializeVaultResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let work = self.initialize(request);
        audited::administer(&self.about.audit, Action::INIT, who, None, work).await
    }

    async fn unlock_vault(
        &self,
        request: Request<UnlockVaultRequest>,
    ) -> Result<Response<UnlockVaultResponse>, Status> {
        let origin = request.extensions().get::<Origin>();
        let uid = origin
            .map(|origin| origin.peer.uid)
            .ok_or_else(|| status::from_error(&Error::Denied))?;
        let (who, request) = (audited::who(&request), request.into_inner());
        let work = self.unlock(uid, who.clone(), request);
        audited::administer(&self.about.audit, Action::UNLOCK, who, None, work).await
    }

    async fn lock_vault(
        &self,
        request: Request<LockVaultRequest>,
    ) -> Result<Response<LockVaultResponse>, Status> {
        // Secrets must be able to leave the memory whatever the disk is like.
        let result = self.lock().await;
        audited::told(
            &self.about.audit,
            Action::LOCK,
            audited::who(&request),
            None,
            result,
        )
    }

    async fn get_status(
        &self,
        request: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        let who = audited::who(&request);
        let status = self.status().await;
        audited::told(&self.about.audit, Action::STATUS, who, None, status)
    }

    async fn get_peers(
        &self,
        request: Request<GetPeersRequest>,
    ) -> Result<Response<GetPeersResponse>, Status> {
        let who = audited::who(&request);
        let peers = Ok(peers::peers(&self.house, self.vault.now()));
        audited::told(&self.about.audit, Action::PEERS, who, None, peers)
    }
}

fn protection(protection: Protection) -> v1::Protection {
    v1::Protection {
        name: protection.name.to_owned(),
        state: match protection.state {
            State::On => ProtectionState::On,
            State::Off | State::Failed => ProtectionState::Off,
            State::NotAvailable => ProtectionState::NotAvailable,
        }
        .into(),
        reason: protection.reason,
    }
}

#[cfg(test)]
mod tests;
