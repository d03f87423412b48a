//! A VPC. <https://docs.aws.amazon.com/vpc/latest/userguide/configure-your-vpc.html>

use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, Vpc as Sdk, VpcAttributeName, VpcState};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Compare, Estimate, Field, Health, Order, Outputs, Owner, Rules, Value};

use super::{filters, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out};
use crate::aws::tags::{self, Tags};

/// A VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    /// Its IPv4 range.
    pub cidr: String,
    /// The Amazon resolver answers inside it.
    pub dns_support: bool,
    /// Instances get DNS names; private hosted zones and endpoints need it.
    pub dns_hostnames: bool,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the id of a VPC.
#[derive(Debug)]
pub enum VpcId {}

impl Handle<Vpc> {
    /// The VPC's id.
    #[must_use]
    pub fn id(&self) -> Out<VpcId> {
        self.output("id")
    }
}

impl Kind for Vpc {
    const RULES: &'static Rules = &Rules {
        kind: "ec2.vpc",
        fields: &[
            Field::new("cidr").replaces(),
            Field::new("dns_support"),
            Field::new("dns_hostnames"),
            Field::new("tags").owned_by(Owner::Shared).compared(Compare::Exact),
        ],
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(2, 1, 1),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let filters = filters::of(aws, query);
        let send = |token| aws.ec2.describe_vpcs().set_filters(Some(filters.clone())).set_next_token(token).send();
        let vpcs =
            aws.pages("ec2:DescribeVpcs", "", send, |page| (page.vpcs.unwrap_or_default(), page.next_token)).await?;
        let found = try_join_all(vpcs.iter().map(|vpc| observe(aws, vpc))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "ec2:CreateVpc";
        let tags = tagging::specification(new, ResourceType::Vpc, &self.tags);
        let send = || aws.ec2.create_vpc().cidr_block(&self.cidr).tag_specifications(tags.clone()).send();
        let answer = aws.call(ACTION, new.id.as_str(), send).await?;
        let id = answer.vpc.and_then(|vpc| vpc.vpc_id).ok_or_else(|| CallError::lacks(ACTION, "VpcId"))?;
        // One attribute a call; the resolver must be on before host names can be.
        set_dns_support(aws, &id, self.dns_support).await?;
        set_dns_hostnames(aws, &id, self.dns_hostnames).await?;
        Ok(Made { outputs: Some(outputs(&id)), physical: id })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let id = &now.physical;
        // Host names need the resolver, so that is turned on before them and off after them.
        if changed.has("dns_support") && self.dns_support {
            set_dns_support(aws, id, true).await?;
        }
        if changed.has("dns_hostnames") {
            set_dns_hostnames(aws, id, self.dns_hostnames).await?;
        }
        if changed.has("dns_support") && !self.dns_support {
            set_dns_support(aws, id, false).await?;
        }
        if changed.has("tags") {
            tagging::change(aws, id, &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.ec2.delete_vpc().vpc_id(&now.physical).send();
        aws.call("ec2:DeleteVpc", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const VPC: &[&str] = &["arn:{partition}:ec2:{region}:{account}:vpc/*"];
        let own = [
            Grant::read(&["ec2:DescribeVpcs", "ec2:DescribeVpcAttribute"]),
            Grant::write(&["ec2:CreateVpc"], VPC).when(TAGGED_WITH_THIS_STACK),
            Grant::write(&["ec2:ModifyVpcAttribute", "ec2:DeleteVpc"], VPC).when(OF_THIS_STACK),
        ];
        own.into_iter().chain(tagging::GRANTS).collect()
    }
}

async fn observe(aws: &Aws, vpc: &Sdk) -> Result<Option<Found<Vpc>>, CallError> {
    let all = tagging::read(vpc.tags());
    let (Some(physical), Some((id, identity))) = (vpc.vpc_id(), tags::read(&aws.scope.stack, &all)) else {
        return Ok(None);
    };
    let attributes = futures::try_join!(
        attribute(aws, physical, VpcAttributeName::EnableDnsSupport),
        attribute(aws, physical, VpcAttributeName::EnableDnsHostnames),
    );
    let (dns_support, dns_hostnames) = match attributes {
        // The list can be older than the VPC's end.
        Err(error) if error.class == Class::Missing => return Ok(None),
        attributes => attributes?,
    };
    let inputs = Vpc {
        cidr: vpc.cidr_block().unwrap_or_default().to_owned(),
        dns_support,
        dns_hostnames,
        tags: tags::user(&all),
    };
    let health = match vpc.state() {
        Some(VpcState::Pending) => Health::Settling("pending".to_owned()),
        _ => Health::Ready,
    };
    Ok(Some(Found {
        id,
        physical: physical.to_owned(),
        identity,
        health,
        inputs,
        outputs: outputs(physical),
        blockers: Default::default(),
    }))
}

fn outputs(id: &str) -> Outputs {
    Outputs::from([("id".to_owned(), Value::text(id))])
}

async fn attribute(aws: &Aws, id: &str, name: VpcAttributeName) -> Result<bool, CallError> {
    let send = || aws.ec2.describe_vpc_attribute().vpc_id(id).attribute(name.clone()).send();
    let answer = aws.call("ec2:DescribeVpcAttribute", id, send).await?;
    let value = match name {
        VpcAttributeName::EnableDnsSupport => answer.enable_dns_support,
        _ => answer.enable_dns_hostnames,
    };
    Ok(value.and_then(|value| value.value).unwrap_or_default())
}

fn flag(on: bool) -> AttributeBooleanValue {
    AttributeBooleanValue::builder().value(on).build()
}

async fn set_dns_support(aws: &Aws, id: &str, on: bool) -> Result<(), CallError> {
    let send = || aws.ec2.modify_vpc_attribute().vpc_id(id).enable_dns_support(flag(on)).send();
    aws.call("ec2:ModifyVpcAttribute", id, send).await.map(drop)
}

async fn set_dns_hostnames(aws: &Aws, id: &str, on: bool) -> Result<(), CallError> {
    let send = || aws.ec2.modify_vpc_attribute().vpc_id(id).enable_dns_hostnames(flag(on)).send();
    aws.call("ec2:ModifyVpcAttribute", id, send).await.map(drop)
}
