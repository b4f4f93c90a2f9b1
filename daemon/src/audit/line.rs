//! One line of the file: JSON that ends with its code.
//!
//! What the code covers is every byte before it, so nothing has to be brought into a canonical form to be checked.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::{
    event::{Event, Traced},
    instant,
};
use crate::{
    hex::{from_hex, to_hex},
    policy::Decision,
};

/// The longest line, in bytes, without its line feed. All that is in one is bounded far below it.
pub const LONGEST: usize = 16 << 10;

/// The code of a line: what chains it to the one before.
pub type Code = [u8; 32];

/// A line as it was read. Nothing in it is to be believed before its code was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'t> {
    /// What the code covers.
    pub body: &'t str,
    pub code: Code,
    pub entry: Entry,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Entry {
    /// Of a chain: the first line is 1, and none is left out.
    pub seq: u64,
    /// Which chain, in hexadecimal. Usually a vault has one for ever.
    pub chain: String,
    /// How the code of the line before begins, in hexadecimal.
    pub after: String,
    /// RFC 3339 with milliseconds, in UTC.
    pub time: String,
    pub action: String,
    pub verdict: String,
    /// How many like it the line stands for.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Salesforce's answer, by the name of its class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
    /// Files were removed: this is the first line that is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_from: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Why bytes are no line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoLine;

impl Entry {
    /// What there is to say about an event. Texts from outside are cut to a length.
    #[must_use]
    pub fn new(event: &Event<'_>, time: SystemTime, count: u64) -> Self {
        let short = |text: Option<&str>, longest| text.map(|text| cut(text, longest).to_owned());
        let who = event.who.as_deref();
        let (rule, missing) = match event.decision.as_deref() {
            Some(Decision::Allowed(ruling)) => (Some(ruling.to_string()), None),
            Some(decision @ (Decision::Denied { .. } | Decision::NoRecord)) => {
                (None, Some(decision.to_string()))
            }
            None => (None, None),
        };
        Self {
            seq: 0,
            chain: String::new(),
            after: String::new(),
            time: instant::text(time),
            action: event.action.name().to_owned(),
            verdict: event.verdict.name().to_owned(),
            count,
            record: short(event.record.as_deref(), 64),
            reason: event.reason.map(str::to_owned),
            rule: short(rule.as_deref(), 256),
            class: event.class.map(|class| class.name().to_owned()),
            flow: event.flow.map(|flow| flow.name().to_owned()),
            generation: event.generation,
            fingerprint: match event.session {
                Traced::Fingerprint(fingerprint) => Some(fingerprint.to_string()),
                // An id that nobody digested stays out.
                Traced::None | Traced::Id(_) => None,
            },
            uid: who.and_then(|who| who.uid),
            gid: who.and_then(|who| who.gid),
            pid: who.and_then(|who| who.pid),
            unit: short(who.and_then(|who| who.unit.as_deref()), 256),
            exe: short(who.and_then(|who| who.exe.as_deref()), 512),
            left_from: None,
            note: short(event.note.as_deref().or(missing.as_deref()), 300),
        }
    }

    /// The line's text up to where its code begins.
    #[must_use]
    pub fn body(&self) -> String {
        // Strings and numbers only: there is nothing that JSON could not hold.
        let mut text = serde_json::to_string(self).unwrap_or_default();
        text.pop();
        text
    }
}

impl<'t> Line<'t> {
    /// Reads a line, without its line feed.
    ///
    /// # Errors
    /// If it is none of ours.
    pub fn parse(bytes: &'t [u8]) -> Result<Self, NoLine> {
        if bytes.len() > LONGEST {
            return Err(NoLine);
        }
        let text = str::from_utf8(bytes).map_err(|_| NoLine)?;
        let end = text.len().checked_sub(TAIL).ok_or(NoLine)?;
        let (body, tail) = text.split_at_checked(end).ok_or(NoLine)?;
        let code = tail
            .strip_prefix(CODE_KEY)
            .and_then(|rest| rest.strip_suffix("\"}"))
            .and_then(from_hex)
            .ok_or(NoLine)?;
        let entry = serde_json::from_str(text).map_err(|_| NoLine)?;
        Ok(Self { body, code, entry })
    }
}

/// The line that a body and its code make, with its line feed.
#[must_use]
pub fn finished(body: &str, code: &Code) -> String {
    format!("{body}{CODE_KEY}{}\"}}\n", to_hex(code))
}

const CODE_KEY: &str = ",\"code\":\"";
/// From [`CODE_KEY`] to the closing brace.
const TAIL: usize = CODE_KEY.len() + 64 + 2;

/// As much of the text as has at most so many bytes.
fn cut(text: &str, longest: usize) -> &str {
    text.get(..text.floor_char_boundary(longest)).unwrap_or("")
}

fn one() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_one(count: &u64) -> bool {
    *count == 1
}

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, sync::Arc};

    use super::*;
    use crate::audit::{
        event::{Action, Fingerprint, Verdict},
        who::Who,
    };

    fn event() -> Event<'static> {
        Event {
            who: Some(Cow::Owned(Who {
                uid: Some(1000),
                gid: Some(100),
                pid: Some(42),
                unit: Some(Arc::from("nightly.service")),
                exe: Some(Arc::from("/usr/bin/\"odd\"\n\u{1b}[2J")),
            })),
            record: Some("prod".into()),
            generation: Some(7),
            session: Traced::Fingerprint(Fingerprint([0xab; 8])),
            ..Event::new(Action::GET, Verdict::Served)
        }
    }

    #[test]
    fn a_line_is_read_as_it_was_written_and_has_no_line_feed_within() {
        let mut entry = Entry::new(&event(), SystemTime::UNIX_EPOCH, 3);
        (entry.seq, entry.chain) = (9, "00c0ffee".to_owned());
        let text = finished(&entry.body(), &[0x5a; 32]);
        assert_eq!(text.find('\n'), Some(text.len() - 1));
        assert!(
            text.starts_with(r#"{"seq":9,"chain":"00c0ffee","after":"","time":"1970-01-01T00:00:00.000Z","action":"get","verdict":"served","count":3,"record":"prod","generation":7,"fingerprint":"abababababababab","uid":1000,"#),
            "{text}"
        );
        let line = Line::parse(text.trim_end().as_bytes()).unwrap();
        assert_eq!((&line.entry, line.code), (&entry, [0x5a; 32]));
        assert_eq!(line.body, entry.body());
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["code"], "5a".repeat(32));
    }

    #[test]
    fn what_comes_from_outside_is_cut_so_that_no_line_is_too_long() {
        let long: Arc<str> = "\u{1b}é".repeat(10_000).into();
        let event = Event {
            who: Some(Cow::Owned(Who {
                unit: Some(Arc::clone(&long)),
                exe: Some(Arc::clone(&long)),
                ..Who::default()
            })),
            record: Some(long.to_string().into()),
            decision: Some(Cow::Owned(Decision::Denied {
                missing: vec![vec![long.to_string()]],
            })),
            ..Event::new(Action::GET, Verdict::Denied)
        };
        let body = Entry::new(&event, SystemTime::UNIX_EPOCH, u64::MAX).body();
        assert!(body.len() + TAIL < LONGEST / 2, "{}", body.len());
        assert!(Line::parse(finished(&body, &[0; 32]).trim_end().as_bytes()).is_ok());
    }

    #[test]
    fn what_is_no_line_is_refused() {
        let good = finished(
            &Entry::new(&event(), SystemTime::UNIX_EPOCH, 1).body(),
            &[1; 32],
        );
        let good = good.trim_end();
        let bad = [
            String::new(),
            "{}".to_owned(),
            good.replace("\"code\"", "\"kode\""),
            good.replace("0101", "0x01"),
            good.replace("\"seq\":0", "\"seq\":-1"),
            good.replace("\"seq\":0,", ""),
            good.get(1..).unwrap().to_owned(),
            format!("{good} "),
            format!("{good}é"),
            format!("{}{good}", " ".repeat(LONGEST)),
        ];
        for text in bad {
            assert_eq!(Line::parse(text.as_bytes()), Err(NoLine), "{text}");
        }
        assert_eq!(Line::parse(&[0xff; 200]), Err(NoLine));
    }
}
