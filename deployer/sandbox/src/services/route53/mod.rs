//! Route 53: public hosted zones and their records, one file per noun.

mod batch;
mod change;
mod name;
mod record;
mod tags;
mod zone;

#[cfg(test)]
mod tests;

pub(crate) use record::answers;
pub(crate) use zone::{delegate, exists_beforehand};

use serde_json::{Value, json};

use super::shared::page;
use super::{Service, access_denied, read, read_one, throttling, write};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::weather::Bucket;
use crate::wire::rest::{Format, Rest, Route};

pub(crate) static SERVICE: Service = Service {
    name: "route53",
    namespace: "https://route53.amazonaws.com/doc/2013-04-01/",
    global: true,
    operations: &[
        write("CreateHostedZone", zone::create),
        read_one("GetHostedZone", zone::get),
        read("ListHostedZones", zone::list),
        read("ListHostedZonesByName", zone::list_by_name),
        read("GetHostedZoneCount", zone::count),
        write("UpdateHostedZoneComment", zone::comment),
        write("DeleteHostedZone", zone::delete),
        read_one("GetDNSSEC", zone::dnssec),
        write("ChangeResourceRecordSets", batch::change),
        read_one("ListResourceRecordSets", record::list),
        read_one("GetChange", change::get),
        write("ChangeTagsForResource", tags::change),
        read_one("ListTagsForResource", tags::list),
        read_one("ListTagsForResources", tags::list_many),
    ],
    on_timer: change::on_timer,
    // Five requests a second for the whole account.
    // <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html#limits-api-requests>
    bucket: |_, _| Bucket { name: "route53", burst: 5.0, rate: 5.0 },
    throttled: throttling,
    denied: access_denied,
};

const PAGE: &[(&str, &str)] = &[("marker", "Marker"), ("maxitems", "MaxItems")];
const BY_NAME: &[(&str, &str)] = &[("dnsname", "DNSName"), ("hostedzoneid", "HostedZoneId"), ("maxitems", "MaxItems")];
const RECORDS: &[(&str, &str)] = &[
    ("name", "StartRecordName"),
    ("type", "StartRecordType"),
    ("identifier", "StartRecordIdentifier"),
    ("maxitems", "MaxItems"),
];

/// An operation whose answer is wrapped in an element of this name.
const fn route(
    operation: &'static str,
    method: &'static str,
    uri: &'static str,
    answer_root: &'static str,
    query: &'static [(&'static str, &'static str)],
) -> Route {
    Route { answer_root, query, ..Route::new(operation, method, uri, 200) }
}

pub(crate) const REST: Rest = Rest {
    service: "route53",
    format: Format::Xml,
    routes: &[
        Route {
            answer_root: "CreateHostedZoneResponse",
            answer_headers: &[("Location", "Location")],
            ..Route::new("CreateHostedZone", "POST", "/2013-04-01/hostedzone", 201)
        },
        route("GetHostedZone", "GET", "/2013-04-01/hostedzone/{Id}", "GetHostedZoneResponse", &[]),
        route("ListHostedZones", "GET", "/2013-04-01/hostedzone", "ListHostedZonesResponse", PAGE),
        route(
            "ListHostedZonesByName",
            "GET",
            "/2013-04-01/hostedzonesbyname",
            "ListHostedZonesByNameResponse",
            BY_NAME,
        ),
        route("GetHostedZoneCount", "GET", "/2013-04-01/hostedzonecount", "GetHostedZoneCountResponse", &[]),
        route("UpdateHostedZoneComment", "POST", "/2013-04-01/hostedzone/{Id}", "UpdateHostedZoneCommentResponse", &[]),
        route("DeleteHostedZone", "DELETE", "/2013-04-01/hostedzone/{Id}", "DeleteHostedZoneResponse", &[]),
        route("GetDNSSEC", "GET", "/2013-04-01/hostedzone/{Id}/dnssec", "GetDNSSECResponse", &[]),
        Route {
            answer_root: "ChangeResourceRecordSetsResponse",
            items: &["Change", "ResourceRecord"],
            ..Route::new("ChangeResourceRecordSets", "POST", "/2013-04-01/hostedzone/{Id}/rrset", 200)
        },
        route(
            "ListResourceRecordSets",
            "GET",
            "/2013-04-01/hostedzone/{Id}/rrset",
            "ListResourceRecordSetsResponse",
            RECORDS,
        ),
        route("GetChange", "GET", "/2013-04-01/change/{Id}", "GetChangeResponse", &[]),
        Route {
            answer_root: "ChangeTagsForResourceResponse",
            items: &["Tag", "RemoveTagKeys/Key"],
            ..Route::new("ChangeTagsForResource", "POST", "/2013-04-01/tags/{ResourceType}/{ResourceId}", 200)
        },
        route(
            "ListTagsForResource",
            "GET",
            "/2013-04-01/tags/{ResourceType}/{ResourceId}",
            "ListTagsForResourceResponse",
            &[],
        ),
        Route {
            answer_root: "ListTagsForResourcesResponse",
            items: &["ResourceId"],
            ..Route::new("ListTagsForResources", "POST", "/2013-04-01/tags/{ResourceType}", 200)
        },
    ],
};

fn arn(zone: &str) -> String {
    format!("arn:aws:route53:::hostedzone/{zone}")
}

fn authorise(ctx: &mut Ctx<'_>, action: &str, zone: &str) -> Result<(), ApiError> {
    ctx.authorise(Grant::new(format!("route53:{action}"), arn(zone)))
}

fn no_zone(id: &str) -> ApiError {
    ApiError::with_status(404, "NoSuchHostedZone", format!("No hosted zone found with ID: {id}"))
}

fn invalid(message: impl Into<String>) -> ApiError {
    refuse("InvalidInput", message)
}

/// `MaxItems`, which may be asked for beyond what AWS gives.
fn most(input: &Input, most: usize) -> Result<usize, ApiError> {
    let asked = input.opt_int("MaxItems")?.and_then(|n| usize::try_from(n).ok());
    Ok(asked.unwrap_or(most).clamp(1, most))
}

/// A page of hosted zones.
fn zones_page(input: &Input, zones: Vec<Value>) -> Outcome {
    let size = most(input, 100)?;
    let marker = input.opt_str("Marker").unwrap_or_default().to_owned();
    let page = page(zones, Some(marker.as_str()).filter(|m| !m.is_empty()), size)
        .ok_or_else(|| invalid("The marker is not valid"))?;
    let mut answer = json!({
        "HostedZones:HostedZone": page.items,
        "Marker": marker,
        "IsTruncated": page.next.is_some(),
        "MaxItems": size.to_string(),
    });
    if let Some(next) = page.next {
        answer["NextMarker"] = next.into();
    }
    Ok(answer)
}
