//! Metrics as lines of the log: CloudWatch's embedded metric format.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The namespace of all metrics of the functions.
pub const NAMESPACE: &str = "Wharf";
/// The dimension that has the stack's name.
pub const STACK: &str = "Stack";
/// The dimension that has the function's name, such as `on-alarm`.
pub const FUNCTION: &str = "Function";

/// The target of the log events that are metrics.
pub(crate) const TARGET: &str = "wharf::metrics";

/// A directive has so many metrics, and a metric so many values, at most.
const MOST: usize = 100;

/// What a value counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

impl Unit {
    const fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Seconds => "Seconds",
            Self::Milliseconds => "Milliseconds",
        }
    }
}

/// The metrics of one moment.
#[derive(Clone, Debug)]
pub struct Metrics {
    stack: String,
    function: String,
    at: Timestamp,
    values: Vec<(&'static str, Unit, Vec<f64>)>,
    beside: Map<String, Value>,
}

impl Metrics {
    /// No metrics yet, of a stack's function at a moment.
    pub fn new(stack: impl Into<String>, function: impl Into<String>, at: Timestamp) -> Self {
        let (stack, function) = (stack.into(), function.into());
        Self { stack, function, at, values: Vec::new(), beside: Map::new() }
    }

    /// Adds a value. JSON has no way to write what is not finite: it is left out.
    #[must_use]
    pub fn value(mut self, name: &'static str, unit: Unit, value: f64) -> Self {
        if !value.is_finite() {
            return self;
        }
        match self.values.iter_mut().find(|(known, _, values)| *known == name && values.len() < MOST) {
            Some((_, _, values)) => values.push(value),
            None => self.values.push((name, unit, vec![value])),
        }
        self
    }

    /// Adds a number of things.
    #[must_use]
    pub fn count(self, name: &'static str, number: usize) -> Self {
        // Exact up to 2^53, which no count of ours comes near.
        self.value(name, Unit::Count, u32::try_from(number).map_or(f64::INFINITY, f64::from))
    }

    /// Something to find the line by, which is no metric: a request id.
    #[must_use]
    pub fn beside(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.beside.insert(name.to_owned(), value.into());
        self
    }

    /// The lines: none when there is no value, more than one when there is more than a line may have.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<Vec<&(&'static str, Unit, Vec<f64>)>> = Vec::new();
        for metric in &self.values {
            // A name stands once in a line: a second hundred of its values goes into the next.
            let fits = |line: &&mut Vec<&(&str, Unit, Vec<f64>)>| {
                line.len() < MOST && line.iter().all(|(name, ..)| *name != metric.0)
            };
            match lines.iter_mut().find(fits) {
                Some(line) => line.push(metric),
                None => lines.push(vec![metric]),
            }
        }
        lines.iter().map(|metrics| self.line(metrics)).collect()
    }

    fn line(&self, metrics: &[&(&'static str, Unit, Vec<f64>)]) -> String {
        let mut root = self.beside.clone();
        for (name, _, values) in metrics {
            let value = if let [one] = values.as_slice() { json!(one) } else { json!(values) };
            root.insert((*name).to_owned(), value);
        }
        root.insert(STACK.to_owned(), self.stack.as_str().into());
        root.insert(FUNCTION.to_owned(), self.function.as_str().into());
        let described: Vec<Value> =
            metrics.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit.name() })).collect();
        let directive = json!({ "Namespace": NAMESPACE, "Dimensions": [[STACK, FUNCTION]], "Metrics": described });
        let metadata = json!({ "Timestamp": self.at.as_millisecond(), "CloudWatchMetrics": [directive] });
        root.insert("_aws".to_owned(), metadata);
        Value::Object(root).to_string()
    }

    /// Writes them into the log, where CloudWatch finds them.
    pub fn publish(&self) {
        for line in self.lines() {
            tracing::info!(target: TARGET, line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        Timestamp::from_millisecond(1_767_603_600_123).unwrap()
    }

    /// The rules of the specification's JSON schema, and those that only its text has.
    fn valid(line: &str) -> Value {
        assert!(!line.contains('\n'), "a log event is one line");
        assert!(line.len() <= 256 * 1024);
        let root: Value = serde_json::from_str(line).unwrap();
        assert!(root["_aws"]["Timestamp"].is_u64(), "milliseconds, as an integer");
        let directives = root["_aws"]["CloudWatchMetrics"].as_array().unwrap();
        for directive in directives {
            let namespace = directive["Namespace"].as_str().unwrap();
            assert!((1..=1024).contains(&namespace.len()) && !namespace.starts_with("AWS/"));
            let metrics = directive["Metrics"].as_array().unwrap();
            assert!(metrics.len() <= 100);
            let mut names: Vec<_> = metrics.iter().map(|metric| metric["Name"].as_str().unwrap()).collect();
            for (metric, name) in metrics.iter().zip(&names) {
                assert!((1..=1024).contains(&name.len()));
                assert!(["Seconds", "Milliseconds", "Count"].contains(&metric["Unit"].as_str().unwrap()));
                let target = &root[*name];
                let numbers = target
                    .as_array()
                    .is_some_and(|all| (1..=100).contains(&all.len()) && all.iter().all(Value::is_number));
                assert!(target.is_number() || numbers, "{name}: {target}");
            }
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), metrics.len(), "each name once");
            for set in directive["Dimensions"].as_array().unwrap() {
                let set = set.as_array().unwrap();
                assert!(set.len() <= 30);
                for dimension in set {
                    let value = root[dimension.as_str().unwrap()].as_str().unwrap();
                    assert!((1..=1024).contains(&value.len()) && value.is_ascii() && !value.trim().is_empty());
                }
            }
        }
        root
    }

    #[test]
    fn a_line_keeps_the_specification() {
        let metrics = Metrics::new("shop", "on-alarm", at()).count("Posted", 3).beside("request_id", "r-1");
        let lines = metrics.value("Took", Unit::Milliseconds, 1.5).lines();
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        let root = valid(line);
        assert_eq!((&root["Posted"], &root["Took"]), (&json!(3.0), &json!(1.5)));
        assert_eq!((&root["Stack"], &root["Function"]), (&json!("shop"), &json!("on-alarm")));
        assert_eq!(root["_aws"]["Timestamp"], 1_767_603_600_123_i64);
        assert_eq!(root["request_id"], "r-1");
    }

    #[test]
    fn more_values_than_a_line_may_have_go_into_the_next() {
        let metrics =
            (0..250).fold(Metrics::new("s", "f", at()), |all, n| all.value("Age", Unit::Seconds, f64::from(n)));
        let lines: Vec<Value> = metrics.lines().iter().map(|line| valid(line)).collect();
        let sizes: Vec<_> = lines.iter().map(|line| line["Age"].as_array().unwrap().len()).collect();
        assert_eq!(sizes, [100, 100, 50]);
    }

    #[test]
    fn what_json_cannot_write_is_left_out_and_no_value_is_no_line() {
        assert!(Metrics::new("s", "f", at()).value("Age", Unit::Seconds, f64::NAN).lines().is_empty());
    }
}
