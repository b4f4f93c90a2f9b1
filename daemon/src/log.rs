//! What the daemon says on stderr: lines for people, with the time; or, where journald reads them, lines that begin with
//! how grave they are (`sd-daemon(3)`), so that `journalctl -p warning` finds them. It knows the time itself.

use std::{env, fmt, io, io::IsTerminal as _};

use rustix::fs::fstat;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Format, Writer},
    },
    registry::LookupSpan,
};

/// Writes from now on what `RUST_LOG` lets through, by default what is `info` or graver.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        // It would complain on stderr of a stderr that can't be written, and panic there: a full disk must not end a login.
        .log_internal_errors(false);
    if journald_reads() {
        lines.event_format(Graded::default()).init();
    } else {
        lines.init();
    }
}

/// Why the daemon ends, for stderr.
#[must_use]
pub fn last_words(problem: &str) -> String {
    let text = format!("error: {problem}");
    let grade = if journald_reads() { "<3>" } else { "" };
    text.lines()
        .map(|line| format!("{grade}{line}\n"))
        .collect()
}

/// Whether stderr is the stream that systemd has connected with journald, and not where a child was led to since.
fn journald_reads() -> bool {
    let Ok(stream) = env::var("JOURNAL_STREAM") else {
        return false;
    };
    fstat(io::stderr()).is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// A line without time and level, after the number that syslog has for the level.
struct Graded(Format<tracing_subscriber::fmt::format::Full, ()>);

impl Default for Graded {
    fn default() -> Self {
        Self(Format::default().without_time().with_level(false))
    }
}

impl<S, N> FormatEvent<S, N> for Graded
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let grade = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            _ => 7,
        };
        write!(writer, "<{grade}>")?;
        self.0.format_event(context, writer, event)
    }
}
