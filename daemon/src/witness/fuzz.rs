//! What the daemon and its witness read of each other, for `crate::fuzz`.

use super::frame::{Answer, Question};

/// What is taken for a question or an answer is written as it was read.
pub(crate) fn packet(bytes: &[u8]) {
    if let Some((number, question)) = Question::decode(bytes) {
        assert_eq!(question.encode(number), bytes);
    }
    if let Some((number, answer)) = Answer::decode(bytes) {
        assert_eq!(answer.encode(number), bytes);
    }
}
