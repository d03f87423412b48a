//! Certificates of listeners: the one they show unless asked for another name, and more.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/https-listener-certificates.html>

use serde_json::{Value, json};

use super::{LISTENER, configuration, invalid, paged};
use crate::account::Ctx;
use crate::dispatch::empty_result;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::acm;
use crate::store::Resource;

/// The certificates of a request; each must be issued.
pub(super) fn read(ctx: &Ctx<'_>, input: &Input) -> Result<Vec<String>, ApiError> {
    let mut arns = Vec::new();
    for certificate in input.objects("Certificates") {
        let arn = certificate.string("CertificateArn")?;
        if certificate.opt_bool("IsDefault")?.is_some() {
            return Err(invalid("You cannot specify whether a certificate is the default"));
        }
        let missing = || refuse("CertificateNotFound", format!("Certificate '{arn}' not found"));
        let found = ctx.usable("acm.certificate", &arn).ok_or_else(missing)?;
        if found.text("Status") != "ISSUED" {
            let message = format!(
                "The certificate '{arn}' must have a fully-qualified domain name, a supported signature, and a supported key size."
            );
            return Err(refuse("UnsupportedCertificate", message));
        }
        arns.push(arn);
    }
    Ok(arns)
}

/// The certificate that a listener shows unless asked for another name.
pub(super) fn default(listener: &Resource) -> Option<&str> {
    listener.items("Certificates").first()?["CertificateArn"].as_str()
}

/// A listener no longer shows what it showed.
pub(super) fn release(ctx: &mut Ctx<'_>, listener: &Resource) {
    let more = listener.items("_more").iter().filter_map(Value::as_str);
    for arn in default(listener).into_iter().chain(more) {
        acm::released(ctx, arn, listener.text("LoadBalancerArn"));
    }
}

pub(super) fn add(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let listener = LISTENER.permitted(ctx, "AddListenerCertificates", input.str("ListenerArn")?)?;
    if listener.text("Protocol") != "HTTPS" {
        return Err(configuration("Certificates are for HTTPS listeners only"));
    }
    let arns = read(ctx, input)?;
    ctx.update(LISTENER.kind, &listener.id, |listener| {
        let more = listener.list_mut("_more");
        more.extend(arns.into_iter().map(Value::from).collect::<Vec<_>>());
        more.sort_by_key(ToString::to_string);
        more.dedup();
    });
    let listener = ctx.get(LISTENER.kind, &listener.id).unwrap_or(listener);
    // <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html>
    if listener.items("_more").len() > 25 {
        return Err(refuse("TooManyCertificates", "The maximum number of certificates has been reached"));
    }
    let shown: Vec<Value> =
        listener.items("_more").iter().map(|arn| json!({"CertificateArn": arn, "IsDefault": false})).collect();
    Ok(json!({"Certificates": shown}))
}

pub(super) fn remove(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let listener = LISTENER.permitted(ctx, "RemoveListenerCertificates", input.str("ListenerArn")?)?;
    let mut gone = Vec::new();
    for certificate in input.objects("Certificates") {
        gone.push(certificate.string("CertificateArn")?);
    }
    if listener.items("Certificates").iter().any(|c| gone.iter().any(|arn| c["CertificateArn"] == **arn)) {
        return Err(refuse("OperationNotPermitted", "The default certificate cannot be removed from a listener"));
    }
    for arn in &gone {
        acm::released(ctx, arn, listener.text("LoadBalancerArn"));
    }
    ctx.update(LISTENER.kind, &listener.id, |listener| {
        listener.list_mut("_more").retain(|arn| !gone.iter().any(|other| arn == other));
    });
    Ok(empty_result())
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let found = LISTENER.asked(ctx, &[input.string("ListenerArn")?])?;
    let mut shown = Vec::new();
    for listener in &found {
        let default = listener.items("Certificates").iter();
        shown.extend(default.map(|c| json!({"CertificateArn": c["CertificateArn"], "IsDefault": true})));
        let more = listener.items("_more").iter();
        shown.extend(more.map(|arn| json!({"CertificateArn": arn, "IsDefault": false})));
    }
    paged(input, "Certificates", shown)
}
