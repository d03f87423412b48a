//! A service of a namespace: the name under which its instances are found.
//! <https://docs.aws.amazon.com/cloud-map/latest/dg/working-with-services.html>

use aws_sdk_servicediscovery::types::{
    DnsConfig, DnsConfigChange, DnsRecord, FilterCondition, HealthCheckCustomConfig, RecordType, RoutingPolicy,
    ServiceChange, ServiceFilter, ServiceFilterName, ServiceSummary as Sdk,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Estimate, Field, Order, Outputs, Owner, Rules, Value};

use super::namespace::{self, NamespaceId};
use super::{operation, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, Query};
use crate::aws::out::{Handle, Out};
use crate::aws::tags::{self, Tags};
use crate::aws::units::Seconds;

/// A service of a namespace. All healthy instances answer to its name; ECS says which are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoveryService {
    /// Its name, before the namespace's.
    pub name: String,
    /// The namespace it is in.
    pub namespace: Out<NamespaceId>,
    /// What it is for.
    pub description: String,
    /// The type of its DNS record: `A`, or `SRV` where the port has to be told too.
    pub record: String,
    /// How long a resolver remembers an address.
    pub ttl: Seconds,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the id of a Cloud Map service.
#[derive(Debug)]
pub enum DiscoveryServiceId {}
/// Marks the ARN of a Cloud Map service.
#[derive(Debug)]
pub enum DiscoveryServiceArn {}

impl Handle<DiscoveryService> {
    /// The service's id.
    #[must_use]
    pub fn id(&self) -> Out<DiscoveryServiceId> {
        self.output("id")
    }

    /// The service's ARN, which an ECS service registers its tasks with.
    #[must_use]
    pub fn arn(&self) -> Out<DiscoveryServiceArn> {
        self.output("arn")
    }
}

impl Kind for DiscoveryService {
    const RULES: &'static Rules = &Rules {
        kind: "servicediscovery.service",
        fields: &[
            Field::new("name").replaces(),
            Field::new("namespace").replaces(),
            Field::new("description"),
            Field::new("record").replaces(),
            Field::new("ttl"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(2, 4, 30),
    };

    async fn find(aws: &Aws, _query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let namespaces = namespace::list(aws).await?;
        let inside = namespaces.iter().filter_map(|namespace| namespace.id()).map(|id| in_namespace(aws, id));
        Ok(try_join_all(inside).await?.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "servicediscovery:CreateService";
        let dns = DnsConfig::builder().routing_policy(RoutingPolicy::Multivalue).dns_records(self.dns_record()?);
        let request = aws
            .servicediscovery
            .create_service()
            .name(&self.name)
            .namespace_id(self.namespace.get()?)
            .creator_request_id(new.token)
            .description(&self.description)
            .dns_config(dns.build().map_err(CallError::ours)?)
            .health_check_custom_config(HealthCheckCustomConfig::builder().build())
            .set_tags(Some(tagging::to_sdk(&new.tags(&self.tags))?));
        let answer = aws.call(ACTION, &self.name, || request.clone().send()).await?;
        let made = answer.service.ok_or_else(|| CallError::lacks(ACTION, "Service"))?;
        let id = made.id().ok_or_else(|| CallError::lacks(ACTION, "Service.Id"))?;
        Ok(Made { physical: id.to_owned(), outputs: Some(outputs(id, made.arn())) })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        if changed.has("tags") {
            tagging::change(aws, &arn_of(aws, &now.physical), &now.inputs.tags, &self.tags).await?;
        }
        if !changed.any(&["description", "ttl"]) {
            return Ok(Some(now.outputs.clone()));
        }
        let dns = DnsConfigChange::builder().dns_records(self.dns_record()?).build().map_err(CallError::ours)?;
        let change = ServiceChange::builder().description(&self.description).dns_config(dns).build();
        const ACTION: &str = "servicediscovery:UpdateService";
        let send = || aws.servicediscovery.update_service().id(&now.physical).service(change.clone()).send();
        let answer = aws.call(ACTION, &now.physical, send).await?;
        aws.note(&now.id, answer.operation_id.ok_or_else(|| CallError::lacks(ACTION, "OperationId"))?);
        Ok(None)
    }

    /// While ECS still takes its tasks out, AWS says that it is in use.
    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.servicediscovery.delete_service().id(&now.physical).send();
        aws.call("servicediscovery:DeleteService", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &arn_of(aws, &now.physical), identity).await
    }

    fn grants() -> Vec<Grant> {
        const SERVICE: &[&str] = &["arn:{partition}:servicediscovery:{region}:{account}:service/*"];
        const BOTH: &[&str] = &[
            "arn:{partition}:servicediscovery:{region}:{account}:namespace/*",
            "arn:{partition}:servicediscovery:{region}:{account}:service/*",
        ];
        let own = [
            Grant::read(&[
                "servicediscovery:GetOperation",
                "servicediscovery:ListNamespaces",
                "servicediscovery:ListServices",
            ]),
            Grant::write(&["servicediscovery:CreateService"], BOTH).when(tagging::CREATED),
            Grant::write(&["servicediscovery:UpdateService", "servicediscovery:DeleteService"], SERVICE),
        ];
        own.into_iter().chain(tagging::GRANTS).collect()
    }
}

impl DiscoveryService {
    fn dns_record(&self) -> Result<DnsRecord, CallError> {
        let record = DnsRecord::builder().r#type(RecordType::from(self.record.as_str())).ttl(self.ttl.0.into());
        record.build().map_err(CallError::ours)
    }
}

async fn in_namespace(aws: &Aws, namespace: &str) -> Result<Vec<Found<DiscoveryService>>, CallError> {
    let filter = ServiceFilter::builder()
        .name(ServiceFilterName::NamespaceId)
        .condition(FilterCondition::Eq)
        .values(namespace)
        .build()
        .map_err(CallError::ours)?;
    let send = |token| {
        aws.servicediscovery.list_services().filters(filter.clone()).set_next_token(token).max_results(100).send()
    };
    let page = |page: aws_sdk_servicediscovery::operation::list_services::ListServicesOutput| {
        (page.services.unwrap_or_default(), page.next_token)
    };
    let all = aws.pages("servicediscovery:ListServices", namespace, send, page).await?;
    let found = try_join_all(all.iter().map(|service| observe(aws, namespace, service))).await?;
    Ok(found.into_iter().flatten().collect())
}

async fn observe(aws: &Aws, namespace: &str, service: &Sdk) -> Result<Option<Found<DiscoveryService>>, CallError> {
    let (Some(physical), Some(arn)) = (service.id(), service.arn()) else { return Ok(None) };
    let Some(all) = tagging::list(aws, arn).await? else { return Ok(None) };
    let Some((id, identity)) = tags::read(&aws.scope.stack, &all) else { return Ok(None) };
    let record = service.dns_config().and_then(|dns| dns.dns_records().first());
    let ttl = record.map_or(0, DnsRecord::ttl);
    let inputs = DiscoveryService {
        name: service.name().unwrap_or_default().to_owned(),
        namespace: Out::known(namespace),
        description: service.description().unwrap_or_default().to_owned(),
        record: record.map_or("", |record| record.r#type().as_str()).to_owned(),
        ttl: Seconds(i32::try_from(ttl).map_err(CallError::ours)?),
        tags: tags::user(&all),
    };
    let health = operation::health(aws, &id).await?;
    Ok(Some(Found {
        id,
        physical: physical.to_owned(),
        identity,
        health,
        inputs,
        outputs: outputs(physical, Some(arn)),
        blockers: Default::default(),
    }))
}

fn outputs(id: &str, arn: Option<&str>) -> Outputs {
    let arn = arn.map(|arn| ("arn".to_owned(), Value::text(arn)));
    [("id".to_owned(), Value::text(id))].into_iter().chain(arn).collect()
}

fn arn_of(aws: &Aws, id: &str) -> String {
    let scope = &aws.scope;
    format!("arn:{}:servicediscovery:{}:{}:service/{id}", scope.partition, scope.region, scope.account)
}
