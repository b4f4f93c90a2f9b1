//! What is found about a record, by what is known of it here.

use std::time::SystemTime;

use super::{Finding, Grade};
use crate::{
    audit::last_use::{LastUse, LastUser},
    retirement::Nearness,
    session::{
        decision::{Activity, Refusal},
        quota::Usage,
        refusals::LOGINS,
    },
    vault::RecordView,
};

/// From this part of the limit on, in percent, the use of logins is worth a warning.
const NEAR_PERCENT: u32 = 80;

/// A record by what is known of it here.
#[must_use]
pub fn record(view: &RecordView) -> Vec<Finding> {
    let name = view.record.name.as_str();
    let mut findings = vec![state(view)];
    findings.extend(view.usage.map(|usage| login_budget(name, &usage, view.at)));
    let age = view
        .at
        .duration_since(view.record.credential_changed_at)
        .unwrap_or_default();
    let text = format!("its secrets are {} days old", age.as_secs() / 86_400);
    findings.push(if is_reminder_due(view) {
        Finding::new("credential-age", name, Grade::Warning, text).fix(format!(
            "change them in Salesforce, then `sfvault set {name}`; `--remind never` ends the reminder"
        ))
    } else {
        Finding::new("credential-age", name, Grade::Good, text)
    });
    for (retirement, nearness) in &view.retirements {
        let (grade, when) = match nearness {
            Nearness::Ahead => (Grade::Note, "ahead"),
            Nearness::Soon => (Grade::Warning, "soon"),
            Nearness::Over => (Grade::Problem, "over"),
        };
        let text = format!(
            "{when}: {} (date {}; {})",
            retirement.text,
            retirement.certainty.name(),
            retirement.source()
        );
        let advice = retirement.event.advice(name, view.record.flow.kind());
        findings.push(Finding::new("retirement", name, grade, text).fix(advice));
    }
    findings
}

/// Whether somebody must do something about the record, now or one day: then it matters who uses it.
#[must_use]
pub fn is_due(view: &RecordView) -> bool {
    !view.retirements.is_empty() || is_reminder_due(view)
}

/// Who used the record last; `None` if nobody did.
#[must_use]
pub fn last_use(name: &str, last: &LastUse) -> Option<Finding> {
    let finding = |text: String| Finding::new("last-use", name, Grade::Note, text);
    if last.users.is_empty() {
        let unread = last.unread.then(|| {
            finding("nobody used it lately; older lines of the audit were not read".into())
        });
        return unread.map(|unread| unread.fix(format!("`sfvault usage {name}` reads them all")));
    }
    let named: Vec<_> = last.users.iter().map(in_words).collect();
    let mut text = format!("used last by {}", named.join("; by "));
    if last.more {
        text.push_str("; and by others");
    }
    Some(finding(text).fix(format!(
        "`sfvault usage {name}` tells all of them: their owners should know what changes"
    )))
}

fn in_words(last: &LastUser) -> String {
    let LastUser { user, at, .. } = last;
    let mut who: Vec<_> = [&user.unit, &user.exe]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    if who.is_empty() {
        who.push("an unknown program".to_owned());
    }
    who.extend(user.uid.map(|uid| format!("uid {uid}")));
    format!("{} at {at}", who.join(", "))
}

/// How many logins the record's user has made, over all records, and whether they will last.
fn login_budget(name: &str, usage: &Usage, now: SystemTime) -> Finding {
    let finding = |grade, text| Finding::new("login-budget", name, grade, text);
    let Usage { used, limit, .. } = usage;
    let text = format!("{used} of the {limit} logins that its user may make in an hour are made");
    let minutes = |until: SystemTime| until.duration_since(now).unwrap_or_default().as_secs() / 60;
    let fix = format!(
        "find who causes them with `sfvault log {name}`: a job that ends the session it was given makes every other job \
         log in again; or raise `login_share_percent` in `config.toml`"
    );
    if let Some(until) = usage.throttled_until {
        let text = format!(
            "{text}: none is made for another {} min",
            minutes(until) + 1
        );
        return finding(Grade::Problem, text).fix(fix);
    }
    if let Some(at) = usage.reached_at {
        let text = format!(
            "{text}: if it goes on so, none is left in {} min",
            minutes(at)
        );
        return finding(Grade::Warning, text).fix(fix);
    }
    if u64::from(*used) * 100 >= u64::from(*limit) * u64::from(NEAR_PERCENT) {
        return finding(Grade::Warning, text).fix(fix);
    }
    finding(Grade::Good, text)
}

fn is_reminder_due(view: &RecordView) -> bool {
    let age = view.at.duration_since(view.record.credential_changed_at);
    let age = age.unwrap_or_default();
    view.record.remind_after.is_some_and(|after| age >= after)
}

fn state(view: &RecordView) -> Finding {
    let name = view.record.name.as_str();
    let finding = |grade, text: String| Finding::new("record", name, grade, text);
    let logins = format!("{} logins so far", view.logins);
    match &view.activity {
        Activity::Ready => finding(Grade::Good, format!("has a session; {logins}")),
        Activity::Idle => finding(Grade::Good, format!("has no session; {logins}")),
        Activity::InFlight => finding(Grade::Good, format!("is being logged in; {logins}")),
        Activity::Barred(refusal) => barred(name, refusal),
    }
}

fn barred(name: &str, refusal: &Refusal) -> Finding {
    let finding = |grade, text: String| Finding::new("record", name, grade, text);
    match refusal {
        Refusal::Latched { failure, .. } => finding(
            Grade::Problem,
            format!("does not log in any more: {failure}"),
        )
        .fix(format!("`sfvault check {name}` tells what to do")),
        Refusal::BackingOff { failure, .. } => finding(
            Grade::Warning,
            format!("waits before the next login: {failure}"),
        )
        .fix(format!("`sfvault check {name}` tells more")),
        Refusal::BudgetSpent { .. } => finding(
            Grade::Warning,
            "waits: two logins failed within 15 minutes, and Salesforce may lock users \
             after three"
                .to_owned(),
        )
        .fix(format!(
            "mend the cause, then `sfvault check {name} --release`"
        )),
        Refusal::TokenUnsaved => finding(
            Grade::Problem,
            "has a new refresh token that could not be saved: it is in memory only".to_owned(),
        )
        .fix("make room for the vault file; it is tried again every minute"),
        // A session that lives bars nothing.
        Refusal::RefusedAgain { .. } => finding(
            Grade::Warning,
            format!(
                "waits: within 5 minutes {LOGINS} of its sessions were called refused and \
                 had ended: somebody ends the session that all share"
            ),
        )
        .fix(format!(
            "find the job that logs out: `sfvault usage {name}` and `sfvault log {name}` \
             tell who had which session"
        )),
        // It bars a call, never the record.
        Refusal::MinTtlTooLong { .. } => finding(Grade::Good, "has no session".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::audit::usage::User;

    fn at(minute: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_mins(1_000_000 + minute)
    }

    #[test]
    fn the_login_budget_warns_before_it_is_spent() {
        let usage = |used, reached: Option<u64>, throttled: Option<u64>| Usage {
            used,
            limit: 100,
            reached_at: reached.map(at),
            throttled_until: throttled.map(at),
        };
        for (usage, grade, words) in [
            (usage(79, None, None), Grade::Good, "79 of the 100"),
            (usage(80, None, None), Grade::Warning, "80 of the 100"),
            (usage(10, Some(20), None), Grade::Warning, "in 20 min"),
            (
                usage(100, Some(0), Some(7)),
                Grade::Problem,
                "another 8 min",
            ),
        ] {
            let finding = login_budget("prod", &usage, at(0));
            assert_eq!(finding.grade, grade, "{}", finding.text);
            assert!(finding.text.contains(words), "{}", finding.text);
            assert_eq!(finding.fix.is_empty(), grade == Grade::Good);
        }
    }

    /// Only a record without a session is barred: with one, callers are told that it lives.
    #[test]
    fn a_record_whose_sessions_are_ended_again_and_again_names_that_cause() {
        let finding = barred(
            "prod",
            &Refusal::RefusedAgain {
                until: at(0),
                lives: false,
            },
        );
        assert_eq!(finding.grade, Grade::Warning);
        assert!(
            finding.text.contains("12 of its sessions"),
            "{}",
            finding.text
        );
        assert!(
            finding.fix.contains("`sfvault usage prod`"),
            "{}",
            finding.fix
        );
        let told = [finding.text, finding.fix].concat();
        assert!(!told.contains("lives") && !told.contains("IP"), "{told}");
    }

    #[test]
    fn who_used_it_last_is_named_or_that_it_is_not_known() {
        let user = |unit: Option<&str>, exe: Option<&str>| User {
            uid: Some(1000),
            unit: unit.map(str::to_owned),
            exe: exe.map(str::to_owned),
        };
        let mut last = LastUse::default();
        assert_eq!(last_use("prod", &last), None);
        last.unread = true;
        let text = last_use("prod", &last).unwrap().text;
        assert!(text.contains("were not read"), "{text}");
        last = LastUse {
            users: vec![
                LastUser::new(
                    user(Some("nightly.service"), Some("/usr/bin/etl")),
                    "2026-01-03",
                ),
                LastUser::new(user(None, None), "2026-01-01"),
            ],
            more: true,
            unread: false,
        };
        assert_eq!(
            last_use("prod", &last).unwrap().text,
            "used last by nightly.service, /usr/bin/etl, uid 1000 at 2026-01-03; by an unknown program, uid 1000 at \
             2026-01-01; and by others"
        );
    }
}
