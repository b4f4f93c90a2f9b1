//! A record's sessions belong to the org and user that its first login showed.

use crate::{
    failure::{Class, Failure},
    record::Pin,
    salesforce::{Grant, Proof},
};

/// Whether a login led to the org and user that the record is pinned to.
#[must_use]
pub fn leads_elsewhere(pin: Option<&Pin>, org_id: &str, user_id: &str) -> Option<Failure> {
    let pin = pin?;
    (pin.org_id != org_id || pin.user_id != user_id).then(|| Failure {
        class: Class::PinnedElsewhere,
        code: None,
        message: format!(
            "the login led to org {org_id}, user {user_id}; this record is pinned to org {}, user {}",
            pin.org_id, pin.user_id
        ),
        pause: None,
    })
}

/// Whether a session belongs to another org or user than its login said: then neither can be believed, and before there is
/// a pin nothing else would tell.
#[must_use]
pub fn disagree(grant: &Grant, proof: &Proof) -> Option<Failure> {
    (grant.org_id != proof.org_id || grant.user_id != proof.user_id).then(|| Failure {
        class: Class::PinnedElsewhere,
        code: None,
        message: format!(
            "the login led to org {}, user {}; its session belongs to org {}, user {}",
            grant.org_id, grant.user_id, proof.org_id, proof.user_id
        ),
        pause: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_org_or_user_than_the_pinned_one_is_told() {
        let pin = Pin {
            org_id: "00Dxx0000001gPLEAY".to_owned(),
            user_id: "005xx000001Sv6AAAS".to_owned(),
            username: None,
        };
        assert_eq!(leads_elsewhere(None, "x", "y"), None);
        assert_eq!(leads_elsewhere(Some(&pin), &pin.org_id, &pin.user_id), None);
        let elsewhere = leads_elsewhere(Some(&pin), "00Dxx0000009999EAY", &pin.user_id).unwrap();
        assert_eq!(elsewhere.class, Class::PinnedElsewhere);
        assert!(leads_elsewhere(Some(&pin), &pin.org_id, "005xx000001Sv6BAAS").is_some());
    }
}
