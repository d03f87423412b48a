//! Certificates.
//! <https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html>

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{CERTIFICATE, named, tags, validation};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::clock::later;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::{page, seconds, shown};
use crate::store::Resource;

/// AWS notices only after minutes that a load balancer no longer uses a certificate.
const NOTICED_AFTER: Duration = Duration::from_secs(120);
/// Certificates of these are listed unless others are asked for.
const LISTED: &[&str] = &["RSA_1024", "RSA_2048"];

fn parameter(message: impl Into<String>) -> ApiError {
    refuse("InvalidParameterException", message)
}

pub(super) fn request(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = tags::requested(input)?;
    let id = ctx.account.rng.uuid();
    let arn = ctx.arn("acm", format!("certificate/{id}"));
    let domain = domain(input.str("DomainName")?)?;
    ctx.authorise(Grant::new("acm:RequestCertificate", "*").request_tags(&tags))?;
    if !tags.is_empty() {
        ctx.authorise(Grant::new("acm:AddTagsToCertificate", &arn).request_tags(&tags))?;
    }
    let method = input.opt_str("ValidationMethod").unwrap_or("EMAIL");
    if method != "DNS" {
        return Err(ApiError::not_simulated(format!("validation by {method}")));
    }
    let mut names = BTreeSet::from([domain.clone()]);
    for name in input.strings("SubjectAlternativeNames") {
        names.insert(self::domain(&name)?);
    }
    // <https://docs.aws.amazon.com/acm/latest/userguide/acm-limits.html>
    if names.len() > 10 {
        return Err(refuse("LimitExceededException", "A certificate can have at most 10 domain names"));
    }
    let algorithm = input.opt_str("KeyAlgorithm").unwrap_or("RSA_2048").to_owned();
    if !["RSA_2048", "EC_prime256v1", "EC_secp384r1"].contains(&algorithm.as_str()) {
        return Err(parameter(format!("Key algorithm {algorithm} is not supported for public certificates")));
    }
    let logging = logging(input)?.unwrap_or_else(|| "ENABLED".to_owned());
    let token = input.opt_str("IdempotencyToken").map(str::to_owned);
    // The same request with the same token within an hour is the same certificate.
    let known = ctx.token("RequestCertificate", token.as_deref(), input).ok().flatten();
    let recent = |at: Timestamp| later(at, Duration::from_secs(3600)) > ctx.now;
    if let Some(known) = known.and_then(|arn| ctx.get(CERTIFICATE, &arn)).filter(|known| recent(known.created)) {
        return Ok(json!({"CertificateArn": known.id}));
    }
    let options: Vec<Value> = names.iter().map(|name| validation::pending(name)).collect();
    let mut certificate = ctx.resource(
        CERTIFICATE,
        &arn,
        json!({
            "CertificateArn": arn,
            "DomainName": domain,
            "SubjectAlternativeNames": names,
            "DomainValidationOptions": options,
            "Subject": format!("CN={domain}"),
            "Issuer": "Amazon",
            "CreatedAt": seconds(ctx.now),
            "Status": "PENDING_VALIDATION",
            // AWS writes it with a hyphen, unlike in requests.
            "KeyAlgorithm": algorithm.replace("RSA_", "RSA-"),
            "SignatureAlgorithm": "SHA256WITHRSA",
            "Type": "AMAZON_ISSUED",
            "KeyUsages": [],
            "ExtendedKeyUsages": [],
            "Options": {"CertificateTransparencyLoggingPreference": logging, "Export": "DISABLED"},
            "_algorithm": algorithm,
        }),
    );
    certificate.tags = tags;
    ctx.insert(certificate);
    ctx.remember("RequestCertificate", token.as_deref(), input, &arn);
    validation::begin(ctx, &arn);
    Ok(json!({"CertificateArn": arn}))
}

fn logging(input: &Input) -> Result<Option<String>, ApiError> {
    let Some(options) = input.object("Options") else { return Ok(None) };
    match options.opt_str("Export").unwrap_or("DISABLED") {
        "DISABLED" => Ok(options.opt_str("CertificateTransparencyLoggingPreference").map(str::to_owned)),
        _ => Err(ApiError::not_simulated("certificates that can be exported")),
    }
}

fn domain(name: &str) -> Result<String, ApiError> {
    let plain = name.strip_prefix("*.").unwrap_or(name);
    let label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    match plain.len() <= 253 && plain.contains('.') && plain.split('.').all(label) {
        true => Ok(name.to_ascii_lowercase()),
        false => Err(parameter(format!("The domain name {name} is not valid"))),
    }
}

/// The load balancers that show a certificate, by their listeners.
fn users(ctx: &Ctx<'_>, certificate: &Resource) -> BTreeSet<String> {
    let mut users: BTreeSet<String> = ctx
        .those("elasticloadbalancing.listener", |listener| {
            listener.items("Certificates").iter().any(|c| c["CertificateArn"] == *certificate.id)
                || listener.items("_more").iter().any(|arn| *arn == *certificate.id)
        })
        .iter()
        .map(|listener| listener.text("LoadBalancerArn").to_owned())
        .collect();
    let until = certificate.text("_heldUntil").parse::<Timestamp>().ok();
    if until.is_some_and(|until| until > ctx.now) {
        users.insert(certificate.text("_heldBy").to_owned());
    }
    users
}

/// A load balancer no longer shows a certificate; AWS counts it as a user for some minutes more.
pub(crate) fn released(ctx: &mut Ctx<'_>, arn: &str, balancer: &str) {
    let until = later(ctx.now, NOTICED_AFTER.mul_f64(ctx.account.weather.pace)).to_string();
    ctx.update(CERTIFICATE, arn, |certificate| {
        certificate.set("_heldBy", balancer);
        certificate.set("_heldUntil", until);
    });
}

fn eligibility(certificate: &Resource, users: &BTreeSet<String>) -> &'static str {
    let eligible = certificate.text("Status") == "ISSUED" && !users.is_empty();
    if eligible { "ELIGIBLE" } else { "INELIGIBLE" }
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let certificate = named(ctx, input, "DescribeCertificate")?;
    let users = users(ctx, &certificate);
    let mut answer = shown(&certificate);
    answer.insert("RenewalEligibility".to_owned(), eligibility(&certificate, &users).into());
    answer.insert("InUseBy".to_owned(), users.into_iter().collect());
    Ok(json!({"Certificate": answer}))
}

/// <https://docs.aws.amazon.com/acm/latest/APIReference/API_ListCertificates.html>
pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    ctx.authorise(Grant::new("acm:ListCertificates", "*"))?;
    let statuses = input.strings("CertificateStatuses");
    let mut types: Vec<String> = LISTED.iter().map(|kind| (*kind).to_owned()).collect();
    if let Some(includes) = input.object("Includes") {
        let asked = includes.strings("keyTypes");
        types = if asked.is_empty() { types } else { asked };
    }
    input.ignore(&["SortBy", "SortOrder"]);
    let mut all = ctx.visible(CERTIFICATE);
    all.retain(|c| {
        types.iter().any(|kind| c.text("_algorithm") == kind)
            && (statuses.is_empty() || statuses.iter().any(|status| c.text("Status") == status))
    });
    let summaries = all.iter().map(|certificate| summary(ctx, certificate)).collect();
    let size = usize::try_from(input.opt_int("MaxItems")?.unwrap_or(1000)).unwrap_or(1000);
    let page = page::<Value>(summaries, input.opt_str("NextToken"), size)
        .ok_or_else(|| refuse("InvalidArgsException", "The token is not valid"))?;
    let mut answer = json!({"CertificateSummaryList": page.items});
    if let Some(next) = page.next {
        answer["NextToken"] = next.into();
    }
    Ok(answer)
}

fn summary(ctx: &Ctx<'_>, certificate: &Resource) -> Value {
    let users = users(ctx, certificate);
    let mut summary = json!({
        "CertificateArn": certificate.id,
        "DomainName": certificate.text("DomainName"),
        "SubjectAlternativeNameSummaries": certificate.items("SubjectAlternativeNames"),
        "HasAdditionalSubjectAlternativeNames": false,
        "Status": certificate.text("Status"),
        "Type": "AMAZON_ISSUED",
        "KeyAlgorithm": certificate.text("KeyAlgorithm"),
        "KeyUsages": names(certificate, "KeyUsages"),
        "ExtendedKeyUsages": names(certificate, "ExtendedKeyUsages"),
        "ExportOption": "DISABLED",
        "Exported": false,
        "InUse": !users.is_empty(),
        "RenewalEligibility": eligibility(certificate, &users),
    });
    for name in ["CreatedAt", "IssuedAt", "NotBefore", "NotAfter"] {
        if let Some(value) = certificate.attrs.get(name) {
            summary[name] = value.clone();
        }
    }
    summary
}

fn names(certificate: &Resource, list: &str) -> Vec<Value> {
    certificate.items(list).iter().map(|usage| usage["Name"].clone()).collect()
}

pub(super) fn update_options(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let certificate = named(ctx, input, "UpdateCertificateOptions")?;
    let logging = logging(input)?.ok_or_else(|| input.missing("Options"))?;
    let options = json!({"CertificateTransparencyLoggingPreference": logging, "Export": "DISABLED"});
    ctx.update(CERTIFICATE, &certificate.id, |certificate| certificate.set("Options", options));
    Ok(nothing())
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let certificate = named(ctx, input, "DeleteCertificate")?;
    if !users(ctx, &certificate).is_empty() {
        let message = format!("Certificate {} in account {} is in use.", certificate.id, ctx.account.id);
        return Err(refuse("ResourceInUseException", message));
    }
    ctx.remove(CERTIFICATE, &certificate.id);
    Ok(nothing())
}
