//! The sessions that there are.

use std::time::SystemTime;

use super::{
    super::{
        super::answers::{TIMEOUT, failure},
        way::username,
    },
    Book, Setting,
};
use crate::{
    failure::{Class, Failure},
    host::Host,
};

#[derive(Debug)]
pub(in super::super) struct Living {
    pub(in super::super) user: String,
    stamped: SystemTime,
    /// When a call with it last succeeded.
    pub(in super::super) proven: SystemTime,
    pub(in super::super) ended: bool,
}

impl Living {
    pub(in super::super) fn is_alive(&self, now: SystemTime) -> bool {
        !self.ended && now < self.idles_out_at()
    }

    pub(in super::super) fn idles_out_at(&self) -> SystemTime {
        self.stamped + TIMEOUT
    }
}

impl Book {
    /// Somebody logs out, or an administrator ends the user's sessions.
    pub(in super::super) fn end_sessions(&mut self, user: &str) {
        let of_user = |living: &&mut Living| living.user == user;
        for living in self.sessions.values_mut().filter(of_user) {
            living.ended = true;
        }
    }

    /// The session that runs already is given again, as near its end as it is.
    pub(super) fn session_of(&mut self, user: &str, now: SystemTime) -> String {
        let runs = |it: &Living| it.user == user && it.is_alive(now);
        if let Some((id, _)) = self.sessions.iter().find(|(_, it)| runs(it)) {
            return id.clone();
        }
        let id = format!("00Dxx0000001gPL!{}", self.serial);
        let living = Living {
            user: user.to_owned(),
            stamped: now,
            proven: now,
            ended: false,
        };
        self.sessions.insert(id.clone(), living);
        id
    }

    /// A call with a session. Returns whose it is.
    pub(in super::super) fn use_session(
        &mut self,
        id: &str,
        host: &Host,
        now: SystemTime,
    ) -> Result<String, Failure> {
        self.proofs += 1;
        self.tell(now, &format!("call with {id}"));
        self.look_at_call(id, now);
        self.ask(host, now)?;
        let living = self.sessions.get_mut(id).unwrap();
        if !living.is_alive(now) {
            return Err(failure(Class::SessionDead));
        }
        living.proven = now;
        // A call in the first half of the window is not written down.
        if now >= living.stamped + TIMEOUT / 2 {
            living.stamped = now;
        }
        let user = living.user.clone();
        self.call_succeeded(&user);
        Ok(user)
    }

    /// Gives the session's user another password, and another token if he has one. If not, returns why, and whether it is
    /// known that nothing changed.
    pub(in super::super) fn change_password(
        &mut self,
        session: &str,
        password: &str,
        now: SystemTime,
    ) -> Result<(), (Class, bool)> {
        let living = &self.sessions[session];
        if !living.is_alive(now) {
            return Err((Class::SessionDead, true));
        }
        let door = self.doors.get_mut(&username(&living.user)).unwrap();
        if let Setting::Done | Setting::DoneUnanswered = self.setting {
            self.serial += 1;
            let token = door.secret.contains(' ');
            let token = token.then(|| format!(" Mailed{}", self.serial));
            door.change(&format!("{password}{}", token.unwrap_or_default()));
        }
        match self.setting {
            Setting::Done => Ok(()),
            Setting::Refused => Err((Class::AccessPolicy, true)),
            Setting::DoneUnanswered | Setting::Lost => Err((Class::Unanswered, false)),
        }
    }
}
