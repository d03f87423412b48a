//! An internet gateway and its attachment. <https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Internet_Gateway.html>

use aws_sdk_ec2::types::{InternetGateway as Sdk, ResourceType};
use serde::{Deserialize, Serialize};
use wharf_engine::{Estimate, Field, Health, Order, Outputs, Owner, Rules, Value};

use super::vpc::VpcId;
use super::{filters, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out};
use crate::aws::tags::Tags;

/// An internet gateway, attached to a VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InternetGateway {
    /// The VPC it is attached to; known and empty while it is attached to none.
    pub vpc: Out<VpcId>,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the id of an internet gateway.
#[derive(Debug)]
pub enum InternetGatewayId {}

impl Handle<InternetGateway> {
    /// The gateway's id, which routes point at.
    #[must_use]
    pub fn id(&self) -> Out<InternetGatewayId> {
        self.output("id")
    }
}

impl Kind for InternetGateway {
    const RULES: &'static Rules = &Rules {
        kind: "ec2.internet-gateway",
        // One that a run made and did not live to attach is attached by the next.
        fields: &[Field::new("vpc"), Field::new("tags").owned_by(Owner::Shared)],
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(2, 1, 2),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let filters = filters::of(aws, query);
        let send = |token| {
            aws.ec2.describe_internet_gateways().set_filters(Some(filters.clone())).set_next_token(token).send()
        };
        let gateways = aws.pages("ec2:DescribeInternetGateways", "", send, |page| {
            (page.internet_gateways.unwrap_or_default(), page.next_token)
        });
        Ok(gateways.await?.iter().filter_map(|gateway| observe(aws, gateway)).collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "ec2:CreateInternetGateway";
        let tags = tagging::specification(new, ResourceType::InternetGateway, &self.tags);
        let send = || aws.ec2.create_internet_gateway().tag_specifications(tags.clone()).send();
        let answer = aws.call(ACTION, new.id.as_str(), send).await?;
        let gateway = answer.internet_gateway.and_then(|gateway| gateway.internet_gateway_id);
        let id = gateway.ok_or_else(|| CallError::lacks(ACTION, "InternetGatewayId"))?;
        attach(aws, &id, self.vpc.get()?).await?;
        Ok(Made { outputs: Some(outputs(&id)), physical: id })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        if changed.has("vpc") {
            detach(aws, now).await?;
            attach(aws, &now.physical, self.vpc.get()?).await?;
        }
        if changed.has("tags") {
            tagging::change(aws, &now.physical, &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        detach(aws, now).await?;
        let send = || aws.ec2.delete_internet_gateway().internet_gateway_id(&now.physical).send();
        aws.call("ec2:DeleteInternetGateway", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const GATEWAY: &[&str] = &["arn:{partition}:ec2:{region}:{account}:internet-gateway/*"];
        const BOTH: &[&str] = &[
            "arn:{partition}:ec2:{region}:{account}:internet-gateway/*",
            "arn:{partition}:ec2:{region}:{account}:vpc/*",
        ];
        let own = [
            Grant::read(&["ec2:DescribeInternetGateways"]),
            Grant::write(&["ec2:CreateInternetGateway"], GATEWAY).when(TAGGED_WITH_THIS_STACK),
            Grant::write(&["ec2:AttachInternetGateway", "ec2:DetachInternetGateway"], BOTH).when(OF_THIS_STACK),
            Grant::write(&["ec2:DeleteInternetGateway"], GATEWAY).when(OF_THIS_STACK),
        ];
        own.into_iter().chain(tagging::GRANTS).collect()
    }
}

fn observe(aws: &Aws, gateway: &Sdk) -> Option<Found<InternetGateway>> {
    let physical = gateway.internet_gateway_id()?;
    let (id, identity, tags) = tagging::identify(aws, gateway.tags())?;
    let attachment = gateway.attachments().first();
    let vpc = attachment.and_then(|attachment| attachment.vpc_id()).unwrap_or_default();
    // AWS says `available` for internet gateways, where other attachments say `attached`.
    let health = match attachment.and_then(|attachment| attachment.state()).map(|state| state.as_str()) {
        Some(state @ ("attaching" | "detaching")) => Health::Settling(state.to_owned()),
        _ => Health::Ready,
    };
    Some(Found {
        id,
        physical: physical.to_owned(),
        identity,
        health,
        inputs: InternetGateway { vpc: Out::known(vpc), tags },
        outputs: outputs(physical),
        blockers: Default::default(),
    })
}

fn outputs(id: &str) -> Outputs {
    Outputs::from([("id".to_owned(), Value::text(id))])
}

async fn attach(aws: &Aws, id: &str, vpc: &str) -> Result<(), CallError> {
    let send = || aws.ec2.attach_internet_gateway().internet_gateway_id(id).vpc_id(vpc).send();
    aws.call("ec2:AttachInternetGateway", id, send).await.map(drop)
}

/// Detaches it from where it was seen attached. A gateway that an earlier try detached is as it should be.
async fn detach(aws: &Aws, now: &Found<InternetGateway>) -> Result<(), CallError> {
    let vpc = now.inputs.vpc.get()?;
    if vpc.is_empty() {
        return Ok(());
    }
    let send = || aws.ec2.detach_internet_gateway().internet_gateway_id(&now.physical).vpc_id(vpc).send();
    match aws.call("ec2:DetachInternetGateway", &now.physical, send).await {
        Err(error) if error.code.as_deref() == Some("Gateway.NotAttached") => Ok(()),
        other => other.map(drop),
    }
}
