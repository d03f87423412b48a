//! Availability zones, regions and account attributes: what is there without anyone making it.

use serde_json::{Value, json};

use super::describe;
use crate::account::{Ctx, Quota};
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;

/// A zone by its name in this account and its id, which is the same in all accounts.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    pub(crate) name: String,
    pub(crate) id: String,
}

/// The zones of the account's region.
pub(crate) fn all(ctx: &Ctx<'_>) -> Vec<Zone> {
    let region = &ctx.account.region;
    // us-east-1 → use1; eu-central-1 → euc1; ap-southeast-2 → apse2.
    let mut parts = region.split('-');
    let area = parts.next().unwrap_or_default();
    let direction = parts.next().unwrap_or_default();
    let short = match direction {
        "northeast" | "northwest" | "southeast" | "southwest" => {
            format!("{}{}", &direction[..1], &direction[5..6])
        }
        other => other.chars().take(1).collect(),
    };
    let code = format!("{area}{short}{}", parts.next().unwrap_or_default());
    // Names are mapped to ids per account; the snapshots of real AWS show a → az6, b → az1 in us-east-1.
    let numbers = [("a", 6), ("b", 1), ("c", 2), ("d", 4)];
    numbers.iter().map(|(letter, n)| Zone { name: format!("{region}{letter}"), id: format!("{code}-az{n}") }).collect()
}

/// The zone that a request names, or one that AWS chooses.
pub(crate) fn chosen(ctx: &mut Ctx<'_>, input: &Input) -> Result<Zone, ApiError> {
    let zones = all(ctx);
    let (name, id) = (input.opt_str("AvailabilityZone"), input.opt_str("AvailabilityZoneId"));
    let found = match (name, id) {
        (Some(name), _) => zones.iter().find(|zone| zone.name == name),
        (None, Some(id)) => zones.iter().find(|zone| zone.id == id),
        (None, None) => {
            let any = ctx.account.rng.below(zones.len() as u64);
            zones.get(usize::try_from(any).unwrap_or(0))
        }
    };
    found.cloned().ok_or_else(|| {
        let asked = name.or(id).unwrap_or_default();
        refuse("InvalidParameterValue", format!("Value ({asked}) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: {}.", zones.iter().map(|z| z.name.as_str()).collect::<Vec<_>>().join(", ")))
    })
}

pub(crate) fn describe_zones(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    const FILTERS: &[(&str, &str)] = &[
        ("zone-name", "zoneName"),
        ("zone-id", "zoneId"),
        ("zone-type", "zoneType"),
        ("region-name", "regionName"),
        ("group-name", "groupName"),
        ("opt-in-status", "optInStatus"),
        ("state", "zoneState"),
    ];
    input.ignore(&["AllAvailabilityZones"]);
    let (names, ids, filters) = (input.strings("ZoneName"), input.strings("ZoneId"), describe::filters(input)?);
    let region = ctx.account.region.clone();
    let mut found = Vec::new();
    let nobody = ctx.resource("ec2.zone", "", json!({}));
    for zone in all(ctx) {
        let value = json!({
            "zoneName": zone.name, "zoneId": zone.id, "zoneState": "available", "zoneType": "availability-zone",
            "regionName": region, "groupName": format!("{region}-zg-1"), "groupLongName": format!("{region} 1"),
            "networkBorderGroup": region, "optInStatus": "opt-in-not-required", "messageSet": [],
        });
        let asked = (names.is_empty() || names.contains(&zone.name)) && (ids.is_empty() || ids.contains(&zone.id));
        if describe::all_match(&filters, FILTERS, &value, &nobody)? && asked {
            found.push(value);
        }
    }
    let known: Vec<String> = all(ctx).into_iter().map(|zone| zone.name).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
        return Err(refuse("InvalidParameterValue", format!("Invalid availability zone: [{unknown}]")));
    }
    Ok(json!({"availabilityZoneInfo": found}))
}

pub(crate) fn describe_regions(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["AllRegions"]);
    const FILTERS: &[(&str, &str)] =
        &[("region-name", "regionName"), ("endpoint", "regionEndpoint"), ("opt-in-status", "optInStatus")];
    let (names, filters) = (input.strings("RegionName"), describe::filters(input)?);
    let nobody = ctx.resource("ec2.region", "", json!({}));
    let mut regions = vec!["us-east-1", "us-east-2", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-2"];
    let own = ctx.account.region.clone();
    if !regions.contains(&own.as_str()) {
        regions.push(&own);
    }
    let mut found = Vec::new();
    for name in regions.into_iter().filter(|name| names.is_empty() || names.iter().any(|n| n == name)) {
        let endpoint = format!("ec2.{name}.amazonaws.com");
        let value = json!({"regionName": name, "regionEndpoint": endpoint, "optInStatus": "opt-in-not-required"});
        if describe::all_match(&filters, FILTERS, &value, &nobody)? {
            found.push(value);
        }
    }
    Ok(json!({"regionInfo": found}))
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAccountAttributes.html>
pub(crate) fn describe_account(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let addresses = ctx.quota(Quota::ElasticIps).to_string();
    let attributes = [
        ("supported-platforms", "VPC"),
        ("default-vpc", "none"),
        ("max-instances", "20"),
        ("vpc-max-security-groups-per-interface", "5"),
        ("max-elastic-ips", addresses.as_str()),
        ("vpc-max-elastic-ips", addresses.as_str()),
    ];
    let asked = input.strings("AttributeName");
    let found: Vec<Value> = attributes
        .iter()
        .filter(|(name, _)| asked.is_empty() || asked.iter().any(|a| a == name))
        .map(|(name, value)| json!({"attributeName": name, "attributeValueSet": [{"attributeValue": value}]}))
        .collect();
    Ok(json!({"accountAttributeSet": found}))
}
