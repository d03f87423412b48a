//! VPC endpoints: a private way to a service of AWS, by a route or by an interface.
//! <https://docs.aws.amazon.com/vpc/latest/privatelink/concepts.html>

use aws_sdk_ec2::types::{ResourceType, VpcEndpoint as Sdk, VpcEndpointType};
use serde::{Deserialize, Serialize};
use wharf_engine::{Compare, Estimate, Field, Health, Order, Outputs, Owner, Rules, Value};

use super::route_table::RouteTableId;
use super::security_group::SecurityGroupId;
use super::subnet::SubnetId;
use super::vpc::VpcId;
use super::{filters, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out, Text};
use crate::aws::policy;
use crate::aws::tags::Tags;

/// A VPC endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcEndpoint {
    /// The VPC it is in.
    pub vpc: Out<VpcId>,
    /// The service by its full name, such as `com.amazonaws.us-east-1.s3`.
    pub service: String,
    /// How the service is reached.
    pub way: Way,
    /// For a gateway: the tables that get a route to the service. Else empty.
    pub route_tables: Vec<Out<RouteTableId>>,
    /// For interfaces: the subnets that get one, one for each zone. Else empty.
    pub subnets: Vec<Out<SubnetId>>,
    /// For interfaces: the groups that they are in. Else empty.
    pub security_groups: Vec<Out<SecurityGroupId>>,
    /// For interfaces: the service's own name resolves to them inside the VPC.
    pub private_dns: bool,
    /// Who may do what through it, as a policy document; everything when there is none.
    pub policy: Option<Text>,
    /// The user's tags.
    pub tags: Tags,
}

/// How an endpoint reaches its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// By routes; S3 and DynamoDB, free of charge.
    Gateway,
    /// By network interfaces with private addresses.
    Interface,
}

/// Marks the id of a VPC endpoint.
#[derive(Debug)]
pub enum VpcEndpointId {}

impl Handle<VpcEndpoint> {
    /// The endpoint's id.
    #[must_use]
    pub fn id(&self) -> Out<VpcEndpointId> {
        self.output("id")
    }
}

impl Kind for VpcEndpoint {
    const RULES: &'static Rules = &Rules {
        kind: "ec2.vpc-endpoint",
        fields: &[
            Field::new("vpc").replaces(),
            Field::new("service").replaces(),
            Field::new("way").replaces(),
            Field::new("route_tables").compared(Compare::Set),
            Field::new("subnets").compared(Compare::Set),
            Field::new("security_groups").compared(Compare::Set),
            Field::new("private_dns"),
            Field::new("policy").compared(Compare::Document),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        // Only one endpoint of a service may hold its private name in a VPC, and one its route in a table.
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(75, 15, 60),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let filters = filters::of(aws, query);
        let send =
            |token| aws.ec2.describe_vpc_endpoints().set_filters(Some(filters.clone())).set_next_token(token).send();
        let endpoints = aws.pages("ec2:DescribeVpcEndpoints", "", send, |page| {
            (page.vpc_endpoints.unwrap_or_default(), page.next_token)
        });
        endpoints.await?.iter().filter_map(|endpoint| observe(aws, endpoint).transpose()).collect()
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "ec2:CreateVpcEndpoint";
        let tags = tagging::specification(new, ResourceType::VpcEndpoint, &self.tags);
        let call = aws.ec2.create_vpc_endpoint().client_token(new.token).tag_specifications(tags);
        let call = call.vpc_id(self.vpc.get()?).service_name(&self.service);
        let call =
            call.set_policy_document(self.policy.as_ref().map(|text| text.get().map(str::to_owned)).transpose()?);
        let call = match self.way {
            Way::Gateway => {
                call.vpc_endpoint_type(VpcEndpointType::Gateway).set_route_table_ids(Some(ids(&self.route_tables)?))
            }
            Way::Interface => call
                .vpc_endpoint_type(VpcEndpointType::Interface)
                .set_subnet_ids(Some(ids(&self.subnets)?))
                .set_security_group_ids(Some(ids(&self.security_groups)?))
                .private_dns_enabled(self.private_dns),
        };
        let answer = aws.call(ACTION, new.id.as_str(), || call.clone().send()).await?;
        let endpoint = answer.vpc_endpoint.ok_or_else(|| CallError::lacks(ACTION, "VpcEndpoint"))?;
        let usable = health(&endpoint) == Some(Health::Ready);
        let id = endpoint.vpc_endpoint_id.ok_or_else(|| CallError::lacks(ACTION, "VpcEndpointId"))?;
        Ok(Made { outputs: usable.then(|| outputs(&id)), physical: id })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        const FIELDS: &[&str] = &["route_tables", "subnets", "security_groups", "private_dns", "policy"];
        if changed.has("tags") {
            tagging::change(aws, &now.physical, &now.inputs.tags, &self.tags).await?;
        }
        if !changed.any(FIELDS) {
            return Ok(Some(now.outputs.clone()));
        }
        let was = &now.inputs;
        let call = aws.ec2.modify_vpc_endpoint().vpc_endpoint_id(&now.physical);
        let call = call
            .set_add_route_table_ids(more(&was.route_tables, &self.route_tables)?)
            .set_remove_route_table_ids(more(&self.route_tables, &was.route_tables)?)
            .set_add_subnet_ids(more(&was.subnets, &self.subnets)?)
            .set_remove_subnet_ids(more(&self.subnets, &was.subnets)?)
            .set_add_security_group_ids(more(&was.security_groups, &self.security_groups)?)
            .set_remove_security_group_ids(more(&self.security_groups, &was.security_groups)?)
            .set_private_dns_enabled(changed.has("private_dns").then_some(self.private_dns));
        let call = match &self.policy {
            _ if !changed.has("policy") => call,
            Some(policy) => call.policy_document(policy.get()?),
            None => call.reset_policy(true),
        };
        aws.call("ec2:ModifyVpcEndpoint", &now.physical, || call.clone().send()).await?;
        // Interfaces come and go; routes are there at once.
        Ok((self.way == Way::Gateway).then(|| now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        const ACTION: &str = "ec2:DeleteVpcEndpoints";
        let send = || aws.ec2.delete_vpc_endpoints().vpc_endpoint_ids(&now.physical).send();
        let answer = aws.call(ACTION, &now.physical, send).await?;
        if let Some(error) = answer.unsuccessful().first().and_then(|item| item.error()) {
            return Err(CallError::of_item(ACTION, &now.physical, error.code(), error.message()));
        }
        Ok(Gone::Later)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const ENDPOINT: &[&str] = &["arn:{partition}:ec2:{region}:{account}:vpc-endpoint/*"];
        const STANDS_ON: &[&str] = &[
            "arn:{partition}:ec2:{region}:{account}:vpc/*",
            "arn:{partition}:ec2:{region}:{account}:subnet/*",
            "arn:{partition}:ec2:{region}:{account}:security-group/*",
            "arn:{partition}:ec2:{region}:{account}:route-table/*",
        ];
        // A private name is a hosted zone that EC2 associates on the caller's behalf.
        const ZONE: &[&str] =
            &["arn:{partition}:ec2:{region}:{account}:vpc/*", "arn:{partition}:route53:::hostedzone/*"];
        let own = [
            Grant::read(&["ec2:DescribeVpcEndpoints"]),
            Grant::write(&["ec2:CreateVpcEndpoint"], ENDPOINT).when(TAGGED_WITH_THIS_STACK),
            Grant::write(&["ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint"], STANDS_ON).when(OF_THIS_STACK),
            Grant::write(&["ec2:ModifyVpcEndpoint", "ec2:DeleteVpcEndpoints"], ENDPOINT).when(OF_THIS_STACK),
            Grant::write(&["route53:AssociateVPCWithHostedZone"], ZONE),
        ];
        own.into_iter().chain(tagging::GRANTS).collect()
    }
}

/// None too for an endpoint in state `deleted`, which holds nothing any more.
fn observe(aws: &Aws, endpoint: &Sdk) -> Result<Option<Found<VpcEndpoint>>, CallError> {
    let identity = tagging::identify(aws, endpoint.tags());
    let (Some(physical), Some((id, identity, tags)), Some(health)) =
        (endpoint.vpc_endpoint_id(), identity, health(endpoint))
    else {
        return Ok(None);
    };
    let way = match endpoint.vpc_endpoint_type() {
        Some(VpcEndpointType::Interface) => Way::Interface,
        _ => Way::Gateway,
    };
    let inputs = VpcEndpoint {
        vpc: Out::known(endpoint.vpc_id().unwrap_or_default()),
        service: endpoint.service_name().unwrap_or_default().to_owned(),
        way,
        route_tables: known(endpoint.route_table_ids().iter().map(String::as_str)),
        subnets: known(endpoint.subnet_ids().iter().map(String::as_str)),
        security_groups: known(endpoint.groups().iter().filter_map(|group| group.group_id())),
        // Routes have no names, whatever an answer says.
        private_dns: way == Way::Interface && endpoint.private_dns_enabled().unwrap_or_default(),
        policy: limits(endpoint.policy_document())?,
        tags,
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

/// None for an endpoint that is gone. AWS writes states with a small or a capital first letter.
fn health(endpoint: &Sdk) -> Option<Health> {
    let state = endpoint.state().map(|state| state.as_str().to_ascii_lowercase()).unwrap_or_default();
    let reason = || {
        let error = endpoint.last_error().and_then(|error| error.message());
        endpoint.failure_reason().or(error).unwrap_or("no reason given").to_owned()
    };
    Some(match state.as_str() {
        "deleted" => return None,
        "deleting" => Health::Deleting,
        "pending" | "partial" => Health::Settling(state),
        "pendingacceptance" => Health::Settling("waiting for the service's owner to accept it".to_owned()),
        "failed" | "rejected" | "expired" => Health::Failed(format!("{state}: {}", reason())),
        _ => Health::Ready,
    })
}

/// The policy, unless it is the one that AWS gives to an endpoint without one, which allows everything.
fn limits(document: Option<&str>) -> Result<Option<Text>, CallError> {
    const EVERYTHING: &[&str] = &[
        r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#,
    ];
    let Some(document) = document else { return Ok(None) };
    let observed = policy::observed(document)?;
    for open in EVERYTHING {
        if policy::observed(open)? == observed {
            return Ok(None);
        }
    }
    Ok(Some(observed))
}

fn outputs(id: &str) -> Outputs {
    Outputs::from([("id".to_owned(), Value::text(id))])
}

fn known<'a, T>(ids: impl Iterator<Item = &'a str>) -> Vec<Out<T>> {
    let mut all: Vec<_> = ids.map(Out::known).collect();
    all.sort();
    all
}

fn ids<T>(outs: &[Out<T>]) -> Result<Vec<String>, CallError> {
    Ok(outs.iter().map(|out| out.get().map(str::to_owned)).collect::<Result<_, _>>()?)
}

/// What `to` has more than `from`.
fn more<T>(from: &[Out<T>], to: &[Out<T>]) -> Result<Option<Vec<String>>, CallError> {
    let new: Vec<Out<T>> = to.iter().filter(|out| !from.contains(out)).cloned().collect();
    Ok(Some(ids(&new)?).filter(|ids| !ids.is_empty()))
}
