//! The results of `login()` and `getUserInfo()`, with every element of the partner WSDL in its order.

use quick_xml::escape::escape;

use super::{Api, Endpoint};
use crate::simulator::{org::Org, user::User};

pub(super) fn login_result(
    org: &Org,
    user: &User,
    endpoint: Endpoint<'_>,
    session: &str,
) -> String {
    let version = endpoint.version.unwrap_or_default();
    let url = |letter| {
        format!(
            "{}/services/Soap/{letter}/{version}.0/{}",
            org.instance_url, org.id
        )
    };
    let server_url = match endpoint.api {
        Api::Partner => url('u'),
        // The enterprise API names the package of its WSDL too.
        Api::Enterprise => format!("{}/0DFxx0000000001", url('c')),
    };
    format!(
        "<result>{}{}{}{}{}{}{}<userInfo>{}</userInfo></result>",
        element("metadataServerUrl", &url('m')),
        element("passwordExpired", &user.password_expired.to_string()),
        element("sandbox", &org.sandbox.to_string()),
        element("serverUrl", &server_url),
        element("sessionId", session),
        extra(org, "sessionFlavour"),
        element("userId", &user.id_18()),
        user_info(org, user),
    )
}

pub(super) fn user_info(org: &Org, user: &User) -> String {
    const NIL: Option<&str> = None;
    let (org_id, user_id) = (org.id_18(), user.id_18());
    let timeout = org.session_timeout.as_secs().to_string();
    let fields = [
        ("accessibilityMode", Some("false")),
        ("chatterExternal", Some("false")),
        ("currencySymbol", Some("€")),
        ("orgAttachmentFileSizeLimit", Some("5242880")),
        ("orgDefaultCurrencyIsoCode", Some("EUR")),
        ("orgDefaultCurrencyLocale", NIL),
        ("orgDisallowHtmlAttachments", Some("false")),
        ("orgHasPersonAccounts", Some("false")),
        ("organizationId", Some(org_id.as_str())),
        ("organizationMultiCurrency", Some("false")),
        ("organizationName", Some(org.name.as_str())),
        ("profileId", Some("00exx000000jM9ZAAU")),
        ("roleId", NIL),
        ("sessionSecondsValid", Some(timeout.as_str())),
        ("userDefaultCurrencyIsoCode", NIL),
        ("userEmail", Some("etl@acme.example")),
        ("userFullName", Some(user.full_name.as_str())),
        ("userId", Some(user_id.as_str())),
        ("userLanguage", Some("en_US")),
        ("userLocale", Some("de_DE")),
        ("userName", Some(user.username.as_str())),
        ("userTimeZone", Some("Europe/Berlin")),
        ("userType", Some("Standard")),
        ("userUiSkin", Some("Theme3")),
    ];
    let mut xml: String = fields
        .iter()
        .map(|(name, value)| match value {
            Some(value) => element(name, value),
            None => format!("<{name} xsi:nil=\"true\"/>"),
        })
        .collect();
    xml.push_str(&extra(org, "userPreferenceFlavour"));
    xml
}

fn element(name: &str, value: &str) -> String {
    format!("<{name}>{}</{name}>", escape(value))
}

/// What a later API version may add: nested, and with a name inside that is known elsewhere.
fn extra(org: &Org, name: &str) -> String {
    match org.extra_elements {
        true => format!(
            "<{name} flavour=\"new\"><label>new</label><userId>decoy</userId><{name}/></{name}>"
        ),
        false => String::new(),
    }
}
