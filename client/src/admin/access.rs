//! Who may use a record.

use sfvault_proto::v1;

use super::{AdminClient, call};
use crate::{
    Access, AccessChange, AccessRule, Error, Explanation, RecordName, access_wire,
    sessions::DEADLINE,
};

impl AdminClient {
    /// Adds an access rule to a record; it takes nothing from anybody.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn allow(&self, name: &RecordName, rule: &AccessRule) -> Result<AccessChange, Error> {
        let request = v1::AllowPeerRequest {
            name: name.as_str().to_owned(),
            rule: Some(access_wire::rule_to_wire(rule)?),
        };
        let mut wire = self.records().await?;
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
        let mut wire = self.records().await?;
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
        let mut wire = self.records().await?;
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
        let mut wire = self.records().await?;
        let answer = call(DEADLINE, request, |r| wire.explain_access(r)).await?;
        access_wire::explanation(answer)
    }
}
