//! A TOML table that is emptied key by key; what is left at the end is unknown.

use std::ops::RangeInclusive;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::Problem;

/// A table and the text it came from.
pub(super) struct Table<'t> {
    text: &'t str,
    entries: DeTable<'t>,
}

impl<'t> Table<'t> {
    /// Parses the text as far as it goes.
    pub(super) fn parse(text: &'t str, problems: &mut Vec<Problem>) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let start = error.span().map_or(0, |span| span.start);
            problems.push(problem(text, start, error.message().to_owned()));
        }
        Self {
            text,
            entries: root.into_inner(),
        }
    }

    /// Reads a sub-table and reports what it leaves over.
    pub(super) fn section(
        &mut self,
        key: &str,
        problems: &mut Vec<Problem>,
        read: impl FnOnce(&mut Self, &mut Vec<Problem>),
    ) {
        let Some((at, value)) = self.take(key) else {
            return;
        };
        let DeValue::Table(entries) = value else {
            problems.push(problem(
                self.text,
                at,
                format!("`{key}` must be a table, written `[{key}]`"),
            ));
            return;
        };
        let mut section = Self {
            text: self.text,
            entries,
        };
        read(&mut section, problems);
        section.finish(problems);
    }

    /// A string that `parse` accepts.
    pub(super) fn string<T>(
        &mut self,
        key: &str,
        problems: &mut Vec<Problem>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (at, value) = self.take(key)?;
        let DeValue::String(text) = &value else {
            problems.push(problem(self.text, at, format!("`{key}` must be a string")));
            return None;
        };
        parse(text)
            .map_err(|wrong| problems.push(problem(self.text, at, format!("`{key}` {wrong}"))))
            .ok()
    }

    /// An array of strings that `parse` accepts.
    pub(super) fn strings<T>(
        &mut self,
        key: &str,
        problems: &mut Vec<Problem>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let (at, value) = self.take(key)?;
        let DeValue::Array(items) = value else {
            problems.push(problem(
                self.text,
                at,
                format!("`{key}` must be an array of strings"),
            ));
            return None;
        };
        let mut parsed = Vec::new();
        for item in items {
            let at = item.span().start;
            let DeValue::String(text) = item.get_ref() else {
                problems.push(problem(
                    self.text,
                    at,
                    format!("`{key}` must hold strings only"),
                ));
                continue;
            };
            match parse(text) {
                Ok(value) => parsed.push(value),
                Err(wrong) => problems.push(problem(self.text, at, format!("`{key}`: {wrong}"))),
            }
        }
        Some(parsed)
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, key: &str, problems: &mut Vec<Problem>) -> Option<bool> {
        let (at, value) = self.take(key)?;
        if let DeValue::Boolean(value) = value {
            return Some(value);
        }
        problems.push(problem(
            self.text,
            at,
            format!("`{key}` must be true or false"),
        ));
        None
    }

    /// A whole number in a range.
    pub(super) fn integer(
        &mut self,
        key: &str,
        range: RangeInclusive<u64>,
        problems: &mut Vec<Problem>,
    ) -> Option<u64> {
        let (at, value) = self.take(key)?;
        if let DeValue::Integer(digits) = &value
            && let Ok(number) = u64::from_str_radix(digits.as_str(), digits.radix())
            && range.contains(&number)
        {
            return Some(number);
        }
        let wrong = format!(
            "`{key}` must be a whole number from {} to {}",
            range.start(),
            range.end()
        );
        problems.push(problem(self.text, at, wrong));
        None
    }

    /// Reports every key that nobody took.
    pub(super) fn finish(self, problems: &mut Vec<Problem>) {
        for key in self.entries.keys() {
            let name = key.get_ref().escape_debug();
            problems.push(problem(
                self.text,
                key.span().start,
                format!("unknown key `{name}`"),
            ));
        }
    }

    fn take(&mut self, key: &str) -> Option<(usize, DeValue<'t>)> {
        let (_, value): (_, Spanned<DeValue<'t>>) = self.entries.remove_entry(key)?;
        Some((value.span().start, value.into_inner()))
    }
}

fn problem(text: &str, at: usize, message: String) -> Problem {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before
        .get(line_start..)
        .map_or(0, |line| line.chars().count())
        + 1;
    Problem {
        line: before.matches('\n').count() + 1,
        column,
        message,
    }
}
