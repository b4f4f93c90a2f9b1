//! The calls that need a session.

use super::{Context, Fault, Reply, envelope, envelope::Call, fault::Detail, fault_reply, result};
use crate::simulator::{
    id,
    reply::Outcome,
    state::{Refused, Visit, World},
    time,
};

pub(super) fn answer(
    world: &mut World,
    context: &Context<'_>,
    call: &Call,
    complaints: &mut Vec<String>,
) -> Reply {
    let operation = call.operation.as_str();
    if !matches!(
        operation,
        "getServerTimestamp" | "getUserInfo" | "logout" | "setPassword"
    ) {
        complaints.push(format!("the SOAP call `{operation}`"));
        let fault = Fault::transport("soapenv:Client", "No operation available for request");
        return fault_reply(world, context, &fault, Outcome::Answered);
    }
    if context.endpoint.odd_version {
        complaints.push(format!("`{operation}` in a version that starts with `v`"));
    }
    let session = call.session_id().unwrap_or_default();
    let strange_org = context.endpoint.org.is_some_and(|id| id != world.org.id);
    // SOAP knows no token in JWT format, however alive it is.
    let known_format = !session.starts_with("eyJ");
    let visit = Visit {
        session: if known_format { session } else { "" },
        host: if strange_org { "" } else { context.host },
        password_may_be_expired: operation == "setPassword",
    };
    let user = match world.admit(&visit) {
        Ok(user) => user,
        Err(refused) => {
            return fault_reply(world, context, &refusal(&refused), Outcome::SessionRefused);
        }
    };
    let result = match operation {
        "getServerTimestamp" => {
            format!(
                "<result><timestamp>{}</timestamp></result>",
                time::iso(world.now)
            )
        }
        "getUserInfo" => format!(
            "<result>{}</result>",
            result::user_info(&world.org, &world.users[user])
        ),
        "logout" => {
            world.sessions.close(session);
            String::new()
        }
        _ => {
            let own = &world.users[user].id;
            if !call.field("userId").is_some_and(|id| id.starts_with(own)) {
                let fault = Fault {
                    detail: Detail::InvalidIdFault,
                    ..Fault::unexpected("INVALID_ID_FIELD", "invalid user id")
                };
                return fault_reply(world, context, &fault, Outcome::Answered);
            }
            let password = call.field("password").unwrap_or_default();
            world.set_password(user, password);
            world.sessions.free(session, world.now);
            "<result/>".to_owned()
        }
    };
    let xml = envelope(world, context.endpoint.api, operation, &result);
    Reply::xml(200, xml).user(&world.users[user].username)
}

fn refusal(refused: &Refused) -> Fault {
    match refused {
        Refused::Dead => {
            let message = format!(
                "Invalid Session ID found in SessionHeader: Illegal Session. Session not found, missing \
                 session hash: {}\nThis error usually occurs after a session expires or a user logs out.",
                id::session_hash()
            );
            Fault::unexpected("INVALID_SESSION_ID", &message)
        }
        Refused::Barred => Fault::unexpected(
            "INVALID_SESSION_ID",
            "This session is not valid for use with the API",
        ),
        Refused::PasswordExpired => Fault::unexpected(
            "INVALID_OPERATION_WITH_EXPIRED_PASSWORD",
            "The users password has expired, you must call SetPassword before attempting any other API \
             operations",
        ),
        Refused::ApiDisabled => Fault::api_disabled(),
        Refused::LimitExceeded => {
            Fault::unexpected("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        }
    }
}
