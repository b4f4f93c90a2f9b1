//! What must change about a record, as lines of label and value: what stops working and when, how one knows, what to do,
//! and who will notice.

use std::time::SystemTime;

use sfvault::{LastUser, RecordStatus};

use super::{
    instant::{distance, for_people},
    reminder::{cure, due_since},
};

/// All of it for records that must change, each under its name.
pub(crate) fn lines(records: &[RecordStatus], now: SystemTime) -> Vec<(&str, String)> {
    let mut lines = Vec::new();
    for record in records {
        let before = lines.len();
        lines.extend(retirements(&record.name, record));
        if let Some(due) = due_since(record, now) {
            let text = format!("its credential was due for a change {}", distance(due, now));
            lines.push((&record.name, text));
            lines.push(("  what to do", cure(record)));
        }
        if lines.len() > before {
            let users = users(record, now).into_iter();
            lines.extend(users.map(|user| ("  used last by", user)));
        }
    }
    lines
}

/// What stops working, under this label.
pub(crate) fn retirements<'l>(label: &'l str, record: &RecordStatus) -> Vec<(&'l str, String)> {
    let mut lines = Vec::new();
    for retirement in &record.retirements {
        let date = format!("{}: {}", retirement.certainty, retirement.source);
        lines.extend([
            (label, retirement.text.clone()),
            ("  date is", date),
            ("  what to do", retirement.advice.clone()),
        ]);
    }
    lines
}

/// Who used the record last, a line each; none if the daemon did not tell.
pub(crate) fn users(record: &RecordStatus, now: SystemTime) -> Vec<String> {
    let Some(last) = &record.last_use else {
        return Vec::new();
    };
    let usage = format!("`sfvault usage {}`", record.name);
    if last.users.is_empty() {
        return vec![if last.unread {
            format!("nobody lately; {usage} reads the older lines of the audit, too")
        } else {
            "nobody, as far as the audit goes back".to_owned()
        }];
    }
    let named = last.users.iter().map(|user| in_words(user, now));
    let more = last.more.then(|| format!("others before them: {usage}"));
    named.chain(more).collect()
}

fn in_words(user: &LastUser, now: SystemTime) -> String {
    let mut words: Vec<_> = [&user.unit, &user.exe]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    if words.is_empty() {
        words.push("an unknown program".to_owned());
    }
    words.extend(user.uid.map(|uid| format!("uid {uid}")));
    words.extend(user.at.map(|at| for_people(at, now)));
    words.join(", ")
}
