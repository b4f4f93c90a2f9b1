//! Records: stored, shown, proved and removed.

use sfvault_proto::v1;

use super::{AdminClient, call};
use crate::{
    ConsumerSecret, CredentialChange, Error, Holder, NewRecord, Password, PrivateKey, RecordName,
    RecordStatus, RefreshToken, SecurityToken, convert,
    sessions::{DEADLINE, LOGIN_DEADLINE},
};

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
    /// Adds a record. Nothing is sent to Salesforce.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn add(&self, new: NewRecord) -> Result<Stored, Error> {
        let request = new_record(new)?;
        let mut wire = self.records().await?;
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
        let mut wire = self.records().await?;
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
        let mut wire = self.records().await?;
        let answer = call(DEADLINE, request, |r| wire.describe_record(r)).await?;
        let record = convert::required(answer.record)?;
        Ok(convert::with_last_use(record, answer.last_use))
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
        let mut wire = self.records().await?;
        let answer = call(LOGIN_DEADLINE, request, |r| wire.check_record(r)).await?;
        Ok(Checked {
            record: convert::required(answer.record)?,
            instance_url: answer.instance_url,
            logged_in: answer.logged_in,
        })
    }

    /// Removes a record and drops its session here; the session at Salesforce goes on.
    ///
    /// # Errors
    /// See [`AdminClient`]. A record that has the only copy of a generated password is not removed.
    pub async fn remove(&self, name: &RecordName) -> Result<(), Error> {
        self.remove_record(name, false).await
    }

    /// The same with a generated password that may be in force: nobody knows it afterwards.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn remove_with_generated_password(&self, name: &RecordName) -> Result<(), Error> {
        self.remove_record(name, true).await
    }

    async fn remove_record(
        &self,
        name: &RecordName,
        with_generated_password: bool,
    ) -> Result<(), Error> {
        let request = v1::RemoveRecordRequest {
            name: name.as_str().to_owned(),
            with_generated_password,
        };
        let mut wire = self.records().await?;
        call(DEADLINE, request, |r| wire.remove_record(r)).await?;
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
        let mut wire = self.records().await?;
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
        let mut wire = self.records().await?;
        let answer = call(LOGIN_DEADLINE, request, |r| wire.end_session(r)).await?;
        Ok(answer.ended)
    }
}

pub(super) fn new_record(new: NewRecord) -> Result<v1::AddRecordRequest, Error> {
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
