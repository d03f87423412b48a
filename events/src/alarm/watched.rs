//! What an alarm looks at.

use serde_json::Value;

use super::pairs;
use crate::json;

/// What an alarm looks at.
#[derive(Clone, Debug, PartialEq)]
pub enum Watched {
    /// Metrics, or expressions over them: what is judged, and what it is made from.
    Measures {
        /// What is judged.
        judged: Measure,
        /// What it is made from.
        from: Vec<Measure>,
        /// Whether it is judged by a band of what is to be expected, rather than by a threshold.
        band: bool,
    },
    /// Other alarms: `ALARM(a) OR ALARM(b)`.
    Rule(String),
    /// It is not told.
    Unknown,
}

/// A series of values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measure {
    /// How expressions call it.
    pub id: String,
    /// How its owner calls it.
    pub label: Option<String>,
    /// The expression or query that makes it.
    pub expression: Option<String>,
    /// The metric that it is.
    pub metric: Option<Metric>,
}

/// A metric, and how its values are put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metric {
    /// `AWS/ApplicationELB`.
    pub namespace: String,
    /// `TargetResponseTime`.
    pub name: String,
    /// What of: names and values.
    pub dimensions: Vec<(String, String)>,
    /// `Average`, `p95`.
    pub statistic: Option<String>,
    /// Over so many seconds.
    pub period: Option<u64>,
}

const BAND: &str = "ANOMALY_DETECTION_BAND";

impl Watched {
    /// Reads a trigger of the SNS form, or a configuration of the others.
    pub(super) fn read(trigger: &Value, rule: Option<String>) -> Self {
        if let Some(rule) = rule {
            return Self::Rule(rule);
        }
        if let Some(metric) = Metric::of_trigger(trigger) {
            return Self::Measures { judged: Measure::of(metric), from: Vec::new(), band: false };
        }
        let listed = json::at(trigger, &["Metrics"]).or_else(|| json::at(trigger, &["metrics"]));
        let listed: &[Value] = listed.and_then(Value::as_array).map_or(&[], Vec::as_slice);
        let band = |measure: &Measure| measure.expression.as_deref().is_some_and(|text| text.trim().starts_with(BAND));
        let (bands, measures): (Vec<_>, Vec<_>) =
            listed.iter().map(|one| (returned(one), Measure::read(one))).partition(|(_, measure)| band(measure));
        let judged = measures.iter().position(|(returned, _)| *returned).unwrap_or(0);
        let mut measures: Vec<Measure> = measures.into_iter().map(|(_, measure)| measure).collect();
        if measures.is_empty() {
            return bands.into_iter().next().map_or(Self::Unknown, |(_, judged)| Self::Measures {
                judged,
                from: Vec::new(),
                band: true,
            });
        }
        let judged = measures.remove(judged);
        Self::Measures { judged, from: measures, band: !bands.is_empty() }
    }
}

fn returned(one: &Value) -> bool {
    ["ReturnData", "returnData"].iter().any(|name| one.get(name).and_then(Value::as_bool) == Some(true))
}

impl Measure {
    fn of(metric: Metric) -> Self {
        Self { metric: Some(metric), ..Self::default() }
    }

    fn read(one: &Value) -> Self {
        let text = |names: &[&str]| json::first(one, names).map(str::to_owned);
        Self {
            id: text(&["Id", "id"]).unwrap_or_default(),
            label: text(&["Label", "label"]),
            expression: text(&["Expression", "expression"]),
            metric: Metric::of_statistic(one),
        }
    }

    /// As people read it.
    #[must_use]
    pub fn shown(&self) -> String {
        match (&self.expression, &self.metric, &self.label) {
            (Some(expression), _, Some(label)) => format!("{label} = {expression}"),
            (Some(expression), _, None) => expression.clone(),
            (None, Some(metric), _) => metric.shown(),
            (None, None, Some(label)) => label.clone(),
            (None, None, None) => self.id.clone(),
        }
    }
}

impl Metric {
    /// The one metric of a trigger: `MetricName`, `Namespace`, `Statistic` or `ExtendedStatistic`, `Period`.
    fn of_trigger(trigger: &Value) -> Option<Self> {
        let statistic = json::first(trigger, &["ExtendedStatistic", "Statistic"]);
        Some(Self {
            name: json::text(trigger, &["MetricName"])?.to_owned(),
            namespace: json::text(trigger, &["Namespace"]).unwrap_or_default().to_owned(),
            dimensions: pairs(trigger.get("Dimensions")),
            statistic: statistic.map(statistic_of),
            period: seconds(trigger, &["Period"]),
        })
    }

    /// `MetricStat` of the SNS form, `metricStat` of the others.
    fn of_statistic(one: &Value) -> Option<Self> {
        let stat = json::at(one, &["MetricStat"]).or_else(|| json::at(one, &["metricStat"]))?;
        let metric = json::at(stat, &["Metric"]).or_else(|| json::at(stat, &["metric"]))?;
        Some(Self {
            name: json::first(metric, &["MetricName", "name"]).unwrap_or("a metric").to_owned(),
            namespace: json::first(metric, &["Namespace", "namespace"]).unwrap_or_default().to_owned(),
            dimensions: pairs(metric.get("Dimensions").or_else(|| metric.get("dimensions"))),
            statistic: json::first(stat, &["Stat", "stat"]).map(statistic_of),
            period: seconds(stat, &["Period"]).or_else(|| seconds(stat, &["period"])),
        })
    }

    /// As people read it: `AWS/ECS CPUUtilization, average of 5 min`.
    #[must_use]
    pub fn shown(&self) -> String {
        let name = format!("{} {}", self.namespace, self.name).trim().to_owned();
        let period = self.period.map(|period| match period {
            0 => "no time".to_owned(),
            period if period % 86400 == 0 => format!("{} d", period / 86400),
            period if period % 3600 == 0 => format!("{} h", period / 3600),
            period if period % 60 == 0 => format!("{} min", period / 60),
            period => format!("{period} s"),
        });
        match (&self.statistic, period) {
            (Some(statistic), Some(period)) => format!("{name}, {statistic} of {period}"),
            (Some(statistic), None) => format!("{name}, {statistic}"),
            (None, Some(period)) => format!("{name}, over {period}"),
            (None, None) => name,
        }
    }
}

fn seconds(value: &Value, path: &[&str]) -> Option<u64> {
    json::number(value, path).filter(|seconds| (0.0..1e9).contains(seconds)).map(|seconds| seconds as u64)
}

/// The SNS form shouts where the others do not: `AVERAGE`, `SAMPLE_COUNT`.
fn statistic_of(word: &str) -> String {
    let known = ["average", "sum", "minimum", "maximum", "sample_count", "samplecount"];
    let small = word.to_ascii_lowercase();
    match small.as_str() {
        "sample_count" | "samplecount" => "count".to_owned(),
        _ if known.contains(&small.as_str()) => small,
        _ => word.to_owned(),
    }
}
