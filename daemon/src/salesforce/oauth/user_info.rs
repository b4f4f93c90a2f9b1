//! Whose a session is ("Get User Information with the User Info Endpoint", Salesforce Help): the proof of a session
//! that SOAP does not take.

use serde::Deserialize;

use super::{
    super::{
        Proof,
        id::{ORG, SalesforceId, USER},
        soap::NoGrant,
    },
    fields::{self, Text},
};

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Wire {
    organization_id: Text,
    user_id: Text,
    preferred_username: Text,
}

/// Reads an answer with status 200.
pub(in super::super) fn proof(body: &[u8]) -> Result<Proof, NoGrant> {
    let wire: Wire = fields::parse(body).ok_or(NoGrant::Unreadable("it is not a JSON object"))?;
    let id = |text: &Text, prefix| {
        text.get()
            .and_then(|text| SalesforceId::parse(text, prefix))
            .map(SalesforceId::into_string)
            .ok_or(NoGrant::Unreadable(
                "its `organization_id` or `user_id` is not an id",
            ))
    };
    Ok(Proof {
        org_id: id(&wire.organization_id, ORG)?,
        user_id: id(&wire.user_id, USER)?,
        username: wire.preferred_username.get().map(str::to_owned),
        timeout: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_org_user_and_user_name() {
        let body =
            br#"{"sub":"x","organization_id":"00Dxx0000001gPLEAY","user_id":"005xx000001Sv6A",
            "preferred_username":"etl@acme.com","active":true,"urls":{"rest":"y"}}"#;
        let proof = proof(body).unwrap();
        assert_eq!(
            (
                proof.org_id.as_str(),
                proof.user_id.as_str(),
                proof.username.as_deref()
            ),
            (
                "00Dxx0000001gPLEAY",
                "005xx000001Sv6AAAS",
                Some("etl@acme.com")
            )
        );
    }

    #[test]
    fn an_answer_without_both_ids_proves_nothing() {
        for body in [
            "",
            "Bad_OAuth_Token",
            "{}",
            r#"{"organization_id":"00Dxx0000001gPLEAY"}"#,
            r#"{"organization_id":"00Dxx0000001gPLEAY","user_id":null}"#,
            r#"{"organization_id":"00Dxx0000001gPLEAY","user_id":["005xx000001Sv6A"]}"#,
            r#"{"organization_id":"005xx000001Sv6A","user_id":"00Dxx0000001gPLEAY"}"#,
            r#"{"organization_id":"00Dxx0000001gPLEAY","user_id":"005xx000001Sv6A","user_id":"005xx000001Sv6A"}"#,
        ] {
            assert!(proof(body.as_bytes()).is_err(), "{body}");
        }
    }
}
