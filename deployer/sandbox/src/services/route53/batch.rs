//! Batches of changes: all of one, or nothing.
//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html>

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{change, invalid, name, no_zone, record, zone};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::Resource;

/// Types that are not looked at closer than this.
const TYPES: &[&str] = &["A", "AAAA", "CAA", "CNAME", "DS", "HTTPS", "MX", "NS", "PTR", "SOA", "SPF", "SRV", "TXT"];
/// Kinds of routing that are not simulated.
const ROUTING: &[&str] = &[
    "SetIdentifier",
    "Weight",
    "Region",
    "GeoLocation",
    "Failover",
    "MultiValueAnswer",
    "HealthCheckId",
    "TrafficPolicyInstanceId",
    "CidrRoutingConfig",
    "GeoProximityLocation",
];

struct Change {
    action: String,
    set: Value,
}

impl Change {
    fn text(&self, name: &str) -> &str {
        self.set[name].as_str().unwrap_or_default()
    }
}

fn refused(message: impl AsRef<str>) -> ApiError {
    refuse("InvalidChangeBatch", format!("[{}]", message.as_ref()))
}

pub(super) fn change(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("Id")?.trim_start_matches("/hostedzone/").to_owned();
    let batch = input.object("ChangeBatch").ok_or_else(|| input.missing("ChangeBatch"))?;
    let changes = batch.objects("Changes").iter().map(read).collect::<Result<Vec<_>, _>>()?;
    authorise(ctx, &id, &changes)?;
    let zone = ctx.get(zone::ZONE, &id).ok_or_else(|| no_zone(&id))?;
    if changes.is_empty() || changes.len() > 1000 {
        return Err(invalid("A batch has 1 to 1000 changes"));
    }
    prompt(ctx, &zone)?;
    let comment = batch.opt_str("Comment").map(str::to_owned);
    let mut seen = BTreeSet::new();
    for change in &changes {
        let place = (change.text("Name").to_owned(), change.text("Type").to_owned());
        let fresh = seen.insert((place.clone(), change.action == "DELETE"));
        if !fresh {
            let message = format!(
                "The request contains an invalid set of changes for a resource record set '{} {}'",
                place.1, place.0
            );
            return Err(refused(message));
        }
        sound(ctx, &zone, change)?;
        apply(ctx, &zone, change)?;
    }
    alone(ctx, &zone, &changes)?;
    let at = ctx.now.to_string();
    ctx.update(zone::ZONE, &zone.id, |zone| zone.set("_changedAt", at));
    Ok(json!({"ChangeInfo": change::submit(ctx, comment.as_deref())}))
}

fn authorise(ctx: &mut Ctx<'_>, zone: &str, changes: &[Change]) -> Result<(), ApiError> {
    // <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-rrset-conditions.html>
    let mut grant = Grant::new("route53:ChangeResourceRecordSets", super::arn(zone));
    for change in changes {
        let plain = change.text("Name").trim_end_matches('.');
        grant = grant
            .key("route53:ChangeResourceRecordSetsNormalizedRecordNames", name::shown(plain))
            .key("route53:ChangeResourceRecordSetsRecordTypes", change.text("Type"))
            .key("route53:ChangeResourceRecordSetsActions", &change.action);
    }
    ctx.authorise(grant)
}

/// A zone takes one change at a time; in ordinary weather one that follows too closely is refused.
fn prompt(ctx: &mut Ctx<'_>, zone: &Resource) -> Result<(), ApiError> {
    let last = zone.text("_changedAt").parse::<jiff::Timestamp>().ok();
    let close = last.is_some_and(|last| ctx.now.duration_since(last) < SignedDuration::from_millis(100));
    if close && ctx.account.weather.throttles > 0.0 && ctx.account.rng.chance(0.3) {
        let message = "The request was rejected because Route 53 was still processing a prior request.";
        return Err(refuse("PriorRequestNotComplete", message));
    }
    Ok(())
}

fn read(input: &Input) -> Result<Change, ApiError> {
    let action = input.string("Action")?;
    if !["CREATE", "DELETE", "UPSERT"].contains(&action.as_str()) {
        return Err(invalid(format!("Invalid action {action}")));
    }
    let set = input.object("ResourceRecordSet").ok_or_else(|| input.missing("ResourceRecordSet"))?;
    if let Some(name) = ROUTING.iter().find(|name| set.has(name)) {
        return Err(ApiError::not_simulated(format!("record sets with {name}")));
    }
    let kind = set.string("Type")?;
    if !TYPES.contains(&kind.as_str()) {
        return Err(ApiError::not_simulated(format!("records of type {kind}")));
    }
    let mut value = json!({"Name": name::normal(set.str("Name")?)?, "Type": kind});
    if let Some(ttl) = set.opt_int("TTL")? {
        value["TTL"] = ttl.into();
    }
    let mut values = Vec::new();
    for record in set.objects("ResourceRecords") {
        values.push(json!({"Value": record.string("Value")?}));
    }
    if !values.is_empty() {
        value["ResourceRecords"] = values.into();
    }
    if let Some(target) = set.object("AliasTarget") {
        let evaluate =
            target.opt_bool("EvaluateTargetHealth")?.ok_or_else(|| target.missing("EvaluateTargetHealth"))?;
        value["AliasTarget"] = json!({
            "HostedZoneId": target.string("HostedZoneId")?,
            "DNSName": name::normal(target.str("DNSName")?)?,
            "EvaluateTargetHealth": evaluate,
        });
    }
    Ok(Change { action, set: value })
}

fn sound(ctx: &Ctx<'_>, zone: &Resource, change: &Change) -> Result<(), ApiError> {
    let (name, kind, apex) = (change.text("Name"), change.text("Type"), zone.text("Name"));
    if !name::within(name, apex) {
        return Err(refused(format!("RRSet with DNS name {name} is not permitted in zone {apex}")));
    }
    if kind == "CNAME" && name == apex {
        return Err(refused(format!(
            "RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {apex}"
        )));
    }
    let values = change.set["ResourceRecords"].as_array();
    match (values, change.set.get("AliasTarget")) {
        (None, Some(target)) if change.set.get("TTL").is_none() => aimed(ctx, kind, target, &zone.id),
        (Some(values), None) if change.set.get("TTL").is_some() => {
            values.iter().try_for_each(|value| spelled(kind, value["Value"].as_str().unwrap_or_default()))
        }
        _ => {
            let words = "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found";
            Err(invalid(format!(
                "{words} none or several in Change with [Action={}, Name={name}, Type={kind}]",
                change.action
            )))
        }
    }
}

fn spelled(kind: &str, value: &str) -> Result<(), ApiError> {
    let fault =
        |words: &str| refused(format!("Invalid Resource Record: 'FATAL problem: {words} encountered with '{value}''"));
    match kind {
        "TXT" | "SPF" if !(value.len() >= 2 && value.starts_with('"') && value.ends_with('"')) => {
            Err(fault("InvalidCharacterString (Value should be enclosed in quotation marks)"))
        }
        "A" if value.parse::<std::net::Ipv4Addr>().is_err() => {
            Err(fault("ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"))
        }
        "AAAA" if value.parse::<std::net::Ipv6Addr>().is_err() => {
            Err(fault("AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)"))
        }
        "CNAME" if name::normal(value).is_err() => {
            Err(fault("UnsupportedCharacter (Value contains unsupported characters)"))
        }
        _ => Ok(()),
    }
}

/// An alias to a load balancer names one that exists, with the zone of its region.
fn aimed(ctx: &Ctx<'_>, kind: &str, target: &Value, zone: &str) -> Result<(), ApiError> {
    let (at, name) =
        (target["HostedZoneId"].as_str().unwrap_or_default(), target["DNSName"].as_str().unwrap_or_default());
    let plain = name.trim_start_matches("dualstack.").trim_end_matches('.');
    let known = match plain.ends_with(".elb.amazonaws.com") {
        true => ctx.all("elasticloadbalancing.load-balancer").iter().any(|balancer| {
            balancer.text("DNSName").eq_ignore_ascii_case(plain) && balancer.text("CanonicalHostedZoneId") == at
        }),
        false if at == zone => record::get(ctx, zone, name, kind).is_some(),
        false => return Err(ApiError::not_simulated(format!("an alias to {name}"))),
    };
    match known {
        true => Ok(()),
        false => Err(refused(format!(
            "Tried to create an alias that targets {name}, type {kind} in zone {at}, but that target was not found"
        ))),
    }
}

fn apply(ctx: &mut Ctx<'_>, zone: &Resource, change: &Change) -> Result<(), ApiError> {
    let (name, kind) = (change.text("Name").to_owned(), change.text("Type").to_owned());
    let mut new = record::made(ctx, &zone.id, change.set.clone());
    let now = record::get(ctx, &zone.id, &name, &kind);
    let own = name == zone.text("Name") && ["NS", "SOA"].contains(&kind.as_str());
    match (change.action.as_str(), now) {
        ("CREATE", Some(_)) => Err(refused(format!(
            "Tried to create resource record set [name='{name}', type='{kind}'] but it already exists"
        ))),
        ("DELETE", _) if own && kind == "NS" => {
            Err(refused("A HostedZone must contain at least one NS record for the zone itself."))
        }
        ("DELETE", _) if own => Err(refused("A HostedZone must contain exactly one SOA record.")),
        ("DELETE", None) => Err(refused(format!(
            "Tried to delete resource record set [name='{name}', type='{kind}'] but it was not found"
        ))),
        ("DELETE", Some(now)) if !same(&now, &new) => Err(refused(format!(
            "Tried to delete resource record set [name='{name}', type='{kind}'] but the values provided do not match the current values"
        ))),
        ("DELETE", Some(now)) => {
            ctx.remove(record::SET, &now.id);
            Ok(())
        }
        (_, now) => {
            if let Some(now) = now {
                (new.aws_made, new.created) = (now.aws_made, now.created);
                new.set("_initial", now.flag("_initial"));
            }
            ctx.insert(new);
            Ok(())
        }
    }
}

/// Values are a set: their order means nothing.
fn same(one: &Resource, other: &Resource) -> bool {
    let values =
        |set: &Resource| -> BTreeSet<String> { set.items("ResourceRecords").iter().map(Value::to_string).collect() };
    values(one) == values(other)
        && ["TTL", "AliasTarget"].iter().all(|name| one.attrs.get(*name) == other.attrs.get(*name))
}

/// A CNAME stands alone at its name.
fn alone(ctx: &Ctx<'_>, zone: &Resource, changes: &[Change]) -> Result<(), ApiError> {
    for change in changes.iter().filter(|change| change.action != "DELETE") {
        let name = change.text("Name");
        let at = ctx.those(record::SET, |set| set.text("_zone") == zone.id && set.text("Name") == name);
        if at.len() > 1 && at.iter().any(|set| set.text("Type") == "CNAME") {
            return Err(refused(format!(
                "RRSet of type {} with DNS name {name} is not permitted as it conflicts with other records with the same DNS name in zone {}",
                change.text("Type"),
                zone.text("Name")
            )));
        }
    }
    Ok(())
}
