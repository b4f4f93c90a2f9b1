//! The scripted answers that wait for their requests.

use std::collections::VecDeque;

use serde::Deserialize;

use super::answer::Answer;

/// Where a scripted answer waits for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// At the login host.
    Login,
    /// At the instance.
    Instance,
}

/// The answers that wait for their requests.
#[derive(Debug, Default)]
pub(super) struct Scripts {
    login: Script,
    instance: Script,
}

#[derive(Debug, Default)]
struct Script {
    once: VecDeque<Answer>,
    ever: Option<Answer>,
}

impl Scripts {
    /// Adds answers, one for each of the next requests.
    pub(super) fn add(&mut self, place: Place, answers: impl IntoIterator<Item = Answer>) {
        self.at(place).once.extend(answers);
    }

    /// Sets the answer to all requests that find no other.
    pub(super) fn set_ever(&mut self, place: Place, answer: Option<Answer>) {
        self.at(place).ever = answer;
    }

    /// The answer to the next request.
    pub(super) fn next(&mut self, place: Place) -> Answer {
        let script = self.at(place);
        let once = script.once.pop_front();
        once.or_else(|| script.ever.clone())
            .unwrap_or(Answer::Usual)
    }

    fn at(&mut self, place: Place) -> &mut Script {
        match place {
            Place::Login => &mut self.login,
            Place::Instance => &mut self.instance,
        }
    }
}
