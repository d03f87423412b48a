//! A route table with its routes and the subnets that use it.
//! <https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html>

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{ResourceType, Route as SdkRoute, RouteOrigin, RouteTable as Sdk};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Compare, Estimate, Field, Health, Order, Outputs, Owner, Rules, Value};

use super::internet_gateway::InternetGatewayId;
use super::nat_gateway::NatGatewayId;
use super::subnet::SubnetId;
use super::vpc::VpcId;
use super::{filters, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out};
use crate::aws::tags::Tags;

/// A route table. Its lists are exclusive: a route or a subnet that they do not name is taken out. The local route,
/// those of gateway endpoints and those propagated by a virtual private gateway are not in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTable {
    /// The VPC it is in.
    pub vpc: Out<VpcId>,
    /// Its routes.
    pub routes: Vec<Route>,
    /// The subnets that it routes for.
    pub subnets: Vec<Out<SubnetId>>,
    /// The user's tags.
    pub tags: Tags,
}

/// Where packets to a destination go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// The destination: an IPv4 or IPv6 range.
    pub destination: String,
    /// What they go to.
    pub target: Target,
}

/// What a route points at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The internet, both ways.
    InternetGateway(Out<InternetGatewayId>),
    /// The internet, outwards.
    NatGateway(Out<NatGatewayId>),
    /// Something that Wharf does not route to, by AWS's id: only ever observed.
    Other(String),
}

impl Target {
    /// The id as the parameter for internet gateways or as the one for NAT gateways.
    fn ids(&self) -> Result<(Option<String>, Option<String>), CallError> {
        match self {
            Self::InternetGateway(id) => Ok((Some(id.get()?.to_owned()), None)),
            Self::NatGateway(id) => Ok((None, Some(id.get()?.to_owned()))),
            Self::Other(id) => {
                let hint = "route to an internet gateway or a NAT gateway";
                Err(CallError::invalid(format!("cannot set a route to {id}"), hint))
            }
        }
    }
}

/// Marks the id of a route table.
#[derive(Debug)]
pub enum RouteTableId {}

impl Handle<RouteTable> {
    /// The table's id.
    #[must_use]
    pub fn id(&self) -> Out<RouteTableId> {
        self.output("id")
    }
}

impl Kind for RouteTable {
    const RULES: &'static Rules = &Rules {
        kind: "ec2.route-table",
        fields: &[
            Field::new("vpc").replaces(),
            Field::new("routes").compared(Compare::Set),
            Field::new("subnets").compared(Compare::Set),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(3, 1, 2),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let filters = filters::of(aws, query);
        let send =
            |token| aws.ec2.describe_route_tables().set_filters(Some(filters.clone())).set_next_token(token).send();
        let tables = aws.pages("ec2:DescribeRouteTables", "", send, |page| {
            (page.route_tables.unwrap_or_default(), page.next_token)
        });
        Ok(tables.await?.iter().filter_map(|table| observe(aws, table)).collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "ec2:CreateRouteTable";
        let tags = tagging::specification(new, ResourceType::RouteTable, &self.tags);
        let call = aws.ec2.create_route_table().vpc_id(self.vpc.get()?).client_token(new.token);
        let call = call.tag_specifications(tags);
        let answer = aws.call(ACTION, new.id.as_str(), || call.clone().send()).await?;
        let id = answer.route_table.and_then(|table| table.route_table_id);
        let id = id.ok_or_else(|| CallError::lacks(ACTION, "RouteTableId"))?;
        set_routes(aws, &id, &[], &self.routes).await?;
        try_join_all(self.subnets.iter().map(|subnet| associate(aws, &id, subnet))).await?;
        Ok(Made { outputs: Some(outputs(&id)), physical: id })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let id = &now.physical;
        if changed.has("routes") {
            set_routes(aws, id, &now.inputs.routes, &self.routes).await?;
        }
        if changed.has("subnets") {
            let new = self.subnets.iter().filter(|subnet| !now.inputs.subnets.contains(subnet));
            try_join_all(new.map(|subnet| associate(aws, id, subnet))).await?;
            let gone = |subnet: &Out<SubnetId>| !self.subnets.contains(subnet);
            if now.inputs.subnets.iter().any(gone) {
                disassociate(aws, id, |subnet| gone(&Out::known(subnet))).await?;
            }
        }
        if changed.has("tags") {
            tagging::change(aws, id, &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        disassociate(aws, &now.physical, |_| true).await?;
        let send = || aws.ec2.delete_route_table().route_table_id(&now.physical).send();
        aws.call("ec2:DeleteRouteTable", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const TABLE: &[&str] = &["arn:{partition}:ec2:{region}:{account}:route-table/*"];
        const TABLE_AND_SUBNET: &[&str] = &[
            "arn:{partition}:ec2:{region}:{account}:route-table/*",
            "arn:{partition}:ec2:{region}:{account}:subnet/*",
        ];
        const VPC: &[&str] = &["arn:{partition}:ec2:{region}:{account}:vpc/*"];
        const ROUTES: &[&str] = &["ec2:CreateRoute", "ec2:ReplaceRoute", "ec2:DeleteRoute", "ec2:DeleteRouteTable"];
        const ASSOCIATIONS: &[&str] =
            &["ec2:AssociateRouteTable", "ec2:DisassociateRouteTable", "ec2:ReplaceRouteTableAssociation"];
        let own = [
            Grant::read(&["ec2:DescribeRouteTables"]),
            Grant::write(&["ec2:CreateRouteTable"], TABLE).when(TAGGED_WITH_THIS_STACK),
            Grant::write(&["ec2:CreateRouteTable"], VPC).when(OF_THIS_STACK),
            Grant::write(ROUTES, TABLE).when(OF_THIS_STACK),
            Grant::write(ASSOCIATIONS, TABLE_AND_SUBNET).when(OF_THIS_STACK),
        ];
        own.into_iter().chain(tagging::GRANTS).collect()
    }
}

fn observe(aws: &Aws, table: &Sdk) -> Option<Found<RouteTable>> {
    let physical = table.route_table_id()?;
    let (id, identity, tags) = tagging::identify(aws, table.tags())?;
    let mut routes: Vec<_> = table.routes().iter().filter_map(observe_route).collect();
    let mut subnets: Vec<_> = associations(table).into_keys().map(Out::known).collect();
    routes.sort();
    subnets.sort();
    Some(Found {
        id,
        physical: physical.to_owned(),
        identity,
        health: Health::Ready,
        inputs: RouteTable { vpc: Out::known(table.vpc_id().unwrap_or_default()), routes, subnets, tags },
        outputs: outputs(physical),
        blockers: Default::default(),
    })
}

/// None for the routes that are not in the list.
fn observe_route(route: &SdkRoute) -> Option<Route> {
    let gateway = route.gateway_id();
    let destination =
        route.destination_cidr_block().or(route.destination_ipv6_cidr_block()).or(route.destination_prefix_list_id())?;
    let of_endpoint = route.destination_prefix_list_id().is_some() && gateway.is_some_and(|id| id.starts_with("vpce-"));
    let propagated = route.origin() == Some(&RouteOrigin::EnableVgwRoutePropagation);
    if gateway == Some("local") || of_endpoint || propagated {
        return None;
    }
    let others = [
        route.transit_gateway_id(),
        route.vpc_peering_connection_id(),
        route.egress_only_internet_gateway_id(),
        route.network_interface_id(),
        route.instance_id(),
        route.local_gateway_id(),
        route.carrier_gateway_id(),
        route.core_network_arn(),
    ];
    let target = match (gateway, route.nat_gateway_id()) {
        (Some(id), _) if id.starts_with("igw-") => Target::InternetGateway(Out::known(id)),
        (_, Some(id)) => Target::NatGateway(Out::known(id)),
        (Some(id), _) => Target::Other(id.to_owned()),
        _ => Target::Other(others.into_iter().flatten().next().unwrap_or("unknown").to_owned()),
    };
    Some(Route { destination: destination.to_owned(), target })
}

/// The table's associations by subnet. The main association, which has no subnet, is AWS's.
fn associations(table: &Sdk) -> BTreeMap<String, String> {
    let all = table.associations().iter();
    let held = all.filter(|association| {
        association
            .association_state()
            .and_then(|state| state.state())
            .is_none_or(|state| state.as_str() != "disassociated")
    });
    held.filter_map(|a| Some((a.subnet_id()?.to_owned(), a.route_table_association_id()?.to_owned()))).collect()
}

fn outputs(id: &str) -> Outputs {
    Outputs::from([("id".to_owned(), Value::text(id))])
}

/// Replaces the routes whose target changes, so that none is missing meanwhile.
async fn set_routes(aws: &Aws, table: &str, now: &[Route], to: &[Route]) -> Result<(), CallError> {
    let known = |routes: &[Route], destination: &str| routes.iter().any(|route| route.destination == destination);
    let set = to.iter().filter(|route| !now.contains(route));
    try_join_all(set.map(|route| set_route(aws, table, route, known(now, &route.destination)))).await?;
    let gone = now.iter().filter(|route| !known(to, &route.destination));
    try_join_all(gone.map(|route| delete_route(aws, table, &route.destination))).await?;
    Ok(())
}

async fn set_route(aws: &Aws, table: &str, route: &Route, exists: bool) -> Result<(), CallError> {
    if !exists {
        match create_route(aws, table, route).await {
            // An earlier try made it: perhaps to another target.
            Err(error) if error.code.as_deref() == Some("RouteAlreadyExists") => {}
            other => return other,
        }
    }
    let ((v4, v6), (gateway, nat)) = (families(&route.destination), route.target.ids()?);
    let call = aws.ec2.replace_route().route_table_id(table).set_gateway_id(gateway).set_nat_gateway_id(nat);
    let call = call.set_destination_cidr_block(v4).set_destination_ipv6_cidr_block(v6);
    aws.call("ec2:ReplaceRoute", table, || call.clone().send()).await.map(drop)
}

async fn create_route(aws: &Aws, table: &str, route: &Route) -> Result<(), CallError> {
    let ((v4, v6), (gateway, nat)) = (families(&route.destination), route.target.ids()?);
    let call = aws.ec2.create_route().route_table_id(table).set_gateway_id(gateway).set_nat_gateway_id(nat);
    let call = call.set_destination_cidr_block(v4).set_destination_ipv6_cidr_block(v6);
    aws.call("ec2:CreateRoute", table, || call.clone().send()).await.map(drop)
}

async fn delete_route(aws: &Aws, table: &str, destination: &str) -> Result<(), CallError> {
    let call = aws.ec2.delete_route().route_table_id(table);
    let call = if destination.starts_with("pl-") {
        call.destination_prefix_list_id(destination)
    } else {
        let (v4, v6) = families(destination);
        call.set_destination_cidr_block(v4).set_destination_ipv6_cidr_block(v6)
    };
    passed_over_when_missing(aws.call("ec2:DeleteRoute", table, || call.clone().send()).await)
}

/// What an earlier try took away is as it should be.
fn passed_over_when_missing<T>(result: Result<T, CallError>) -> Result<(), CallError> {
    match result {
        Err(error) if error.class == Class::Missing => Ok(()),
        other => other.map(drop),
    }
}

/// The destination as the IPv4 parameter or as the IPv6 one.
fn families(destination: &str) -> (Option<String>, Option<String>) {
    let text = Some(destination.to_owned());
    if destination.contains(':') { (None, text) } else { (text, None) }
}

/// Associates a subnet, from another table that it is associated with if need be.
async fn associate(aws: &Aws, table: &str, subnet: &Out<SubnetId>) -> Result<(), CallError> {
    let subnet = subnet.get()?;
    let send = || aws.ec2.associate_route_table().route_table_id(table).subnet_id(subnet).send();
    match aws.call("ec2:AssociateRouteTable", subnet, send).await {
        Err(error) if error.code.as_deref() == Some("Resource.AlreadyAssociated") => {}
        other => return other.map(drop),
    }
    let filter = filters::filter("association.subnet-id", subnet);
    let send = || aws.ec2.describe_route_tables().filters(filter.clone()).send();
    let answer = aws.call("ec2:DescribeRouteTables", subnet, send).await?;
    let elsewhere = answer.route_tables().iter().filter(|other| other.route_table_id() != Some(table));
    for association in elsewhere.filter_map(|other| associations(other).remove(subnet)) {
        let call = aws.ec2.replace_route_table_association().association_id(&association).route_table_id(table);
        aws.call("ec2:ReplaceRouteTableAssociation", subnet, || call.clone().send()).await?;
    }
    Ok(())
}

/// Takes subnets out of the table, as it is now: one that has moved to another table meanwhile stays there.
async fn disassociate(aws: &Aws, table: &str, which: impl Fn(&str) -> bool) -> Result<(), CallError> {
    let send = || aws.ec2.describe_route_tables().route_table_ids(table).send();
    let answer = aws.call("ec2:DescribeRouteTables", table, send).await?;
    let all = answer.route_tables().iter().flat_map(associations);
    try_join_all(all.filter(|(subnet, _)| which(subnet)).map(|(subnet, association)| async move {
        let send = || aws.ec2.disassociate_route_table().association_id(&association).send();
        passed_over_when_missing(aws.call("ec2:DisassociateRouteTable", &subnet, send).await)
    }))
    .await
    .map(drop)
}
