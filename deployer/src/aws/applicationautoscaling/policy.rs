//! A target-tracking policy: it keeps a metric of a service near a value. AWS makes the alarms that it needs, and takes
//! them away with it.
//! <https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking.html>
//!
//! A policy takes no tags, so its name is its identity: `wharf/<stack>/<logical id>`.

use aws_sdk_applicationautoscaling::types::{
    MetricType, PolicyType, PredefinedMetricSpecification, ScalingPolicy as Sdk,
    TargetTrackingScalingPolicyConfiguration,
};
use serde::{Deserialize, Serialize};
use wharf_engine::{Estimate, Field, Health, Identity, LogicalId, Order, Outputs, Rules, Value};

use super::target::ScalableResource;
use super::{DIMENSION, NAMESPACE, OF_ECS, TARGETS};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, Query};
use crate::aws::out::{Handle, Out, Text};
use crate::aws::tags::Tags;
use crate::aws::units::Seconds;

/// A target-tracking policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScalingPolicy {
    /// What it scales.
    pub target: Out<ScalableResource>,
    /// One of AWS's metrics: `ECSServiceAverageCPUUtilization`, `ECSServiceAverageMemoryUtilization` or
    /// `ALBRequestCountPerTarget`.
    pub metric: String,
    /// For requests: `app/NAME/ID/targetgroup/NAME/ID`.
    pub resource_label: Option<Text>,
    /// The value to keep: percent, or requests a minute for each task.
    pub value: i32,
    /// How long after scaling in nothing more is taken away.
    pub scale_in_cooldown: Seconds,
    /// How long after scaling out nothing more is added, unless much more is needed.
    pub scale_out_cooldown: Seconds,
    /// Whether it takes tasks away again.
    pub scale_in: bool,
}

/// Marks the ARN of a scaling policy.
#[derive(Debug)]
pub enum ScalingPolicyArn {}

impl Handle<ScalingPolicy> {
    /// The policy's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<ScalingPolicyArn> {
        self.output("arn")
    }
}

impl Kind for ScalingPolicy {
    const RULES: &'static Rules = &Rules {
        kind: "application-autoscaling.policy",
        fields: &[
            Field::new("target").replaces(),
            Field::new("metric"),
            Field::new("resource_label"),
            Field::new("value"),
            Field::new("scale_in_cooldown"),
            Field::new("scale_out_cooldown"),
            Field::new("scale_in"),
        ],
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(10),
        estimate: Estimate::seconds(2, 2, 2),
    };

    async fn find(aws: &Aws, _query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let describe = |token| {
            let describe = aws.applicationautoscaling.describe_scaling_policies().service_namespace(NAMESPACE);
            describe.scalable_dimension(DIMENSION).set_next_token(token)
        };
        let page = |page: aws_sdk_applicationautoscaling::operation::describe_scaling_policies::DescribeScalingPoliciesOutput| {
            (page.scaling_policies.unwrap_or_default(), page.next_token)
        };
        const ACTION: &str = "application-autoscaling:DescribeScalingPolicies";
        let all = aws.pages(ACTION, "", |token| describe(token).send(), page).await?;
        Ok(all.iter().filter_map(|policy| observe(aws, policy)).collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        let name = format!("{}{}", prefix(new.stack), new.id);
        let arn = self.put(aws, &name).await?;
        Ok(Made { physical: name, outputs: Some(outputs(&arn)) })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, _changed: &Changed) -> Result<Option<Outputs>, CallError> {
        self.put(aws, &now.physical).await.map(|arn| Some(outputs(&arn)))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let target = now.inputs.target.get()?;
        let delete = || aws.applicationautoscaling.delete_scaling_policy().service_namespace(NAMESPACE);
        let delete = || delete().resource_id(target).scalable_dimension(DIMENSION);
        let send = || delete().policy_name(&now.physical).send();
        aws.call("application-autoscaling:DeleteScalingPolicy", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    /// Its name makes it the stack's already.
    async fn adopt(_aws: &Aws, _now: &Found<Self>, _identity: &Tags) -> Result<(), CallError> {
        Ok(())
    }

    fn grants() -> Vec<Grant> {
        const WRITES: &[&str] =
            &["application-autoscaling:PutScalingPolicy", "application-autoscaling:DeleteScalingPolicy"];
        vec![
            Grant::read(&["application-autoscaling:DescribeScalingPolicies"]),
            Grant::write(WRITES, TARGETS).when(OF_ECS),
        ]
    }
}

impl ScalingPolicy {
    async fn put(&self, aws: &Aws, name: &str) -> Result<String, CallError> {
        let label = self.resource_label.as_ref().map(Out::get).transpose()?.map(str::to_owned);
        let metric = PredefinedMetricSpecification::builder()
            .predefined_metric_type(MetricType::from(self.metric.as_str()))
            .set_resource_label(label)
            .build()
            .map_err(CallError::ours)?;
        let config = TargetTrackingScalingPolicyConfiguration::builder()
            .target_value(f64::from(self.value))
            .predefined_metric_specification(metric)
            .scale_in_cooldown(self.scale_in_cooldown.0)
            .scale_out_cooldown(self.scale_out_cooldown.0)
            .disable_scale_in(!self.scale_in)
            .build()
            .map_err(CallError::ours)?;
        let request = aws
            .applicationautoscaling
            .put_scaling_policy()
            .policy_name(name)
            .service_namespace(NAMESPACE)
            .resource_id(self.target.get()?)
            .scalable_dimension(DIMENSION)
            .policy_type(PolicyType::TargetTrackingScaling)
            .target_tracking_scaling_policy_configuration(config);
        let send = || request.clone().send();
        let answer = aws.call("application-autoscaling:PutScalingPolicy", name, send).await;
        Ok(answer.map_err(CallError::right_after_create)?.policy_arn)
    }
}

fn prefix(stack: &str) -> String {
    format!("wharf/{stack}/")
}

#[expect(clippy::cast_possible_truncation, reason = "a value that is no whole number differs from any that is wanted")]
fn whole(value: f64) -> i32 {
    if value.fract() == 0.0 { value as i32 } else { -1 }
}

fn observe(aws: &Aws, policy: &Sdk) -> Option<Found<ScalingPolicy>> {
    let id = LogicalId::new(policy.policy_name().strip_prefix(&prefix(&aws.scope.stack))?).ok()?;
    let config = policy.target_tracking_scaling_policy_configuration();
    let metric = config.and_then(|config| config.predefined_metric_specification());
    let seconds = |seconds: Option<i32>| Seconds(seconds.unwrap_or_default());
    let inputs = ScalingPolicy {
        target: Out::known(policy.resource_id()),
        metric: metric.map_or("", |metric| metric.predefined_metric_type().as_str()).to_owned(),
        resource_label: metric.and_then(|metric| metric.resource_label()).map(Text::known),
        value: config.map_or(0, |config| whole(config.target_value())),
        scale_in_cooldown: seconds(config.and_then(|config| config.scale_in_cooldown())),
        scale_out_cooldown: seconds(config.and_then(|config| config.scale_out_cooldown())),
        scale_in: config.and_then(|config| config.disable_scale_in()) != Some(true),
    };
    Some(Found {
        id,
        physical: policy.policy_name().to_owned(),
        identity: Identity::Ours(None),
        health: Health::Ready,
        inputs,
        outputs: outputs(policy.policy_arn()),
        blockers: Default::default(),
    })
}

fn outputs(arn: &str) -> Outputs {
    Outputs::from([("arn".to_owned(), Value::text(arn))])
}
