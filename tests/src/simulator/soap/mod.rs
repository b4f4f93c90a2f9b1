//! The SOAP APIs: `login()` at both hosts, other calls at the instance.

pub(super) mod calls;
pub(super) mod envelope;
pub(super) mod fault;
mod login;
mod result;

use http::{HeaderMap, header};

use super::{
    flow::Flow,
    journal::Attempt,
    org::NEWEST_VERSION,
    reply::{Outcome, Reply},
    server::Listener,
    state::World,
};
use envelope::Call;
use fault::Fault;

/// The two SOAP APIs that have `login()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    /// `/services/Soap/u/`
    Partner,
    /// `/services/Soap/c/`
    Enterprise,
}

impl Api {
    pub(super) fn namespace(self) -> &'static str {
        match self {
            Self::Partner => "urn:partner.soap.sforce.com",
            Self::Enterprise => "urn:enterprise.soap.sforce.com",
        }
    }

    /// The API whose path this is; the partner API if it is neither's.
    pub(super) fn of_path(path: &str) -> Self {
        match path.starts_with("/services/Soap/c/") {
            true => Self::Enterprise,
            false => Self::Partner,
        }
    }

    fn fault_namespace(self) -> &'static str {
        match self {
            Self::Partner => "urn:fault.partner.soap.sforce.com",
            Self::Enterprise => "urn:fault.enterprise.soap.sforce.com",
        }
    }
}

/// What the path of a SOAP request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Endpoint<'a> {
    pub(super) api: Api,
    /// `None`: no version at all.
    pub(super) version: Option<u32>,
    /// The org id behind the version.
    org: Option<&'a str>,
    /// `v64.0` is not refused: it is taken for 7.0, and only the `serverUrl` shows it.
    odd_version: bool,
}

impl<'a> Endpoint<'a> {
    /// Takes the path behind `/services/Soap/` apart.
    pub(super) fn parse(segments: &[&'a str]) -> Option<Self> {
        let (api, version, org) = match segments {
            [api, version] => (api, version, None),
            [api, version, org] | [api, version, org, _] => (api, version, Some(*org)),
            _ => return None,
        };
        let api = match *api {
            "u" => Api::Partner,
            "c" => Api::Enterprise,
            _ => return None,
        };
        let odd_version = version.starts_with('v');
        Some(Self {
            api,
            version: match odd_version {
                true => Some(7),
                false => version.strip_suffix(".0").and_then(|v| v.parse().ok()),
            },
            org,
            odd_version,
        })
    }
}

/// A request with all that a call may look at.
pub(super) struct Context<'a> {
    pub(super) listener: Listener,
    /// The name in the `Host` header, without port.
    pub(super) host: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) endpoint: Endpoint<'a>,
}

/// The login that a call is, if it is one.
pub(super) fn attempt(call: &Call) -> Option<Attempt> {
    (call.operation == "login").then(|| Attempt {
        flow: Flow::SoapLogin,
        user: call.field("username").map(str::to_owned),
        password: call.field("password").map(str::to_owned),
    })
}

/// Answers a SOAP request.
pub(super) fn answer(world: &mut World, context: &Context<'_>, body: &[u8]) -> Reply {
    let mut complaints = Vec::new();
    let mut reply = call(world, context, body, &mut complaints);
    reply.complaints.append(&mut complaints);
    reply
}

fn call(
    world: &mut World,
    context: &Context<'_>,
    body: &[u8],
    complaints: &mut Vec<String>,
) -> Reply {
    let refuse =
        |world: &World, fault: &Fault| fault_reply(world, context, fault, Outcome::Answered);
    if !context.headers.contains_key("soapaction") {
        complaints.push("a SOAP request without SOAPAction".to_owned());
        let fault = Fault::transport("soapenv:Client", "SOAPAction HTTP header is missing");
        return refuse(world, &fault);
    }
    let content_type = context.headers.get(header::CONTENT_TYPE);
    if !content_type.is_some_and(|t| t.as_bytes().starts_with(b"text/xml")) {
        complaints.push("a SOAP request that is not text/xml".to_owned());
    }
    let endpoint = context.endpoint;
    let served = |v: u32| (world.org.min_version..=NEWEST_VERSION).contains(&v);
    if !endpoint.odd_version && !endpoint.version.is_some_and(served) {
        return refuse(world, &Fault::unsupported_version());
    }
    let call = match Call::parse(body) {
        Ok(call) => call,
        Err(fault) => {
            complaints.push("malformed SOAP".to_owned());
            return refuse(world, &fault);
        }
    };
    if !call.belongs_to(endpoint.api) {
        complaints.push(format!("`{}` in a wrong namespace", call.operation));
        let fault = Fault::transport("soapenv:Client", "No operation available for request");
        return refuse(world, &fault);
    }
    if call.operation == "login" {
        return login::answer(world, context, &call, complaints);
    }
    if context.listener == Listener::Login {
        complaints.push(format!("`{}` at the login host", call.operation));
        return refuse(world, &Fault::destination_not_reset());
    }
    calls::answer(world, context, &call, complaints)
}

fn fault_reply(world: &World, context: &Context<'_>, fault: &Fault, outcome: Outcome) -> Reply {
    let xml = fault.to_xml(context.endpoint.api, world.org.fault_style);
    Reply::xml(500, xml).outcome(outcome)
}

/// An envelope around the answer to a call.
fn envelope(world: &World, api: Api, operation: &str, result: &str) -> String {
    // login() never tells about limits.
    let limits = if world.org.limit_info && operation != "login" {
        format!(
            "<soapenv:Header><LimitInfoHeader><limitInfo><current>{}</current><limit>{}</limit>\
             <type>API REQUESTS</type></limitInfo></LimitInfoHeader></soapenv:Header>",
            world.api_calls, world.org.api_calls_max
        )
    } else {
        String::new()
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
         xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns=\"{}\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">{limits}<soapenv:Body>\
         <{operation}Response>{result}</{operation}Response></soapenv:Body></soapenv:Envelope>",
        api.namespace(),
    )
}
