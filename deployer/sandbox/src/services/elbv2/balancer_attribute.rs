//! Attributes of load balancers.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html>

use serde_json::{Value, json};

use super::attribute::{self, Form, Row};
use super::{BALANCER, configuration};
use crate::account::Ctx;
use crate::error::Outcome;
use crate::input::Input;

const TABLE: &[Row] = &[
    ("access_logs.s3.enabled", "false", Form::Flag),
    ("access_logs.s3.bucket", "", Form::Text),
    ("access_logs.s3.prefix", "", Form::Text),
    ("client_keep_alive.seconds", "3600", Form::Number(60, 604_800)),
    ("connection_logs.s3.enabled", "false", Form::Flag),
    ("connection_logs.s3.bucket", "", Form::Text),
    ("connection_logs.s3.prefix", "", Form::Text),
    ("deletion_protection.enabled", "false", Form::Flag),
    ("health_check_logs.s3.enabled", "false", Form::Flag),
    ("health_check_logs.s3.bucket", "", Form::Text),
    ("health_check_logs.s3.prefix", "", Form::Text),
    ("idle_timeout.timeout_seconds", "60", Form::Number(1, 4000)),
    // It cannot be switched off here, only for a target group.
    ("load_balancing.cross_zone.enabled", "true", Form::One(&["true"])),
    ("routing.http.desync_mitigation_mode", "defensive", Form::One(&["monitor", "defensive", "strictest"])),
    ("routing.http.drop_invalid_header_fields.enabled", "false", Form::Flag),
    ("routing.http.preserve_host_header.enabled", "false", Form::Flag),
    ("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false", Form::Flag),
    ("routing.http.xff_client_port.enabled", "false", Form::Flag),
    ("routing.http.xff_header_processing.mode", "append", Form::One(&["append", "preserve", "remove"])),
    ("routing.http2.enabled", "true", Form::Flag),
    ("waf.fail_open.enabled", "false", Form::Flag),
    ("zonal_shift.config.enabled", "false", Form::Flag),
];

pub(super) fn defaults() -> Value {
    attribute::defaults(TABLE)
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let found = BALANCER.asked(ctx, &[input.string("LoadBalancerArn")?])?;
    Ok(json!({"Attributes": attribute::listed(found.first().and_then(|b| b.attrs.get("_attributes")))}))
}

pub(super) fn modify(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let balancer = BALANCER.permitted(ctx, "ModifyLoadBalancerAttributes", input.str("LoadBalancerArn")?)?;
    let changed = attribute::changed(input, TABLE, "Load balancer", balancer.attrs.get("_attributes"))?;
    for logs in ["access_logs", "connection_logs", "health_check_logs"] {
        if changed[&format!("{logs}.s3.enabled")] == "true" && changed[&format!("{logs}.s3.bucket")] == "" {
            return Err(configuration("The value of 'S3 bucket' cannot be empty"));
        }
    }
    let changed = Value::Object(changed);
    ctx.update(BALANCER.kind, &balancer.id, |b| b.set("_attributes", changed.clone()));
    Ok(json!({"Attributes": attribute::listed(Some(&changed))}))
}
