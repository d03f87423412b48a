//! A subnet of a VPC. <https://docs.aws.amazon.com/vpc/latest/userguide/configure-subnets.html>

use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, Subnet as Sdk, SubnetState};
use serde::{Deserialize, Serialize};
use wharf_engine::{Estimate, Field, Health, Order, Outputs, Owner, Rules, Value};

use super::vpc::VpcId;
use super::{filters, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out};
use crate::aws::tags::Tags;

/// A subnet: a part of the VPC's range in one zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// The VPC it is in.
    pub vpc: Out<VpcId>,
    /// Its IPv4 range, inside the VPC's.
    pub cidr: String,
    /// Its availability zone by name, such as `us-east-1a`.
    pub zone: String,
    /// What is launched in it gets a public IPv4 address unless it says otherwise.
    pub public_ips: bool,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the id of a subnet.
#[derive(Debug)]
pub enum SubnetId {}

impl Handle<Subnet> {
    /// The subnet's id.
    #[must_use]
    pub fn id(&self) -> Out<SubnetId> {
        self.output("id")
    }
}

impl Kind for Subnet {
    const RULES: &'static Rules = &Rules {
        kind: "ec2.subnet",
        fields: &[
            Field::new("vpc").replaces(),
            Field::new("cidr").replaces(),
            Field::new("zone").replaces(),
            Field::new("public_ips"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        // Two subnets of one VPC cannot overlap, so the old one frees the range first.
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(2, 1, 1),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let filters = filters::of(aws, query);
        let send = |token| aws.ec2.describe_subnets().set_filters(Some(filters.clone())).set_next_token(token).send();
        let subnets =
            aws.pages("ec2:DescribeSubnets", "", send, |page| (page.subnets.unwrap_or_default(), page.next_token));
        Ok(subnets.await?.iter().filter_map(|subnet| observe(aws, subnet)).collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "ec2:CreateSubnet";
        let vpc = self.vpc.get()?;
        let tags = tagging::specification(new, ResourceType::Subnet, &self.tags);
        let call = aws.ec2.create_subnet().vpc_id(vpc).cidr_block(&self.cidr).availability_zone(&self.zone);
        let call = call.tag_specifications(tags);
        let answer = aws.call(ACTION, new.id.as_str(), || call.clone().send()).await?;
        let subnet = answer.subnet.ok_or_else(|| CallError::lacks(ACTION, "Subnet"))?;
        let id = subnet.subnet_id.ok_or_else(|| CallError::lacks(ACTION, "SubnetId"))?;
        if self.public_ips {
            set_public_ips(aws, &id, true).await?;
        }
        let usable = subnet.state == Some(SubnetState::Available);
        Ok(Made { outputs: usable.then(|| outputs(&id)), physical: id })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        if changed.has("public_ips") {
            set_public_ips(aws, &now.physical, self.public_ips).await?;
        }
        if changed.has("tags") {
            tagging::change(aws, &now.physical, &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.ec2.delete_subnet().subnet_id(&now.physical).send();
        aws.call("ec2:DeleteSubnet", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const SUBNET: &[&str] = &["arn:{partition}:ec2:{region}:{account}:subnet/*"];
        const VPC: &[&str] = &["arn:{partition}:ec2:{region}:{account}:vpc/*"];
        let own = [
            Grant::read(&["ec2:DescribeSubnets"]),
            Grant::write(&["ec2:CreateSubnet"], SUBNET).when(TAGGED_WITH_THIS_STACK),
            Grant::write(&["ec2:CreateSubnet"], VPC).when(OF_THIS_STACK),
            Grant::write(&["ec2:ModifySubnetAttribute", "ec2:DeleteSubnet"], SUBNET).when(OF_THIS_STACK),
        ];
        own.into_iter().chain(tagging::GRANTS).collect()
    }
}

fn observe(aws: &Aws, subnet: &Sdk) -> Option<Found<Subnet>> {
    let physical = subnet.subnet_id()?;
    let (id, identity, tags) = tagging::identify(aws, subnet.tags())?;
    let inputs = Subnet {
        vpc: Out::known(subnet.vpc_id().unwrap_or_default()),
        cidr: subnet.cidr_block().unwrap_or_default().to_owned(),
        zone: subnet.availability_zone().unwrap_or_default().to_owned(),
        public_ips: subnet.map_public_ip_on_launch().unwrap_or_default(),
        tags,
    };
    let health = match subnet.state() {
        Some(SubnetState::Pending) => Health::Settling("pending".to_owned()),
        Some(SubnetState::Failed) => Health::Failed("the subnet is in state failed".to_owned()),
        _ => Health::Ready,
    };
    Some(Found {
        id,
        physical: physical.to_owned(),
        identity,
        health,
        inputs,
        outputs: outputs(physical),
        blockers: Default::default(),
    })
}

fn outputs(id: &str) -> Outputs {
    Outputs::from([("id".to_owned(), Value::text(id))])
}

async fn set_public_ips(aws: &Aws, id: &str, on: bool) -> Result<(), CallError> {
    let flag = AttributeBooleanValue::builder().value(on).build();
    let send = || aws.ec2.modify_subnet_attribute().subnet_id(id).map_public_ip_on_launch(flag.clone()).send();
    aws.call("ec2:ModifySubnetAttribute", id, send).await.map(drop)
}
