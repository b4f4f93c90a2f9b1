//! The service `Records`.

use sfvault_proto::v1::{self, records_server::Records};
use tonic::{Request, Response, Status};

use super::{
    Daemon, INSTANCE, at,
    record::{last_use, record},
    refusal,
};

#[tonic::async_trait]
impl Records for Daemon {
    async fn add_record(
        &self,
        request: Request<v1::AddRecordRequest>,
    ) -> Result<Response<v1::AddRecordResponse>, Status> {
        let request = request.into_inner();
        let record = record(&request.name)?;
        self.note(|asked| asked.add = Some(request));
        Ok(Response::new(v1::AddRecordResponse {
            record: Some(record),
            warnings: vec!["odd\u{7}".to_owned()],
        }))
    }

    async fn set_credential(
        &self,
        request: Request<v1::SetCredentialRequest>,
    ) -> Result<Response<v1::SetCredentialResponse>, Status> {
        let request = request.into_inner();
        let mut record = record(&request.name)?;
        record.remind_after = request.remind_after.filter(|span| span.seconds > 0);
        let secrets = [
            &request.password,
            &request.security_token,
            &request.consumer_secret,
            &request.private_key,
            &request.refresh_token,
        ];
        let changed = secrets.iter().any(|secret| secret.is_some());
        self.note(|asked| asked.set = Some(request));
        Ok(Response::new(v1::SetCredentialResponse {
            record: Some(record),
            changed,
            warnings: Vec::new(),
        }))
    }

    async fn migrate_record(
        &self,
        _: Request<v1::MigrateRecordRequest>,
    ) -> Result<Response<v1::MigrateRecordResponse>, Status> {
        Err(Status::unimplemented("not asked of this daemon"))
    }

    async fn restore_login(
        &self,
        _: Request<v1::RestoreLoginRequest>,
    ) -> Result<Response<v1::RestoreLoginResponse>, Status> {
        Err(Status::unimplemented("not asked of this daemon"))
    }

    async fn forget_old_login(
        &self,
        _: Request<v1::ForgetOldLoginRequest>,
    ) -> Result<Response<v1::ForgetOldLoginResponse>, Status> {
        Err(Status::unimplemented("not asked of this daemon"))
    }

    async fn rotate_credential(
        &self,
        request: Request<v1::RotateCredentialRequest>,
    ) -> Result<Response<v1::RotateCredentialResponse>, Status> {
        let request = request.into_inner();
        let rotation = match request.generate {
            true => v1::Rotation::TokenAwaited,
            false => v1::Rotation::Replaced,
        };
        let record = record(&request.name)?;
        self.note(|asked| asked.rotate = Some(request));
        Ok(Response::new(v1::RotateCredentialResponse {
            record: Some(record),
            rotation: rotation.into(),
            warnings: Vec::new(),
        }))
    }

    async fn reveal_generated_password(
        &self,
        _: Request<v1::RevealGeneratedPasswordRequest>,
    ) -> Result<Response<v1::RevealGeneratedPasswordResponse>, Status> {
        Ok(Response::new(v1::RevealGeneratedPasswordResponse {
            password: "canary-password".to_owned(),
            state: v1::GeneratedPassword::InForce.into(),
        }))
    }

    async fn describe_record(
        &self,
        request: Request<v1::DescribeRecordRequest>,
    ) -> Result<Response<v1::DescribeRecordResponse>, Status> {
        let name = request.into_inner().name;
        Ok(Response::new(v1::DescribeRecordResponse {
            record: Some(record(&name)?),
            last_use: last_use(&name),
        }))
    }

    async fn remove_record(
        &self,
        request: Request<v1::RemoveRecordRequest>,
    ) -> Result<Response<v1::RemoveRecordResponse>, Status> {
        self.note(|asked| asked.removed = Some(request.into_inner().name));
        Ok(Response::new(v1::RemoveRecordResponse {}))
    }

    async fn list_holders(
        &self,
        request: Request<v1::ListHoldersRequest>,
    ) -> Result<Response<v1::ListHoldersResponse>, Status> {
        record(&request.into_inner().name)?;
        let holder = |pid, watching, until_exit| v1::Holder {
            uid: 1000,
            pid,
            watching,
            until_exit,
            at: at(1_795_293_764),
        };
        Ok(Response::new(v1::ListHoldersResponse {
            has_session: true,
            holders: vec![
                holder(4711, true, false),
                holder(4712, false, true),
                holder(0, false, false),
            ],
        }))
    }

    async fn end_session(
        &self,
        request: Request<v1::EndSessionRequest>,
    ) -> Result<Response<v1::EndSessionResponse>, Status> {
        self.note(|asked| asked.ended = Some(request.into_inner().name));
        Ok(Response::new(v1::EndSessionResponse { ended: true }))
    }

    async fn begin_login(
        &self,
        _: Request<v1::BeginLoginRequest>,
    ) -> Result<Response<v1::BeginLoginResponse>, Status> {
        Err(Status::unimplemented("no browser here"))
    }

    async fn finish_login(
        &self,
        _: Request<v1::FinishLoginRequest>,
    ) -> Result<Response<v1::FinishLoginResponse>, Status> {
        Err(Status::unimplemented("no browser here"))
    }

    async fn check_record(
        &self,
        request: Request<v1::CheckRecordRequest>,
    ) -> Result<Response<v1::CheckRecordResponse>, Status> {
        let request = request.into_inner();
        let record = record(&request.name)?;
        self.note(|asked| asked.check = Some(request));
        Ok(Response::new(v1::CheckRecordResponse {
            record: Some(record),
            instance_url: INSTANCE.to_owned(),
            logged_in: true,
        }))
    }

    async fn allow_peer(
        &self,
        _: Request<v1::AllowPeerRequest>,
    ) -> Result<Response<v1::AllowPeerResponse>, Status> {
        Err(refusal("INTERNAL", None))
    }

    async fn deny_peer(
        &self,
        _: Request<v1::DenyPeerRequest>,
    ) -> Result<Response<v1::DenyPeerResponse>, Status> {
        Err(refusal("INTERNAL", None))
    }

    async fn get_access(
        &self,
        _: Request<v1::GetAccessRequest>,
    ) -> Result<Response<v1::GetAccessResponse>, Status> {
        Err(refusal("INTERNAL", None))
    }

    async fn explain_access(
        &self,
        _: Request<v1::ExplainAccessRequest>,
    ) -> Result<Response<v1::ExplainAccessResponse>, Status> {
        Err(refusal("INTERNAL", None))
    }
}
