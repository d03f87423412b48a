//! The stack's certificates, which both kinds begin with. ACM gives tags for one certificate at a time.

use aws_sdk_acm::types::{CertificateDetail, CertificateStatus, Filters, KeyAlgorithm, Tag};
use futures::future::try_join_all;
use wharf_engine::Class;

use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Grant, OF_THIS_STACK, TAGGED_WITH_THIS_STACK};
use crate::aws::shared_reads::once;
use crate::aws::tags::{self, Tags};

pub(super) const CERTIFICATE: &[&str] = &["arn:{partition}:acm:{region}:{account}:certificate/*"];
/// What both kinds need to read, and to be tagged.
pub(super) const GRANTS: [Grant; 3] = [
    Grant::read(&["acm:ListCertificates", "acm:ListTagsForCertificate", "acm:DescribeCertificate"]),
    Grant::write(&["acm:AddTagsToCertificate"], CERTIFICATE).when(TAGGED_WITH_THIS_STACK),
    Grant::write(&["acm:AddTagsToCertificate", "acm:RemoveTagsFromCertificate"], CERTIFICATE).when(OF_THIS_STACK),
];

/// A certificate with all its tags.
#[derive(Clone)]
pub(super) struct Listed {
    pub(super) arn: String,
    pub(super) detail: CertificateDetail,
    pub(super) tags: Tags,
}

/// The certificates that have the stack's tag; with `only`, that one if it has.
pub(super) async fn ours(aws: &Aws, only: Option<&str>) -> Result<Vec<Listed>, CallError> {
    match only {
        Some(arn) => Ok(one(aws, arn.to_owned()).await?.into_iter().collect()),
        None => once(aws, "certificates", listed(aws)).await,
    }
}

async fn listed(aws: &Aws) -> Result<Vec<Listed>, CallError> {
    let found = try_join_all(all(aws).await?.into_iter().map(|arn| one(aws, arn))).await?;
    Ok(found.into_iter().flatten().collect())
}

/// Unless asked for, AWS lists no certificates with other keys than RSA of 1024 and 2048 bits.
/// <https://docs.aws.amazon.com/acm/latest/APIReference/API_Filters.html>
async fn all(aws: &Aws) -> Result<Vec<String>, CallError> {
    use KeyAlgorithm::{EcPrime256v1, EcSecp384r1, Rsa2048, Rsa3072, Rsa4096};
    let keys = Filters::builder().set_key_types(Some(vec![Rsa2048, Rsa3072, Rsa4096, EcPrime256v1, EcSecp384r1]));
    let keys = keys.build();
    let send = |token| aws.acm.list_certificates().includes(keys.clone()).set_next_token(token).send();
    let page = |page: aws_sdk_acm::operation::list_certificates::ListCertificatesOutput| {
        (page.certificate_summary_list.unwrap_or_default(), page.next_token)
    };
    let all = aws.pages("acm:ListCertificates", "", send, page).await?;
    Ok(all.into_iter().filter_map(|certificate| certificate.certificate_arn).collect())
}

async fn one(aws: &Aws, arn: String) -> Result<Option<Listed>, CallError> {
    let send = || aws.acm.list_tags_for_certificate().certificate_arn(&arn).send();
    let Some(answer) = or_none(aws.call("acm:ListTagsForCertificate", &arn, send).await)? else { return Ok(None) };
    let tag = |tag: &Tag| (tag.key().to_owned(), tag.value().unwrap_or_default().to_owned());
    let tags: Tags = answer.tags().iter().map(tag).collect();
    if tags::read(&aws.scope.stack, &tags).is_none() {
        return Ok(None);
    }
    Ok(describe(aws, &arn).await?.map(|detail| Listed { arn, detail, tags }))
}

/// What AWS says of a certificate; none when it is gone.
pub(super) async fn describe(aws: &Aws, arn: &str) -> Result<Option<CertificateDetail>, CallError> {
    let send = || aws.acm.describe_certificate().certificate_arn(arn).send();
    Ok(or_none(aws.call("acm:DescribeCertificate", arn, send).await)?.and_then(|answer| answer.certificate))
}

fn or_none<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Err(error) if error.class == Class::Missing => Ok(None),
        answer => answer.map(Some),
    }
}

/// Why a certificate will never be of use, if it will not.
pub(super) fn failure(detail: &CertificateDetail) -> Option<String> {
    let status = detail.status()?;
    let reason = detail.failure_reason().map(|reason| format!(": {}", reason.as_str())).unwrap_or_default();
    match status {
        CertificateStatus::Issued | CertificateStatus::PendingValidation => None,
        CertificateStatus::ValidationTimedOut => Some("nobody proved the domain within 72 hours".to_owned()),
        other => Some(format!("AWS says {}{reason}", other.as_str())),
    }
}

/// Writes these tags.
pub(super) async fn write(aws: &Aws, arn: &str, tags: &Tags) -> Result<(), CallError> {
    let tags = to_sdk(tags)?;
    let send = || aws.acm.add_tags_to_certificate().certificate_arn(arn).set_tags(Some(tags.clone())).send();
    aws.call("acm:AddTagsToCertificate", arn, send).await.map(drop)
}

/// Takes the tags of these keys off.
pub(super) async fn take_off(aws: &Aws, arn: &str, keys: &[String]) -> Result<(), CallError> {
    let tags = keys.iter().map(|key| Tag::builder().key(key).build().map_err(CallError::ours));
    let tags: Vec<Tag> = tags.collect::<Result<_, _>>()?;
    let send = || aws.acm.remove_tags_from_certificate().certificate_arn(arn).set_tags(Some(tags.clone())).send();
    aws.call("acm:RemoveTagsFromCertificate", arn, send).await.map(drop)
}

/// Tags in the SDK's form.
pub(super) fn to_sdk(tags: &Tags) -> Result<Vec<Tag>, CallError> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().map_err(CallError::ours);
    tags.iter().map(tag).collect()
}
