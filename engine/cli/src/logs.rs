//! The log, at standard error; and traces, where an OpenTelemetry collector is named and the program is built with `otel`.

#[cfg(feature = "otel")]
mod traces;

use std::fmt::Debug;

use clap::ValueEnum;
use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

/// Names the collector that traces go to, as OpenTelemetry's specification has it (environment variables, OTLP exporter).
const COLLECTOR: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A line an entry, for people.
    #[default]
    Text,
    /// A JSON object a line, for programs.
    Json,
}

/// What has to be there as long as something may be logged; when it goes, what waits to be sent is.
#[derive(Default)]
pub(crate) struct Logging {
    #[cfg(feature = "otel")]
    _traces: Option<traces::Traces>,
}

/// Begins to log what `COSELL_LOG` says, or else `usual`.
pub(crate) fn begin(format: Format, usual: &str) -> Logging {
    let filter = EnvFilter::try_from_env("COSELL_LOG").unwrap_or_else(|_| usual.into());
    let log = registry().with(written(format, std::io::stderr).with_filter(filter));
    let wanted = COLLECTOR.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    #[cfg(feature = "otel")]
    {
        let (begun, wrong) = match wanted.then(traces::begin).transpose() {
            Ok(begun) => (begun, None),
            Err(wrong) => (None, Some(wrong)),
        };
        let (layer, traces) = begun.unzip();
        log.with(layer).init();
        if let Some(wrong) = wrong {
            tracing::warn!("no traces are sent: {wrong}");
        }
        Logging { _traces: traces }
    }
    #[cfg(not(feature = "otel"))]
    {
        log.init();
        if wanted {
            tracing::warn!(
                "no traces are sent, since this program is built without them: build it with `--features otel`"
            );
        }
        Logging::default()
    }
}

/// What writes the log. Each entry tells in which run, and in which attempt of which step, it happened.
fn written<S, W>(format: Format, to: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'s> LookupSpan<'s>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    match format {
        Format::Text => fmt::layer().fmt_fields(debug_fn(field).delimited(" ")).with_writer(to).boxed(),
        Format::Json => fmt::layer().json().flatten_event(true).with_current_span(false).with_writer(to).boxed(),
    }
}

/// Writes a field. What comes from elsewhere may hold signs that command a terminal; they are written as what they are. Further
/// lines stand indented, so that none looks like an entry of its own.
fn field(to: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    if field.name() != "message" {
        write!(to, "{}=", field.name())?;
    }
    for letter in format!("{value:?}").chars() {
        match letter {
            '\n' => to.write_str("\n    ")?,
            letter if letter.is_control() => write!(to, "{}", letter.escape_default())?,
            letter => to.write_char(letter)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: Format, why: &str) -> String {
        let buffer = Buffer::default();
        let to = buffer.clone();
        tracing::subscriber::with_default(registry().with(written(format, move || to.clone())), || {
            tracing::info_span!("run", run = "r1").in_scope(|| {
                tracing::info_span!("attempt", step = "rows[2]/update", attempt = 3).in_scope(|| {
                    tracing::warn!(status = 503, %why, "busy {why}");
                });
            });
        });
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_entry_names_the_run_and_the_step() {
        let entry: serde_json::Value = serde_json::from_str(logged(Format::Json, "x").trim()).unwrap();
        assert_eq!(
            (&entry["message"], &entry["status"], &entry["level"]),
            (&"busy x".into(), &503.into(), &"WARN".into())
        );
        assert_eq!((&entry["spans"][0]["run"], &entry["spans"][1]["step"]), (&"r1".into(), &"rows[2]/update".into()));
        let text = anstream::adapter::strip_str(&logged(Format::Text, "x")).to_string();
        assert!(text.contains(r#"run{run="r1"}:attempt{step="rows[2]/update" attempt=3}"#), "{text}");
    }
    #[test]
    fn nothing_that_is_logged_commands_a_terminal() {
        let text = anstream::adapter::strip_str(&logged(Format::Text, "a\u{1b}]0;b\u{7}\nc\u{9b}2Jé")).to_string();
        assert!(text.ends_with("status=503 why=a\\u{1b}]0;b\\u{7}\n    c\\u{9b}2Jé\n"), "{text:?}");
        assert!(text.contains("busy a\\u{1b}]0;b"), "{text:?}");
    }
}
