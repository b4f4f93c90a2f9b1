//! What a part prints: one line a figure, ours beside its reference, with the ratio and the goal.

/// What a ratio, or a number, should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// Told, not judged.
    None,
}

/// The head of a part.
pub(crate) fn head(title: &str) {
    println!("\n{title}");
    println!(
        "  {:<54} {:>12} {:>12} {:>7}  goal",
        "", "ours", "reference", "ratio"
    );
}

/// One figure; the two numbers have the same unit, named in `what`.
pub(crate) fn row(what: &str, ours: f64, reference: f64, ratio: f64, goal: Goal) {
    println!(
        "  {what:<54} {:>12} {:>12} {ratio:>7.2}  {}",
        short(ours),
        short(reference),
        verdict(ratio, goal)
    );
}

/// One figure that stands alone.
pub(crate) fn single(what: &str, ours: f64, goal: Goal) {
    println!(
        "  {what:<54} {:>12} {:>12} {:>7}  {}",
        short(ours),
        "",
        "",
        verdict(ours, goal)
    );
}

/// What could not be measured, and why.
pub(crate) fn skipped(what: &str, why: &str) {
    println!("  {what:<54} skipped: {why}");
}

fn verdict(value: f64, goal: Goal) -> String {
    let (sign, limit, met) = match goal {
        Goal::AtMost(limit) => ("<=", limit, value <= limit),
        Goal::AtLeast(limit) => (">=", limit, value >= limit),
        Goal::None => return "-".to_owned(),
    };
    let word = if met { "met" } else { "MISSED" };
    format!("{sign} {limit} {word}")
}

/// Three figures, for more would be noise.
fn short(value: f64) -> String {
    if value >= 100.0 || value == 0.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}
