//! Account settings. <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html>

use serde_json::{Value, json};

use super::invalid;
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::Outcome;
use crate::input::Input;
use crate::services::shared::shown;

const KIND: &str = "ecs.account-setting";

/// Names, what they are in a new account, and what they can be.
const SETTINGS: &[(&str, &str, &[&str])] = &[
    ("awsvpcTrunking", "disabled", &["enabled", "disabled"]),
    ("containerInsights", "disabled", &["enabled", "disabled", "enhanced"]),
    ("containerInstanceLongArnFormat", "enabled", &["enabled", "disabled"]),
    ("dualStackIPv6", "enabled", &["enabled", "disabled"]),
    ("fargateFIPSMode", "disabled", &["enabled", "disabled"]),
    ("fargateTaskRetirementWaitPeriod", "7", &["0", "7", "14"]),
    ("guardDutyActivate", "off", &["on", "off"]),
    ("serviceLongArnFormat", "enabled", &["enabled", "disabled"]),
    ("tagResourceAuthorization", "on", &["on", "off"]),
    ("taskLongArnFormat", "enabled", &["enabled", "disabled"]),
    ("defaultLogDriverMode", "non-blocking", &["blocking", "non-blocking"]),
];

/// A setting as it stands for the account.
pub(super) fn value(ctx: &Ctx<'_>, name: &str) -> String {
    let default = SETTINGS.iter().find(|(known, ..)| *known == name).map_or("", |(_, default, _)| default);
    ctx.get(KIND, name).map_or_else(|| default.to_owned(), |setting| setting.text("value").to_owned())
}

pub(super) fn put(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (name, value) = (input.string("name")?, input.string("value")?);
    let principal = format!("arn:aws:iam::{}:root", ctx.account.id);
    if input.opt_str("principalArn").is_some_and(|other| other != principal) {
        return Err(crate::error::ApiError::not_simulated("account settings of single principals"));
    }
    ctx.authorise(Grant::new("ecs:PutAccountSettingDefault", "*").key("ecs:account-setting", &name))?;
    let known = SETTINGS.iter().find(|(known, ..)| *known == name);
    let (_, _, values) = known.ok_or_else(|| invalid(format!("Invalid setting name: {name}")))?;
    if !values.contains(&value.as_str()) {
        return Err(invalid(format!("Invalid setting value: {value}")));
    }
    let mut setting = ctx.resource(
        KIND,
        &name,
        json!({
            "name": name, "value": value, "principalArn": principal, "type": "user", "_initial": true,
        }),
    );
    setting.aws_made = true;
    let answer = json!({"setting": shown(&setting)});
    ctx.insert(setting);
    Ok(answer)
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (name, wanted) = (input.opt_str("name"), input.opt_str("value"));
    let effective = input.bool_or("effectiveSettings", false)?;
    input.ignore(&["maxResults", "nextToken", "principalArn"]);
    let principal = format!("arn:aws:iam::{}:root", ctx.account.id);
    let listed = SETTINGS.iter().filter(|(known, ..)| name.is_none_or(|name| name == *known));
    let listed = listed.filter(|(known, ..)| effective || ctx.get(KIND, known).is_some());
    let settings = listed.map(|(known, ..)| (known, value(ctx, known)));
    let settings: Vec<Value> = settings
        .filter(|(_, value)| wanted.is_none_or(|wanted| wanted == value))
        .map(|(name, value)| json!({"name": name, "value": value, "principalArn": principal, "type": "user"}))
        .collect();
    Ok(json!({"settings": settings}))
}
