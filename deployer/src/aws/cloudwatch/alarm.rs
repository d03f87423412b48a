//! An alarm on a metric, or on an expression of several.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html>

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::operation::put_metric_alarm::builders::PutMetricAlarmFluentBuilder;
use aws_sdk_cloudwatch::types::{
    ComparisonOperator, Dimension, Metric as SdkMetric, MetricAlarm, MetricDataQuery, MetricStat, Statistic,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Compare, Estimate, Field, Health, Identity, Order, Outputs, Owner, Rules};

use super::{describe, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, Query};
use crate::aws::out::{Handle, Out, Text};
use crate::aws::sns::topic::TopicArn;
use crate::aws::tags::{self, Tags};
use crate::aws::units::Seconds;

/// An alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Its name, which begins with the stack's.
    pub name: String,
    /// What it means and what to do about it, for whoever it wakes.
    pub description: String,
    /// What it looks at; none when it looks at an expression.
    pub metric: Option<Metric>,
    /// The expression that it looks at; none when it looks at one metric.
    pub math: Option<Math>,
    /// On which side of the threshold a period breaches.
    pub comparison: Comparison,
    /// The threshold.
    pub threshold: Decimal,
    /// How many periods are looked at.
    pub periods: i32,
    /// How many of them have to breach.
    pub breaches: i32,
    /// What a period without data counts as.
    pub missing: Missing,
    /// Whether it notifies at all.
    pub actions_enabled: bool,
    /// Whom it tells that it went off.
    pub on_alarm: Vec<Out<TopicArn>>,
    /// Whom it tells that all is well again.
    pub on_ok: Vec<Out<TopicArn>>,
    /// Whom it tells that there is no data.
    pub on_no_data: Vec<Out<TopicArn>>,
    /// The user's tags.
    pub tags: Tags,
}

/// A metric and what is made of its values in a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metric {
    /// Such as `AWS/ApplicationELB`.
    pub namespace: String,
    /// Such as `UnHealthyHostCount`.
    pub name: String,
    /// What it is about, such as `LoadBalancer`.
    pub dimensions: BTreeMap<String, Text>,
    /// `Average`, `Sum`, `Minimum`, `Maximum`, `SampleCount`, or a percentile such as `p95`.
    pub statistic: String,
    /// A period: 10, 20, 30 seconds or whole minutes.
    pub period: Seconds,
}

/// An expression of metrics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Math {
    /// The expression, such as `100 * errors / requests`.
    pub expression: String,
    /// What it is called in graphs.
    pub label: String,
    /// The metrics by their names in it.
    pub metrics: BTreeMap<String, Metric>,
}

/// On which side of the threshold a period breaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Comparison {
    /// Greater than the threshold.
    Above,
    /// Greater or equal.
    AtLeast,
    /// Less than the threshold.
    Below,
    /// Less or equal.
    AtMost,
    /// Outside of a band: only ever observed.
    Other,
}

/// What a period without data counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// As one that breaches.
    Breaching,
    /// As one that does not.
    NotBreaching,
    /// As none: the alarm stays as it is.
    Ignore,
    /// As missing: an alarm without any data is in a state of its own.
    Missing,
}

/// A number that may have a fraction. Inputs have whole numbers only, so this is its shortest text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Decimal(String);

impl From<f64> for Decimal {
    fn from(number: f64) -> Self {
        Self(number.to_string())
    }
}

impl From<i32> for Decimal {
    fn from(number: i32) -> Self {
        Self(number.to_string())
    }
}

impl Decimal {
    fn number(&self) -> Result<f64, CallError> {
        self.0.parse().map_err(CallError::ours)
    }
}

/// Marks the name of an alarm of either type.
#[derive(Debug)]
pub enum AlarmName {}
/// Marks the ARN of an alarm of either type.
#[derive(Debug)]
pub enum AlarmArn {}

impl Handle<Alarm> {
    /// The alarm's name.
    #[must_use]
    pub fn name(&self) -> Out<AlarmName> {
        self.output("name")
    }

    /// The alarm's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<AlarmArn> {
        self.output("arn")
    }
}

impl Kind for Alarm {
    const RULES: &'static Rules = &Rules {
        kind: "cloudwatch.alarm",
        fields: &[
            Field::new("name").replaces(),
            Field::new("description"),
            Field::new("metric"),
            Field::new("math"),
            Field::new("comparison"),
            Field::new("threshold"),
            Field::new("periods"),
            Field::new("breaches"),
            Field::new("missing"),
            Field::new("actions_enabled"),
            Field::new("on_alarm").compared(Compare::Set),
            Field::new("on_ok").compared(Compare::Set),
            Field::new("on_no_data").compared(Compare::Set),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        // A composite alarm that names the old one holds it until it names the new one.
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(1, 1, 1),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let alarms = describe::alarms(aws, query, |page| page.metric_alarms).await?;
        let found = alarms.iter().map(|alarm| observe(aws, query, alarm));
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        let name = describe::named(&self.name, new)?;
        self.put(aws, Some(&new.tags(&self.tags))).await?;
        Ok(Made { physical: name.to_owned(), outputs: Some(describe::outputs(aws, name)) })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        if changed.0.iter().any(|field| field != "tags") {
            self.put(aws, None).await?;
        }
        if changed.has("tags") {
            tagging::change(aws, &describe::arn(aws, &now.physical), &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        describe::delete(aws, &now.physical).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &describe::arn(aws, &now.physical), identity).await
    }

    fn grants() -> Vec<Grant> {
        describe::grants(&["cloudwatch:PutMetricAlarm"])
    }
}

impl Alarm {
    /// Writes the whole alarm; tags only when it is new.
    async fn put(&self, aws: &Aws, tags: Option<&Tags>) -> Result<(), CallError> {
        let put = aws
            .cloudwatch
            .put_metric_alarm()
            .alarm_name(&self.name)
            .alarm_description(&self.description)
            .actions_enabled(self.actions_enabled)
            .set_alarm_actions(Some(describe::topics(&self.on_alarm)?))
            .set_ok_actions(Some(describe::topics(&self.on_ok)?))
            .set_insufficient_data_actions(Some(describe::topics(&self.on_no_data)?))
            .comparison_operator(self.comparison.to_sdk())
            .threshold(self.threshold.number()?)
            .evaluation_periods(self.periods)
            .datapoints_to_alarm(self.breaches)
            .treat_missing_data(self.missing.name())
            .set_tags(tags.map(tagging::to_sdk));
        let put = match (&self.metric, &self.math) {
            (Some(metric), None) => metric.put(put)?,
            (None, Some(math)) => put.set_metrics(Some(math.to_sdk()?)),
            _ => {
                let what = format!("alarm {} looks at nothing, or at two things", self.name);
                return Err(CallError::invalid(what, "give it either a metric or an expression"));
            }
        };
        aws.call("cloudwatch:PutMetricAlarm", &self.name, || put.clone().send()).await.map(drop)
    }
}

impl Metric {
    fn put(&self, put: PutMetricAlarmFluentBuilder) -> Result<PutMetricAlarmFluentBuilder, CallError> {
        let put = put.namespace(&self.namespace).metric_name(&self.name).period(self.period.0);
        let put = put.set_dimensions(Some(self.dimensions()?));
        Ok(match Statistic::from(self.statistic.as_str()) {
            plain if Statistic::values().contains(&plain.as_str()) => put.statistic(plain),
            _ => put.extended_statistic(&self.statistic),
        })
    }

    fn dimensions(&self) -> Result<Vec<Dimension>, CallError> {
        let one = |(name, value): (&String, &Text)| Ok(Dimension::builder().name(name).value(value.get()?).build());
        self.dimensions.iter().map(one).collect()
    }

    fn to_sdk(&self) -> Result<MetricStat, CallError> {
        let metric = SdkMetric::builder().namespace(&self.namespace).metric_name(&self.name);
        let metric = metric.set_dimensions(Some(self.dimensions()?)).build();
        Ok(MetricStat::builder().metric(metric).period(self.period.0).stat(&self.statistic).build())
    }

    fn observed(stat: &MetricStat) -> Option<Self> {
        let metric = stat.metric()?;
        Some(Self {
            namespace: metric.namespace()?.to_owned(),
            name: metric.metric_name()?.to_owned(),
            dimensions: dimensions(metric.dimensions()),
            statistic: stat.stat()?.to_owned(),
            period: Seconds(stat.period()?),
        })
    }
}

fn dimensions(all: &[Dimension]) -> BTreeMap<String, Text> {
    let one = |one: &Dimension| Some((one.name()?.to_owned(), Text::known(one.value()?)));
    all.iter().filter_map(one).collect()
}

/// What the expression itself is called among its metrics.
const RESULT: &str = "result";

impl Math {
    fn to_sdk(&self) -> Result<Vec<MetricDataQuery>, CallError> {
        let expression = MetricDataQuery::builder().id(RESULT).expression(&self.expression).label(&self.label);
        let metrics = self.metrics.iter().map(|(id, metric)| {
            Ok(MetricDataQuery::builder().id(id).metric_stat(metric.to_sdk()?).return_data(false).build())
        });
        std::iter::once(Ok(expression.return_data(true).build())).chain(metrics).collect()
    }

    fn observed(queries: &[MetricDataQuery]) -> Option<Self> {
        let result = queries.iter().find(|query| query.return_data() == Some(true) && query.id() == Some(RESULT))?;
        let metrics =
            queries.iter().filter_map(|query| Some((query.id()?.to_owned(), Metric::observed(query.metric_stat()?)?)));
        Some(Self {
            expression: result.expression()?.to_owned(),
            label: result.label().unwrap_or_default().to_owned(),
            metrics: metrics.collect(),
        })
    }
}

impl Comparison {
    fn to_sdk(self) -> ComparisonOperator {
        match self {
            Self::Above | Self::Other => ComparisonOperator::GreaterThanThreshold,
            Self::AtLeast => ComparisonOperator::GreaterThanOrEqualToThreshold,
            Self::Below => ComparisonOperator::LessThanThreshold,
            Self::AtMost => ComparisonOperator::LessThanOrEqualToThreshold,
        }
    }

    fn observed(operator: Option<&ComparisonOperator>) -> Self {
        match operator {
            Some(ComparisonOperator::GreaterThanThreshold) => Self::Above,
            Some(ComparisonOperator::GreaterThanOrEqualToThreshold) => Self::AtLeast,
            Some(ComparisonOperator::LessThanThreshold) => Self::Below,
            Some(ComparisonOperator::LessThanOrEqualToThreshold) => Self::AtMost,
            _ => Self::Other,
        }
    }
}

impl Missing {
    fn name(self) -> &'static str {
        match self {
            Self::Breaching => "breaching",
            Self::NotBreaching => "notBreaching",
            Self::Ignore => "ignore",
            Self::Missing => "missing",
        }
    }

    fn observed(name: Option<&str>) -> Self {
        let all = [Self::Breaching, Self::NotBreaching, Self::Ignore];
        all.into_iter().find(|one| Some(one.name()) == name).unwrap_or(Self::Missing)
    }
}

async fn observe(aws: &Aws, query: &Query<Alarm>, alarm: &MetricAlarm) -> Result<Option<Found<Alarm>>, CallError> {
    let Some(name) = alarm.alarm_name() else { return Ok(None) };
    let arn = describe::arn(aws, name);
    let Some(all) = tagging::list(aws, query, &arn, |wanted: &Alarm| &wanted.tags).await? else { return Ok(None) };
    let foreign = || {
        let wants = query.wanted.iter().find(|(_, wanted)| wanted.name == name);
        wants.map(|(id, _)| (id.clone(), Identity::Foreign))
    };
    let Some((id, identity)) = tags::read(&aws.scope.stack, &all).or_else(foreign) else { return Ok(None) };
    Ok(Some(Found {
        id,
        physical: name.to_owned(),
        identity,
        health: Health::Ready,
        inputs: inputs(name, alarm, tags::user(&all)),
        outputs: describe::outputs(aws, name),
        blockers: Default::default(),
    }))
}

fn inputs(name: &str, alarm: &MetricAlarm, tags: Tags) -> Alarm {
    let periods = alarm.evaluation_periods().unwrap_or_default();
    let statistic = alarm.statistic().map(Statistic::as_str).or(alarm.extended_statistic());
    let metric = || {
        Some(Metric {
            namespace: alarm.namespace()?.to_owned(),
            name: alarm.metric_name()?.to_owned(),
            dimensions: dimensions(alarm.dimensions()),
            statistic: statistic?.to_owned(),
            period: Seconds(alarm.period()?),
        })
    };
    Alarm {
        name: name.to_owned(),
        description: alarm.alarm_description().unwrap_or_default().to_owned(),
        metric: metric(),
        math: Math::observed(alarm.metrics()),
        comparison: Comparison::observed(alarm.comparison_operator()),
        threshold: Decimal::from(alarm.threshold().unwrap_or_default()),
        periods,
        breaches: alarm.datapoints_to_alarm().unwrap_or(periods),
        missing: Missing::observed(alarm.treat_missing_data()),
        actions_enabled: alarm.actions_enabled().unwrap_or(true),
        on_alarm: describe::actions(alarm.alarm_actions()),
        on_ok: describe::actions(alarm.ok_actions()),
        on_no_data: describe::actions(alarm.insufficient_data_actions()),
        tags,
    }
}
