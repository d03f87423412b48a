//! Services with one task on each instance: daemons, and those that ask for distinct instances.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service_scheduler.html>

use std::sync::Arc;

use super::{INSTANCE, SERVICE_KIND, container_instance, invalid, placement};
use crate::account::Ctx;
use crate::error::ApiError;
use crate::input::Input;
use crate::store::Resource;

pub(super) fn is_daemon(service: &Resource) -> bool {
    service.text("schedulingStrategy") == "DAEMON"
}

/// Reads the strategy of a new service: the number of a daemon's tasks is that of the instances.
pub(super) fn strategy(service: &mut Resource, input: &Input) -> Result<(), ApiError> {
    let strategy = input.opt_str("schedulingStrategy").unwrap_or("REPLICA").to_owned();
    let count = input.opt_int("desiredCount")?;
    match strategy.as_str() {
        "DAEMON" if count.is_some() => {
            return Err(invalid("The daemon scheduling strategy does not support a desired count."));
        }
        "DAEMON" if !input.objects("placementStrategy").is_empty() => {
            return Err(invalid("The daemon scheduling strategy does not support placement strategies."));
        }
        "DAEMON" | "REPLICA" => {}
        other => return Err(invalid(format!("Invalid scheduling strategy: {other}"))),
    }
    service.set("schedulingStrategy", strategy);
    service.set("desiredCount", count.unwrap_or(0));
    Ok(())
}

/// Whether an instance takes no second task of a service.
pub(super) fn one_each(ctx: &Ctx<'_>, service: &str) -> bool {
    let distinct = |service: &Resource| {
        service.items("placementConstraints").iter().any(|constraint| constraint["type"] == "distinctInstance")
    };
    ctx.get(SERVICE_KIND, service).is_some_and(|service| is_daemon(&service) || distinct(&service))
}

/// A service as it is now: a daemon wants as many tasks as there are instances for it.
pub(super) fn counted(ctx: &mut Ctx<'_>, service: &Arc<Resource>) -> Arc<Resource> {
    if !is_daemon(service) {
        return Arc::clone(service);
    }
    let providers = placement::providers(service.items("capacityProviderStrategy"));
    let instances = ctx.those(INSTANCE, |instance| {
        let provided = providers.is_empty() || providers.iter().any(|p| instance.text("capacityProviderName") == p);
        instance.text("_cluster") == service.text("_cluster") && instance.text("status") == "ACTIVE" && provided
    });
    if i64::try_from(instances.len()).unwrap_or(0) != service.number("desiredCount") {
        ctx.update(SERVICE_KIND, &service.id, |service| service.set("desiredCount", instances.len()));
    }
    ctx.get(SERVICE_KIND, &service.id).unwrap_or_else(|| Arc::clone(service))
}

/// Whether an instance has other tasks than those of daemons: only they hold it.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-auto-scaling.html>
pub(super) fn is_held(ctx: &Ctx<'_>, instance: &str) -> bool {
    container_instance::on(ctx, instance).iter().any(|task| {
        let service = ctx.get(SERVICE_KIND, task.text("_service"));
        !service.is_some_and(|service| is_daemon(&service))
    })
}
