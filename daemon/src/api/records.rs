//! `sfvault.v1.Records`.

use std::sync::Arc;

use sfvault_proto::v1::{
    AddRecordRequest, AddRecordResponse, AllowPeerRequest, AllowPeerResponse, BeginLoginRequest,
    BeginLoginResponse, CheckRecordRequest, CheckRecordResponse, DenyPeerRequest, DenyPeerResponse,
    DescribeRecordRequest, DescribeRecordResponse, EndSessionRequest, EndSessionResponse,
    ExplainAccessRequest, ExplainAccessResponse, FinishLoginRequest, FinishLoginResponse,
    ForgetOldLoginRequest, ForgetOldLoginResponse, GetAccessRequest, GetAccessResponse, Holder,
    ListHoldersRequest, ListHoldersResponse, MigrateRecordRequest, MigrateRecordResponse,
    RemoveRecordRequest, RemoveRecordResponse, RestoreLoginRequest, RestoreLoginResponse,
    RevealGeneratedPasswordRequest, RevealGeneratedPasswordResponse, RotateCredentialRequest,
    RotateCredentialResponse, SetCredentialRequest, SetCredentialResponse, records_server::Records,
};
use tonic::{Request, Response, Status};

use super::{access, audit, audited, browser_login, changes, convert};
use crate::{
    audit::{Audit, event::Action},
    error::Error,
    policy::Policy,
    session::hold::By,
    vault::Vault,
};

pub(super) struct Service {
    pub(super) vault: Arc<Vault>,
    pub(super) policy: Policy,
    pub(super) audit: Audit,
}

impl Service {
    async fn add(&self, request: AddRecordRequest) -> Result<AddRecordResponse, Error> {
        let (record, warnings) = self.vault.add(convert::new_record(request)?).await?;
        Ok(AddRecordResponse {
            record: Some(convert::record_status(&record)),
            warnings,
        })
    }

    async fn set(&self, request: SetCredentialRequest) -> Result<SetCredentialResponse, Error> {
        let name = convert::record_name(&request.name)?;
        let (record, changed, warnings) =
            self.vault.set(name, convert::new_secrets(request)?).await?;
        Ok(SetCredentialResponse {
            record: Some(convert::record_status(&record)),
            changed,
            warnings,
        })
    }

    async fn check(&self, request: CheckRecordRequest) -> Result<CheckRecordResponse, Error> {
        let checked = self
            .vault
            .check(convert::record_name(&request.name)?, request.release)
            .await?;
        Ok(CheckRecordResponse {
            record: Some(convert::record_status(&checked.record)),
            instance_url: checked.session.instance.url(),
            logged_in: checked.logged_in,
        })
    }

    async fn remove(&self, request: RemoveRecordRequest) -> Result<RemoveRecordResponse, Error> {
        let name = convert::record_name(&request.name)?;
        match request.with_generated_password {
            true => self.vault.remove_with_drawn(name).await?,
            false => self.vault.remove(name).await?,
        }
        Ok(RemoveRecordResponse {})
    }

    fn holders(&self, request: &ListHoldersRequest) -> Result<ListHoldersResponse, Error> {
        let holders = self.vault.holders(&request.name)?;
        let has_session = holders.is_some();
        let holders = holders.unwrap_or_default();
        Ok(ListHoldersResponse {
            has_session,
            holders: holders
                .into_iter()
                .map(|hold| Holder {
                    uid: hold.holder.uid,
                    pid: hold.holder.pid.unwrap_or_default(),
                    watching: hold.by == By::Stream,
                    at: Some(hold.at.into()),
                    until_exit: hold.by == By::Process,
                })
                .collect(),
        })
    }

    async fn end_session(&self, request: EndSessionRequest) -> Result<EndSessionResponse, Error> {
        let ended = self.vault.end_session(&request.name).await?;
        Ok(EndSessionResponse { ended })
    }

    fn begin_login(&self, request: BeginLoginRequest) -> Result<BeginLoginResponse, Error> {
        let begun = self.vault.begin_login(browser_login::new_login(request)?)?;
        Ok(browser_login::begun(begun))
    }

    async fn finish_login(
        &self,
        request: FinishLoginRequest,
    ) -> Result<FinishLoginResponse, Error> {
        let callback = browser_login::callback(request);
        Ok(browser_login::finished(
            self.vault.finish_login(callback).await?,
        ))
    }

    async fn migrate(&self, request: MigrateRecordRequest) -> Result<MigrateRecordResponse, Error> {
        let migrated = self.vault.migrate(changes::migration(request)?).await?;
        Ok(MigrateRecordResponse {
            record: Some(convert::record_status(&migrated.record)),
            before: Some(changes::login_facts(&migrated.before)),
            after: Some(changes::login_facts(&migrated.after)),
            warnings: migrated.warnings,
        })
    }

    async fn restore(&self, request: RestoreLoginRequest) -> Result<RestoreLoginResponse, Error> {
        let name = convert::record_name(&request.name)?;
        let record = self.vault.migrate_back(name, !request.unchecked).await?;
        Ok(RestoreLoginResponse {
            record: Some(convert::record_status(&record)),
        })
    }

    async fn forget(
        &self,
        request: ForgetOldLoginRequest,
    ) -> Result<ForgetOldLoginResponse, Error> {
        let name = convert::record_name(&request.name)?;
        let (record, changed) = self.vault.forget_old(name).await?;
        Ok(ForgetOldLoginResponse {
            record: Some(convert::record_status(&record)),
            changed,
        })
    }

    async fn rotate(
        &self,
        request: RotateCredentialRequest,
    ) -> Result<RotateCredentialResponse, Error> {
        let name = convert::record_name(&request.name)?;
        let rotation = changes::rotation(request)?;
        let (record, rotated, warnings) = self.vault.rotate(name, rotation).await?;
        Ok(RotateCredentialResponse {
            record: Some(convert::record_status(&record)),
            rotation: changes::rotated(rotated).into(),
            warnings,
        })
    }

    async fn reveal(
        &self,
        request: RevealGeneratedPasswordRequest,
    ) -> Result<RevealGeneratedPasswordResponse, Error> {
        let name = convert::record_name(&request.name)?;
        let (password, state) = self.vault.reveal_drawn(name).await?;
        Ok(RevealGeneratedPasswordResponse {
            // EXPOSE: to the operator, who asked for it and may need it to get at a token.
            password: password.expose().to_owned(),
            state: changes::drawn_state(state).into(),
        })
    }

    async fn describe(
        &self,
        request: &DescribeRecordRequest,
    ) -> Result<DescribeRecordResponse, Error> {
        let record = self.vault.record(&request.name)?;
        let last_uses = audit::last_uses(&self.audit, vec![request.name.clone()]).await;
        Ok(DescribeRecordResponse {
            record: Some(convert::record_status(&record)),
            last_use: last_uses.into_iter().next(),
        })
    }
}

#[tonic::async_trait]
impl Records for Service {
    async fn add_record(
        &self,
        request: Request<AddRecordRequest>,
    ) -> Result<Response<AddRecordResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let name = request.name.clone();
        let work = self.add(request);
        audited::administer(&self.audit, Action::ADD, who, Some(&name), work).await
    }

    async fn set_credential(
        &self,
        request: Request<SetCredentialRequest>,
    ) -> Result<Response<SetCredentialResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let name = request.name.clone();
        let work = self.set(request);
        audited::administer(&self.audit, Action::SET, who, Some(&name), work).await
    }

    async fn describe_record(
        &self,
        request: Request<DescribeRecordRequest>,
    ) -> Result<Response<DescribeRecordResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let result = self.describe(&request).await;
        audited::told(&self.audit, Action::SHOW, who, Some(&request.name), result)
    }

    async fn remove_record(
        &self,
        request: Request<RemoveRecordRequest>,
    ) -> Result<Response<RemoveRecordResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let name = request.name.clone();
        let work = self.remove(request);
        audited::administer(&self.audit, Action::REMOVE, who, Some(&name), work).await
    }

    async fn list_holders(
        &self,
        request: Request<ListHoldersRequest>,
    ) -> Result<Response<ListHoldersResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let result = self.holders(&request);
        audited::told(
            &self.audit,
            Action::HOLDERS,
            who,
            Some(&request.name),
            result,
        )
    }

    async fn end_session(
        &self,
        request: Request<EndSessionRequest>,
    ) -> Result<Response<EndSessionResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let name = request.name.clone();
        let work = self.end_session(request);
        audited::administer(&self.audit, Action::LOGOUT, who, Some(&name), work).await
    }

    async fn check_record(
        &self,
        request: Request<CheckRecordRequest>,
    ) -> Result<Response<CheckRecordResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let name = request.name.clone();
        let action = if request.release {
            Action::RELEASE
        } else {
            Action::CHECK
        };
        let work = self.check(request);
        audited::administer(&self.audit, action, who, Some(&name), work).await
    }

    async fn allow_peer(
        &self,
        request: Request<AllowPeerRequest>,
    ) -> Result<Response<AllowPeerResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let (name, rule) = (request.name.clone(), access::named(request.rule.as_ref()));
        let work = access::allow(&self.vault, &self.policy, request);
        audited::change_rules(&self.audit, Action::ALLOW, who, (&name, rule), work).await
    }

    async fn deny_peer(
        &self,
        request: Request<DenyPeerRequest>,
    ) -> Result<Response<DenyPeerResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let (name, rule) = (request.name.clone(), access::named(request.rule.as_ref()));
        let work = access::deny(&self.vault, &self.policy, request);
        audited::change_rules(&self.audit, Action::DENY, who, (&name, rule), work).await
    }

    async fn get_access(
        &self,
        request: Request<GetAccessRequest>,
    ) -> Result<Response<GetAccessResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let result = access::get(&self.vault, &self.policy, &request);
        audited::told(
            &self.audit,
            Action::ACCESS,
            who,
            Some(&request.name),
            result,
        )
    }

    async fn explain_access(
        &self,
        request: Request<ExplainAccessRequest>,
    ) -> Result<Response<ExplainAccessResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let result = access::explain(&self.vault, &self.policy, &request);
        audited::told(
            &self.audit,
            Action::EXPLAIN,
            who,
            Some(&request.name),
            result,
        )
    }

    async fn begin_login(
        &self,
        request: Request<BeginLoginRequest>,
    ) -> Result<Response<BeginLoginResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let name = request.name.clone();
        let work = async { self.begin_login(request) };
        audited::administer(&self.audit, Action::BEGIN_LOGIN, who, Some(&name), work).await
    }

    async fn finish_login(
        &self,
        request: Request<FinishLoginRequest>,
    ) -> Result<Response<FinishLoginResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let work = self.finish_login(request);
        audited::administer(&self.audit, Action::FINISH_LOGIN, who, None, work).await
    }

    async fn migrate_record(
        &self,
        request: Request<MigrateRecordRequest>,
    ) -> Result<Response<MigrateRecordResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let name = request
            .to
            .as_ref()
            .map(|to| to.name.clone())
            .unwrap_or_default();
        let work = self.migrate(request);
        audited::administer(&self.audit, Action::MIGRATE, who, Some(&name), work).await
    }

    async fn restore_login(
        &self,
        request: Request<RestoreLoginRequest>,
    ) -> Result<Response<RestoreLoginResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let name = request.name.clone();
        let work = self.restore(request);
        audited::administer(&self.audit, Action::RESTORE, who, Some(&name), work).await
    }

    async fn forget_old_login(
        &self,
        request: Request<ForgetOldLoginRequest>,
    ) -> Result<Response<ForgetOldLoginResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let name = request.name.clone();
        let work = self.forget(request);
        audited::administer(&self.audit, Action::FORGET, who, Some(&name), work).await
    }

    async fn rotate_credential(
        &self,
        request: Request<RotateCredentialRequest>,
    ) -> Result<Response<RotateCredentialResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let name = request.name.clone();
        let work = self.rotate(request);
        audited::administer(&self.audit, Action::ROTATE, who, Some(&name), work).await
    }

    async fn reveal_generated_password(
        &self,
        request: Request<RevealGeneratedPasswordRequest>,
    ) -> Result<Response<RevealGeneratedPasswordResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let name = request.name.clone();
        let work = self.reveal(request);
        audited::administer(&self.audit, Action::REVEAL, who, Some(&name), work).await
    }
}
