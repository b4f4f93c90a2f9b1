//! A Salesforce with a clock of its own, which writes down what should not have been sent to it.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::SystemTime,
};

use tokio::sync::Notify;

use super::{
    super::answers::{TIMEOUT, failure, grant, proof},
    book::{Book, Hang, Judgement},
    time::Time,
    way::{Way, user_id},
};
use crate::{
    failure::Class,
    host::Host,
    salesforce::{
        CodeRequest, Exchange, Grant, HostRefused, Login, LoginExchange, LoginRequest,
        PasswordChange, PasswordExchange, PasswordNotSet, Proof, Survey,
    },
    secret::{RefreshToken, SessionId},
};

pub(super) const INSTANCE: &str = "acme--api.my.salesforce.com";

#[derive(Debug)]
pub(super) struct Salesforce {
    time: Arc<Time>,
    book: Mutex<Book>,
    /// Told when a login hangs.
    pub(super) hangs: Notify,
    gone: Notify,
}

impl Salesforce {
    pub(super) fn new(time: Arc<Time>) -> Self {
        let excused = time.truly();
        Self {
            time,
            book: Mutex::new(Book::new(excused)),
            hangs: Notify::new(),
            gone: Notify::new(),
        }
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }

    /// Whoever waits for the answer to a login that hangs gets what there is.
    pub(super) fn hang_up(&self) {
        self.gone.notify_waiters();
    }

    /// The daemon's clock jumped.
    pub(super) fn jumped(&self) {
        self.book().jumped = self.time.truly();
        self.excuse();
    }

    /// The daemon's clock jumped, or its disk failed it: what it knew of pauses and counts may be gone.
    pub(super) fn excuse(&self) {
        self.book().excused = self.time.truly();
    }

    /// Whether the session would be let in, and whether it was ended before its time.
    pub(super) fn look_at(&self, session_id: &SessionId) -> (bool, bool) {
        let now = self.time.truly();
        let book = self.book();
        let living = &book.sessions[session_id.expose()];
        (living.is_alive(now), living.ended)
    }

    /// Whether the daemon's clock jumped since it last saw the session alive.
    pub(super) fn jumped_since_proof(&self, session_id: &SessionId) -> bool {
        let book = self.book();
        book.excused >= book.sessions[session_id.expose()].proven
    }

    /// Until when the session lives if nothing is done with it.
    pub(super) fn idles_out_at(&self, session_id: &SessionId) -> SystemTime {
        self.book().sessions[session_id.expose()].idles_out_at()
    }

    /// Whether the daemon's clock jumped since a call last prolonged the session.
    pub(super) fn jumped_since_last_use(&self, session_id: &SessionId) -> bool {
        let book = self.book();
        book.sessions[session_id.expose()].idles_out_at() <= book.jumped + TIMEOUT
    }
}

impl Login for Salesforce {
    fn permit(&self, _: &Host) -> Result<(), HostRefused> {
        Ok(())
    }

    fn login<'a>(&'a self, request: &'a LoginRequest) -> LoginExchange<'a> {
        Box::pin(async move {
            let gone = self.gone.notified();
            let way = Way::of(&request.login_host, &request.flow, &request.credential);
            let Judgement { hang, answer } = self.book().judge(&way, self.time.truly());
            if hang != Hang::No {
                self.hangs.notify_one();
                gone.await;
            }
            if hang == Hang::Lost || hang == Hang::Late && self.book().silent {
                return Err(failure(Class::Unanswered).into());
            }
            let granted = answer?;
            let username = request.flow.username().or(Some(granted.username.as_str()));
            Ok(Grant {
                username: username.map(str::to_owned),
                rotated: granted.token.map(RefreshToken::new),
                ..grant(granted.session, INSTANCE, &user_id(&granted.user))
            })
        })
    }

    fn set_password<'a>(&'a self, change: &'a PasswordChange) -> PasswordExchange<'a> {
        Box::pin(async move {
            let now = self.time.truly();
            let (session, password) = (change.session_id.expose(), change.password.expose());
            let answer = self.book().change_password(session, password, now);
            answer.map_err(|(class, unchanged)| PasswordNotSet {
                failure: failure(class),
                unchanged,
            })
        })
    }

    fn prove<'a>(&'a self, session_id: &'a SessionId, host: &'a Host) -> Exchange<'a, Proof> {
        Box::pin(async move {
            let user = self
                .book()
                .use_session(session_id.expose(), host, self.time.truly())?;
            Ok(proof(&user_id(&user)))
        })
    }

    fn redeem<'a>(&'a self, _: &'a CodeRequest) -> Exchange<'a, Grant> {
        Box::pin(async { unreachable!("nobody logs in with a browser") })
    }

    fn survey<'a>(&'a self, _: &'a Host) -> Exchange<'a, Survey> {
        Box::pin(async { unreachable!("nobody asks") })
    }

    fn end<'a>(&'a self, _: &'a SessionId, _: &'a Host) -> Exchange<'a, ()> {
        Box::pin(async { unreachable!("nobody logs out") })
    }
}
