//! Targets and their health, probed in the account's own time.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};

use super::{GROUP, invalid, target_group};
use crate::account::Ctx;
use crate::dispatch::empty_result;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::ec2::reach;
use crate::store::{Resource, Timer};

const TARGET: &str = "elasticloadbalancing.target";
/// The first probe comes soon; then at the group's interval.
const FIRST_PROBE: Duration = Duration::from_secs(3);
/// A target whose health has not changed for a while is looked at less often than AWS does, to keep time cheap.
const STEADY_PROBE: i64 = 60;
const STEADY_AFTER: i64 = 10;

fn key(group: &str, ip: &str, port: i64) -> String {
    format!("{group}|{ip}|{port}")
}

/// Registers an address, as ECS does for a task.
pub(crate) fn register(ctx: &mut Ctx<'_>, group: &str, ip: &str, port: i64) {
    let id = key(group, ip, port);
    if ctx.get(TARGET, &id).is_some_and(|target| target.text("_state") != "draining") {
        return;
    }
    let mut target = ctx.resource(TARGET, &id, json!({"_group": group, "_ip": ip, "_port": port}));
    target.aws_made = true;
    ctx.insert(target);
    start(ctx, group, &id);
}

/// Takes an address away: it drains for as long as the group says.
pub(crate) fn deregister(ctx: &mut Ctx<'_>, group: &str, ip: &str, port: i64) {
    let id = key(group, ip, port);
    let Some(target) = ctx.get(TARGET, &id).filter(|target| target.text("_state") != "draining") else { return };
    let delay = ctx.get(GROUP.kind, group).and_then(|group| {
        group.attrs["_attributes"]["deregistration_delay.timeout_seconds"].as_str()?.parse::<u64>().ok()
    });
    match delay.filter(|delay| *delay > 0 && target.text("_state") != "unused") {
        None => ctx.remove(TARGET, &id),
        Some(delay) => {
            ctx.update(TARGET, &id, |target| target.set("_state", "draining"));
            ctx.after(Duration::from_secs(delay), TARGET, &id, "drained");
        }
    }
}

/// The state of an address: `initial`, `healthy`, `unhealthy`, `unused`, `draining`; none when it is not registered.
pub(crate) fn health(ctx: &Ctx<'_>, group: &str, ip: &str, port: i64) -> Option<String> {
    Some(ctx.get(TARGET, &key(group, ip, port))?.text("_state").to_owned())
}

/// Whether a listener or a rule sends to the group.
pub(crate) fn is_attached(ctx: &Ctx<'_>, group: &str) -> bool {
    !target_group::users(ctx, group).1.is_empty()
}

/// Begins to probe a target, or says that nobody sends to it.
fn start(ctx: &mut Ctx<'_>, group: &str, id: &str) {
    let attached = is_attached(ctx, group);
    let probed = ctx.get(TARGET, id).is_some_and(|target| target.flag("_probed"));
    ctx.update(TARGET, id, |target| {
        target.set("_state", if attached { "initial" } else { "unused" });
        target.set("_reason", if attached { "Elb.RegistrationInProgress" } else { "Target.NotInUse" });
        target.set("_same", 0);
        target.set("_probed", attached);
    });
    if attached && !probed {
        ctx.after(FIRST_PROBE, TARGET, id, "probe");
    }
}

/// A listener or rule sends to these groups from now on.
pub(super) fn wake(ctx: &mut Ctx<'_>, groups: &[(String, i64)]) {
    for (group, _) in groups {
        for target in ctx.those(TARGET, |t| t.text("_group") == group && t.text("_state") == "unused") {
            start(ctx, group, &target.id);
        }
    }
}

/// Removes the targets of a group that goes.
pub(super) fn forget(ctx: &mut Ctx<'_>, group: &str) {
    for target in ctx.those(TARGET, |target| target.text("_group") == group) {
        ctx.remove(TARGET, &target.id);
    }
}

pub(super) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    let Some(target) = ctx.get(TARGET, &timer.id) else { return };
    match timer.event {
        "drained" if target.text("_state") == "draining" => ctx.remove(TARGET, &timer.id),
        "probe" => probe(ctx, &target),
        _ => {}
    }
}

/// Why a probe failed: AWS's code and words.
type Fault = (&'static str, String);

fn probe(ctx: &mut Ctx<'_>, target: &Resource) {
    let group = ctx.get(GROUP.kind, target.text("_group"));
    let Some(group) = group.filter(|_| target.text("_state") != "draining") else { return };
    let balancers = target_group::users(ctx, &group.id).0;
    if balancers.is_empty() {
        ctx.update(TARGET, &target.id, |target| {
            target.set("_state", "unused");
            target.set("_reason", "Target.NotInUse");
            target.set("_probed", false);
        });
        return;
    }
    let fault = answer(ctx, &group, &balancers, target).err();
    let well = fault.is_none();
    // How many in a row went the same way.
    let same = if target.flag("_well") == well { target.number("_same") + 1 } else { 1 };
    let state = match (target.text("_state"), well) {
        // One good answer is enough for a new target.
        ("initial", true) => "healthy",
        ("unhealthy", true) if same >= group.number("HealthyThresholdCount") => "healthy",
        ("initial" | "healthy", false) if same >= group.number("UnhealthyThresholdCount") => "unhealthy",
        (state, _) => state,
    }
    .to_owned();
    let steady = same >= STEADY_AFTER;
    let interval = group.number("HealthCheckIntervalSeconds");
    let (reason, words) = match (state.as_str(), fault) {
        ("healthy", _) => ("", String::new()),
        ("initial", _) => ("Elb.InitialHealthChecking", "Initial health checks in progress".to_owned()),
        (_, Some((reason, words))) => (reason, words),
        (_, None) => ("Target.FailedHealthChecks", "Health checks failed".to_owned()),
    };
    ctx.update(TARGET, &target.id, |target| {
        target.set("_state", state);
        target.set("_reason", reason);
        target.set("_words", words);
        target.set("_well", well);
        target.set("_same", same);
    });
    let next = if steady { interval.max(STEADY_PROBE) } else { interval };
    ctx.after(Duration::from_secs(next.unsigned_abs()), TARGET, &target.id, "probe");
}

/// What the address answers on the health check's port and path.
fn answer(ctx: &Ctx<'_>, group: &Resource, balancers: &BTreeSet<String>, target: &Resource) -> Result<(), Fault> {
    let timeout = || ("Target.Timeout", "Request timed out".to_owned());
    let address = target.text("_ip");
    let interfaces = ctx.those("ec2.network-interface", |eni| eni.text("privateIpAddress") == address);
    let mine = interfaces.iter().find(|eni| eni.text("vpcId") == group.text("VpcId")).ok_or_else(timeout)?;
    let port = match group.text("HealthCheckPort") {
        "traffic-port" => target.number("_port").to_string(),
        port => port.to_owned(),
    };
    if !reaches(ctx, balancers, mine, port.parse().unwrap_or_default()) {
        return Err(timeout());
    }
    let paths = mine.attrs.get("_answers").and_then(|answers| answers.get(&port)).ok_or_else(timeout)?;
    let path = group.text("HealthCheckPath");
    let status = paths.get(path).or_else(|| paths.get("*")).and_then(Value::as_i64).unwrap_or(404);
    let accepted = group.attrs["Matcher"]["HttpCode"].as_str().and_then(codes).unwrap_or_default();
    match accepted.iter().any(|range| range.contains(&status)) {
        true => Ok(()),
        false => Err(("Target.ResponseCodeMismatch", format!("Health checks failed with these codes: [{status}]"))),
    }
}

/// True when security groups let the probes of load balancers through to a target.
fn reaches(ctx: &Ctx<'_>, balancers: &BTreeSet<String>, target: &Resource, port: i64) -> bool {
    let nodes = ctx.those("ec2.network-interface", |eni| balancers.contains(eni.text("_for")));
    nodes.iter().any(|node| reach::tcp(ctx, node, target, port))
}

/// The codes that a matcher such as `200,300-399` accepts; none when it is no matcher.
pub(super) fn codes(text: &str) -> Option<Vec<RangeInclusive<i64>>> {
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        (200 <= from && from <= to && to <= 499).then_some(from..=to)
    };
    text.split(',').map(range).collect()
}

/// The targets of a request as (address, port).
fn named(input: &Input, group: &Resource) -> Result<Vec<(String, i64)>, ApiError> {
    let mut all = Vec::new();
    for target in input.objects("Targets") {
        let address = target.string("Id")?;
        if address.parse::<std::net::Ipv4Addr>().is_err() {
            return Err(refuse("InvalidTarget", format!("The target id '{address}' is not a valid IP address")));
        }
        let port = target.opt_int("Port")?.unwrap_or(group.number("Port"));
        target.ignore(&["AvailabilityZone"]);
        all.push((address, port));
    }
    Ok(all)
}

pub(super) fn register_targets(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = GROUP.permitted(ctx, "RegisterTargets", input.str("TargetGroupArn")?)?;
    let targets = named(input, &group)?;
    if targets.is_empty() {
        return Err(input.missing("Targets"));
    }
    let network = ctx.get("ec2.vpc", group.text("VpcId")).map(|vpc| vpc.text("cidrBlock").to_owned());
    let network = network.and_then(|cidr| cidr.parse::<ipnet::Ipv4Net>().ok());
    for (address, port) in targets {
        let inside = address.parse().is_ok_and(|ip: std::net::Ipv4Addr| network.is_some_and(|net| net.contains(&ip)));
        if !inside {
            return Err(invalid(format!("The IP address '{address}' is not within the VPC")));
        }
        register(ctx, &group.id, &address, port);
    }
    Ok(empty_result())
}

pub(super) fn deregister_targets(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = GROUP.permitted(ctx, "DeregisterTargets", input.str("TargetGroupArn")?)?;
    for (address, port) in named(input, &group)? {
        deregister(ctx, &group.id, &address, port);
    }
    Ok(empty_result())
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let found = GROUP.asked(ctx, &[input.string("TargetGroupArn")?])?;
    let group = found.first().ok_or_else(|| GROUP.missing())?;
    let asked = named(input, group)?;
    input.ignore(&["Include"]);
    let mut all: Vec<Value> = Vec::new();
    let targets = ctx.visible(TARGET);
    for target in targets.iter().filter(|target| target.text("_group") == group.id) {
        let place = (target.text("_ip").to_owned(), target.number("_port"));
        if asked.is_empty() || asked.contains(&place) {
            all.push(description(group, target));
        }
    }
    for (address, port) in asked.iter().filter(|(ip, port)| !targets.iter().any(|t| t.id == key(&group.id, ip, *port)))
    {
        let health = json!({"State": "unused", "Reason": "Target.NotRegistered", "Description": "Target is not registered to the target group"});
        all.push(json!({"Target": {"Id": address, "Port": port}, "TargetHealth": health}));
    }
    Ok(json!({"TargetHealthDescriptions": all}))
}

fn description(group: &Resource, target: &Resource) -> Value {
    let port = target.number("_port");
    let check = match group.text("HealthCheckPort") {
        "traffic-port" => port.to_string(),
        other => other.to_owned(),
    };
    let mut health = json!({"State": target.text("_state")});
    let words = match (target.text("_state"), target.text("_reason")) {
        ("healthy", _) => None,
        ("draining", _) => Some(("Target.DeregistrationInProgress", "Target deregistration is in progress")),
        (_, "Elb.RegistrationInProgress") => Some(("Elb.RegistrationInProgress", "Target registration is in progress")),
        (_, "Target.NotInUse") => {
            Some(("Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"))
        }
        (_, reason) => Some((reason, target.text("_words"))),
    };
    if let Some((reason, words)) = words {
        health["Reason"] = reason.into();
        health["Description"] = words.into();
    }
    json!({
        "Target": {"Id": target.text("_ip"), "Port": port},
        "HealthCheckPort": check,
        "TargetHealth": health,
    })
}
