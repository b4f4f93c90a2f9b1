//! What Salesforce is taking away, and when: the one table of dates.
//!
//! Salesforce moves such dates. An operator can set each in `[retirement]` of `config.toml`, or say that it does not
//! apply; nothing here changes how sfvault logs in.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{credential::FlowKind, day::Day, host::Host, salesforce::hosts::is_instanced};

/// Something that ends or begins to be demanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// SOAP `login()` begins to need the user permission Use Any API Auth.
    PermissionGate,
    /// The OAuth username-password flow ends.
    UsernamePassword,
    /// Hosts like `na15.salesforce.com` stop taking API traffic.
    InstancedHosts,
    /// SOAP `login()` ends.
    SoapLogin,
}

/// How sure a date is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// The operator said so.
    Set,
    /// Salesforce announced this day.
    Announced,
    /// Salesforce announced the release; the day is reported by others, or not known.
    ReleaseOnly,
    /// Salesforce's own pages contradict each other.
    Disputed,
}

/// One event, when it is expected, and how one knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retirement {
    pub event: Event,
    /// `None` where only a release is known.
    pub day: Option<Day>,
    pub certainty: Certainty,
    /// One sentence for jobs and operators, the same every day.
    pub text: Arc<str>,
}

/// All retirements that apply to this installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retirements(Vec<Retirement>);

/// When a retirement is, seen from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nearness {
    /// More than [`SOON`] ahead, or at no known day.
    Ahead,
    Soon,
    Over,
}

/// From so long before a retirement on, jobs are told of it with every session.
pub const SOON: Duration = Duration::from_hours(24 * 90);

impl Event {
    /// All events, by date.
    pub const ALL: [Self; 4] = [
        Self::PermissionGate,
        Self::UsernamePassword,
        Self::InstancedHosts,
        Self::SoapLogin,
    ];

    /// The name in `config.toml` and in JSON: it never changes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PermissionGate => "permission_gate",
            Self::UsernamePassword => "username_password",
            Self::InstancedHosts => "instanced_hosts",
            Self::SoapLogin => "soap_login",
        }
    }

    /// The date that is known, and how sure it is.
    #[must_use]
    pub fn expected(self) -> (Option<Day>, Certainty) {
        match self {
            Self::PermissionGate => (Some(Day::new(2026, 12, 1)), Certainty::Disputed),
            Self::UsernamePassword => (Some(Day::new(2027, 2, 20)), Certainty::Announced),
            Self::InstancedHosts => (None, Certainty::ReleaseOnly),
            Self::SoapLogin => (Some(Day::new(2027, 6, 1)), Certainty::ReleaseOnly),
        }
    }

    fn source(self) -> &'static str {
        match self {
            Self::PermissionGate => {
                "Salesforce's Winter '27 release notes, of which not all copies name the day"
            }
            Self::UsernamePassword => "Salesforce's Winter '27 release notes",
            Self::InstancedHosts => "Salesforce's release notes: Spring '27, in phases",
            Self::SoapLogin => {
                "Salesforce Help 005132110: Summer '27; the day is reported by others"
            }
        }
    }

    /// What to do about it, for a record that logs in by `flow`.
    #[must_use]
    pub fn advice(self, record: &str, flow: FlowKind) -> String {
        let away = migrate(record, FlowKind::ClientCredentials);
        match self {
            Self::PermissionGate => format!(
                "give the user the permission Use Any API Auth (Setup > Users > Permission Sets), or better: {away}"
            ),
            Self::UsernamePassword | Self::SoapLogin => {
                format!("{away} (or `jwt-bearer`): jobs keep the name and notice nothing")
            }
            Self::InstancedHosts => {
                let move_host = migrate(record, flow);
                format!("give the record the org's My Domain host: {move_host}")
            }
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::PermissionGate => {
                "SOAP login() needs the user permission Use Any API Auth in all orgs"
            }
            Self::UsernamePassword => "the OAuth username-password flow is switched off",
            Self::InstancedHosts => "this login host takes no API traffic any more",
            Self::SoapLogin => "SOAP login() is switched off",
        }
    }

    fn concerns(self, flow: FlowKind, login_host: &Host) -> bool {
        match self {
            Self::PermissionGate | Self::SoapLogin => flow == FlowKind::SoapLogin,
            Self::UsernamePassword => flow == FlowKind::UsernamePassword,
            Self::InstancedHosts => is_instanced(login_host.name()),
        }
    }
}

/// The whole command that moves a record, with what the operator has to fill in.
fn migrate(record: &str, flow: FlowKind) -> String {
    let settings = match flow {
        FlowKind::SoapLogin => "",
        FlowKind::UsernamePassword | FlowKind::ClientCredentials | FlowKind::RefreshToken => {
            " --consumer-key KEY"
        }
        FlowKind::JwtBearer => " --consumer-key KEY --private-key-file FILE",
    };
    let flow = flow.name();
    format!(
        "`sfvault migrate {record} --flow {flow}{settings} --login-url https://MYDOMAIN.my.salesforce.com`"
    )
}

impl Certainty {
    /// In words, the same in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Announced => "announced",
            Self::ReleaseOnly => "release-only",
            Self::Disputed => "disputed",
        }
    }
}

impl Retirement {
    fn new(event: Event, day: Option<Day>, certainty: Certainty) -> Self {
        let what = event.what();
        let when = match (day, certainty) {
            (Some(day), Certainty::Set | Certainty::Announced) => format!("from {day} on"),
            (Some(day), Certainty::ReleaseOnly | Certainty::Disputed) => {
                format!("from about {day} on")
            }
            (None, _) => "from Spring '27 on".to_owned(),
        };
        Self {
            event,
            day,
            certainty,
            text: format!("{when}, {what}").into(),
        }
    }

    /// Where the date comes from.
    #[must_use]
    pub fn source(&self) -> &'static str {
        match self.certainty {
            Certainty::Set => "`[retirement]` in `config.toml`",
            Certainty::Announced | Certainty::ReleaseOnly | Certainty::Disputed => {
                self.event.source()
            }
        }
    }

    /// How near it is.
    #[must_use]
    pub fn nearness(&self, now: SystemTime) -> Nearness {
        match self.day.map(Day::begins) {
            Some(begins) if begins <= now => Nearness::Over,
            Some(begins) if begins <= now + SOON => Nearness::Soon,
            Some(_) | None => Nearness::Ahead,
        }
    }
}

impl Default for Retirements {
    fn default() -> Self {
        Self::with(|_| None)
    }
}

impl Retirements {
    /// The table, with what the operator says: `Some(None)` if an event does not apply here.
    #[must_use]
    pub fn with(set: impl Fn(Event) -> Option<Option<Day>>) -> Self {
        let retirements = Event::ALL.into_iter().filter_map(|event| match set(event) {
            Some(day) => Some(Retirement::new(event, Some(day?), Certainty::Set)),
            None => {
                let (day, certainty) = event.expected();
                Some(Retirement::new(event, day, certainty))
            }
        });
        Self(retirements.collect())
    }

    /// Those that concern a record, by date.
    pub fn of<'a>(
        &'a self,
        flow: FlowKind,
        login_host: &'a Host,
    ) -> impl Iterator<Item = &'a Retirement> {
        self.0
            .iter()
            .filter(move |retirement| retirement.event.concerns(flow, login_host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> Host {
        Host::parse(name).unwrap()
    }

    fn events(retirements: &Retirements, flow: FlowKind, name: &str) -> Vec<Event> {
        let host = host(name);
        let found = retirements.of(flow, &host);
        found.map(|retirement| retirement.event).collect()
    }

    #[test]
    fn each_record_hears_of_what_concerns_it() {
        let all = Retirements::default();
        let mine = "acme.my.salesforce.com";
        assert_eq!(
            events(&all, FlowKind::SoapLogin, mine),
            [Event::PermissionGate, Event::SoapLogin]
        );
        assert_eq!(
            events(&all, FlowKind::UsernamePassword, mine),
            [Event::UsernamePassword]
        );
        for flow in [
            FlowKind::ClientCredentials,
            FlowKind::JwtBearer,
            FlowKind::RefreshToken,
        ] {
            assert_eq!(events(&all, flow, mine), []);
            let instanced = events(&all, flow, "na15.salesforce.com");
            assert_eq!(instanced, [Event::InstancedHosts]);
        }
    }

    #[test]
    fn an_operator_can_move_a_date_or_call_it_off() {
        let moved = Day::new(2028, 1, 31);
        let set = Retirements::with(|event| match event {
            Event::SoapLogin => Some(Some(moved)),
            Event::PermissionGate => Some(None),
            Event::UsernamePassword | Event::InstancedHosts => None,
        });
        let host = host("login.salesforce.com");
        let found: Vec<_> = set.of(FlowKind::SoapLogin, &host).collect();
        let [soap] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!((soap.day, soap.certainty), (Some(moved), Certainty::Set));
        assert!(soap.text.contains("from 2028-01-31 on"), "{}", soap.text);
    }

    #[test]
    fn a_date_is_ahead_then_soon_then_over() {
        let retirement = Retirement::new(
            Event::SoapLogin,
            Some(Day::new(2027, 6, 1)),
            Certainty::Announced,
        );
        let day = Day::new(2027, 6, 1).begins();
        let second = Duration::from_secs(1);
        for (now, expected) in [
            (day - SOON - second, Nearness::Ahead),
            (day - SOON, Nearness::Soon),
            (day - second, Nearness::Soon),
            (day, Nearness::Over),
        ] {
            assert_eq!(retirement.nearness(now), expected);
        }
        let (undated, _) = Event::InstancedHosts.expected();
        let retirement = Retirement::new(Event::InstancedHosts, undated, Certainty::ReleaseOnly);
        assert_eq!(retirement.nearness(day), Nearness::Ahead);
    }

    #[test]
    fn every_event_says_what_when_whence_and_what_to_do() {
        for event in Event::ALL {
            let (day, certainty) = event.expected();
            let text = Retirement::new(event, day, certainty).text;
            assert!(text.starts_with("from ") && !text.ends_with('.'), "{text}");
            assert!(event.source().contains("Salesforce"));
            assert!(event.advice("prod", FlowKind::JwtBearer).contains("prod"));
        }
    }
}
