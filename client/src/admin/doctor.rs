//! Examinations.

use sfvault_proto::v1;

use super::{AdminClient, call};
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
        let mut wire = self.doctor().await?;
        let answer = call(DEADLINE, request, |r| wire.examine_daemon(r)).await?;
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
        let mut wire = self.doctor().await?;
        let answer = call(LOGIN_DEADLINE, request, |r| wire.examine_record(r)).await?;
        Ok(answer.findings.into_iter().map(convert::finding).collect())
    }
}
