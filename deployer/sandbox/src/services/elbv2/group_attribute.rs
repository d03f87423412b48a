//! Attributes of target groups.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html>

use serde_json::{Value, json};

use super::attribute::{self, Form, Row};
use super::{GROUP, configuration};
use crate::account::Ctx;
use crate::error::Outcome;
use crate::input::Input;

const WEEK: i64 = 604_800;

const TABLE: &[Row] = &[
    ("deregistration_delay.timeout_seconds", "300", Form::Number(0, 3600)),
    ("load_balancing.algorithm.anomaly_mitigation", "off", Form::One(&["on", "off"])),
    (
        "load_balancing.algorithm.type",
        "round_robin",
        Form::One(&["round_robin", "least_outstanding_requests", "weighted_random"]),
    ),
    (
        "load_balancing.cross_zone.enabled",
        "use_load_balancer_configuration",
        Form::One(&["true", "false", "use_load_balancer_configuration"]),
    ),
    ("slow_start.duration_seconds", "0", Form::ZeroOr(30, 900)),
    ("stickiness.app_cookie.cookie_name", "", Form::Text),
    ("stickiness.app_cookie.duration_seconds", "86400", Form::Number(1, WEEK)),
    ("stickiness.enabled", "false", Form::Flag),
    ("stickiness.lb_cookie.duration_seconds", "86400", Form::Number(1, WEEK)),
    ("stickiness.type", "lb_cookie", Form::One(&["lb_cookie", "app_cookie"])),
    ("target_group_health.dns_failover.minimum_healthy_targets.count", "1", Form::OrOff(1, 1000)),
    ("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off", Form::OrOff(1, 100)),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1", Form::Number(1, 1000)),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off", Form::OrOff(1, 100)),
];

pub(super) fn defaults() -> Value {
    attribute::defaults(TABLE)
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let found = GROUP.asked(ctx, &[input.string("TargetGroupArn")?])?;
    Ok(json!({"Attributes": attribute::listed(found.first().and_then(|g| g.attrs.get("_attributes")))}))
}

pub(super) fn modify(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = GROUP.permitted(ctx, "ModifyTargetGroupAttributes", input.str("TargetGroupArn")?)?;
    let changed = attribute::changed(input, TABLE, "Target group", group.attrs.get("_attributes"))?;
    // <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html#slow-start-mode>
    if changed["slow_start.duration_seconds"] != "0" && changed["load_balancing.algorithm.type"] != "round_robin" {
        return Err(configuration("Slow start mode is supported with the round robin routing algorithm only"));
    }
    let changed = Value::Object(changed);
    ctx.update(GROUP.kind, &group.id, |g| g.set("_attributes", changed.clone()));
    Ok(json!({"Attributes": attribute::listed(Some(&changed))}))
}
