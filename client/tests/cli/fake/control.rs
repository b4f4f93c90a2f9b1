//! The service `Control`.

use sfvault_proto::v1::{self, control_server::Control};
use tonic::{Request, Response, Status};

use super::{
    Daemon, at,
    record::{last_use, record},
    refusal,
};

#[tonic::async_trait]
impl Control for Daemon {
    async fn get_peers(
        &self,
        _: Request<v1::GetPeersRequest>,
    ) -> Result<Response<v1::GetPeersResponse>, Status> {
        Err(refusal("INTERNAL", None))
    }

    async fn initialize_vault(
        &self,
        request: Request<v1::InitializeVaultRequest>,
    ) -> Result<Response<v1::InitializeVaultResponse>, Status> {
        self.note(|asked| asked.passphrase = Some(request.into_inner().passphrase));
        Ok(Response::new(v1::InitializeVaultResponse {
            path: "/data/vault.redb".to_owned(),
        }))
    }

    async fn unlock_vault(
        &self,
        request: Request<v1::UnlockVaultRequest>,
    ) -> Result<Response<v1::UnlockVaultResponse>, Status> {
        let passphrase = request.into_inner().passphrase;
        if passphrase == b"wrong" {
            return Err(refusal("WRONG_PASSPHRASE", None));
        }
        self.note(|asked| asked.passphrase = Some(passphrase));
        Ok(Response::new(v1::UnlockVaultResponse {
            records: 2,
            changed: true,
        }))
    }

    async fn lock_vault(
        &self,
        _: Request<v1::LockVaultRequest>,
    ) -> Result<Response<v1::LockVaultResponse>, Status> {
        Ok(Response::new(v1::LockVaultResponse {
            changed: true,
            sessions_dropped: 1,
        }))
    }

    async fn get_status(
        &self,
        _: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        Ok(Response::new(v1::GetStatusResponse {
            version: "9.9.9".to_owned(),
            pid: 42,
            started_at: at(1_795_293_764),
            vault_path: "/data/vault.redb".to_owned(),
            vault: v1::VaultState::Unlocked.into(),
            records: vec![record("acme-prod")?, record("due-prod")?],
            protections: vec![v1::Protection {
                name: "files".to_owned(),
                state: v1::ProtectionState::NotAvailable.into(),
                reason: "too old a \u{1b}[2Jkernel".to_owned(),
            }],
            warnings: vec!["memory is not locked".to_owned()],
            last_uses: last_use("due-prod").into_iter().collect(),
        }))
    }
}
