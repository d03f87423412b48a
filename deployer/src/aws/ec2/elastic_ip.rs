//! An Elastic IP address. <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/elastic-ip-addresses-eip.html>

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Address, DomainType, ResourceType};
use serde::{Deserialize, Serialize};
use wharf_engine::{Estimate, Field, Health, LogicalId, Order, Outputs, Owner, Rules, Value};

use super::{filters, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{
    Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Obstacle, Query, TAGGED_WITH_THIS_STACK,
};
use crate::aws::out::{Handle, Out};
use crate::aws::tags::Tags;

/// A public IPv4 address from Amazon's pool. What uses it names it, not the other way round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElasticIp {
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the allocation id of an Elastic IP address.
#[derive(Debug)]
pub enum AllocationId {}

impl Handle<ElasticIp> {
    /// The allocation's id, by which it is associated.
    #[must_use]
    pub fn allocation_id(&self) -> Out<AllocationId> {
        self.output("allocation_id")
    }

    /// The address itself.
    #[must_use]
    pub fn public_ip(&self) -> Out<String> {
        self.output("public_ip")
    }
}

/// The account attribute that says how many there may be.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAccountAttributes.html>
const QUOTA: &str = "vpc-max-elastic-ips";

impl Kind for ElasticIp {
    const RULES: &'static Rules = &Rules {
        kind: "ec2.elastic-ip",
        fields: &[Field::new("tags").owned_by(Owner::Shared)],
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(1, 1, 1),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let filters = filters::of(aws, query);
        let send = || aws.ec2.describe_addresses().set_filters(Some(filters.clone())).send();
        let answer = aws.call("ec2:DescribeAddresses", "", send).await?;
        Ok(answer.addresses().iter().filter_map(|address| observe(aws, address)).collect())
    }

    /// An account has few of them, and everybody's count.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/elastic-ip-addresses-eip.html#using-instance-addressing-limit>
    async fn obstacles(aws: &Aws, new: &BTreeMap<LogicalId, Self>) -> Result<Vec<Obstacle>, CallError> {
        let Some(first) = new.keys().next() else { return Ok(Vec::new()) };
        let all = || aws.ec2.describe_addresses().send();
        let asked = || aws.ec2.describe_account_attributes().attribute_names(QUOTA.into()).send();
        let (all, quota) = futures::try_join!(
            aws.call("ec2:DescribeAddresses", "", all),
            aws.call("ec2:DescribeAccountAttributes", "", asked)
        )?;
        let quota = quota.account_attributes().iter().find(|one| one.attribute_name() == Some(QUOTA));
        let quota = quota.and_then(|one| one.attribute_values().first()?.attribute_value()?.parse::<usize>().ok());
        // Those that AWS holds for its own gateways are not the account's.
        let have = all.addresses().iter().filter(|one| one.service_managed().is_none()).count();
        let Some(quota) = quota.filter(|quota| have + new.len() > *quota) else { return Ok(Vec::new()) };
        let why = format!(
            "this needs {} more Elastic IP addresses, and the account has {have} of the {quota} that it may have in {}: \
             release some, or raise the quota \"EC2-VPC Elastic IPs\" (L-0263D0A3) in Service Quotas",
            new.len(),
            aws.scope.region
        );
        Ok(vec![Obstacle { id: first.clone(), why }])
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "ec2:AllocateAddress";
        let tags = tagging::specification(new, ResourceType::ElasticIp, &self.tags);
        let send = || aws.ec2.allocate_address().domain(DomainType::Vpc).tag_specifications(tags.clone()).send();
        let answer = aws.call(ACTION, new.id.as_str(), send).await?;
        let id = answer.allocation_id.ok_or_else(|| CallError::lacks(ACTION, "AllocationId"))?;
        let ip = answer.public_ip.ok_or_else(|| CallError::lacks(ACTION, "PublicIp"))?;
        Ok(Made { outputs: Some(outputs(&id, &ip)), physical: id })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        if changed.has("tags") {
            tagging::change(aws, &now.physical, &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.ec2.release_address().allocation_id(&now.physical).send();
        aws.call("ec2:ReleaseAddress", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const ADDRESS: &[&str] = &["arn:{partition}:ec2:{region}:{account}:elastic-ip/*"];
        let own = [
            Grant::read(&["ec2:DescribeAddresses", "ec2:DescribeAccountAttributes"]),
            Grant::write(&["ec2:AllocateAddress"], ADDRESS).when(TAGGED_WITH_THIS_STACK),
            Grant::write(&["ec2:ReleaseAddress"], ADDRESS).when(OF_THIS_STACK),
        ];
        own.into_iter().chain(tagging::GRANTS).collect()
    }
}

fn observe(aws: &Aws, address: &Address) -> Option<Found<ElasticIp>> {
    let physical = address.allocation_id()?;
    let (id, identity, tags) = tagging::identify(aws, address.tags())?;
    Some(Found {
        id,
        physical: physical.to_owned(),
        identity,
        health: Health::Ready,
        inputs: ElasticIp { tags },
        outputs: outputs(physical, address.public_ip().unwrap_or_default()),
        blockers: Default::default(),
    })
}

fn outputs(id: &str, ip: &str) -> Outputs {
    Outputs::from([("allocation_id".to_owned(), Value::text(id)), ("public_ip".to_owned(), Value::text(ip))])
}
