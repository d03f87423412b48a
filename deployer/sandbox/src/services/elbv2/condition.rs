//! Conditions of rules.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html>

use serde_json::{Value, json};

use super::invalid;
use crate::error::{ApiError, refuse};
use crate::input::Input;

/// A condition's field, the member that holds its values, and whether AWS repeats them under `Values`.
const FIELDS: &[(&str, &str, bool)] = &[
    ("host-header", "HostHeaderConfig", true),
    ("path-pattern", "PathPatternConfig", true),
    ("http-request-method", "HttpRequestMethodConfig", false),
    ("source-ip", "SourceIpConfig", false),
    ("http-header", "HttpHeaderConfig", false),
    ("query-string", "QueryStringConfig", false),
];
/// Of these a rule has one at most.
const ONCE: &[&str] = &["host-header", "path-pattern", "http-request-method", "source-ip"];
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html>
const MOST_VALUES: usize = 5;

/// The conditions of a request, as AWS shows them afterwards.
pub(super) fn read(input: &Input) -> Result<Vec<Value>, ApiError> {
    let (mut shown, mut seen, mut values) = (Vec::new(), Vec::new(), 0);
    for condition in input.objects("Conditions") {
        let field = condition.string("Field")?;
        let known = FIELDS.iter().find(|(name, _, _)| *name == field);
        let (_, member, repeated) =
            known.ok_or_else(|| invalid(format!("Condition field '{field}' must be one of '[path-pattern, host-header, http-header, http-request-method, query-string, source-ip]'")))?;
        if ONCE.contains(&field.as_str()) && seen.contains(&field) {
            return Err(invalid(format!("A rule can only have '1' '{field}' conditions")));
        }
        let (one, count) = one(&condition, &field, member, *repeated)?;
        values += count;
        shown.push(one);
        seen.push(field);
    }
    if shown.is_empty() {
        return Err(invalid("A condition must be specified"));
    }
    if values > MOST_VALUES {
        return Err(refuse("ValidationError", format!("A rule can only have '{MOST_VALUES}' condition values")));
    }
    Ok(shown)
}

fn one(condition: &Input, field: &str, member: &str, repeated: bool) -> Result<(Value, usize), ApiError> {
    let mut values = condition.strings("Values");
    let mut config = json!({});
    if let Some(given) = condition.object(member) {
        if field == "query-string" {
            let pairs = given.objects("Values").iter().map(pair).collect::<Result<Vec<_>, _>>()?;
            let count = pairs.len();
            return Ok((json!({"Field": field, member: {"Values": pairs}}), count));
        }
        values.extend(given.strings("Values"));
        if field == "http-header" {
            config["HttpHeaderName"] = given.string("HttpHeaderName")?.into();
        }
    }
    if values.is_empty() {
        return Err(invalid(format!("A condition value must be specified for '{field}'")));
    }
    values.iter().try_for_each(|value| sound(field, value))?;
    let count = values.len();
    config["Values"] = values.clone().into();
    let mut shown = json!({"Field": field, member: config});
    if repeated {
        shown["Values"] = values.into();
    }
    Ok((shown, count))
}

fn pair(pair: &Input) -> Result<Value, ApiError> {
    let mut shown = json!({"Value": pair.string("Value")?});
    if let Some(key) = pair.opt_str("Key") {
        shown["Key"] = key.into();
    }
    Ok(shown)
}

fn sound(field: &str, value: &str) -> Result<(), ApiError> {
    let fine = match field {
        "source-ip" => value.parse::<ipnet::IpNet>().is_ok_and(|net| net.network() == net.addr()),
        "host-header" => value.len() <= 128 && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.*?".contains(&b)),
        "path-pattern" => value.len() <= 128 && !value.contains(' '),
        "http-request-method" => value.bytes().all(|b| b.is_ascii_uppercase() || b"-_".contains(&b)),
        _ => true,
    };
    match fine {
        true => Ok(()),
        false => Err(invalid(format!("Condition value '{value}' is not valid for '{field}'"))),
    }
}
