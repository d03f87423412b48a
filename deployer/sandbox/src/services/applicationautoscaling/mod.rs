//! Application Auto Scaling: what scales the desired count of an ECS service.

mod alarms;
mod policy;
mod tags;
mod target;
#[cfg(test)]
mod tests_over_the_wire;

use std::time::Duration;

use serde_json::{Value, json};

use super::shared::{access_denied_exception, page, throttling_exception};
use super::{Service, read, write};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::{Resource, Timer};
use crate::weather::Bucket;

pub(crate) static SERVICE: Service = Service {
    name: "application-autoscaling",
    namespace: "",
    global: false,
    operations: &[
        write("RegisterScalableTarget", target::register),
        read("DescribeScalableTargets", target::describe),
        write("DeregisterScalableTarget", target::deregister),
        write("PutScalingPolicy", policy::put),
        read("DescribeScalingPolicies", policy::describe),
        write("DeleteScalingPolicy", policy::delete),
        read("DescribeScalingActivities", |_, input| nothing_of(input, "ScalingActivities")),
        read("DescribeScheduledActions", |_, input| nothing_of(input, "ScheduledActions")),
        write("TagResource", tags::tag),
        write("UntagResource", tags::untag),
        super::read_one("ListTagsForResource", tags::list),
    ],
    on_timer: |ctx: &mut Ctx<'_>, timer: &Timer| ctx.remove("application-autoscaling.pending", &timer.id),
    // <https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-limits.html>
    bucket: |operation, _| Bucket { name: operation.name, burst: 20.0, rate: 10.0 },
    throttled: throttling_exception,
    denied: access_denied_exception,
};

fn invalid(message: impl Into<String>) -> ApiError {
    refuse("ValidationException", message)
}

/// What is scaled, as three members of each request say it.
struct Scaled {
    namespace: String,
    resource: String,
    dimension: String,
}

impl Scaled {
    fn read(input: &Input) -> Result<Self, ApiError> {
        let namespace = input.string("ServiceNamespace")?;
        let (resource, dimension) = (input.string("ResourceId")?, input.string("ScalableDimension")?);
        if namespace != "ecs" {
            return Err(ApiError::not_simulated(format!("Application Auto Scaling of {namespace}")));
        }
        if dimension != "ecs:service:DesiredCount" {
            return Err(invalid(format!(
                "Unsupported service namespace, resource type or scalable dimension: {dimension}"
            )));
        }
        let parts: Vec<&str> = resource.split('/').collect();
        if !matches!(parts.as_slice(), ["service", cluster, service] if !cluster.is_empty() && !service.is_empty()) {
            return Err(invalid(format!("Unsupported resource ID: {resource}")));
        }
        Ok(Self { namespace, resource, dimension })
    }

    /// The id under which its target is kept.
    fn key(&self) -> String {
        format!("{}|{}|{}", self.namespace, self.resource, self.dimension)
    }

    fn fits(&self, one: &Resource) -> bool {
        one.text("_target") == self.key()
    }

    /// The grant for an action on its target, or on one that is to be.
    fn grant(&self, ctx: &Ctx<'_>, action: &str, target: Option<&Resource>) -> Grant {
        let unknown = || ctx.arn("application-autoscaling", "scalable-target/*");
        let arn = target.map_or_else(unknown, |target| target.text("ScalableTargetARN").to_owned());
        let grant = Grant::new(format!("application-autoscaling:{action}"), arn)
            .key("application-autoscaling:service-namespace", self.namespace.clone())
            .key("application-autoscaling:scalable-dimension", self.dimension.clone());
        match target {
            Some(target) => grant.resource_tags(&target.tags),
            None => grant,
        }
    }

    fn nothing(&self) -> ApiError {
        let message = format!(
            "No scalable target registered for service namespace: {}, resource ID: {}, scalable dimension: {}",
            self.namespace, self.resource, self.dimension
        );
        refuse("ObjectNotFoundException", message)
    }

    /// Changes of one target come one after another.
    fn alone(&self, ctx: &mut Ctx<'_>) -> Result<(), ApiError> {
        const KIND: &str = "application-autoscaling.pending";
        if ctx.get(KIND, &self.key()).is_some() {
            let message = "There is already a pending update to an Auto Scaling resource.";
            return Err(refuse("ConcurrentUpdateException", message));
        }
        if !ctx.account.weather.stale_reads.is_zero() {
            let pending = ctx.resource(KIND, self.key(), json!({"_initial": true}));
            ctx.insert(pending);
            ctx.after(Duration::from_millis(600), KIND, &self.key(), "done");
        }
        Ok(())
    }
}

/// A page of a list under its name.
fn paged(input: &Input, name: &str, items: Vec<Value>) -> Outcome {
    let size = input.opt_int("MaxResults")?.unwrap_or(50).clamp(1, 50);
    let page = page(items, input.opt_str("NextToken"), usize::try_from(size).unwrap_or(50));
    let page = page.ok_or_else(|| refuse("InvalidNextTokenException", "The next token supplied was invalid."))?;
    let mut answer = json!({name: page.items});
    if let Some(next) = page.next {
        answer["NextToken"] = next.into();
    }
    Ok(answer)
}

/// A list of what this account never has.
fn nothing_of(input: &Input, name: &str) -> Outcome {
    input.string("ServiceNamespace")?;
    input.ignore(&["ResourceId", "ScalableDimension", "ScheduledActionNames", "IncludeNotScaledActivities"]);
    paged(input, name, Vec::new())
}
