//! A CloudWatch alarm's change of state, in each of the three forms in which CloudWatch tells of it: as the JSON of an
//! SNS action, as an event of EventBridge, and as the payload of a Lambda action.

mod reason;
mod watched;

use jiff::Timestamp;
use serde_json::Value;

use crate::envelope::Arrival;
use crate::json;

pub use reason::Evidence;
pub use watched::{Measure, Metric, Watched};

/// A change of an alarm's state. What a form does not tell is empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// Its ARN, put together where it is not told.
    pub arn: Option<String>,
    /// What its owner wrote of it.
    pub description: Option<String>,
    /// The account's twelve digits.
    pub account: Option<String>,
    /// The region's code, `us-east-1`, or its name where nothing tells the code.
    pub region: Option<String>,
    /// The state that it has now.
    pub state: AlarmState,
    /// The state that it had.
    pub previous: Option<AlarmState>,
    /// Why, in CloudWatch's words.
    pub reason: Option<String>,
    /// What these words say in figures.
    pub evidence: Evidence,
    /// When it changed.
    pub at: Option<Timestamp>,
    /// Why nobody is to hear of it, when CloudWatch holds its actions back.
    pub suppressed: Option<String>,
    /// What it looks at.
    pub watched: Watched,
    /// The alarms that set off a composite one.
    pub children: Vec<String>,
    /// Of an alarm over many series: which of them.
    pub contributor: Option<Contributor>,
    /// Its tags, where it passes them on.
    pub tags: Vec<(String, String)>,
    /// Fields that this crate does not know.
    pub unknown: Vec<(String, String)>,
}

/// One of the series of an alarm over many.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-combining.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contributor {
    /// Its id.
    pub id: String,
    /// What tells it from the others.
    pub attributes: Vec<(String, String)>,
}

/// An alarm's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlarmState {
    /// All is well.
    Ok,
    /// It is not.
    Alarm,
    /// There is too little data to tell.
    NoData,
    /// A state that CloudWatch did not have when this was written.
    Other(String),
}

impl AlarmState {
    fn read(word: &str) -> Self {
        match word {
            "OK" => Self::Ok,
            "ALARM" => Self::Alarm,
            "INSUFFICIENT_DATA" => Self::NoData,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The word that CloudWatch has for it.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::NoData => "INSUFFICIENT_DATA",
            Self::Other(word) => word,
        }
    }
}

/// The fields of the SNS form that are read here, or say nothing to people.
const KNOWN: [&str; 20] = [
    "AlarmName",
    "AlarmDescription",
    "AWSAccountId",
    "AlarmConfigurationUpdatedTimestamp",
    "NewStateValue",
    "NewStateReason",
    "NewStateReasonData",
    "StateChangeTime",
    "Region",
    "AlarmArn",
    "OldStateValue",
    "OKActions",
    "AlarmActions",
    "InsufficientDataActions",
    "Trigger",
    "AlarmRule",
    "TriggeringChildren",
    "AlarmContributorId",
    "AlarmContributorAttributes",
    "AlarmTags",
];

impl Alarm {
    /// The change of state that a JSON document tells of; none for one that tells of something else.
    #[must_use]
    pub fn read(value: &Value, arrival: &Arrival) -> Option<Self> {
        if value.get("AlarmName").is_some() && value.get("NewStateValue").is_some() {
            return Some(from_action(value, arrival));
        }
        if value.get("alarmData").is_some_and(Value::is_object) {
            return Some(from_state(value, &["alarmData"]));
        }
        let kind = json::text(value, &["detail-type"]).unwrap_or_default();
        let of_alarms = kind.starts_with("CloudWatch Alarm") && kind.ends_with("State Change");
        (of_alarms && value.get("detail").is_some_and(Value::is_object)).then(|| from_state(value, &["detail"]))
    }

    /// What all copies of news of this alarm share.
    #[must_use]
    pub fn subject(&self) -> String {
        let account = self.account.as_deref().unwrap_or_default();
        let subject = self.arn.clone().unwrap_or_else(|| format!("alarm {account} {}", self.name).replace("  ", " "));
        self.contributor.as_ref().map_or(subject.clone(), |one| format!("{subject}#{}", one.id))
    }
}

/// What an SNS action sends.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html>
fn from_action(value: &Value, arrival: &Arrival) -> Alarm {
    let text = |name: &str| json::text(value, &[name]).map(str::to_owned);
    let name = text("AlarmName").unwrap_or_else(|| "an alarm without a name".to_owned());
    let account = text("AWSAccountId");
    let arn = text("AlarmArn").filter(|arn| arn.starts_with("arn:"));
    let arn = arn.or_else(|| beside(arrival.topic.as_deref()?, account.as_deref()?, &name));
    let region = arn.as_deref().and_then(region_of).or_else(|| text("Region"));
    let reason = text("NewStateReason");
    let data = text("NewStateReasonData").and_then(|data| json::parse(&data)).unwrap_or_default();
    let trigger = json::at(value, &["Trigger"]).unwrap_or(&Value::Null);
    let unknown = value.as_object().into_iter().flatten().filter(|(name, _)| !KNOWN.contains(&name.as_str()));
    let suppressed = text("ActionsSuppressedBy").or_else(|| text("AlarmSuppressedBy"));
    Alarm {
        description: text("AlarmDescription"),
        state: AlarmState::read(&text("NewStateValue").unwrap_or_default()),
        previous: text("OldStateValue").map(|word| AlarmState::read(&word)),
        evidence: Evidence::read(reason.as_deref().unwrap_or_default(), &data, trigger),
        at: json::time(value, &["StateChangeTime"]).or(arrival.at),
        suppressed: suppressed.map(|by| text("ActionsSuppressedReason").unwrap_or(by)),
        watched: Watched::read(trigger, text("AlarmRule")),
        children: children(json::list(value, &["TriggeringChildren"]), reason.as_deref().unwrap_or_default()),
        contributor: text("AlarmContributorId")
            .map(|id| Contributor { id, attributes: pairs(value.get("AlarmContributorAttributes")) }),
        tags: pairs(value.get("AlarmTags")),
        unknown: unknown.filter_map(|(name, value)| Some((name.clone(), lines(value)?))).collect(),
        name,
        arn,
        account,
        region,
        reason,
    }
}

/// What EventBridge and a Lambda action send: the same, but for the name of the field that it is in.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html>
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html>
fn from_state(value: &Value, path: &[&str]) -> Alarm {
    let data = json::at(value, path).unwrap_or(&Value::Null);
    let text = |name: &str| json::text(data, &["state", name]).map(str::to_owned);
    let name = json::text(data, &["alarmName"]).unwrap_or("an alarm without a name").to_owned();
    let account = json::first(value, &["account", "accountId"]).map(str::to_owned);
    let resources = json::list(value, &["resources"]).iter().filter_map(Value::as_str);
    let arn = json::text(value, &["alarmArn"]).map(str::to_owned);
    // Of the direct form's own example, the ARN has blanks in it.
    let arn = arn
        .map(|arn| arn.replace(": ", ":"))
        .or_else(|| resources.map(str::to_owned).find(|arn| arn.contains(":alarm:")));
    let region = json::text(value, &["region"]).map(str::to_owned).or_else(|| region_of(arn.as_deref()?));
    let configuration = json::at(data, &["configuration"]).unwrap_or(&Value::Null);
    let reason = text("reason");
    let figures = text("reasonData").and_then(|data| json::parse(&data)).unwrap_or_default();
    let contributor = json::at(data, &["alarmContributor"]).or_else(|| json::at(data, &["contributor"]));
    let rule = json::text(configuration, &["alarmRule"]).map(str::to_owned);
    Alarm {
        description: json::text(configuration, &["description"]).map(str::to_owned),
        state: AlarmState::read(&text("value").unwrap_or_default()),
        previous: json::text(data, &["previousState", "value"]).map(AlarmState::read),
        evidence: Evidence::read(reason.as_deref().unwrap_or_default(), &figures, configuration),
        at: json::time(data, &["state", "timestamp"]).or_else(|| json::time(value, &["time"])),
        suppressed: suppressed(json::at(data, &["state"]).unwrap_or(&Value::Null)),
        watched: Watched::read(configuration, rule),
        children: children(json::list(&figures, &["triggeringAlarms"]), reason.as_deref().unwrap_or_default()),
        contributor: contributor.and_then(|one| {
            let id = json::first(one, &["id", "contributorId"])?.to_owned();
            Some(Contributor { id, attributes: pairs(one.get("attributes")) })
        }),
        tags: pairs(data.get("alarmTags")),
        unknown: text("evaluationState").map(|state| ("evaluation".to_owned(), state)).into_iter().collect(),
        name,
        arn,
        account,
        region,
        reason,
    }
}

/// Why the actions of a state are held back: by a suppressor, its periods, or a mute rule.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm.html>
fn suppressed(state: &Value) -> Option<String> {
    let says = |(name, value): (&String, &Value)| {
        let name = name.to_ascii_lowercase();
        let held = name == "actionssuppressedby" || name.contains("mute");
        let by = if held { lines(value) } else { None }?;
        let nothing = matches!(by.to_ascii_lowercase().as_str(), "no" | "none" | "false" | "0" | "{}" | "[]");
        (!nothing).then_some(by)
    };
    let by = state.as_object()?.iter().find_map(says)?;
    Some(json::text(state, &["actionsSuppressedReason"]).map_or_else(|| format!("held back by {by}"), str::to_owned))
}

/// The ARN of an alarm that sent over a topic: of the topic's region, and of its own account.
fn beside(topic: &str, account: &str, name: &str) -> Option<String> {
    let mut parts = topic.split(':').skip(1);
    let (partition, region) = (parts.next()?, parts.nth(1)?);
    let whole = !partition.is_empty() && !region.is_empty();
    whole.then(|| format!("arn:{partition}:cloudwatch:{region}:{account}:alarm:{name}"))
}

fn region_of(arn: &str) -> Option<String> {
    arn.split(':').nth(3).map(|region| region.trim().to_owned()).filter(|region| !region.is_empty())
}

/// The names of the alarms that set off a composite one: as listed, or as the reason says.
fn children(listed: &[Value], reason: &str) -> Vec<String> {
    let arns: Vec<&str> = listed.iter().filter_map(|child| json::first(child, &["Arn", "arn"])).collect();
    let said = || reason.split_whitespace().filter(|word| word.starts_with("arn:") && word.contains(":alarm:"));
    let arns = if arns.is_empty() { said().collect() } else { arns };
    arns.into_iter().filter_map(|arn| Some(arn.split_once(":alarm:")?.1.to_owned())).collect()
}

/// The pairs of an object, or of a list of names and values.
fn pairs(value: Option<&Value>) -> Vec<(String, String)> {
    match value {
        Some(Value::Object(fields)) => {
            fields.iter().filter_map(|(name, value)| Some((name.clone(), json::shown(value)?))).collect()
        }
        Some(Value::Array(members)) => members.iter().filter_map(pair).collect(),
        _ => Vec::new(),
    }
}

fn pair(member: &Value) -> Option<(String, String)> {
    let name = json::first(member, &["name", "Name", "key", "Key"])?;
    Some((name.to_owned(), json::shown(member.get("value").or_else(|| member.get("Value"))?)?))
}

/// A value with all that is in it; none for nothing.
fn lines(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Array(members) if members.iter().all(Value::is_string) => {
            let members: Vec<&str> = members.iter().filter_map(Value::as_str).collect();
            Some(members.join("\n")).filter(|text| !text.is_empty())
        }
        Value::Array(members) if members.is_empty() => None,
        Value::Object(fields) if fields.is_empty() => None,
        value => json::shown(value).or_else(|| Some(value.to_string())).filter(|text| text != "\"\""),
    }
}

#[cfg(test)]
mod tests;
