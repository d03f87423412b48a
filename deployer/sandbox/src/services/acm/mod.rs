//! Certificate Manager: public certificates proven by DNS.

mod certificate;
mod tags;
mod validation;

#[cfg(test)]
mod tests;

pub(crate) use certificate::released;

use std::sync::Arc;

use super::shared::{access_denied_exception, throttling_exception};
use super::{Service, read_one, write};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, refuse};
use crate::input::Input;
use crate::store::Resource;
use crate::weather::Bucket;

pub(crate) static SERVICE: Service = Service {
    name: "acm",
    namespace: "",
    global: false,
    operations: &[
        write("RequestCertificate", certificate::request),
        read_one("DescribeCertificate", certificate::describe),
        read_one("ListCertificates", certificate::list),
        write("UpdateCertificateOptions", certificate::update_options),
        write("DeleteCertificate", certificate::delete),
        write("AddTagsToCertificate", tags::add),
        write("RemoveTagsFromCertificate", tags::remove),
        read_one("ListTagsForCertificate", tags::list),
    ],
    on_timer: validation::on_timer,
    // <https://docs.aws.amazon.com/acm/latest/userguide/acm-limits.html#api-rate-limits>
    bucket: |operation, _| match operation.name {
        "RequestCertificate" | "DeleteCertificate" => Bucket { name: operation.name, burst: 5.0, rate: 5.0 },
        "ListCertificates" => Bucket { name: operation.name, burst: 8.0, rate: 8.0 },
        _ => Bucket { name: operation.name, burst: 10.0, rate: 10.0 },
    },
    throttled: throttling_exception,
    denied: access_denied_exception,
};

const CERTIFICATE: &str = "acm.certificate";

/// The certificate that a call names, once its caller may do this to it.
fn named(ctx: &mut Ctx<'_>, input: &Input, action: &str) -> Result<Arc<Resource>, ApiError> {
    let arn = input.string("CertificateArn")?;
    if !arn.starts_with("arn:aws:acm:") {
        return Err(refuse("InvalidArnException", format!("Invalid ARN: {arn}")));
    }
    let found = ctx.get(CERTIFICATE, &arn);
    let mut grant = Grant::new(format!("acm:{action}"), &arn);
    if let Some(found) = &found {
        grant = grant.resource_tags(&found.tags);
    }
    ctx.authorise(grant)?;
    let account = &ctx.account.id;
    let message = || format!("Could not find certificate {arn} in account {account}.");
    found.ok_or_else(|| refuse("ResourceNotFoundException", message()))
}
