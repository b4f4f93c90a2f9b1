//! Examinations.

use sfvault_proto::v1;

use super::{AdminClient, ask};
use crate::{
    Error, Finding, RecordName, convert,
    sessions::{DEADLINE, LOGIN_DEADLINE},
};

impl AdminClient {
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
}
