//! A certificate that AWS has issued: what a listener can show. It is a mark on the certificate, set once its records
//! stand, and ready when AWS has looked at them.
//!
//! Whether the world asks the zone at all is found out first: in a zone that no registrar names, AWS would look for
//! three days.

use std::collections::BTreeMap;

use aws_sdk_acm::types::CertificateDetail;
use serde::{Deserialize, Serialize};
use wharf_engine::{Estimate, Field, Generation, Health, Identity, LogicalId, Order, Outputs, Owner, Rules, Value};

use super::certificate::RequestedCertificate;
use super::list::{self, Listed};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, Obstacle, Query};
use crate::aws::out::{Handle, Out};
use crate::aws::route53::delegation;
use crate::aws::route53::record::RecordName;
use crate::aws::route53::zone::{self, ZoneId};
use crate::aws::tags::Tags;

/// A certificate once it is issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedCertificate {
    /// The certificate.
    pub certificate: Out<RequestedCertificate>,
    /// The hosted zone of its records; none leaves out the look at whether the world asks it.
    pub zone: Option<Out<ZoneId>>,
    /// The records that prove its domains.
    pub records: Vec<Out<RecordName>>,
}

/// Marks the ARN of a certificate that is issued.
#[derive(Debug)]
pub enum CertificateArn {}

impl Handle<IssuedCertificate> {
    /// The certificate's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<CertificateArn> {
        self.output("arn")
    }
}

/// The tag that is the mark: logical id and generation.
const MARK: &str = "wharf:issued";

impl Kind for IssuedCertificate {
    const RULES: &'static Rules = &Rules {
        kind: "acm.issued-certificate",
        fields: &[
            Field::new("certificate").replaces(),
            // A certificate does not tell where its records stand; they only have to be there first.
            Field::new("zone").owned_by(Owner::Aws),
            Field::new("records").owned_by(Owner::Aws),
        ],
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(180, 1, 1),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        if let (Some(arn), Some(waiting)) = (query.only_physical(), query.at_work(UNSEEN))
            && let Some(detail) = list::describe(aws, arn).await?
            && health(&detail) == waiting.health
        {
            return Ok(vec![waiting]);
        }
        let ours = list::ours(aws, query.only_physical()).await?;
        Ok(ours.iter().filter_map(observe).collect())
    }

    /// Nobody would ever see the records of a zone that the world does not ask. One of the stack's own stands against
    /// nothing: its servers are known only once it is made, and until the registrar names them, all can be made that
    /// waits for no certificate.
    async fn obstacles(aws: &Aws, new: &BTreeMap<LogicalId, Self>) -> Result<Vec<Obstacle>, CallError> {
        let mut found = Vec::new();
        for (id, certificate) in new {
            // A zone that is still to be made cannot be delegated yet.
            let Some(Ok(zone)) = certificate.zone.as_ref().map(Out::get) else { continue };
            if let Some(error) = delegation::missing(aws, zone).await?
                && !zone::is_ours(aws, zone).await?
            {
                let why = [Some(error.message), error.hint].into_iter().flatten().collect::<Vec<_>>().join(": ");
                found.push(Obstacle { id: id.clone(), why });
            }
        }
        Ok(found)
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        if let Some(zone) = &self.zone {
            delegation::demand(aws, zone.get()?).await?;
        }
        let arn = self.certificate.get()?;
        let mark = Tags::from([(MARK.to_owned(), format!("{} {}", new.id, new.generation))]);
        list::write(aws, arn, &mark).await?;
        Ok(Made { physical: arn.to_owned(), outputs: None })
    }

    /// Nothing of it changes in place.
    async fn update(&self, _aws: &Aws, now: &Found<Self>, _changed: &Changed) -> Result<Option<Outputs>, CallError> {
        Ok(Some(now.outputs.clone()))
    }

    /// Takes the mark off; the certificate itself goes by itself.
    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        list::take_off(aws, &now.physical, &[MARK.to_owned()]).await?;
        Ok(Gone::Now)
    }

    /// Only what has the stack's tag is found, with the mark or without.
    async fn adopt(_aws: &Aws, _now: &Found<Self>, _identity: &Tags) -> Result<(), CallError> {
        Ok(())
    }

    fn grants() -> Vec<Grant> {
        list::GRANTS.into_iter().chain([zone::READS]).collect()
    }
}

/// What AWS does until it has found the records.
const UNSEEN: &str = "AWS has not seen its records yet";

fn health(detail: &CertificateDetail) -> Health {
    match (list::failure(detail), detail.issued_at()) {
        (Some(reason), _) => Health::Failed(reason),
        (None, Some(_)) => Health::Ready,
        (None, None) => Health::Settling(UNSEEN.to_owned()),
    }
}

fn observe(certificate: &Listed) -> Option<Found<IssuedCertificate>> {
    let (id, generation) = certificate.tags.get(MARK)?.split_once(' ')?;
    let arn = certificate.arn.as_str();
    Some(Found {
        id: LogicalId::new(id).ok()?,
        physical: arn.to_owned(),
        identity: Identity::Ours(Some(Generation::from_tag(generation))),
        health: health(&certificate.detail),
        inputs: IssuedCertificate { certificate: Out::known(arn), zone: None, records: Vec::new() },
        outputs: Outputs::from([("arn".to_owned(), Value::text(arn))]),
        blockers: Default::default(),
    })
}
