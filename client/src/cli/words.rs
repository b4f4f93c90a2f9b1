//! The words after a command's name, each taken by whoever knows it.

use std::ffi::OsString;

/// Words that were not taken yet.
pub(crate) struct Words<'a>(Vec<Option<&'a str>>);

/// There is something that only the whole definition can judge: a mistake, or a way to write that is not known here.
#[derive(Debug)]
pub(crate) struct Doubtful;

impl<'a> Words<'a> {
    pub(crate) fn new(words: &'a [OsString]) -> Result<Self, Doubtful> {
        let words: Option<Vec<_>> = words.iter().map(|word| word.to_str().map(Some)).collect();
        words.map(Self).ok_or(Doubtful)
    }

    /// Whether the option is there, one that has no value. A second one stays, and is in doubt.
    pub(crate) fn flag(&mut self, option: &str) -> bool {
        let found = self.0.iter_mut().find(|word| **word == Some(option));
        found.and_then(Option::take).is_some()
    }

    /// The value of the option, if it is there, as `--option value` or `--option=value`.
    pub(crate) fn value<T, E>(
        &mut self,
        option: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Doubtful> {
        let found = self.0.iter().enumerate().find_map(|(at, word)| {
            let rest = word.as_ref()?.strip_prefix(option)?;
            (rest.is_empty() || rest.starts_with('=')).then_some((at, rest))
        });
        let Some((at, rest)) = found else {
            return Ok(None);
        };
        self.take(at);
        let value = match rest.strip_prefix('=') {
            Some(value) => value,
            None => self
                .take(at + 1)
                .filter(|word| is_plain(word))
                .ok_or(Doubtful)?,
        };
        read(value).map(Some).map_err(|_| Doubtful)
    }

    /// The one word that is left.
    pub(crate) fn last(self) -> Result<&'a str, Doubtful> {
        let mut left = self.0.into_iter().flatten();
        match (left.next(), left.next()) {
            (Some(word), None) if is_plain(word) => Ok(word),
            (Some(_) | None, _) => Err(Doubtful),
        }
    }

    /// None if somebody took it before.
    fn take(&mut self, at: usize) -> Option<&'a str> {
        self.0.get_mut(at).and_then(Option::take)
    }
}

/// Whether it can't be an option, nor the end of options.
fn is_plain(word: &str) -> bool {
    !word.starts_with('-')
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, os::unix::ffi::OsStringExt as _};

    use super::*;

    fn with<T>(line: &[&str], take: impl FnOnce(Words<'_>) -> T) -> T {
        let words: Vec<OsString> = line.iter().map(Into::into).collect();
        take(Words::new(&words).unwrap())
    }

    /// The value of `--wait`, any text.
    fn wait(words: &mut Words<'_>) -> Option<Option<String>> {
        let any = |word: &str| Ok::<_, Infallible>(word.to_owned());
        words.value("--wait", any).ok()
    }

    #[test]
    fn a_value_is_the_next_word_or_what_follows_the_sign() {
        let value = |line: &[&str]| with(line, |mut words| wait(&mut words));
        assert_eq!(value(&["a", "--wait", "5m"]), Some(Some("5m".into())));
        assert_eq!(value(&["--wait=5m", "a"]), Some(Some("5m".into())));
        assert_eq!(value(&["--wait=", "a"]), Some(Some(String::new())));
        assert_eq!(value(&["--waiter", "5m"]), Some(None));
    }

    #[test]
    fn no_option_is_the_value_of_another() {
        let value = |line: &[&str]| {
            with(line, |mut words| {
                words.flag("--json");
                wait(&mut words)
            })
        };
        for line in [
            &["--wait"][..],
            &["--wait", "-1"],
            &["--wait", "--"],
            &["--wait", "--json", "5m"],
        ] {
            assert_eq!(value(line), None, "{line:?}");
        }
    }

    #[test]
    fn what_is_left_over_is_in_doubt() {
        let last = |line: &[&str]| {
            with(line, |mut words| {
                words.flag("--json");
                words.last().map(ToOwned::to_owned).ok()
            })
        };
        assert_eq!(last(&["--json", "a"]).as_deref(), Some("a"));
        for line in [
            &[][..],
            &["--json"],
            &["a", "b"],
            &["a", "--json", "--json"],
            &["-"],
            &["-a"],
            &["--"],
        ] {
            assert_eq!(last(line), None, "{line:?}");
        }
        assert!(Words::new(&[OsString::from_vec(vec![0xff])]).is_err());
    }
}
