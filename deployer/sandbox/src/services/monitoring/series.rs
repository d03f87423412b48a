//! What is known of a metric: points that were published, and what AWS's own services show, which is read off the
//! account itself and kept as the moments at which it changed.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::settings::percentile;
use crate::account::Ctx;
use crate::store::Resource;

pub(super) const METRIC: &str = "monitoring.metric";
/// How often services of AWS publish.
const MINUTE: i64 = 60;
/// So much is kept of what was published.
const KEPT: usize = 3000;

/// A metric's name in full.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) dimensions: BTreeSet<(String, String)>,
}

impl Name {
    /// Out of the members of an alarm or of a `Metric` structure.
    pub(super) fn of(shown: &Value) -> Self {
        Self::read(|name| &shown[name])
    }

    /// The same, as an alarm of one metric or a metric itself has it among its attributes.
    pub(super) fn of_resource(resource: &Resource) -> Self {
        Self::read(|name| resource.attrs.get(name).unwrap_or(&Value::Null))
    }

    fn read<'a>(shown: impl Fn(&str) -> &'a Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let dimensions = shown("Dimensions").as_array().map(Vec::as_slice).unwrap_or_default();
        Self {
            namespace: text(shown("Namespace")),
            name: text(shown("MetricName")),
            dimensions: dimensions.iter().map(|one| (text(&one["Name"]), text(&one["Value"]))).collect(),
        }
    }

    pub(super) fn id(&self) -> String {
        json!([self.namespace, self.name, self.dimensions]).to_string()
    }

    pub(super) fn dimension(&self, name: &str) -> Option<&str> {
        self.dimensions.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn shown(&self) -> Value {
        let dimensions: Vec<Value> =
            self.dimensions.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
        json!({"Namespace": self.namespace, "MetricName": self.name, "Dimensions": dimensions})
    }
}

/// Values of a metric that were published together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    /// Seconds since 1970.
    pub(super) at: i64,
    pub(super) sum: f64,
    pub(super) count: f64,
    pub(super) minimum: f64,
    pub(super) maximum: f64,
}

impl Point {
    pub(super) fn value(at: i64, value: f64) -> Self {
        Self { at, sum: value, count: 1.0, minimum: value, maximum: value }
    }

    fn read(value: &Value) -> Self {
        let number = |n: usize| value[n].as_f64().unwrap_or_default();
        let at = value[0].as_i64().unwrap_or_default();
        Self { at, sum: number(1), count: number(2), minimum: number(3), maximum: number(4) }
    }

    fn written(self) -> Value {
        json!([self.at, self.sum, self.count, self.minimum, self.maximum])
    }
}

fn ensure(ctx: &mut Ctx<'_>, name: &Name) -> String {
    let id = name.id();
    if ctx.get(METRIC, &id).is_none() {
        let mut shown = name.shown();
        // A metric cannot be deleted: it fades.
        shown["_gone"] = true.into();
        let metric = ctx.resource(METRIC, id.clone(), shown);
        ctx.insert(metric);
    }
    id
}

/// Adds points that were published.
pub(super) fn publish(ctx: &mut Ctx<'_>, name: &Name, points: &[Point]) {
    let id = ensure(ctx, name);
    ctx.update(METRIC, &id, |metric| {
        let kept = metric.list_mut("_points");
        kept.extend(points.iter().map(|point| point.written()));
        let surplus = kept.len().saturating_sub(KEPT);
        kept.drain(..surplus);
    });
}

/// Adds a point to what was published in the same second, if anything was.
pub(super) fn add(ctx: &mut Ctx<'_>, name: &Name, point: Point) {
    let last = ctx.get(METRIC, &name.id()).and_then(|metric| metric.items("_points").last().map(Point::read));
    let Some(last) = last.filter(|last| last.at == point.at) else { return publish(ctx, name, &[point]) };
    let sum = Point {
        at: point.at,
        sum: last.sum + point.sum,
        count: last.count + point.count,
        minimum: last.minimum.min(point.minimum),
        maximum: last.maximum.max(point.maximum),
    };
    ctx.update(METRIC, &name.id(), |metric| {
        if let Some(kept) = metric.list_mut("_points").last_mut() {
            *kept = sum.written();
        }
    });
}

/// Notes what a service of AWS shows from now on; answers whether that is something new.
pub(super) fn observe(ctx: &mut Ctx<'_>, name: &Name, value: Option<f64>) -> bool {
    let id = name.id();
    let last = ctx.get(METRIC, &id).and_then(|metric| metric.items("_steps").last().cloned());
    let same = match &last {
        Some(last) => last[1].as_f64() == value,
        None => value.is_none(),
    };
    if same {
        return false;
    }
    ensure(ctx, name);
    let now = ctx.now.as_second();
    ctx.update(METRIC, &id, |metric| {
        let steps = metric.list_mut("_steps");
        steps.push(json!([now, value]));
        let surplus = steps.len().saturating_sub(KEPT);
        steps.drain(..surplus);
    });
    true
}

/// The points from one second up to, not including, another.
pub(super) fn points(metric: Option<&Resource>, from: i64, to: i64) -> Vec<Point> {
    let Some(metric) = metric else { return Vec::new() };
    let mut all: Vec<Point> =
        metric.items("_points").iter().map(Point::read).filter(|point| (from..to).contains(&point.at)).collect();
    let steps: Vec<(i64, Option<f64>)> =
        metric.items("_steps").iter().map(|step| (step[0].as_i64().unwrap_or_default(), step[1].as_f64())).collect();
    if !steps.is_empty() {
        let mut minute = from.div_euclid(MINUTE) * MINUTE;
        while minute < to {
            let known = steps.partition_point(|(since, _)| *since <= minute).checked_sub(1);
            if let Some(value) = known.and_then(|n| steps[n].1).filter(|_| minute >= from) {
                all.push(Point::value(minute, value));
            }
            minute += MINUTE;
        }
    }
    all
}

/// Whether anything about a metric changed since a moment, or will without anybody doing anything.
pub(super) fn moved_since(metric: Option<&Resource>, since: i64) -> bool {
    let recent = |item: &Value| item[0].as_i64().is_some_and(|at| at >= since);
    metric.is_some_and(|metric| {
        metric.items("_points").iter().any(recent) || metric.items("_steps").last().is_some_and(recent)
    })
}

/// A statistic over points; none where there are none.
pub(super) fn statistic(points: &[Point], name: &str) -> Option<f64> {
    points.first()?;
    let sum: f64 = points.iter().map(|point| point.sum).sum();
    let count: f64 = points.iter().map(|point| point.count).sum();
    Some(match name {
        "Sum" => sum,
        "SampleCount" => count,
        "Minimum" => points.iter().map(|point| point.minimum).fold(f64::INFINITY, f64::min),
        "Maximum" => points.iter().map(|point| point.maximum).fold(f64::NEG_INFINITY, f64::max),
        "Average" => sum / count,
        other => {
            let mut values: Vec<(f64, f64)> =
                points.iter().map(|point| (point.sum / point.count, point.count)).collect();
            values.sort_by(|a, b| a.0.total_cmp(&b.0));
            let wanted = percentile(other)? / 100.0 * count;
            let mut passed = 0.0;
            let reached = values.iter().find(|(_, count)| {
                passed += count;
                passed >= wanted
            });
            reached.or(values.last())?.0
        }
    })
}

/// A moment in whole seconds.
pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or_default()
}
