//! How a certificate comes to be issued: AWS asks the world for a record that only the domain's owner can make.
//! <https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html>

use std::time::Duration;

use serde_json::{Value, json};

use super::CERTIFICATE;
use crate::account::Ctx;
use crate::clock::later;
use crate::rng::rank;
use crate::services::route53;
use crate::services::shared::seconds;
use crate::store::{Resource, Timer};

/// The record to make is known some seconds after the request.
const RECORD_KNOWN: Duration = Duration::from_secs(4);
const ASKING: Duration = Duration::from_secs(60);
/// From the proof to the certificate.
const ISSUING: Duration = Duration::from_secs(45);
/// A request that nobody proves fails after three days.
const GIVEN_UP: Duration = Duration::from_secs(72 * 3600);
/// <https://docs.aws.amazon.com/acm/latest/userguide/acm-certificate-characteristics.html>
const VALID: Duration = Duration::from_secs(198 * 24 * 3600);

/// What a new request says of a name.
pub(super) fn pending(name: &str) -> Value {
    json!({
        "DomainName": name,
        "ValidationDomain": name,
        "ValidationStatus": "PENDING_VALIDATION",
        "ValidationMethod": "DNS",
    })
}

pub(super) fn begin(ctx: &mut Ctx<'_>, arn: &str) {
    ctx.after(RECORD_KNOWN, CERTIFICATE, arn, "record-known");
    ctx.after(ASKING, CERTIFICATE, arn, "ask");
}

/// The record of a name: the same for every certificate of the account, and for a wildcard that of its parent.
fn record(ctx: &Ctx<'_>, name: &str) -> Value {
    let plain = name.strip_prefix("*.").unwrap_or(name);
    let part = |salt: u64| format!("{:016x}", rank(salt, &format!("{}/{plain}", ctx.account.id)));
    let zone: String = part(5).bytes().take(10).map(|b| char::from(b'a' + (b % 26))).collect();
    json!({
        "Name": format!("_{}{}.{plain}.", part(1), part(2)),
        "Type": "CNAME",
        "Value": format!("_{}{}.{zone}.acm-validations.aws.", part(3), part(4)),
    })
}

pub(super) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    let waiting = |certificate: &Resource| certificate.text("Status") == "PENDING_VALIDATION";
    let Some(certificate) = ctx.get(CERTIFICATE, &timer.id).filter(|certificate| waiting(certificate)) else { return };
    match timer.event {
        "record-known" => know(ctx, &certificate),
        "ask" => ask(ctx, &certificate),
        "issue" => issue(ctx, &certificate),
        _ => {}
    }
}

fn know(ctx: &mut Ctx<'_>, certificate: &Resource) {
    let mut options = certificate.items("DomainValidationOptions").to_vec();
    for option in &mut options {
        option["ResourceRecord"] = record(ctx, option["DomainName"].as_str().unwrap_or_default());
    }
    ctx.update(CERTIFICATE, &certificate.id, |certificate| certificate.set("DomainValidationOptions", options));
}

fn ask(ctx: &mut Ctx<'_>, certificate: &Resource) {
    let mut options = certificate.items("DomainValidationOptions").to_vec();
    for option in &mut options {
        let (name, value) = (&option["ResourceRecord"]["Name"], &option["ResourceRecord"]["Value"]);
        let (name, value) = (name.as_str().unwrap_or_default(), value.as_str().unwrap_or_default());
        let answers = route53::answers(ctx, name, "CNAME").unwrap_or_default();
        let bare = |text: &str| text.trim_end_matches('.').to_ascii_lowercase();
        if !value.is_empty() && answers.iter().any(|answer| bare(answer) == bare(value)) {
            option["ValidationStatus"] = "SUCCESS".into();
        }
    }
    let proven = options.iter().all(|option| option["ValidationStatus"] == "SUCCESS");
    let late = later(certificate.created, GIVEN_UP) < ctx.now;
    ctx.update(CERTIFICATE, &certificate.id, |certificate| {
        certificate.set("DomainValidationOptions", options);
        if late && !proven {
            certificate.set("Status", "VALIDATION_TIMED_OUT");
        }
    });
    match (proven, late) {
        (true, _) => ctx.after(ISSUING, CERTIFICATE, &certificate.id, "issue"),
        (false, false) => ctx.after(ASKING, CERTIFICATE, &certificate.id, "ask"),
        (false, true) => {}
    }
}

fn issue(ctx: &mut Ctx<'_>, certificate: &Resource) {
    let (now, end) = (seconds(ctx.now), seconds(later(ctx.now, VALID)));
    let serial = ctx.account.rng.hex(32);
    let pairs: Vec<String> =
        serial.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).into_owned()).collect();
    ctx.update(CERTIFICATE, &certificate.id, |certificate| {
        certificate.set("Status", "ISSUED");
        certificate.set("IssuedAt", now.clone());
        certificate.set("NotBefore", now);
        certificate.set("NotAfter", end);
        certificate.set("Serial", pairs.join(":"));
        certificate.set("KeyUsages", json!([{"Name": "DIGITAL_SIGNATURE"}, {"Name": "KEY_ENCIPHERMENT"}]));
        let usage = json!([{"Name": "TLS_WEB_SERVER_AUTHENTICATION", "OID": "1.3.6.1.5.5.7.3.1"}]);
        certificate.set("ExtendedKeyUsages", usage);
    });
}
