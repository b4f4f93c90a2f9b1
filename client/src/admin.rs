//! Administration of the vault and its records, over the socket `admin.sock`.

mod changes;

use std::{future::Future, path::PathBuf, time::Duration};

use sfvault_proto::v1::{
    self, audit_client::AuditClient, control_client::ControlClient, doctor_client::DoctorClient,
    records_client::RecordsClient,
};
use tonic::{Request, Response, Status, transport::Channel};
use zeroize::Zeroizing;

use crate::{
    Access, AccessChange, AccessRule, BeginLogin, BegunLogin, Callback, ConsumerSecret,
    CredentialChange, DaemonStatus, Error, Explanation, Finding, FinishedLogin, Holder, NewRecord,
    Passphrase, Password, Peers, Places, PrivateKey, RecordName, RecordStatus, RefreshToken,
    SecurityToken, access_wire, connect, convert,
    sessions::{DEADLINE, LOGIN_DEADLINE, MAX_LIST},
    unsent,
};

/// Administers the daemon. Clones share one connection, which is made anew when it breaks.
///
/// Every call fails as the daemon says, or if the connection breaks, or if no answer comes within a
/// minute (five for [`AdminClient::check`] and [`AdminClient::finish_login`]).
#[derive(Debug, Clone)]
pub struct AdminClient {
    control: ControlClient<Channel>,
    doctor: DoctorClient<Channel>,
    records: RecordsClient<Channel>,
    pub(crate) audit: AuditClient<Channel>,
}

/// The vault is unlocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unlocked {
    /// How many records it holds.
    pub records: u64,
    /// False if it was unlocked already.
    pub changed: bool,
}

/// The vault is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locked {
    /// False if it was locked already.
    pub changed: bool,
    /// Sessions dropped from memory; they go on at Salesforce.
    pub sessions_dropped: u64,
}

/// A record was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The record as it is now.
    pub record: RecordStatus,
    /// False if the secrets given are those stored already: then a latch stays.
    pub changed: bool,
    /// What looks odd but was accepted, in words.
    pub warnings: Vec<String>,
}

/// A record was proved to work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The record as it is now.
    pub record: RecordStatus,
    /// Where API calls go.
    pub instance_url: String,
    /// Whether the check made a login.
    pub logged_in: bool,
}

impl AdminClient {
    /// Connects to the daemon of these places. Starts none.
    ///
    /// # Errors
    /// If no daemon answers there, or if the one that does is not to be trusted.
    pub async fn connect(places: &Places) -> Result<Self, Error> {
        let channel = connect::channel(places.admin_socket()).await?;
        Ok(Self {
            control: ControlClient::new(channel.clone()).max_decoding_message_size(MAX_LIST),
            doctor: DoctorClient::new(channel.clone()).max_decoding_message_size(MAX_LIST),
            records: RecordsClient::new(channel.clone()),
            audit: AuditClient::new(channel),
        })
    }

    /// Makes the vault, which then is unlocked; returns its file.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn initialize(&self, passphrase: Passphrase) -> Result<PathBuf, Error> {
        let request = v1::InitializeVaultRequest {
            passphrase: passphrase.into_wire(),
        };
        let mut wire = self.control.clone();
        let answer = call(DEADLINE, request, |r| wire.initialize_vault(r)).await?;
        Ok(PathBuf::from(answer.path))
    }

    /// Unlocks the vault.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn unlock(&self, passphrase: Passphrase) -> Result<Unlocked, Error> {
        let request = v1::UnlockVaultRequest {
            passphrase: passphrase.into_wire(),
        };
        let mut wire = self.control.clone();
        let answer = call(DEADLINE, request, |r| wire.unlock_vault(r)).await?;
        Ok(Unlocked {
            records: answer.records,
            changed: answer.changed,
        })
    }

    /// Locks the vault: keys and sessions leave the daemon's memory.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn lock(&self) -> Result<Locked, Error> {
        let answer = ask(DEADLINE, v1::LockVaultRequest {}, |r| {
            let mut wire = self.control.clone();
            async move { wire.lock_vault(r).await }
        })
        .await?;
        Ok(Locked {
            changed: answer.changed,
            sessions_dropped: answer.sessions_dropped,
        })
    }

    /// How the daemon and its records are.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn status(&self) -> Result<DaemonStatus, Error> {
        let answer = ask(DEADLINE, v1::GetStatusRequest {}, |r| {
            let mut wire = self.control.clone();
            async move { wire.get_status(r).await }
        })
        .await?;
        Ok(convert::daemon(answer))
    }

    /// Examines the daemon, its directories, its sockets and its vault file.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn examine_daemon(&self) -> Result<Vec<Finding>, Error> {
        let request = v1::ExamineDaemonRequest {};
        let answer = ask(DEADLINE, request, |r| {
            let mut wire = self.doctor.clone();
            async move { wire.examine_daemon(r).await }
        })
        .await?;
        Ok(answer.findings.into_iter().map(convert::finding).collect())
    }

    /// Examines a record; with `reach`, also what its login host tells without a login; with `log_in`, also whether
    /// it works, which may take a login.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn examine_record(
        &self,
        name: &RecordName,
        reach: bool,
        log_in: bool,
    ) -> Result<Vec<Finding>, Error> {
        let request = v1::ExamineRecordRequest {
            name: name.as_str().to_owned(),
            reach,
            log_in,
        };
        let answer = ask(LOGIN_DEADLINE, request, |r| {
            let mut wire = self.doctor.clone();
            async move { wire.examine_record(r).await }
        })
        .await?;
        Ok(answer.findings.into_iter().map(convert::finding).collect())
    }

    /// Adds a record. Nothing is sent to Salesforce.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn add(&self, new: NewRecord) -> Result<Stored, Error> {
        let request = new_record(new)?;
        let mut wire = self.records.clone();
        let answer = call(DEADLINE, request, |r| wire.add_record(r)).await?;
        Ok(Stored {
            record: convert::required(answer.record)?,
            changed: true,
            warnings: answer.warnings,
        })
    }

    /// Changes secrets of a record; a latch on the old ones goes with them.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn set_credential(
        &self,
        name: &RecordName,
        change: CredentialChange,
    ) -> Result<Stored, Error> {
        let request = v1::SetCredentialRequest {
            name: name.as_str().to_owned(),
            password: change.password.map(Password::into_wire),
            security_token: change.security_token.map(SecurityToken::into_wire),
            consumer_secret: change.consumer_secret.map(ConsumerSecret::into_wire),
            private_key: change.private_key.map(PrivateKey::into_wire),
            refresh_token: change.refresh_token.map(RefreshToken::into_wire),
            remind_after: change.remind_after.map(convert::duration).transpose()?,
        };
        let mut wire = self.records.clone();
        let answer = call(DEADLINE, request, |r| wire.set_credential(r)).await?;
        Ok(Stored {
            record: convert::required(answer.record)?,
            changed: answer.changed,
            warnings: answer.warnings,
        })
    }

    /// Shows one record.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn describe(&self, name: &RecordName) -> Result<RecordStatus, Error> {
        let request = v1::DescribeRecordRequest {
            name: name.as_str().to_owned(),
        };
        let answer = ask(DEADLINE, request, |r| {
            let mut wire = self.records.clone();
            async move { wire.describe_record(r).await }
        })
        .await?;
        convert::required(answer.record)
    }

    /// Removes a record and drops its session here; the session at Salesforce goes on.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn remove(&self, name: &RecordName) -> Result<(), Error> {
        let request = v1::RemoveRecordRequest {
            name: name.as_str().to_owned(),
        };
        ask(DEADLINE, request, |r| {
            let mut wire = self.records.clone();
            async move { wire.remove_record(r).await }
        })
        .await?;
        Ok(())
    }

    /// Who may be cut off when the record's session ends; none if there is no session.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn holders(&self, name: &RecordName) -> Result<Option<Vec<Holder>>, Error> {
        let request = v1::ListHoldersRequest {
            name: name.as_str().to_owned(),
        };
        let mut wire = self.records.clone();
        let answer = call(DEADLINE, request, |r| wire.list_holders(r)).await?;
        let holders = answer.holders.into_iter().map(convert::holder).collect();
        Ok(answer.has_session.then_some(holders))
    }

    /// Ends the record's session at Salesforce, for all who share it. Returns whether there was one.
    ///
    /// # Errors
    /// See [`AdminClient`]; also if Salesforce did not say that it ended.
    pub async fn end_session(&self, name: &RecordName) -> Result<bool, Error> {
        let request = v1::EndSessionRequest {
            name: name.as_str().to_owned(),
        };
        let mut wire = self.records.clone();
        let answer = call(LOGIN_DEADLINE, request, |r| wire.end_session(r)).await?;
        Ok(answer.ended)
    }

    /// Adds an access rule to a record; it takes nothing from anybody.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn allow(&self, name: &RecordName, rule: &AccessRule) -> Result<AccessChange, Error> {
        let request = v1::AllowPeerRequest {
            name: name.as_str().to_owned(),
            rule: Some(access_wire::rule_to_wire(rule)?),
        };
        let mut wire = self.records.clone();
        let answer = call(DEADLINE, request, |r| wire.allow_peer(r)).await?;
        Ok(access_wire::allowed(answer))
    }

    /// Removes an access rule of a record, or all of them; it gives nothing to anybody.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn deny(
        &self,
        name: &RecordName,
        rule: Option<&AccessRule>,
    ) -> Result<AccessChange, Error> {
        let request = v1::DenyPeerRequest {
            name: name.as_str().to_owned(),
            rule: rule.map(access_wire::rule_to_wire).transpose()?,
        };
        let mut wire = self.records.clone();
        let answer = call(DEADLINE, request, |r| wire.deny_peer(r)).await?;
        Ok(access_wire::denied(answer))
    }

    /// The access rules of a record.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn access(&self, name: &RecordName) -> Result<Access, Error> {
        let request = v1::GetAccessRequest {
            name: name.as_str().to_owned(),
        };
        let mut wire = self.records.clone();
        let answer = call(DEADLINE, request, |r| wire.get_access(r)).await?;
        Ok(access_wire::access(answer))
    }

    /// Whether a process could use a record if it connected now, and what is missing if not.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn explain(&self, name: &RecordName, pid: u32) -> Result<Explanation, Error> {
        let request = v1::ExplainAccessRequest {
            name: name.as_str().to_owned(),
            pid,
        };
        let mut wire = self.records.clone();
        let answer = call(DEADLINE, request, |r| wire.explain_access(r)).await?;
        access_wire::explanation(answer)
    }

    /// Who is connected, and who is held back.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn peers(&self) -> Result<Peers, Error> {
        let mut wire = self.control.clone();
        let answer = call(DEADLINE, v1::GetPeersRequest {}, |r| wire.get_peers(r)).await?;
        Ok(access_wire::peers(answer))
    }

    /// Proves that a record works: logs in if there is no session, and makes one call with the session.
    /// With `release`, a latch and a spent login budget are lifted first, so that one more login is made
    /// with the same credential.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn check(&self, name: &RecordName, release: bool) -> Result<Checked, Error> {
        let request = v1::CheckRecordRequest {
            name: name.as_str().to_owned(),
            release,
        };
        let answer = ask(LOGIN_DEADLINE, request, |r| {
            let mut wire = self.records.clone();
            async move { wire.check_record(r).await }
        })
        .await?;
        Ok(Checked {
            record: convert::required(answer.record)?,
            instance_url: answer.instance_url,
            logged_in: answer.logged_in,
        })
    }
}

impl AdminClient {
    /// Begins a login in a browser.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn begin_login(&self, begin: BeginLogin) -> Result<BegunLogin, Error> {
        let request = v1::BeginLoginRequest {
            name: begin.name.as_str().to_owned(),
            login_url: begin.login_url.unwrap_or_default(),
            consumer_key: begin.consumer_key.unwrap_or_default(),
            consumer_secret: begin.consumer_secret.map(ConsumerSecret::into_wire),
            redirect_uri: begin.redirect_uri,
            timeout: Some(convert::duration(begin.timeout)?),
        };
        let mut wire = self.records.clone();
        let answer = call(DEADLINE, request, |r| wire.begin_login(r)).await?;
        Ok(BegunLogin {
            login_id: answer.login_id,
            authorize_url: Zeroizing::new(answer.authorize_url),
            expires_at: convert::instant(answer.expires_at),
        })
    }

    /// Finishes it: the daemon redeems the code and stores the refresh token. Once only.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn finish_login(&self, callback: Callback) -> Result<FinishedLogin, Error> {
        let take = |mut text: Zeroizing<String>| std::mem::take(&mut *text);
        let request = v1::FinishLoginRequest {
            login_id: callback.login_id,
            code: take(callback.code),
            state: take(callback.state),
            issuer: take(callback.issuer),
            error: take(callback.error),
            error_description: take(callback.error_description),
        };
        let mut wire = self.records.clone();
        let answer = call(LOGIN_DEADLINE, request, |r| wire.finish_login(r)).await?;
        Ok(FinishedLogin {
            record: convert::required(answer.record)?,
            added: answer.added,
        })
    }
}

fn new_record(new: NewRecord) -> Result<v1::AddRecordRequest, Error> {
    Ok(v1::AddRecordRequest {
        name: new.name.as_str().to_owned(),
        username: new.username,
        login_url: new.login_url,
        consumer_key: new.consumer_key,
        audience: new.audience,
        credential: Some(convert::credential(new.credential)),
        environment: convert::environment(new.environment),
        remind_after: new.remind_after.map(convert::duration).transpose()?,
    })
}

/// A call with nothing secret, which is made again if it was not sent.
async fn ask<Q: Clone, A, F>(
    deadline: Duration,
    request: Q,
    send: impl Fn(Request<Q>) -> F,
) -> Result<A, Error>
where
    F: Future<Output = Result<Response<A>, Status>>,
{
    let answer = unsent::repeat(|| {
        let mut request = Request::new(request.clone());
        request.set_timeout(deadline);
        send(request)
    })
    .await;
    Ok(answer.map_err(|s| Error::from_status(&s))?.into_inner())
}

/// A call with secrets, of which no second copy is kept for a second attempt.
async fn call<Q, A, F>(
    deadline: Duration,
    request: Q,
    send: impl FnOnce(Request<Q>) -> F,
) -> Result<A, Error>
where
    F: Future<Output = Result<Response<A>, Status>>,
{
    let mut request = Request::new(request);
    request.set_timeout(deadline);
    let answer = send(request).await;
    Ok(answer.map_err(|s| Error::from_status(&s))?.into_inner())
}
