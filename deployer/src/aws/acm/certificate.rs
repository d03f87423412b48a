//! A certificate that is asked for. It is ready as soon as AWS says which record proves the domain, so that the record
//! can be made; [`super::issued::IssuedCertificate`] is the same certificate once it can be shown.
//! <https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html>

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_acm::types::{CertificateDetail, ValidationMethod};
use serde::{Deserialize, Serialize};
use wharf_engine::{Compare, Estimate, Field, Health, Order, Outputs, Owner, Rules, Value};

use super::list::{self, CERTIFICATE, Listed};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out, Text};
use crate::aws::tags::{self, Tags};

/// A public certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The domain that it is for.
    pub domain: String,
    /// Further domains; `*.example.com` stands for all names one level below.
    pub alternative_names: Vec<String>,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the ARN of a certificate that may not be issued yet.
#[derive(Debug)]
pub enum RequestedCertificate {}

impl Handle<Certificate> {
    /// The certificate's ARN, which a listener takes only once it is issued: see [`super::issued::IssuedCertificate`].
    #[must_use]
    pub fn requested(&self) -> Out<RequestedCertificate> {
        self.output("arn")
    }

    /// The name of the record that proves the certificate's domain.
    #[must_use]
    pub fn record_name(&self) -> Text {
        self.output("record-name")
    }

    /// The value of that record, which is a CNAME.
    #[must_use]
    pub fn record_value(&self) -> Text {
        self.output("record-value")
    }

    /// The name of the record that proves one of the further domains. That of a wildcard is that of the name below it.
    #[must_use]
    pub fn record_name_of(&self, domain: &str) -> Text {
        self.output_named(format!("record-name/{}", plain(domain)))
    }

    /// The value of that record.
    #[must_use]
    pub fn record_value_of(&self, domain: &str) -> Text {
        self.output_named(format!("record-value/{}", plain(domain)))
    }
}

impl Certificate {
    /// The domains that are proven by a record each: the wildcards among them share the record of the name below.
    #[must_use]
    pub fn proven_domains(&self) -> Vec<String> {
        let all = std::iter::once(&self.domain).chain(&self.alternative_names);
        let all: BTreeSet<String> = all.map(|domain| plain(domain).to_owned()).collect();
        all.into_iter().collect()
    }
}

fn plain(domain: &str) -> &str {
    domain.strip_prefix("*.").unwrap_or(domain)
}

impl Kind for Certificate {
    const RULES: &'static Rules = &Rules {
        kind: "acm.certificate",
        fields: &[
            Field::new("domain").replaces(),
            Field::new("alternative_names").compared(Compare::Set).replaces(),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(8, 1, 120),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let ours = list::ours(aws, query.only_physical()).await?;
        Ok(ours.iter().filter_map(|certificate| observe(aws, certificate)).collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "acm:RequestCertificate";
        let others = Some(self.alternative_names.clone()).filter(|names| !names.is_empty());
        let call = aws
            .acm
            .request_certificate()
            .domain_name(&self.domain)
            .set_subject_alternative_names(others)
            .validation_method(ValidationMethod::Dns)
            .idempotency_token(new.token)
            .set_tags(Some(list::to_sdk(&new.tags(&self.tags))?));
        let answer = aws.call(ACTION, new.id.as_str(), || call.clone().send()).await?;
        let arn = answer.certificate_arn.ok_or_else(|| CallError::lacks(ACTION, "CertificateArn"))?;
        Ok(Made { physical: arn, outputs: None })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        if changed.has("tags") {
            let (set, gone) = tags::difference(&now.inputs.tags, &self.tags);
            if !set.is_empty() {
                list::write(aws, &now.physical, &set).await?;
            }
            if !gone.is_empty() {
                list::take_off(aws, &now.physical, &gone).await?;
            }
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.acm.delete_certificate().certificate_arn(&now.physical).send();
        aws.call("acm:DeleteCertificate", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        list::write(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        let own = [
            // AWS offers no resource for it.
            Grant::write(&["acm:RequestCertificate"], &["*"]).when(TAGGED_WITH_THIS_STACK),
            Grant::write(&["acm:DeleteCertificate"], CERTIFICATE).when(OF_THIS_STACK),
        ];
        own.into_iter().chain(list::GRANTS).collect()
    }
}

fn observe(aws: &Aws, certificate: &Listed) -> Option<Found<Certificate>> {
    let (id, identity) = tags::read(&aws.scope.stack, &certificate.tags)?;
    let detail = &certificate.detail;
    let domain = detail.domain_name().unwrap_or_default().to_owned();
    let mut alternative_names: Vec<String> = detail.subject_alternative_names().to_vec();
    alternative_names.retain(|name| *name != domain);
    alternative_names.sort();
    let records = records(detail);
    let health = match list::failure(detail) {
        Some(reason) => Health::Failed(reason),
        None if records.is_empty() => Health::Settling("its validation record is not known yet".to_owned()),
        None => Health::Ready,
    };
    let mut outputs = Outputs::from([("arn".to_owned(), Value::text(&*certificate.arn))]);
    for (name, (record, value)) in &records {
        outputs.insert(format!("record-name/{name}"), Value::text(&**record));
        outputs.insert(format!("record-value/{name}"), Value::text(&**value));
        if name == plain(&domain) {
            outputs.insert("record-name".to_owned(), Value::text(&**record));
            outputs.insert("record-value".to_owned(), Value::text(&**value));
        }
    }
    Some(Found {
        id,
        physical: certificate.arn.clone(),
        identity,
        health,
        inputs: Certificate { domain, alternative_names, tags: tags::user(&certificate.tags) },
        outputs,
        blockers: Default::default(),
    })
}

/// The record of each domain, its name without the last dot; nothing as long as one is not known.
fn records(detail: &CertificateDetail) -> BTreeMap<String, (String, String)> {
    let record = |option: &aws_sdk_acm::types::DomainValidation| {
        let record = option.resource_record()?;
        let bare = |text: &str| text.trim_end_matches('.').to_owned();
        Some((plain(option.domain_name()).to_owned(), (bare(record.name()), bare(record.value()))))
    };
    let all: Option<BTreeMap<_, _>> = detail.domain_validation_options().iter().map(record).collect();
    all.unwrap_or_default()
}
