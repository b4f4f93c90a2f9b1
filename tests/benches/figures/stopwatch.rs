//! Time, measured: the only place of the benches that reads a clock.

use std::time::{Duration, Instant};

#[expect(
    clippy::disallowed_methods,
    reason = "a bench measures the machine's own time"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// What the work took, and its result.
pub(crate) fn time<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = now();
    let result = work();
    (start.elapsed_since(), result)
}

/// `elapsed` without the clock behind its back.
pub(crate) trait Elapsed {
    fn elapsed_since(self) -> Duration;
}

impl Elapsed for Instant {
    fn elapsed_since(self) -> Duration {
        now().duration_since(self)
    }
}

/// The value that this part of the values does not exceed; 0 if there are none.
pub(crate) fn quantile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into some thousand values"
    )]
    let index = (last as f64 * part).round() as usize;
    values.get(index).copied().unwrap_or_default()
}

/// What two programs took in turns: each pair ran one after the other, so the machine's other work met both alike.
#[derive(Debug, Default)]
pub(crate) struct Pairs(Vec<(f64, f64)>);

impl Pairs {
    pub(crate) fn add(&mut self, ours: f64, reference: f64) {
        self.0.push((ours, reference));
    }

    pub(crate) fn ours(&self) -> f64 {
        quantile(self.0.iter().map(|pair| pair.0).collect(), 0.5)
    }

    pub(crate) fn reference(&self) -> f64 {
        quantile(self.0.iter().map(|pair| pair.1).collect(), 0.5)
    }

    /// The median of the pairs' ratios.
    pub(crate) fn ratio(&self) -> f64 {
        let ratios = self.0.iter().map(|(ours, reference)| ours / reference);
        quantile(ratios.collect(), 0.5)
    }
}
