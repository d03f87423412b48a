//! Alarms that stop a rollout.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html>

use serde_json::Value;

use crate::account::Ctx;
use crate::store::Resource;

/// The alarms of a service's deployments that ring.
pub(super) fn ringing(ctx: &Ctx<'_>, service: &Resource) -> Vec<String> {
    let settings = &service.attrs["deploymentConfiguration"]["alarms"];
    if settings["enable"] != true {
        return Vec::new();
    }
    let names = settings["alarmNames"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let rings =
        |name: &&str| ctx.get("monitoring.alarm", name).is_some_and(|alarm| alarm.text("StateValue") == "ALARM");
    names.filter(rings).map(str::to_owned).collect()
}
