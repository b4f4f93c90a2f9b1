//! How a record logs in, as the command line says it: the flow, and what belongs to it and is no secret.

use clap::{Args, ValueEnum};
use sfvault::Flow;

use super::{failure::Failure, secret_kind::SecretKind};

/// A flow by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FlowName {
    /// SOAP login() with password and security token
    SoapLogin,
    /// OAuth with password and security token
    UsernamePassword,
    /// OAuth as the app's run-as user, at the org's My Domain
    ClientCredentials,
    /// OAuth with an assertion that a private key signs
    JwtBearer,
    /// OAuth with the refresh token of a user who approved the app
    RefreshToken,
}

/// What a flow needs beside its secrets. For `add`, and for whatever else gives a record a flow.
#[derive(Debug, Args)]
pub(crate) struct FlowSettings {
    /// The Salesforce user name; for the flows that send one
    #[arg(long)]
    username: Option<String>,

    /// The consumer key of the app that logs in; for the OAuth flows
    #[arg(long, value_name = "KEY")]
    consumer_key: Option<String>,

    /// The `aud` of the assertion [default: the login host of the org's environment]; for `jwt-bearer`
    #[arg(long, value_name = "URL")]
    audience: Option<String>,
}

/// The settings of a flow, those that it does not have empty, as the daemon takes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) username: String,
    pub(crate) consumer_key: String,
    pub(crate) audience: String,
}

impl FlowName {
    /// The flow that a record has; `None` if this client is too old to know it.
    pub(crate) fn of(flow: Flow) -> Option<Self> {
        match flow {
            Flow::SoapLogin => Some(Self::SoapLogin),
            Flow::UsernamePassword => Some(Self::UsernamePassword),
            Flow::ClientCredentials => Some(Self::ClientCredentials),
            Flow::JwtBearer => Some(Self::JwtBearer),
            Flow::RefreshToken => Some(Self::RefreshToken),
            Flow::Unrecognised => None,
        }
    }

    /// The name that operators know it by.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SoapLogin => "soap-login",
            Self::UsernamePassword => "username-password",
            Self::ClientCredentials => "client-credentials",
            Self::JwtBearer => "jwt-bearer",
            Self::RefreshToken => "refresh-token",
        }
    }

    /// Its secrets, in the order in which they are asked for.
    pub(crate) fn secrets(self) -> &'static [SecretKind] {
        match self {
            Self::SoapLogin => &[SecretKind::Password, SecretKind::SecurityToken],
            Self::UsernamePassword => &[
                SecretKind::Password,
                SecretKind::SecurityToken,
                SecretKind::ConsumerSecret,
            ],
            Self::ClientCredentials => &[SecretKind::ConsumerSecret],
            Self::JwtBearer => &[SecretKind::PrivateKey, SecretKind::ConsumerSecret],
            Self::RefreshToken => &[SecretKind::RefreshToken, SecretKind::ConsumerSecret],
        }
    }

    fn sends_username(self) -> bool {
        match self {
            Self::SoapLogin | Self::UsernamePassword | Self::JwtBearer => true,
            Self::ClientCredentials | Self::RefreshToken => false,
        }
    }

    fn has_app(self) -> bool {
        match self {
            Self::SoapLogin => false,
            Self::UsernamePassword
            | Self::ClientCredentials
            | Self::JwtBearer
            | Self::RefreshToken => true,
        }
    }
}

impl FlowSettings {
    /// Whether any setting is given.
    pub(crate) fn is_given(&self) -> bool {
        self.username.is_some() || self.consumer_key.is_some() || self.audience.is_some()
    }

    /// Whether the app is named, of a flow that has one. To be asked before anything else is.
    ///
    /// # Errors
    /// Names the option that is missing.
    pub(crate) fn check(&self, flow: FlowName) -> Result<(), Failure> {
        if flow.has_app() {
            required("--consumer-key", self.consumer_key.clone(), flow)?;
        }
        Ok(())
    }

    /// The settings of this flow. `known_username` serves where none is given: that of the record so far, for one
    /// that changes its flow.
    ///
    /// # Errors
    /// Names the option that is missing, or that the flow does not have.
    pub(crate) fn of_flow(
        self,
        flow: FlowName,
        known_username: Option<&str>,
    ) -> Result<Settings, Failure> {
        let username = if flow.sends_username() {
            let known = || known_username.map(str::to_owned);
            required("--username", self.username.or_else(known), flow)?
        } else {
            let why = "Salesforce decides who the user is: the app's run-as user, or whoever approved the app";
            foreign("--username", self.username.as_ref(), flow, why)?;
            String::new()
        };
        let consumer_key = if flow.has_app() {
            required("--consumer-key", self.consumer_key, flow)?
        } else {
            foreign(
                "--consumer-key",
                self.consumer_key.as_ref(),
                flow,
                "it logs in without an app; the OAuth flows have one",
            )?;
            String::new()
        };
        if flow != FlowName::JwtBearer {
            foreign(
                "--audience",
                self.audience.as_ref(),
                flow,
                "only `jwt-bearer` sends an assertion",
            )?;
        }
        Ok(Settings {
            username,
            consumer_key,
            audience: self.audience.unwrap_or_default(),
        })
    }
}

fn required(option: &str, value: Option<String>, flow: FlowName) -> Result<String, Failure> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| {
        let hint = match option {
            "--consumer-key" => {
                "Setup > Apps > App Manager shows the app's consumer key (or External Client App Manager, for one of those)"
            }
            _ => "give the user name that logs in, such as `--username etl@acme.example`",
        };
        Failure::usage(format!("the flow `{}` needs `{option}`", flow.name()), hint)
    })
}

fn foreign(
    option: &str,
    value: Option<&String>,
    flow: FlowName,
    hint: &str,
) -> Result<(), Failure> {
    match value {
        None => Ok(()),
        Some(_) => Err(Failure::usage(
            format!("`{option}` does not belong to the flow `{}`", flow.name()),
            hint,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(username: Option<&str>, key: Option<&str>, audience: Option<&str>) -> FlowSettings {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        FlowSettings {
            username: owned(username),
            consumer_key: owned(key),
            audience: owned(audience),
        }
    }

    #[test]
    fn every_flow_takes_its_own_settings_and_names_the_others() {
        for (flow, user, key, audience) in [
            (FlowName::SoapLogin, true, false, false),
            (FlowName::UsernamePassword, true, true, false),
            (FlowName::ClientCredentials, false, true, false),
            (FlowName::JwtBearer, true, true, true),
            (FlowName::RefreshToken, false, true, false),
        ] {
            let some = |wanted: bool, text| wanted.then_some(text);
            let own = || {
                (
                    some(user, "u@x"),
                    some(key, "k"),
                    some(audience, "https://a"),
                )
            };
            let (u, k, a) = own();
            assert!(given(u, k, a).of_flow(flow, None).is_ok(), "{flow:?}");
            let complaint = |settings: FlowSettings| {
                let failure = settings.of_flow(flow, None).unwrap_err();
                assert!(failure.message().unwrap().contains(flow.name()));
                failure.message().unwrap().to_owned()
            };
            let (u, k, a) = own();
            let flip = |own: Option<&'static str>| if own.is_some() { None } else { Some("x") };
            assert!(complaint(given(flip(u), k, a)).contains("`--username`"));
            assert!(complaint(given(u, flip(k), a)).contains("`--consumer-key`"));
            if !audience {
                assert!(complaint(given(u, k, Some("x"))).contains("`--audience`"));
            }
        }
    }

    #[test]
    fn the_record_s_own_user_name_serves_where_none_is_given() {
        let settings = given(None, Some("k"), None)
            .of_flow(FlowName::JwtBearer, Some("old@acme.example"))
            .unwrap();
        assert_eq!(settings.username, "old@acme.example");
        let settings = given(None, Some("k"), None)
            .of_flow(FlowName::ClientCredentials, Some("old@acme.example"))
            .unwrap();
        assert_eq!(settings.username, "");
    }

    #[test]
    fn flows_are_called_as_they_are_typed() {
        for flow in FlowName::value_variants() {
            let typed = flow.to_possible_value().unwrap();
            assert_eq!(typed.get_name(), flow.name());
        }
    }
}
