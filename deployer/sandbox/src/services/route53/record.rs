//! Record sets.
//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ResourceRecordSet.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::{invalid, most, name, zone};
use crate::account::Ctx;
use crate::error::Outcome;
use crate::input::Input;
use crate::services::shared::shown;
use crate::store::Resource;

pub(super) const SET: &str = "route53.record-set";

/// Names in their order, then types.
fn key(zone: &str, name: &str, kind: &str) -> String {
    format!("{zone}|{}|{kind}", name::order(name))
}

/// A set that is not in the account yet.
pub(super) fn made(ctx: &Ctx<'_>, zone: &str, set: Value) -> Resource {
    let text = |name: &str| set[name].as_str().unwrap_or_default().to_owned();
    let id = key(zone, &text("Name"), &text("Type"));
    let mut made = ctx.resource(SET, id, set);
    made.set("_zone", zone);
    made
}

pub(super) fn get(ctx: &Ctx<'_>, zone: &str, name: &str, kind: &str) -> Option<Arc<Resource>> {
    ctx.get(SET, &key(zone, name, kind))
}

/// The sets of a zone, in their order.
pub(super) fn of(ctx: &Ctx<'_>, zone: &str) -> Vec<Arc<Resource>> {
    ctx.those(SET, |set| set.text("_zone") == zone)
}

/// What the world is answered that asks for a name: the values of the nearest zone that it asks, none when there
/// is no such record or nobody asks the zone.
pub(crate) fn answers(ctx: &Ctx<'_>, asked: &str, kind: &str) -> Option<Vec<String>> {
    let asked = name::normal(asked).ok()?;
    let mut zones =
        ctx.those(zone::ZONE, |zone| name::within(&asked, zone.text("Name")) && zone::is_delegated(ctx, zone));
    zones.sort_by_key(|zone| std::cmp::Reverse(zone.text("Name").len()));
    let longest = zones.first()?.text("Name").len();
    let sets = zones.iter().take_while(|zone| zone.text("Name").len() == longest);
    let set = sets.filter_map(|zone| get(ctx, &zone.id, &asked, kind)).next()?;
    Some(set.items("ResourceRecords").iter().filter_map(|v| v["Value"].as_str().map(str::to_owned)).collect())
}

/// A set as the answers have it.
pub(super) fn answer(set: &Resource) -> Value {
    let mut map = shown(set);
    map.insert("Name".to_owned(), name::shown(set.text("Name")).into());
    if let Some(values) = map.remove("ResourceRecords") {
        map.insert("ResourceRecords:ResourceRecord".to_owned(), values);
    }
    Value::Object(map)
}

/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListResourceRecordSets.html>
pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let zone = zone::named(ctx, input, "ListResourceRecordSets")?;
    let size = most(input, 300)?;
    let start = input.opt_str("StartRecordName").map(name::normal).transpose()?;
    let kind = input.opt_str("StartRecordType").unwrap_or_default();
    input.ignore(&["StartRecordIdentifier"]);
    if start.is_none() && !kind.is_empty() {
        return Err(invalid("The request specifies a type, but no name"));
    }
    let mut sets = ctx.visible(SET);
    sets.retain(|set| set.text("_zone") == zone.id);
    let place = |set: &Resource| (name::order(set.text("Name")), set.text("Type").to_owned());
    sets.sort_by_key(|set| place(set));
    if let Some(start) = start {
        let from = (name::order(&start), kind.to_owned());
        sets.retain(|set| place(set) >= from);
    }
    let mut answer = json!({
        "ResourceRecordSets:ResourceRecordSet": sets.iter().take(size).map(|set| answer(set)).collect::<Vec<_>>(),
        "IsTruncated": sets.len() > size,
        "MaxItems": size.to_string(),
    });
    if let Some(next) = sets.get(size) {
        answer["NextRecordName"] = name::shown(next.text("Name")).into();
        answer["NextRecordType"] = next.text("Type").into();
    }
    Ok(answer)
}
