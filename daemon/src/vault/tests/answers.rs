//! What the Salesforces of these tests answer, where it does not matter to the test.

use std::time::Duration;

use crate::{
    failure::{Class, Failure},
    host::Host,
    salesforce::{Grant, Proof},
    secret::SessionId,
};

/// Sessions idle out after so long.
pub(super) const TIMEOUT: Duration = Duration::from_hours(2);

pub(super) const ORG: &str = "00Dxx0000001gPLEAY";
pub(super) const USER: &str = "005xx000001Sv6AAAS";

/// The session of a user.
pub(super) fn grant(session_id: String, instance: &str, user_id: &str) -> Grant {
    Grant {
        session_id: SessionId::new(session_id),
        instance: Host::parse(instance).unwrap(),
        org_id: ORG.to_owned(),
        user_id: user_id.to_owned(),
        username: None,
        sandbox: false,
        timeout: Some(TIMEOUT),
        rotated: None,
        hard_expiry: None,
    }
}

pub(super) fn proof(user_id: &str) -> Proof {
    Proof {
        org_id: ORG.to_owned(),
        user_id: user_id.to_owned(),
        username: None,
        timeout: None,
    }
}

pub(super) fn failure(class: Class) -> Failure {
    Failure {
        class,
        code: None,
        message: "no".to_owned(),
        pause: None,
    }
}
