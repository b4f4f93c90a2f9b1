//! How a call was decided, for the audit: to the peer, a record that is not for it and none are the same.

use std::{fmt, sync::Arc};

use crate::access::Rule;

/// What became of a peer's call for a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Allowed(Ruling),
    /// No rule lets the peer; what is missing for each, in the order of the rules.
    Denied {
        missing: Vec<Vec<String>>,
    },
    /// There is no record of this name.
    NoRecord,
}

/// The rule that let a peer in.
#[derive(Debug, Clone)]
pub struct Ruling {
    rules: Arc<[Rule]>,
    /// Counted from 0.
    number: usize,
}

impl Ruling {
    /// The rule of this number, counted from 0, among these.
    #[must_use]
    pub fn new(rules: Arc<[Rule]>, number: usize) -> Self {
        Self { rules, number }
    }

    fn rule(&self) -> Option<&Rule> {
        self.rules.get(self.number)
    }
}

impl PartialEq for Ruling {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number && self.rule() == other.rule()
    }
}

impl Eq for Ruling {}

/// Such as `1: uid 1000`: its number, counted from 1, would mean another rule tomorrow.
impl fmt::Display for Ruling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rule() {
            Some(rule) => write!(f, "{}: {rule}", self.number + 1),
            None => write!(f, "{}", self.number + 1),
        }
    }
}

/// Such as `rule 1: its uid is 7, not 1000`.
impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed(ruling) => write!(f, "rule {ruling}"),
            Self::NoRecord => f.write_str("there is no such record"),
            Self::Denied { missing } if missing.is_empty() => {
                f.write_str("no rule lets anybody use it")
            }
            Self::Denied { missing } => {
                let mut between = "";
                for (number, missing) in missing.iter().enumerate() {
                    let missing = missing.join(", ");
                    write!(f, "{between}rule {}: {missing}", number + 1)?;
                    between = "; ";
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_names_rules_by_number_and_content() {
        let rules: Arc<[Rule]> = [Rule::of_user(7), Rule::of_user(8)].into();
        let ruling = Ruling::new(Arc::clone(&rules), 1);
        assert_eq!(
            Decision::Allowed(ruling.clone()).to_string(),
            "rule 2: uid 8"
        );
        // The same number is another rule when the rules have changed, and the same rule is the same in a new list.
        assert_ne!(
            ruling,
            Ruling::new([Rule::of_user(7), Rule::of_user(9)].into(), 1)
        );
        assert_eq!(
            ruling,
            Ruling::new([Rule::of_user(1), Rule::of_user(8)].into(), 1)
        );
        let denied = |missing: &[&[&str]]| Decision::Denied {
            missing: missing
                .iter()
                .map(|of_rule| of_rule.iter().map(|text| (*text).to_owned()).collect())
                .collect(),
        };
        assert_eq!(
            denied(&[&["a", "b"], &["c"]]).to_string(),
            "rule 1: a, b; rule 2: c"
        );
        assert_eq!(denied(&[]).to_string(), "no rule lets anybody use it");
    }
}
