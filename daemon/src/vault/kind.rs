//! Sandbox or production: what operators and jobs expect, held against what is known.

use crate::{
    credential::Flow, environment::Environment, error::Error, host::Host,
    salesforce::hosts::HostKind, session::entry::Entry,
};

/// Checks that what belongs to a new record leads to one kind of org.
///
/// # Errors
/// Names the field that contradicts the login host.
pub(super) fn check(said: Option<Environment>, host: &Host, flow: &Flow) -> Result<(), Error> {
    let Some(kind) = HostKind::of(host).environment() else {
        return Ok(());
    };
    let contradiction = |field, what: &str| {
        let problem = format!(
            "{what} {}, but `{host}` leads to {}",
            words(other(kind)),
            words(kind)
        );
        Err(Error::invalid(field, problem))
    };
    if said.is_some_and(|said| said != kind) {
        return contradiction("environment", "says");
    }
    if let Flow::JwtBearer { audience, .. } = flow
        && let Ok(audience) = Host::parse(audience)
        && HostKind::of(&audience)
            .environment()
            .is_some_and(|meant| meant != kind)
    {
        return contradiction("audience", "is that of");
    }
    Ok(())
}

/// What is known of a record's org before a login: by its host, or because the last session told.
pub(super) fn known(entry: &Entry) -> Option<Environment> {
    let state = entry.lock();
    let told = || Some(Environment::of_flag(state.machine.session()?.sandbox));
    HostKind::of(&state.record.login_host)
        .environment()
        .or_else(told)
}

/// Holds an expectation against what is known; what is not known contradicts nothing.
///
/// # Errors
/// If they differ.
pub(super) fn is_expected(
    expected: Option<Environment>,
    actual: Option<Environment>,
) -> Result<(), Error> {
    match (expected, actual) {
        (Some(expected), Some(actual)) if expected != actual => {
            Err(Error::UnexpectedEnvironment { expected })
        }
        (Some(_), Some(_) | None) | (None, _) => Ok(()),
    }
}

fn other(kind: Environment) -> Environment {
    match kind {
        Environment::Production => Environment::Sandbox,
        Environment::Sandbox => Environment::Production,
    }
}

fn words(kind: Environment) -> &'static str {
    match kind {
        Environment::Production => "production",
        Environment::Sandbox => "a sandbox",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Environment; 2] = [Environment::Production, Environment::Sandbox];

    fn jwt(audience: &str) -> Flow {
        Flow::JwtBearer {
            username: "etl@acme.example".to_owned(),
            consumer_key: "key".to_owned(),
            audience: audience.to_owned(),
        }
    }

    #[test]
    fn a_host_that_contradicts_what_was_said_is_refused() {
        for (host, kind) in [
            ("login.salesforce.com", Environment::Production),
            ("acme.my.salesforce.com", Environment::Production),
            (
                "acme-dev-ed.develop.my.salesforce.com",
                Environment::Production,
            ),
            ("test.salesforce.com", Environment::Sandbox),
            ("acme--uat.sandbox.my.salesforce.com", Environment::Sandbox),
        ] {
            let flow = jwt("https://audience.example");
            let host = Host::parse(host).unwrap();
            assert!(check(None, &host, &flow).is_ok());
            for said in BOTH {
                let result = check(Some(said), &host, &flow);
                assert_eq!(result.is_ok(), said == kind, "{host} {said:?}");
                if let Err(error) = result {
                    assert!(
                        error.to_string().starts_with("`environment`: says"),
                        "{error}"
                    );
                }
            }
        }
        let unknown = Host::parse("localhost:8443").unwrap();
        for said in BOTH {
            assert!(check(Some(said), &unknown, &jwt("https://test.salesforce.com")).is_ok());
        }
    }

    #[test]
    fn an_audience_of_the_other_kind_is_refused() {
        let sandbox = Host::parse("acme--uat.sandbox.my.salesforce.com").unwrap();
        for (audience, fits) in [
            ("https://test.salesforce.com", true),
            ("https://acme--uat.sandbox.my.salesforce.com", true),
            ("https://community.example", true),
            ("https://login.salesforce.com", false),
            ("https://acme.my.salesforce.com", false),
        ] {
            let result = check(None, &sandbox, &jwt(audience));
            assert_eq!(result.is_ok(), fits, "{audience}");
        }
    }

    #[test]
    fn only_what_is_expected_and_known_can_differ() {
        for expected in BOTH {
            assert!(is_expected(Some(expected), None).is_ok());
            assert!(is_expected(None, Some(expected)).is_ok());
            assert!(is_expected(Some(expected), Some(expected)).is_ok());
            assert!(is_expected(Some(expected), Some(other(expected))).is_err());
        }
    }
}
