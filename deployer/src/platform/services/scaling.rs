//! How many tasks a service has: by their CPU, and by the requests that each gets.

use super::One;
use super::routing::Route;
use crate::aws::applicationautoscaling::policy::ScalingPolicy;
use crate::aws::applicationautoscaling::target::ScalableTarget;
use crate::aws::ecs::service::Service as EcsService;
use crate::aws::units::Seconds;
use crate::aws::{Handle, Text};
use crate::platform::{BuildError, Builder};

impl One<'_> {
    /// The bounds and the policies, when there is a choice.
    pub(super) fn scale(
        &self,
        b: &mut Builder,
        service: &Handle<EcsService>,
        route: Option<&Route>,
    ) -> Result<(), BuildError> {
        let tasks = &self.wanted.tasks;
        if !tasks.scale() {
            return Ok(());
        }
        let target = ScalableTarget {
            cluster: self.ground.cluster.cluster.name(),
            service: service.name(),
            min: i32::from(tasks.min),
            max: i32::from(tasks.most()),
            suspended: false,
            tags: b.tags(),
        };
        let target = b.add(&self.id("scaling"), target)?;
        let scaling = &self.wanted.scaling;
        let policy = |metric: &str, resource_label: Option<Text>, value: i32| ScalingPolicy {
            target: target.resource(),
            metric: metric.to_owned(),
            resource_label,
            value,
            scale_in_cooldown: Seconds(i32::from(scaling.in_seconds)),
            scale_out_cooldown: Seconds(i32::from(scaling.out_seconds)),
            scale_in: true,
        };
        let cpu = policy("ECSServiceAverageCPUUtilization", None, i32::from(scaling.cpu_percent));
        b.add(&self.id("scaling-cpu"), cpu)?;
        // Where two target groups take turns, the metric of one would end at the first turn.
        if let (Some(edge), Some(route)) = (self.ground.edge, route.filter(|route| route.other.is_none())) {
            let label = Text::join([edge.balancer.full_name(), "/".into(), route.group.full_name()]);
            let requests = i32::try_from(scaling.requests_per_minute).unwrap_or(i32::MAX);
            b.add(&self.id("scaling-requests"), policy("ALBRequestCountPerTarget", Some(label), requests))?;
        }
        Ok(())
    }
}
