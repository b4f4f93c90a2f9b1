//! Migration and rotation.

use sfvault_proto::v1;

use super::{AdminClient, call, records::new_record};
use crate::{
    ConsumerSecret, CredentialChange, Error, GeneratedPassword, Migrated, Migration, Password,
    PrivateKey, RecordName, RecordStatus, RefreshToken, Rotated, Rotation, SecurityToken, convert,
    sessions::{DEADLINE, LOGIN_DEADLINE},
};

impl AdminClient {
    /// Changes how a record logs in, after a login the new way that leads to the same user of the same org. The old
    /// login is kept, sealed.
    ///
    /// # Errors
    /// See [`AdminClient`]; then the record is as it was.
    pub async fn migrate(&self, migration: Migration) -> Result<Migrated, Error> {
        let request = v1::MigrateRecordRequest {
            to: Some(new_record(migration.to)?),
            dry_run: migration.dry_run,
            expect_user: migration.expect_user.unwrap_or_default(),
            expect_org: migration.expect_org.unwrap_or_default(),
        };
        let mut wire = self.records().await?;
        // A login the old way may come first.
        let answer = call(2 * LOGIN_DEADLINE, request, |r| wire.migrate_record(r)).await?;
        Ok(Migrated {
            record: convert::required(answer.record)?,
            before: convert::login_facts(answer.before)?,
            after: convert::login_facts(answer.after)?,
            warnings: answer.warnings,
        })
    }

    /// Returns to the login that a migration kept, after a login with it if `check` is set. The one that it leaves is
    /// kept in its place.
    ///
    /// # Errors
    /// See [`AdminClient`]; then the record is as it was.
    pub async fn restore_login(
        &self,
        name: &RecordName,
        check: bool,
    ) -> Result<RecordStatus, Error> {
        let request = v1::RestoreLoginRequest {
            name: name.as_str().to_owned(),
            unchecked: !check,
        };
        let mut wire = self.records().await?;
        let answer = call(LOGIN_DEADLINE, request, |r| wire.restore_login(r)).await?;
        convert::required(answer.record)
    }

    /// Wipes the login that a migration kept. Returns false if there was none.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn forget_old_login(&self, name: &RecordName) -> Result<(RecordStatus, bool), Error> {
        let request = v1::ForgetOldLoginRequest {
            name: name.as_str().to_owned(),
        };
        let mut wire = self.records().await?;
        let answer = call(DEADLINE, request, |r| wire.forget_old_login(r)).await?;
        Ok((convert::required(answer.record)?, answer.changed))
    }

    /// Changes secrets of a record after one login with the new ones has succeeded.
    ///
    /// # Errors
    /// See [`AdminClient`]; then the record is as it was, or a generated password awaits its security token.
    pub async fn rotate(&self, name: &RecordName, rotation: Rotation) -> Result<Rotated, Error> {
        let (change, generate, keep_old) = match rotation {
            Rotation::To(change) => (change, false, false),
            Rotation::Generate => (CredentialChange::default(), true, false),
            Rotation::KeepOld => (CredentialChange::default(), false, true),
        };
        let request = v1::RotateCredentialRequest {
            name: name.as_str().to_owned(),
            password: change.password.map(Password::into_wire),
            security_token: change.security_token.map(SecurityToken::into_wire),
            consumer_secret: change.consumer_secret.map(ConsumerSecret::into_wire),
            private_key: change.private_key.map(PrivateKey::into_wire),
            refresh_token: change.refresh_token.map(RefreshToken::into_wire),
            generate,
            keep_old,
        };
        let mut wire = self.records().await?;
        let answer = call(2 * LOGIN_DEADLINE, request, |r| wire.rotate_credential(r)).await?;
        Ok(Rotated {
            result: convert::rotation(answer.rotation),
            record: convert::required(answer.record)?,
            warnings: answer.warnings,
        })
    }

    /// The generated password that awaits its security token, and what is known of it.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn reveal_generated_password(
        &self,
        name: &RecordName,
    ) -> Result<(Password, Option<GeneratedPassword>), Error> {
        let request = v1::RevealGeneratedPasswordRequest {
            name: name.as_str().to_owned(),
        };
        let mut wire = self.records().await?;
        let answer = call(DEADLINE, request, |r| wire.reveal_generated_password(r)).await?;
        let state = convert::generated_password(answer.state);
        Ok((Password::new(answer.password), state))
    }
}
