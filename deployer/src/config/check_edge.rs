//! The rules of `[edge]`: names, zone and certificate.

use std::collections::BTreeMap;

use super::Config;
use super::edge::{Edge, HostName, region_of};
use super::places::Places;
use super::problem::Problem;

/// What is wrong with the way in.
pub(super) fn check(config: &Config, places: &Places) -> Vec<Problem> {
    let Some(edge) = &config.edge else { return hosts_without_edge(config, places) };
    let mut problems = Vec::new();
    problems.extend(cluster_missing(config, places));
    problems.extend(certificate(config, edge, places));
    problems.extend(zone(edge, places));
    problems.extend(common_name(edge, places));
    problems.extend(hosts(config, edge, places));
    problems.extend(nothing_behind(config, places));
    problems
}

fn hosts_without_edge(config: &Config, places: &Places) -> Vec<Problem> {
    let named = config.services.iter().filter(|(_, service)| service.host.is_some());
    named
        .map(|(name, _)| {
            let place = places.key_at(&format!("services.{name}.host"));
            let problem =
                Problem::error(format!("`{name}` has a `host`, but there is no `[edge]`"), place, "reached how?");
            problem.help("add `[edge]` with its `domain` and `zone`, or leave `host` out")
        })
        .collect()
}

fn cluster_missing(config: &Config, places: &Places) -> Option<Problem> {
    if config.cluster.is_some() {
        return None;
    }
    let problem = Problem::error("`[edge]` has nothing to send requests to", places.key_at("edge"), "no `[cluster]`");
    Some(problem.help("add `[cluster]`; all its keys have defaults"))
}

/// HTTPS alone needs a certificate: one that is given, or one that a zone proves.
fn certificate(config: &Config, edge: &Edge, places: &Places) -> Vec<Problem> {
    let mut problems = Vec::new();
    match (&edge.certificate, &edge.zone, &edge.domain) {
        (None, None, _) => {
            let problem = Problem::error("`[edge]` has no certificate", places.key_at("edge"), "HTTPS needs one");
            let help =
                "add `zone = \"example.com\"`, a Route 53 zone in which one is made; or `certificate = \"arn:…\"`";
            problems.push(problem.help(help));
        }
        (None, Some(_), None) => {
            let problem = Problem::error("`edge.domain` is missing", places.key_at("edge"), "a certificate for what?");
            problems.push(problem.help("add `domain = \"shop.example.com\"`"));
        }
        (Some(_), Some(_), None) => {
            let place = places.key_at("edge.zone");
            let problem = Problem::error("`edge.zone` is given without `edge.domain`", place, "for which name?");
            problems.push(problem.help("add `domain`, or leave `zone` out"));
        }
        _ => {}
    }
    let region = edge.certificate.as_deref().and_then(region_of);
    if let Some(region) = region.filter(|region| *region != config.stack.region.as_str()) {
        let message = "`edge.certificate` is in another region than the stack";
        let problem = Problem::error(message, places.value_at("edge.certificate"), format!("in {region}"));
        let help = format!(
            "a load balancer takes certificates of its own region alone: request one in {}",
            config.stack.region
        );
        problems.push(problem.help(help));
    }
    problems
}

fn zone(edge: &Edge, places: &Places) -> Option<Problem> {
    if edge.create_zone && edge.zone.is_none() {
        let problem =
            Problem::error("`edge.create_zone` makes no zone", places.key_at("edge.create_zone"), "which one?");
        return Some(problem.help("add `zone = \"example.com\"`"));
    }
    let (zone, domain) = (edge.zone.as_ref()?, edge.domain.as_ref()?);
    if domain.lies_in(zone) {
        return None;
    }
    let label = format!("not in {zone}");
    let problem = Problem::error("`edge.domain` is outside of `edge.zone`", places.value_at("edge.domain"), label);
    Some(problem.help(format!("write a name that ends in `.{zone}`, or the zone that {domain} lies in")))
}

/// <https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html> (`DomainName`)
fn common_name(edge: &Edge, places: &Places) -> Option<Problem> {
    let domain = edge.domain.as_ref().filter(|domain| domain.as_str().len() > 64 && edge.certificate.is_none())?;
    let label = format!("{} characters", domain.as_str().len());
    let message = "`edge.domain` is too long for a certificate";
    Some(Problem::error(message, places.value_at("edge.domain"), label).help("ACM takes at most 64 characters"))
}

/// Each name once, in the zone, and for something that can be reached.
fn hosts(config: &Config, edge: &Edge, places: &Places) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut taken: BTreeMap<HostName, &str> = BTreeMap::new();
    // Whoever is given a name in the file is shown as the second to want it.
    let mut services: Vec<_> = config.services.iter().collect();
    services.sort_by_key(|(_, service)| service.host.is_some());
    for (name, service) in services {
        let path = format!("services.{name}.host");
        if service.port.is_none() {
            if service.host.is_some() {
                let message = format!("`{path}` names what has no `port`");
                let problem = Problem::error(message, places.key_at(&path), "what should answer?");
                problems.push(problem.help("give the service a `port`, or leave `host` out"));
            }
            continue;
        }
        let Some(host) = config.host(name) else {
            if !service.is_public() {
                let message = format!("`{name}` has no name outside");
                let problem = Problem::error(message, places.key_at(&format!("services.{name}")), "`host` is missing");
                let help = "add `host = \"mail.example.com\"`; with `edge.domain` it would have one of its own";
                problems.push(problem.help(help));
            }
            continue;
        };
        if service.host.is_some() && edge.zone.as_ref().is_some_and(|zone| !host.lies_in(zone)) {
            let zone = edge.zone.as_ref().map(ToString::to_string).unwrap_or_default();
            let problem = Problem::error(format!("`{path}` is outside of `edge.zone`"), places.value_at(&path), "here");
            problems.push(problem.help(format!("write a name that ends in `.{zone}`")));
        }
        if let Some(other) = taken.insert(host.clone(), name) {
            let message = format!("both `{other}` and `{name}` are called {host}");
            let problem = Problem::error(message, places.value_at(&path), "taken already");
            problems.push(problem.help("give each its own name"));
        }
    }
    problems
}

fn nothing_behind(config: &Config, places: &Places) -> Option<Problem> {
    if config.services.values().any(|service| service.port.is_some()) {
        return None;
    }
    let message = "`[edge]` has nothing to send requests to";
    let problem = Problem::error(message, places.key_at("edge"), "no service has a `port`");
    Some(problem.warning().help("give a service its `port`, or leave `[edge]` out"))
}
