//! The way to Salesforce, put together: host rules, envelope, exchange, classification.

use std::{future::Future, sync::Arc};

use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{
    CodeRequest, Exchange, Grant, HostRefused, Login, LoginExchange, LoginRefused, LoginRequest,
    PasswordChange, PasswordExchange, PasswordNotSet, Proof, Survey,
    buffer::WipedBuffer,
    classify,
    envelope::{self, Unsendable},
    environment::Environment,
    hosts::HostRules,
    http::{Answer, Get, HttpClient, HttpError, Post},
    settings::Settings,
    survey,
};
use crate::{
    clock::Clock,
    credential::{Credential, Flow},
    failure::{Class, Failure},
    host::Host,
    secret::{Password, SecurityToken, SessionId},
};

/// Logs in at Salesforce. It keeps no session and no connection, and it never tries twice.
#[derive(Debug)]
pub struct SalesforceLogin {
    rules: HostRules,
    http: HttpClient,
    clock: Arc<dyn Clock>,
}

impl SalesforceLogin {
    /// Opens nothing: certificates are read when the first login needs them. The clock dates assertions.
    #[must_use]
    pub fn new(settings: Settings, environment: Environment, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            rules: settings.host_rules.clone(),
            http: HttpClient::new(settings, environment),
        }
    }

    async fn soap_login(
        &self,
        host: &Host,
        username: &str,
        password: &Password,
        token: Option<&SecurityToken>,
    ) -> Result<Grant, Failure> {
        self.rules
            .permit(host)
            .map_err(|refused| classify::wrong_host(&refused))?;
        let body = envelope::login(username, password, token).map_err(unsendable)?;
        let answer = self.post(host, body).await?;
        // EXPOSE: `redact`, which keeps them out of what is told about a failure. Joined as well, as they
        // are sent: a piece quoted from the seam is a piece of neither.
        let (password, token) = (password.expose(), token.map_or("", SecurityToken::expose));
        let joined = Zeroizing::new([password, token].concat());
        let secrets = [joined.as_str(), password, token];
        classify::login(&answer, username, &self.rules, &secrets)
    }

    async fn get_user_info(&self, session_id: &SessionId, host: &Host) -> Result<Proof, Failure> {
        self.rules
            .permit(host)
            .map_err(|refused| classify::wrong_host(&refused))?;
        let body = envelope::get_user_info(session_id).map_err(unsendable)?;
        let answer = self.post(host, body).await;
        // EXPOSE: `redact`, which keeps it out of what is told about a failure.
        let secrets = [session_id.expose()];
        classify::proof(answer, &secrets)
    }

    async fn log_out(&self, session_id: &SessionId, host: &Host) -> Result<(), Failure> {
        self.rules
            .permit(host)
            .map_err(|refused| classify::wrong_host(&refused))?;
        let body = envelope::logout(session_id).map_err(unsendable)?;
        // EXPOSE: `redact`, which keeps it out of what is told about a failure.
        classify::logout(self.post(host, body).await, &[session_id.expose()])
    }

    async fn change_password(&self, change: &PasswordChange) -> Result<(), PasswordNotSet> {
        let PasswordChange {
            session_id,
            instance,
            user_id,
            password,
        } = change;
        let unsent = |failure| PasswordNotSet {
            failure,
            unchanged: true,
        };
        self.rules
            .permit(instance)
            .map_err(|refused| unsent(classify::wrong_host(&refused)))?;
        let body = envelope::set_password(session_id, user_id, password)
            .map_err(|problem| unsent(unsendable(problem)))?;
        let answer = self.post(instance, body).await;
        // EXPOSE: `redact`, which keeps them out of what is told about a failure.
        let secrets = [password.expose(), session_id.expose()];
        classify::password_set(answer, &secrets)
    }

    async fn post(&self, host: &Host, body: WipedBuffer) -> Result<Answer, Failure> {
        let post = Post {
            host,
            path: envelope::PATH,
            headers: &[
                ("content-type", "text/xml; charset=utf-8"),
                // Must be there; its value is ignored (the WSDL's binding has an empty one).
                ("soapaction", "\"\""),
            ],
            body,
        };
        self.answered(host, self.http.post(post)).await
    }

    /// Waits for the answer to a request and logs that it came.
    async fn answered(
        &self,
        host: &Host,
        request: impl Future<Output = Result<Answer, HttpError>>,
    ) -> Result<Answer, Failure> {
        let started = Instant::now();
        let result = request.await;
        let elapsed = started.elapsed();
        match result {
            Ok(answer) => {
                tracing::debug!(%host, status = answer.status, ?elapsed, "Salesforce answered");
                Ok(answer)
            }
            Err(error) => {
                let failure = classify::unanswered(error);
                let class = failure.class.name();
                tracing::debug!(%host, class, ?elapsed, "Salesforce did not answer");
                Err(failure)
            }
        }
    }
}

impl Login for SalesforceLogin {
    fn permit(&self, host: &Host) -> Result<(), HostRefused> {
        self.rules.permit(host)
    }

    fn login<'a>(&'a self, request: &'a LoginRequest) -> LoginExchange<'a> {
        Box::pin(async move {
            let host = &request.login_host;
            let result = match (&request.flow, &request.credential) {
                (
                    Flow::SoapLogin { username },
                    Credential::SoapLogin {
                        password,
                        security_token,
                    },
                ) => self
                    .soap_login(host, username, password, security_token.as_ref())
                    .await
                    .map_err(LoginRefused::from),
                _ => self.oauth_login(request).await,
            };
            let failure = result.as_ref().err().map(|refused| &refused.failure);
            log("login", &request.login_host, failure);
            result
        })
    }

    fn redeem<'a>(&'a self, request: &'a CodeRequest) -> Exchange<'a, Grant> {
        Box::pin(async move {
            let result = self.redeem_code(request).await;
            log("code", &request.login_host, result.as_ref().err());
            result
        })
    }

    fn set_password<'a>(&'a self, change: &'a PasswordChange) -> PasswordExchange<'a> {
        Box::pin(async move {
            let result = self.change_password(change).await;
            let class = match &result {
                Ok(()) => "ok",
                Err(not_set) => not_set.failure.class.name(),
            };
            tracing::debug!(host = %change.instance, class, "setPassword at Salesforce");
            result
        })
    }

    fn prove<'a>(&'a self, session_id: &'a SessionId, instance: &'a Host) -> Exchange<'a, Proof> {
        Box::pin(async move {
            let result = if oauth::is_for_soap(session_id) {
                self.get_user_info(session_id, instance).await
            } else {
                self.user_info(session_id, instance).await
            };
            log("proof", instance, result.as_ref().err());
            result
        })
    }

    fn end<'a>(&'a self, session_id: &'a SessionId, instance: &'a Host) -> Exchange<'a, ()> {
        Box::pin(async move {
            let result = if oauth::is_for_soap(session_id) {
                self.log_out(session_id, instance).await
            } else {
                self.revoke(session_id, instance).await
            };
            log("end of a session", instance, result.as_ref().err());
            result
        })
    }

    fn survey<'a>(&'a self, host: &'a Host) -> Exchange<'a, Survey> {
        Box::pin(async move {
            self.rules
                .permit(host)
                .map_err(|refused| classify::wrong_host(&refused))?;
            let get = Get {
                host,
                path: survey::PATH,
                authorization: None,
            };
            let answer = self.http.get(get).await.map_err(classify::unanswered)?;
            survey::read(&answer)
        })
    }

    fn proxy(&self, host: &Host) -> Option<String> {
        self.http.proxy(host)
    }
}

/// Such a credential can't be the right one: Salesforce could never have received it.
fn unsendable(problem: Unsendable) -> Failure {
    classify::failure(Class::BadCredentials, &problem.to_string())
}

fn log(what: &'static str, host: &Host, failure: Option<&Failure>) {
    let class = failure.map_or("ok", |failure| failure.class.name());
    tracing::debug!(%host, class, what, "exchange with Salesforce");
}

mod oauth;

#[cfg(test)]
mod tests;
