//! What a policy says: how it is read from a call, with AWS's defaults, and what AWS refuses.
//! <https://docs.aws.amazon.com/dlm/latest/APIReference/API_PolicyDetails.html>

use serde_json::{Map, Value, json};

use super::invalid;
use crate::error::{ApiError, Outcome};
use crate::input::Input;

/// `PolicyDetails` as AWS gives them back.
pub(super) fn read(details: &Input) -> Outcome {
    let kind = details.opt_str("PolicyType").unwrap_or("EBS_SNAPSHOT_MANAGEMENT");
    if kind != "EBS_SNAPSHOT_MANAGEMENT" {
        return Err(ApiError::not_simulated(format!("PolicyType {kind}")));
    }
    match details.opt_str("PolicyLanguage").unwrap_or("STANDARD") {
        "STANDARD" => {}
        other => return Err(ApiError::not_simulated(format!("PolicyLanguage {other}"))),
    }
    let types = details.strings("ResourceTypes");
    if types != ["VOLUME"] {
        return Err(ApiError::not_simulated(format!("ResourceTypes {types:?}")));
    }
    let locations = details.strings("ResourceLocations");
    if !locations.is_empty() && locations != ["CLOUD"] {
        return Err(ApiError::not_simulated(format!("ResourceLocations {locations:?}")));
    }
    let targets = tags(details, "TargetTags")?;
    if !(1..=50).contains(&targets.len()) {
        return Err(invalid("TargetTags must have 1 to 50 items"));
    }
    let schedules = details.objects("Schedules").iter().map(schedule).collect::<Result<Vec<Value>, _>>()?;
    if !(1..=4).contains(&schedules.len()) {
        return Err(invalid("Schedules must have 1 to 4 items"));
    }
    Ok(json!({
        "PolicyType": kind, "PolicyLanguage": "STANDARD", "ResourceTypes": types, "ResourceLocations": ["CLOUD"],
        "TargetTags": targets, "Schedules": schedules,
    }))
}

fn tags(input: &Input, name: &str) -> Result<Vec<Value>, ApiError> {
    let tag = |tag: &Input| {
        let key = tag.string("Key")?;
        // AWS's own tags can be neither looked for nor added.
        if key.starts_with("aws:") {
            return Err(invalid(format!("the tag key {key} is reserved")));
        }
        Ok(json!({"Key": key, "Value": tag.opt_str("Value").unwrap_or_default()}))
    };
    input.objects(name).iter().map(tag).collect()
}

fn schedule(schedule: &Input) -> Outcome {
    let name = schedule.string("Name")?;
    let rule = schedule.object("CreateRule").ok_or_else(|| invalid("a schedule needs a CreateRule"))?;
    let interval = rule.opt_int("Interval")?.ok_or_else(|| ApiError::not_simulated("cron expressions"))?;
    // <https://docs.aws.amazon.com/dlm/latest/APIReference/API_CreateRule.html>
    if ![1, 2, 3, 4, 6, 8, 12, 24].contains(&interval) {
        return Err(invalid(format!("Interval {interval} is not valid: it can be 1, 2, 3, 4, 6, 8, 12 and 24")));
    }
    if rule.opt_str("IntervalUnit") != Some("HOURS") {
        return Err(invalid("IntervalUnit must be HOURS"));
    }
    if let Some(other) = rule.opt_str("Location").filter(|location| *location != "CLOUD") {
        return Err(ApiError::not_simulated(format!("Location {other}")));
    }
    let times = match rule.strings("Times") {
        times if times.is_empty() => vec!["09:00".to_owned()],
        times => times,
    };
    if times.len() != 1 || minutes(&times[0]).is_none() {
        return Err(invalid("Times must have one time of the form hh:mm"));
    }
    let retain = schedule.object("RetainRule").ok_or_else(|| invalid("a schedule needs a RetainRule"))?;
    let count = retain.opt_int("Count")?.ok_or_else(|| ApiError::not_simulated("retention by age"))?;
    if !(1..=1000).contains(&count) {
        return Err(invalid("Count must be between 1 and 1000"));
    }
    let added = tags(schedule, "TagsToAdd")?;
    if added.len() > 45 {
        return Err(invalid("TagsToAdd can have at most 45 items"));
    }
    let mut kept = Map::from_iter([
        ("Name".to_owned(), name.into()),
        ("CopyTags".to_owned(), schedule.bool_or("CopyTags", false)?.into()),
        (
            "CreateRule".to_owned(),
            json!({"Location": "CLOUD", "Interval": interval, "IntervalUnit": "HOURS", "Times": times}),
        ),
        ("RetainRule".to_owned(), json!({"Count": count, "Interval": 0})),
    ]);
    kept.insert("TagsToAdd".to_owned(), added.into());
    kept.insert("VariableTags".to_owned(), tags(schedule, "VariableTags")?.into());
    if kept["VariableTags"].as_array().is_some_and(|tags| !tags.is_empty()) {
        return Err(ApiError::not_simulated("VariableTags"));
    }
    Ok(kept.into())
}

/// `03:00` as minutes of the day.
pub(super) fn minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    (text.len() == 5 && (0..24).contains(&hours) && (0..60).contains(&minutes)).then_some(hours * 60 + minutes)
}
