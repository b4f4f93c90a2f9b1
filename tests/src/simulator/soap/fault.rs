//! Faults: what Salesforce answers instead of a result, always with HTTP status 500.

use quick_xml::escape::escape;
use serde::Deserialize;

use super::Api;
use crate::simulator::org::FaultStyle;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Fault {
    /// Such as `INVALID_LOGIN`; `soapenv:Client` and `soapenv:Server` stand for faults of the transport.
    pub code: String,
    /// Without the code.
    pub message: String,
    #[serde(default)]
    pub detail: Detail,
    /// Whether `faultcode` has the prefix `sf:`.
    #[serde(default)]
    pub prefixed: bool,
}

/// The element in a fault's `detail`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Detail {
    #[default]
    LoginFault,
    UnexpectedErrorFault,
    InvalidIdFault,
    /// The fault has no `detail`.
    Absent,
}

impl Fault {
    /// A fault as `login()` sends it for wrong credentials: the code is bare.
    #[must_use]
    pub fn login(code: &str, message: &str) -> Self {
        Self {
            code: code.to_owned(),
            message: message.to_owned(),
            detail: Detail::LoginFault,
            prefixed: false,
        }
    }

    /// A fault as all calls may send it: the code has a prefix.
    #[must_use]
    pub fn unexpected(code: &str, message: &str) -> Self {
        Self {
            code: code.to_owned(),
            message: message.to_owned(),
            detail: Detail::UnexpectedErrorFault,
            prefixed: true,
        }
    }

    /// The request never reached the API.
    #[must_use]
    pub fn transport(code: &str, message: &str) -> Self {
        Self {
            code: code.to_owned(),
            message: message.to_owned(),
            detail: Detail::Absent,
            prefixed: false,
        }
    }

    /// The one answer to a wrong user, password or token, to a locked, frozen or inactive user, and to the wrong host.
    #[must_use]
    pub fn invalid_login() -> Self {
        Self::login("INVALID_LOGIN", INVALID_LOGIN)
    }

    /// The password is right, and its security token is missing.
    #[must_use]
    pub fn must_use_security_token() -> Self {
        let message = format!(
            "{INVALID_LOGIN} Are you at a new location? When accessing Salesforce--either via a desktop \
             client or the API--from outside of your company\u{2019}s trusted networks, you must add a \
             security token to your password to log in."
        );
        Self::login("LOGIN_MUST_USE_SECURITY_TOKEN", &message)
    }

    /// Login IP ranges or the My Domain policy.
    #[must_use]
    pub fn restricted_domain() -> Self {
        Self::unexpected(
            "LOGIN_DURING_RESTRICTED_DOMAIN",
            "cannot log in from current domain",
        )
    }

    /// Login hours.
    #[must_use]
    pub fn restricted_time() -> Self {
        Self::unexpected(
            "LOGIN_DURING_RESTRICTED_TIME",
            "cannot log in during restricted time",
        )
    }

    /// "SOAP API login()" is off in the org.
    #[must_use]
    pub fn soap_login_disabled() -> Self {
        Self::unexpected(
            "INVALID_OPERATION",
            "SOAP API login() is disabled by default in this org. Contact the org administrator to \
             enable SOAP API login().",
        )
    }

    /// The endpoint's version has no `login()`.
    #[must_use]
    pub fn no_login_in_version(version: u32) -> Self {
        let message = format!(
            "The SOAP Login operation is not available in the API version specified ({version}.0). \
             Refer to the documentation for supported versions."
        );
        Self::unexpected("INVALID_OPERATION", &message)
    }

    /// The user lacks the permission "Use Any API Auth".
    #[must_use]
    pub fn any_api_auth_missing() -> Self {
        Self::unexpected(
            "INSUFFICIENT_ACCESS",
            "SOAP API login() requires the Use Any API Auth user permission.",
        )
    }

    /// The user lacks the permission "API Enabled".
    #[must_use]
    pub fn api_disabled() -> Self {
        Self::unexpected("API_CURRENTLY_DISABLED", "API is disabled for this User")
    }

    /// The version is retired, or not yet served.
    #[must_use]
    pub fn unsupported_version() -> Self {
        Self::unexpected(
            "UNSUPPORTED_API_VERSION",
            "Invalid Api version specified on URL",
        )
    }

    /// What a parser said about the request.
    #[must_use]
    pub fn unknown_exception(message: &str) -> Self {
        Self::unexpected("UNKNOWN_EXCEPTION", message)
    }

    /// A call other than `login()` at a login server.
    #[must_use]
    pub fn destination_not_reset() -> Self {
        Self::unknown_exception(
            "Destination URL not reset. The URL returned from login must be set in the SforceService",
        )
    }

    /// The message that carries it, as the partner API sends it.
    #[must_use]
    pub fn to_message(&self) -> String {
        self.to_xml(Api::Partner, FaultStyle::default())
    }

    pub(in crate::simulator) fn to_xml(&self, api: Api, style: FaultStyle) -> String {
        let (code, message) = (escape(&self.code), escape(&self.message));
        let of_transport = self.code.contains(':');
        let text = if of_transport {
            message.to_string()
        } else {
            format!("{code}: {message}")
        };
        let prefix = match style.prefixed.unwrap_or(self.prefixed) && !of_transport {
            true => "sf:",
            false => "",
        };
        let detail = match self.detail {
            Detail::Absent => None,
            _ if style.no_detail => None,
            Detail::LoginFault => Some("LoginFault"),
            Detail::UnexpectedErrorFault => Some("UnexpectedErrorFault"),
            Detail::InvalidIdFault => Some("InvalidIdFault"),
        }
        .map(|name| {
            format!(
                "<detail><sf:{name} xsi:type=\"sf:{name}\"><sf:exceptionCode>{code}</sf:exceptionCode>\
                 <sf:exceptionMessage>{message}</sf:exceptionMessage></sf:{name}></detail>"
            )
        })
        .unwrap_or_default();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
             xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:sf=\"{}\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body><soapenv:Fault>\
             <faultcode>{prefix}{code}</faultcode><faultstring>{text}</faultstring>{detail}\
             </soapenv:Fault></soapenv:Body></soapenv:Envelope>",
            api.fault_namespace(),
        )
    }
}

const INVALID_LOGIN: &str = "Invalid username, password, security token; or user locked out.";
