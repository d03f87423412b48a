//! Public hosted zones, and which of them the world asks.
//! <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zones-working-with.html>

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{authorise, change, invalid, name, no_zone, record};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::{page, shown};
use crate::store::Resource;

pub(super) const ZONE: &str = "route53.hosted-zone";

/// A zone and its id, both made of chance.
fn make(ctx: &mut Ctx<'_>, zone: &str, reference: &str, comment: Option<&str>) -> Resource {
    let id = format!("Z{}", ctx.account.rng.hex(20).to_ascii_uppercase());
    let mut servers = Vec::new();
    for (order, domain) in ["com", "net", "org", "co.uk"].into_iter().enumerate() {
        let number = 512 * (order as u64) + ctx.account.rng.below(512);
        servers.push(format!("ns-{number}.awsdns-{:02}.{domain}", ctx.account.rng.below(64)));
    }
    let mut config = json!({"PrivateZone": false});
    if let Some(comment) = comment {
        config["Comment"] = comment.into();
    }
    let attrs = json!({
        "Id": format!("/hostedzone/{id}"),
        "Name": zone,
        "CallerReference": reference,
        "Config": config,
        "_servers": servers,
        "_delegated": false,
    });
    ctx.resource(ZONE, id, attrs)
}

/// Puts a zone into the account with the two records that AWS makes.
fn found(ctx: &mut Ctx<'_>, zone: &Resource) {
    let servers: Vec<Value> = zone
        .items("_servers")
        .iter()
        .map(|s| json!({"Value": format!("{}.", s.as_str().unwrap_or_default())}))
        .collect();
    let first = servers.first().and_then(|s| s["Value"].as_str()).unwrap_or_default();
    let start = format!("{first} awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400");
    for (kind, ttl, values) in [("NS", 172_800, json!(servers)), ("SOA", 900, json!([{"Value": start}]))] {
        let set = json!({"Name": zone.text("Name"), "Type": kind, "TTL": ttl, "ResourceRecords": values});
        let mut set = record::made(ctx, &zone.id, set);
        set.aws_made = true;
        set.set("_initial", zone.flag("_initial"));
        ctx.insert(set);
    }
    ctx.insert(zone.clone());
}

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    ctx.authorise(Grant::new("route53:CreateHostedZone", "*"))?;
    let zone = name::normal(input.str("Name")?)?;
    let reference = input.string("CallerReference")?;
    let config = input.object("HostedZoneConfig");
    if let Some(config) = &config
        && config.bool_or("PrivateZone", false)?
    {
        return Err(ApiError::not_simulated("private hosted zones"));
    }
    let same = |zone: &Resource| zone.text("CallerReference") == reference;
    if !ctx.those(ZONE, same).is_empty() {
        let message = "A hosted zone has already been created with the specified caller reference.";
        return Err(ApiError::with_status(409, "HostedZoneAlreadyExists", message));
    }
    let comment = config.as_ref().and_then(|config| config.opt_str("Comment"));
    let zone = make(ctx, &zone, &reference, comment);
    found(ctx, &zone);
    let info = change::submit(ctx, None);
    Ok(json!({
        "HostedZone": answer(ctx, &zone),
        "ChangeInfo": info,
        "DelegationSet": servers(&zone),
        "Location": format!("https://route53.amazonaws.com/2013-04-01/hostedzone/{}", zone.id),
    }))
}

/// A zone that the account has from the start, and that the world asks.
pub(crate) fn exists_beforehand(ctx: &mut Ctx<'_>, domain: &str) {
    let Ok(domain) = name::normal(domain) else { return };
    let mut zone = make(ctx, &domain, &format!("by hand: {domain}"), None);
    zone.set("_delegated", true);
    zone.set("_initial", true);
    found(ctx, &zone);
}

/// Lets the world ask the zones of this name: its registrar, or the zone above, names their servers. False when
/// there is no such zone.
pub(crate) fn delegate(ctx: &mut Ctx<'_>, domain: &str) -> bool {
    let Ok(domain) = name::normal(domain) else { return false };
    let zones = ctx.those(ZONE, |zone| zone.text("Name") == domain);
    for zone in &zones {
        ctx.update(ZONE, &zone.id, |zone| zone.set("_delegated", true));
    }
    !zones.is_empty()
}

/// Whether the world asks a zone: it was told so, or the zone above, which it asks, names this one's servers.
pub(super) fn is_delegated(ctx: &Ctx<'_>, zone: &Resource) -> bool {
    let own: Vec<String> = zone.items("_servers").iter().filter_map(|s| s.as_str().map(|s| format!("{s}."))).collect();
    let above = |other: &Resource| {
        other.id != zone.id
            && name::within(zone.text("Name"), other.text("Name"))
            && other.text("Name") != zone.text("Name")
    };
    let named = |parent: &Resource| {
        let set = record::get(ctx, &parent.id, zone.text("Name"), "NS");
        set.is_some_and(|set| {
            let values = set.items("ResourceRecords");
            !values.is_empty() && values.iter().all(|v| own.iter().any(|server| v["Value"] == **server))
        })
    };
    zone.flag("_delegated") || ctx.those(ZONE, above).iter().any(|parent| named(parent) && is_delegated(ctx, parent))
}

/// A zone that a call names, with or without the path before its id.
pub(super) fn named(ctx: &mut Ctx<'_>, input: &Input, action: &str) -> Result<Arc<Resource>, ApiError> {
    let id = input.str("Id")?.trim_start_matches("/hostedzone/").to_owned();
    authorise(ctx, action, &id)?;
    ctx.get(ZONE, &id).ok_or_else(|| no_zone(&id))
}

fn answer(ctx: &Ctx<'_>, zone: &Resource) -> Map<String, Value> {
    let mut map = shown(zone);
    let count = record::of(ctx, &zone.id).len();
    map.insert("ResourceRecordSetCount".to_owned(), count.into());
    map
}

fn servers(zone: &Resource) -> Value {
    json!({"NameServers:NameServer": zone.items("_servers")})
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let zone = named(ctx, input, "GetHostedZone")?;
    Ok(json!({"HostedZone": answer(ctx, &zone), "DelegationSet": servers(&zone)}))
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let zones = ctx.visible(ZONE);
    let zones = zones.iter().map(|zone| Value::Object(answer(ctx, zone))).collect();
    super::zones_page(input, zones)
}

/// In the order of names, from the name asked for on.
/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHostedZonesByName.html>
pub(super) fn list_by_name(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let size = super::most(input, 100)?;
    let from = input.opt_str("DNSName").map(name::normal).transpose()?;
    let from_id = input.opt_str("HostedZoneId").unwrap_or_default().to_owned();
    let mut zones = ctx.visible(ZONE);
    zones.sort_by_key(|zone| (name::order(zone.text("Name")), zone.id.clone()));
    if let Some(from) = &from {
        let start = (name::order(from), from_id);
        zones.retain(|zone| (name::order(zone.text("Name")), zone.id.clone()) >= start);
    }
    let listed = zones.iter().map(|zone| Value::Object(answer(ctx, zone))).collect();
    let first = page::<Value>(listed, None, size).ok_or_else(|| invalid("The page is not valid"))?;
    let mut answer = json!({
        "HostedZones:HostedZone": first.items,
        "IsTruncated": first.next.is_some(),
        "MaxItems": size.to_string(),
    });
    if let Some(from) = from {
        answer["DNSName"] = from.into();
    }
    if let Some(next) = zones.get(size) {
        answer["NextDNSName"] = next.text("Name").into();
        answer["NextHostedZoneId"] = next.id.clone().into();
    }
    Ok(answer)
}

pub(super) fn count(ctx: &mut Ctx<'_>, _: &Input) -> Outcome {
    Ok(json!({"HostedZoneCount": ctx.all(ZONE).len()}))
}

pub(super) fn comment(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let zone = named(ctx, input, "UpdateHostedZoneComment")?;
    let mut config = json!({"PrivateZone": false});
    if let Some(comment) = input.opt_str("Comment").filter(|comment| !comment.is_empty()) {
        config["Comment"] = comment.into();
    }
    ctx.update(ZONE, &zone.id, |zone| zone.set("Config", config));
    let zone = ctx.get(ZONE, &zone.id).unwrap_or(zone);
    Ok(json!({"HostedZone": answer(ctx, &zone)}))
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let zone = named(ctx, input, "DeleteHostedZone")?;
    let own = |set: &Resource| set.text("Name") == zone.text("Name") && ["NS", "SOA"].contains(&set.text("Type"));
    let sets = record::of(ctx, &zone.id);
    if !sets.iter().all(|set| own(set)) {
        let message = "The specified hosted zone contains non-required resource record sets and so cannot be deleted.";
        return Err(refuse("HostedZoneNotEmpty", message));
    }
    for set in sets {
        ctx.remove(record::SET, &set.id);
    }
    ctx.remove(ZONE, &zone.id);
    Ok(json!({"ChangeInfo": change::submit(ctx, None)}))
}

/// No zone is signed here.
pub(super) fn dnssec(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    named(ctx, input, "GetDNSSEC")?;
    Ok(json!({"Status": {"ServeSignature": "NOT_SIGNING"}, "KeySigningKeys:KeySigningKey": []}))
}
