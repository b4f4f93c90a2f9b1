//! The flows of OAuth.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    super::{
        CodeRequest, Grant, LoginRefused, LoginRequest, Proof,
        buffer::WipedBuffer,
        classify,
        http::{Answer, Get, Post},
        oauth::{self, Asked, Expected, Unsendable},
        session_format::SessionFormat,
    },
    SalesforceLogin,
};
use crate::{
    credential::{Credential, FlowKind},
    failure::{Class, Failure},
    host::Host,
    secret::{RefreshToken, SessionId},
};

/// A lifetime is not worth a longer wait: without it the session counts as short-lived.
const INTROSPECTION: Duration = Duration::from_secs(10);

impl SalesforceLogin {
    pub(super) async fn oauth_login(&self, request: &LoginRequest) -> Result<Grant, LoginRefused> {
        let LoginRequest {
            login_host: host,
            flow,
            credential,
        } = request;
        self.rules
            .permit(host)
            .map_err(|refused| classify::wrong_host(&refused))?;
        let sent_at = self.clock.now();
        let Asked { body, secrets } = oauth::token(flow, credential, host, sent_at)
            .map_err(|problem| unsendable(&problem))?;
        let answer = self.post_form(host, oauth::TOKEN, body).await?;
        let secrets: Vec<&str> = secrets.iter().map(|secret| secret.as_str()).collect();
        let expected = Expected {
            rules: &self.rules,
            username: flow.username(),
            consumer_secret: credential.consumer_secret(),
            refresh_token: credential.refresh_token(),
            sent_at,
        };
        let now = self.clock.now();
        let mut grant = oauth::login(&answer, flow.kind(), &expected, &secrets, now)?;
        if grant.timeout.is_none() {
            grant.timeout = self.introspect(request, &grant).await;
        }
        Ok(grant)
    }

    /// Exchanges the code of a login in a browser.
    pub(super) async fn redeem_code(&self, request: &CodeRequest) -> Result<Grant, Failure> {
        let host = &request.login_host;
        self.rules
            .permit(host)
            .map_err(|refused| classify::wrong_host(&refused))?;
        let sent_at = self.clock.now();
        let Asked { body, secrets } = oauth::code(request);
        let answer = self.post_form(host, oauth::TOKEN, body).await?;
        let secrets: Vec<&str> = secrets.iter().map(|secret| secret.as_str()).collect();
        // None was sent, so whichever comes replaces it.
        let none = RefreshToken::new(String::new());
        let expected = Expected {
            rules: &self.rules,
            username: None,
            consumer_secret: request.consumer_secret.as_ref(),
            refresh_token: Some(&none),
            sent_at,
        };
        let now = self.clock.now();
        // A token that comes with what is not believed is not kept here: a person is there to log in once more.
        oauth::login(&answer, FlowKind::RefreshToken, &expected, &secrets, now)
            .map_err(|refused| refused.failure)
    }

    /// The timeout of a new session, if the app can be asked for it.
    ///
    /// A refresh token that was replaced is nowhere but in memory yet: then there is no time for questions. Sessions of
    /// the username-password flow are never found.
    async fn introspect(&self, request: &LoginRequest, grant: &Grant) -> Option<Duration> {
        let asks = match request.credential {
            Credential::ClientCredentials { .. }
            | Credential::JwtBearer { .. }
            | Credential::RefreshToken { .. } => grant.rotated.is_none(),
            Credential::SoapLogin { .. } | Credential::UsernamePassword { .. } => false,
        };
        let (key, secret) = (
            request.flow.consumer_key()?,
            request.credential.consumer_secret().filter(|_| asks)?,
        );
        let form = oauth::introspect(&grant.session_id, key, secret);
        let asked = self.post_form(&grant.instance, oauth::INTROSPECT, form);
        let answer = timeout(INTROSPECTION, asked).await.ok()?.ok()?;
        let told = oauth::timeout(answer.body.as_ref()).filter(|_| answer.status == 200);
        if told.is_none() {
            let status = answer.status;
            tracing::debug!(host = %grant.instance, status, "introspection tells no lifetime");
        }
        told
    }

    /// Asks whose a session is that SOAP does not take.
    pub(super) async fn user_info(
        &self,
        session_id: &SessionId,
        host: &Host,
    ) -> Result<Proof, Failure> {
        self.rules
            .permit(host)
            .map_err(|refused| classify::wrong_host(&refused))?;
        let mut authorization = WipedBuffer::with_capacity(4096);
        authorization.push(b"Bearer ");
        // EXPOSE: the request's header, which goes to the session's instance only.
        authorization.push(session_id.expose().as_bytes());
        let get = Get {
            host,
            path: oauth::USER_INFO,
            authorization: Some(authorization),
        };
        let answer = self.answered(host, self.http.get(get)).await;
        // EXPOSE: `redact`, which keeps it out of what is told about a failure.
        classify::user_info(answer, &[session_id.expose()])
    }

    /// Ends a session that SOAP does not take.
    pub(super) async fn revoke(&self, session_id: &SessionId, host: &Host) -> Result<(), Failure> {
        self.rules
            .permit(host)
            .map_err(|refused| classify::wrong_host(&refused))?;
        let form = oauth::revoke(session_id);
        classify::revocation(self.post_form(host, oauth::REVOKE, form).await)
    }

    async fn post_form(
        &self,
        host: &Host,
        path: &'static str,
        body: WipedBuffer,
    ) -> Result<Answer, Failure> {
        let post = Post {
            host,
            path,
            headers: &[
                ("content-type", "application/x-www-form-urlencoded"),
                ("accept", "application/json"),
            ],
            body,
        };
        self.answered(host, self.http.post(post)).await
    }
}

/// Whether SOAP takes this session; what looks like none is for SOAP to refuse.
pub(super) fn is_for_soap(session_id: &SessionId) -> bool {
    // EXPOSE: the check of its form.
    !matches!(
        SessionFormat::of(session_id.expose()),
        Some(SessionFormat::Jwt)
    )
}

/// It was never sent, and would not be the next time.
fn unsendable(problem: &Unsendable) -> Failure {
    classify::failure(Class::AppConfig, &problem.to_string())
}
