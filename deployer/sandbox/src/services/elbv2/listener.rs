//! Listeners.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-listeners.html>

use serde_json::{Value, json};

use super::attribute::{self, Form, Row};
use super::{
    BALANCER, LISTENER, RULE, action, authorise_tags, certificate, configuration, paged, policy, tags, targets,
};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::empty_result;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::shown;
use crate::store::Resource;

/// Attributes of listeners; `routing.http.request.*` are for HTTPS only.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ListenerAttribute.html>
const ATTRIBUTES: &[Row] = &[
    ("routing.http.response.access_control_allow_credentials.header_value", "", Form::Text),
    ("routing.http.response.access_control_allow_headers.header_value", "", Form::Text),
    ("routing.http.response.access_control_allow_methods.header_value", "", Form::Text),
    ("routing.http.response.access_control_allow_origin.header_value", "", Form::Text),
    ("routing.http.response.access_control_expose_headers.header_value", "", Form::Text),
    ("routing.http.response.access_control_max_age.header_value", "", Form::Text),
    ("routing.http.response.content_security_policy.header_value", "", Form::Text),
    ("routing.http.response.server.enabled", "true", Form::Flag),
    ("routing.http.response.strict_transport_security.header_value", "", Form::Text),
    ("routing.http.response.x_content_type_options.header_value", "", Form::Text),
    ("routing.http.response.x_frame_options.header_value", "", Form::Text),
];

/// What a listener speaks, and how it proves who it is.
struct Speech {
    port: i64,
    protocol: String,
    policy: Option<String>,
    certificate: Option<String>,
}

/// The speech that a request asks for, where `now` is what there is.
fn speech(ctx: &Ctx<'_>, input: &Input, now: Option<&Resource>) -> Result<Speech, ApiError> {
    let given = |name: &str| input.opt_str(name).map(str::to_owned);
    let before = |name: &str| now.map(|now| now.text(name).to_owned()).filter(|text| !text.is_empty());
    let port = input.opt_int("Port")?.or(now.map(|now| now.number("Port"))).ok_or_else(|| input.missing("Port"))?;
    let protocol = given("Protocol").or(before("Protocol")).ok_or_else(|| input.missing("Protocol"))?;
    let mut certificates = certificate::read(ctx, input)?;
    let policy = given("SslPolicy");
    match protocol.as_str() {
        "HTTP" if policy.is_some() || !certificates.is_empty() => {
            Err(configuration("SSL policies and certificates are for HTTPS listeners only"))
        }
        "HTTP" => Ok(Speech { port, protocol, policy: None, certificate: None }),
        "HTTPS" => {
            if certificates.len() > 1 {
                return Err(refuse("TooManyCertificates", "Up to one certificate can be specified for a listener"));
            }
            let held = now.and_then(certificate::default);
            let certificate = certificates.pop().or(held.map(str::to_owned));
            let wanting = "A certificate must be specified for HTTPS listeners";
            let certificate = certificate.ok_or_else(|| refuse("CertificateNotFound", wanting))?;
            let policy = policy.or(before("SslPolicy")).unwrap_or_else(|| policy::DEFAULT.to_owned());
            policy::known(&policy)?;
            Ok(Speech { port, protocol, policy: Some(policy), certificate: Some(certificate) })
        }
        other => Err(refuse(
            "UnsupportedProtocol",
            format!("The protocol {other} is not supported by application load balancers"),
        )),
    }
}

fn apply(listener: &mut Resource, speech: Speech) {
    listener.set("Port", speech.port);
    listener.set("Protocol", speech.protocol);
    match (speech.policy, speech.certificate) {
        (Some(policy), Some(certificate)) => {
            listener.set("SslPolicy", policy);
            listener.set("Certificates", json!([{"CertificateArn": certificate}]));
            listener.set("MutualAuthentication", json!({"Mode": "off"}));
        }
        _ => {
            for name in ["SslPolicy", "Certificates", "MutualAuthentication", "_more"] {
                listener.attrs.remove(name);
            }
        }
    }
}

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let balancer = input.string("LoadBalancerArn")?;
    BALANCER.well_formed(ctx, &balancer)?;
    let tags = tags::requested(input)?;
    let mut grant = Grant::new("elasticloadbalancing:CreateListener", &balancer).request_tags(&tags);
    if let Some(known) = ctx.get(BALANCER.kind, &balancer) {
        grant = grant.resource_tags(&known.tags);
    }
    ctx.authorise(grant)?;
    let id = ctx.account.rng.hex(16);
    let arn = format!("{}/{id}", balancer.replacen(":loadbalancer/", ":listener/", 1));
    authorise_tags(ctx, "CreateListener", &arn, &tags)?;
    BALANCER.used(ctx, &balancer)?;
    let request = input.without(&[]);
    let speech = speech(ctx, input, None)?;
    let actions = action::read(ctx, input, "DefaultActions", &balancer)?;
    if let Some(known) = on_port(ctx, &balancer, speech.port, "") {
        if known.attrs.get("_request") == Some(&request) {
            return Ok(json!({"Listeners": [shown(&known)]}));
        }
        return Err(duplicate(&balancer));
    }
    let rule = format!("{}/{}", arn.replacen(":listener/", ":listener-rule/", 1), ctx.account.rng.hex(16));
    let groups = action::groups(&actions);
    let mut listener = ctx.resource(
        LISTENER.kind,
        &arn,
        json!({
            "ListenerArn": arn,
            "LoadBalancerArn": balancer,
            "DefaultActions": actions,
            "_attributes": attribute::defaults(ATTRIBUTES),
            "_defaultRule": rule,
            "_request": request,
        }),
    );
    apply(&mut listener, speech);
    listener.tags = tags;
    let answer = shown(&listener);
    ctx.insert(listener);
    targets::wake(ctx, &groups);
    Ok(json!({"Listeners": [answer]}))
}

fn on_port(ctx: &Ctx<'_>, balancer: &str, port: i64, but: &str) -> Option<std::sync::Arc<Resource>> {
    let same = |l: &Resource| l.text("LoadBalancerArn") == balancer && l.number("Port") == port && l.id != but;
    ctx.those(LISTENER.kind, same).pop()
}

fn duplicate(balancer: &str) -> ApiError {
    let message = format!("A listener already exists on this port for this load balancer '{balancer}'");
    refuse("DuplicateListener", message)
}

/// The load balancer of a listener.
pub(super) fn balancer_of(ctx: &Ctx<'_>, listener: &str) -> String {
    ctx.get(LISTENER.kind, listener).map(|l| l.text("LoadBalancerArn").to_owned()).unwrap_or_default()
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let arns = input.strings("ListenerArns");
    let mut all = LISTENER.asked(ctx, &arns)?;
    match input.opt_str("LoadBalancerArn") {
        Some(balancer) => {
            BALANCER.asked(ctx, &[balancer.to_owned()])?;
            all.retain(|listener| listener.text("LoadBalancerArn") == balancer);
        }
        None if arns.is_empty() => {
            return Err(super::invalid("You must specify either listener ARNs or a load balancer ARN"));
        }
        None => {}
    }
    paged(input, "Listeners", all.iter().map(|listener| Value::Object(shown(listener))).collect())
}

pub(super) fn modify(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let listener = LISTENER.permitted(ctx, "ModifyListener", input.str("ListenerArn")?)?;
    let balancer = listener.text("LoadBalancerArn");
    let speech = speech(ctx, input, Some(&listener))?;
    if certificate::default(&listener).is_some_and(|held| speech.certificate.as_deref() != Some(held)) {
        certificate::release(ctx, &listener);
    }
    if on_port(ctx, balancer, speech.port, &listener.id).is_some() {
        return Err(duplicate(balancer));
    }
    let actions = match input.has("DefaultActions") {
        true => action::read(ctx, input, "DefaultActions", balancer)?,
        false => listener.items("DefaultActions").to_vec(),
    };
    let groups = action::groups(&actions);
    ctx.update(LISTENER.kind, &listener.id, |listener| {
        apply(listener, speech);
        listener.set("DefaultActions", actions);
        listener.attrs.remove("_request");
    });
    targets::wake(ctx, &groups);
    let listener = ctx.get(LISTENER.kind, &listener.id).unwrap_or(listener);
    Ok(json!({"Listeners": [shown(&listener)]}))
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let listener = LISTENER.permitted(ctx, "DeleteListener", input.str("ListenerArn")?)?;
    remove(ctx, &listener.id);
    Ok(empty_result())
}

/// Takes a listener away with its rules.
pub(super) fn remove(ctx: &mut Ctx<'_>, arn: &str) {
    for rule in ctx.those(RULE.kind, |rule| rule.text("_listener") == arn) {
        ctx.remove(RULE.kind, &rule.id);
    }
    if let Some(listener) = ctx.get(LISTENER.kind, arn) {
        certificate::release(ctx, &listener);
    }
    ctx.remove(LISTENER.kind, arn);
}

pub(super) fn describe_attributes(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let found = LISTENER.asked(ctx, &[input.string("ListenerArn")?])?;
    Ok(json!({"Attributes": attribute::listed(found.first().and_then(|l| l.attrs.get("_attributes")))}))
}

pub(super) fn modify_attributes(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let listener = LISTENER.permitted(ctx, "ModifyListenerAttributes", input.str("ListenerArn")?)?;
    let changed = attribute::changed(input, ATTRIBUTES, "Listener", listener.attrs.get("_attributes"))?;
    let changed = Value::Object(changed);
    ctx.update(LISTENER.kind, &listener.id, |l| l.set("_attributes", changed.clone()));
    Ok(json!({"Attributes": attribute::listed(Some(&changed))}))
}
