//! How the demo tells its steps: a number, a sentence, and the time it took.

use std::{
    io::{self, Write as _},
    time::Instant,
};

/// Counts and times steps.
#[derive(Debug)]
pub struct Steps {
    number: usize,
    began: Instant,
}

impl Steps {
    /// Before the first step.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the demo shows real times")]
    pub fn new() -> Self {
        Self {
            number: 0,
            began: Instant::now(),
        }
    }

    /// The step that just succeeded. The next one begins now.
    ///
    /// # Errors
    /// If stdout is gone.
    #[expect(clippy::disallowed_methods, reason = "the demo shows real times")]
    pub fn done(&mut self, sentence: &str) -> io::Result<()> {
        self.number += 1;
        let took = self.began.elapsed();
        writeln!(
            io::stdout(),
            "{:>3}  {sentence:<104} {:>6} ms",
            self.number,
            took.as_millis()
        )?;
        self.began = Instant::now();
        Ok(())
    }
}

/// Fails with a sentence unless what it says is true.
///
/// # Errors
/// The sentence.
pub fn expect(truth: bool, sentence: impl FnOnce() -> String) -> io::Result<()> {
    if truth {
        Ok(())
    } else {
        Err(io::Error::other(format!("the demo fails: {}", sentence())))
    }
}
