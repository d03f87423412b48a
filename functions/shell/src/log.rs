//! The log: a line of JSON for each event, with the fields of all it happened within.

use std::fmt;

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;

use crate::environment::Environment;
use crate::metrics;

/// Lambda's own setting, which it hands on to runtimes that keep logs as JSON.
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html>
const LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";

/// Sends events to stdout, from where Lambda takes them. The first call counts.
pub fn begin(environment: &Environment) {
    // A second beginning in one process, as in tests, leaves the first as it is.
    let _ = tracing::subscriber::set_global_default(to(std::io::stdout, environment));
}

/// The subscriber that writes events to `out`.
pub fn to<W>(out: W, environment: &Environment) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().fmt_fields(JsonFields::new()).event_format(Lines).with_writer(out);
    // What the SDK tells of its calls is the SDK's affair until it is a warning; that a handler failed is told by the
    // loop of this crate, with the reason, and need not be told twice.
    let chosen = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("wharf", level(environment.get(LEVEL)))
        .with_target(metrics::TARGET, LevelFilter::INFO)
        .with_target("lambda_runtime::layers::panic", LevelFilter::OFF);
    tracing_subscriber::registry().with(lines.with_filter(chosen))
}

fn level(name: Option<&str>) -> LevelFilter {
    match name {
        Some("TRACE") => LevelFilter::TRACE,
        Some("DEBUG") => LevelFilter::DEBUG,
        Some("WARN") => LevelFilter::WARN,
        Some("ERROR" | "FATAL") => LevelFilter::ERROR,
        _ => LevelFilter::INFO,
    }
}

/// One line of JSON per event.
struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> tracing_subscriber::fmt::FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut said = Said::default();
        event.record(&mut said);
        if event.metadata().target() == metrics::TARGET {
            return writeln!(out, "{}", said.0.get("line").and_then(Value::as_str).unwrap_or_default());
        }
        let mut line = Map::new();
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let known = span.extensions();
            let fields = known.get::<FormattedFields<N>>().map(|fields| fields.fields.as_str());
            if let Some(Ok(Value::Object(fields))) = fields.map(serde_json::from_str) {
                line.extend(fields);
            }
        }
        line.extend(said.0);
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        line.insert("timestamp".to_owned(), time.into());
        line.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.insert("target".to_owned(), event.metadata().target().into());
        writeln!(out, "{}", Value::Object(line))
    }
}

/// The fields of one event.
#[derive(Default)]
struct Said(Map<String, Value>);

impl Said {
    fn keep(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Said {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.keep(field, crate::chain(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.keep(field, format!("{value:?}"));
    }
}

/// What a test wrote into the log.
#[cfg(test)]
pub(crate) mod testing {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    pub(crate) struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Kept {
        pub(crate) fn lines(&self) -> Vec<Value> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }

    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is logged on this thread until the guard is dropped.
    pub(crate) fn keep(environment: &Environment) -> (Kept, tracing::subscriber::DefaultGuard) {
        let kept = Kept::default();
        let writer = kept.clone();
        let guard = tracing::subscriber::set_default(to(move || writer.clone(), environment));
        (kept, guard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_fields_of_all_that_it_happened_within() {
        let (kept, guard) = testing::keep(&Environment::default());
        tracing::info_span!("invocation", request_id = "r-1").in_scope(|| {
            tracing::info_span!("record", correlation_id = "m-1").in_scope(|| {
                tracing::warn!(tries = 3, cause = %"no \"route\"", "late");
            });
        });
        drop(guard);
        let lines = kept.lines();
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        for (field, value) in [
            ("request_id", json!("r-1")),
            ("correlation_id", json!("m-1")),
            ("tries", json!(3)),
            ("cause", json!("no \"route\"")),
            ("message", json!("late")),
            ("level", json!("WARN")),
        ] {
            assert_eq!(line[field], value, "{field}");
        }
        assert!(line["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    }

    #[test]
    fn metrics_stand_in_the_log_as_they_are() {
        let (kept, guard) = testing::keep(&Environment::of([(LEVEL, "ERROR")]));
        let metrics = metrics::Metrics::new("shop", "on-alarm", jiff::Timestamp::UNIX_EPOCH).count("Posted", 1);
        tracing::info_span!("invocation", request_id = "r-1").in_scope(|| metrics.publish());
        drop(guard);
        assert_eq!(kept.lines(), [serde_json::from_str::<Value>(&metrics.lines()[0]).unwrap()]);
    }

    #[test]
    fn what_others_say_is_kept_from_warnings_on_and_more_is_told_when_asked() {
        let said = |level| {
            let environment = Environment::of([(LEVEL, level)]);
            let (kept, guard) = testing::keep(&environment);
            tracing::info!(target: "aws_smithy_runtime", "chatter");
            tracing::warn!(target: "aws_smithy_runtime", "trouble");
            tracing::debug!("detail");
            tracing::warn!("doubt");
            drop(guard);
            kept.lines().iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(said(""), ["trouble", "doubt"]);
        assert_eq!(said("DEBUG"), ["trouble", "detail", "doubt"]);
        assert_eq!(said("ERROR"), ["trouble"]);
    }
}
