//! A NAT gateway, of one zone or of the whole region.
//! <https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateways-regional.html>

use aws_sdk_ec2::types::{AvailabilityMode, ConnectivityType, NatGateway as Sdk, NatGatewayState, ResourceType};
use serde::{Deserialize, Serialize};
use wharf_engine::{Estimate, Field, Health, Order, Outputs, Owner, Rules, Value};

use super::elastic_ip::AllocationId;
use super::subnet::SubnetId;
use super::vpc::VpcId;
use super::{filters, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out};
use crate::aws::tags::Tags;

/// A public NAT gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatGateway {
    /// Where it stands.
    pub place: Place,
    /// The user's tags.
    pub tags: Tags,
}

/// Where a NAT gateway stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In one zone: a subnet that routes to the internet gateway, with an address of ours.
    Zonal {
        /// The public subnet.
        subnet: Out<SubnetId>,
        /// Its address.
        allocation: Out<AllocationId>,
    },
    /// In every zone where the VPC has subnets, with addresses and a route table that AWS owns.
    Regional {
        /// The VPC; an internet gateway must be attached to it.
        vpc: Out<VpcId>,
    },
}

/// Marks the id of a NAT gateway.
#[derive(Debug)]
pub enum NatGatewayId {}

impl Handle<NatGateway> {
    /// The gateway's id, which routes point at.
    #[must_use]
    pub fn id(&self) -> Out<NatGatewayId> {
        self.output("id")
    }
}

impl Kind for NatGateway {
    const RULES: &'static Rules = &Rules {
        kind: "ec2.nat-gateway",
        fields: &[Field::new("place").replaces(), Field::new("tags").owned_by(Owner::Shared)],
        // The address of a zonal gateway can be in one at a time.
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(30),
        estimate: Estimate::seconds(105, 1, 60),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let filters = filters::of(aws, query);
        let send =
            |token| aws.ec2.describe_nat_gateways().set_filter(Some(filters.clone())).set_next_token(token).send();
        let gateways = aws.pages("ec2:DescribeNatGateways", "", send, |page| {
            (page.nat_gateways.unwrap_or_default(), page.next_token)
        });
        Ok(gateways.await?.iter().filter_map(|gateway| observe(aws, gateway)).collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "ec2:CreateNatGateway";
        let tags = tagging::specification(new, ResourceType::Natgateway, &self.tags);
        let call = aws.ec2.create_nat_gateway().client_token(new.token).tag_specifications(tags);
        let call = call.connectivity_type(ConnectivityType::Public);
        let call = match &self.place {
            Place::Zonal { subnet, allocation } => call.subnet_id(subnet.get()?).allocation_id(allocation.get()?),
            Place::Regional { vpc } => call.availability_mode(AvailabilityMode::Regional).vpc_id(vpc.get()?),
        };
        let answer = aws.call(ACTION, new.id.as_str(), || call.clone().send()).await?;
        let id = answer.nat_gateway.and_then(|gateway| gateway.nat_gateway_id);
        Ok(Made { physical: id.ok_or_else(|| CallError::lacks(ACTION, "NatGatewayId"))?, outputs: None })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        if changed.has("tags") {
            tagging::change(aws, &now.physical, &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.ec2.delete_nat_gateway().nat_gateway_id(&now.physical).send();
        aws.call("ec2:DeleteNatGateway", &now.physical, send).await?;
        Ok(Gone::Later)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const GATEWAY: &[&str] = &["arn:{partition}:ec2:{region}:{account}:natgateway/*"];
        const STANDS_ON: &[&str] = &[
            "arn:{partition}:ec2:{region}:{account}:subnet/*",
            "arn:{partition}:ec2:{region}:{account}:elastic-ip/*",
            "arn:{partition}:ec2:{region}:{account}:vpc/*",
        ];
        let own = [
            Grant::read(&["ec2:DescribeNatGateways"]),
            Grant::write(&["ec2:CreateNatGateway"], GATEWAY).when(TAGGED_WITH_THIS_STACK),
            Grant::write(&["ec2:CreateNatGateway"], STANDS_ON).when(OF_THIS_STACK),
            Grant::write(&["ec2:DeleteNatGateway"], GATEWAY).when(OF_THIS_STACK),
        ];
        own.into_iter().chain(tagging::GRANTS).collect()
    }
}

/// None too for a gateway in state `deleted`: AWS shows it for about an hour, and it holds nothing.
fn observe(aws: &Aws, gateway: &Sdk) -> Option<Found<NatGateway>> {
    let physical = gateway.nat_gateway_id()?;
    let (id, identity, tags) = tagging::identify(aws, gateway.tags())?;
    let health = match gateway.state() {
        Some(NatGatewayState::Deleted) => return None,
        Some(NatGatewayState::Deleting) => Health::Deleting,
        Some(NatGatewayState::Pending) => Health::Settling("pending".to_owned()),
        Some(NatGatewayState::Failed) => Health::Failed(failure(gateway)),
        _ => Health::Ready,
    };
    Some(Found {
        id,
        physical: physical.to_owned(),
        identity,
        health,
        inputs: NatGateway { place: place(gateway), tags },
        outputs: Outputs::from([("id".to_owned(), Value::text(physical))]),
        blockers: Default::default(),
    })
}

fn place(gateway: &Sdk) -> Place {
    if gateway.availability_mode() == Some(&AvailabilityMode::Regional) {
        return Place::Regional { vpc: Out::known(gateway.vpc_id().unwrap_or_default()) };
    }
    let addresses = gateway.nat_gateway_addresses();
    // Older answers do not say which address is the primary one, and have only that.
    let primary = addresses.iter().find(|address| address.is_primary() == Some(true)).or_else(|| addresses.first());
    Place::Zonal {
        subnet: Out::known(gateway.subnet_id().unwrap_or_default()),
        allocation: Out::known(primary.and_then(|address| address.allocation_id()).unwrap_or_default()),
    }
}

fn failure(gateway: &Sdk) -> String {
    let code = gateway.failure_code().unwrap_or("no code");
    format!("{code}: {}", gateway.failure_message().unwrap_or("no reason given"))
}
