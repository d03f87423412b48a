//! The network: a VPC over two or three zones, a way out, and the three security groups through which all traffic goes.

use wharf_engine::LogicalId;

use super::{BuildError, Builder, Site};
use crate::aws::ec2::default_security_group::DefaultSecurityGroup;
use crate::aws::ec2::elastic_ip::ElasticIp;
use crate::aws::ec2::flow_log::{FORMAT, FlowLog, Interval, Traffic};
use crate::aws::ec2::internet_gateway::InternetGateway;
use crate::aws::ec2::nat_gateway::{NatGateway, Place};
use crate::aws::ec2::route_table::{Route, RouteTable, Target};
use crate::aws::ec2::rules::{Peer, Rule};
use crate::aws::ec2::security_group::SecurityGroup;
use crate::aws::ec2::subnet::Subnet;
use crate::aws::ec2::vpc::Vpc;
use crate::aws::ec2::vpc_endpoint::{VpcEndpoint, Way};
use crate::aws::iam::role::Role;
use crate::aws::kms::key::Key;
use crate::aws::logs::log_group::LogGroup;
use crate::aws::policy::{Document, Statement};
use crate::aws::units::{Days, HOUR};
use crate::aws::{Handle, Text};
use crate::config::{Config, Egress};

/// Everything in the world, by IPv4.
const ANYWHERE: &str = "0.0.0.0/0";

/// The services that a stack without a way to the internet reaches by interface endpoints.
const ENDPOINTS: [&str; 8] = ["ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry", "kms", "logs", "ssm"];
/// By which somebody gets into a task or onto an instance.
const EXEC_ENDPOINT: &str = "ssmmessages";

/// What other modules need of the network.
pub(super) struct Network {
    pub(super) vpc: Handle<Vpc>,
    pub(super) public: Vec<Handle<Subnet>>,
    pub(super) private: Vec<Handle<Subnet>>,
    pub(super) balancer: Handle<SecurityGroup>,
    pub(super) tasks: Handle<SecurityGroup>,
    pub(super) database: Option<Handle<SecurityGroup>>,
    /// What has to stand before an instance reaches AWS; no field of an instance refers to it.
    pub(super) ways_out: Vec<LogicalId>,
    /// The table by which the internet comes in.
    pub(super) way_in: LogicalId,
}

/// One zone's subnets.
struct Zone {
    letter: String,
    public: Handle<Subnet>,
    private: Handle<Subnet>,
}

/// The whole network.
pub(super) fn network(b: &mut Builder, config: &Config, site: &Site, key: &Handle<Key>) -> Result<Network, BuildError> {
    let vpc = Vpc { cidr: config.network.cidr.to_string(), dns_support: true, dns_hostnames: true, tags: b.tags() };
    let vpc = b.add("network.vpc", vpc)?;
    let closed = DefaultSecurityGroup { vpc: vpc.id(), ingress: Vec::new(), egress: Vec::new(), tags: b.tags() };
    b.add("network.default-security-group", closed)?;
    let zones = subnets(b, config, site, &vpc)?;
    let (public_table, private_tables) = routes(b, config, &vpc, &zones)?;
    let groups = security_groups(b, config, &vpc)?;
    let mut ways_out = endpoints(b, config, site, &vpc, &zones, &private_tables, &groups.tasks)?;
    ways_out.extend(private_tables.iter().chain([&public_table]).map(|table| table.logical_id().clone()));
    if config.network.flow_logs {
        flow_logs(b, config, &vpc, key)?;
    }
    let (public, private) = zones.into_iter().map(|zone| (zone.public, zone.private)).unzip();
    let Groups { balancer, tasks, database } = groups;
    let way_in = public_table.logical_id().clone();
    Ok(Network { vpc, public, private, balancer, tasks, database, ways_out, way_in })
}

fn subnets(b: &mut Builder, config: &Config, site: &Site, vpc: &Handle<Vpc>) -> Result<Vec<Zone>, BuildError> {
    let wanted = usize::from(config.network.zones);
    if site.zones.len() < wanted {
        return Err(BuildError::Zones { region: site.region.clone(), wanted, found: site.zones.clone() });
    }
    let ranges = config.network.public_subnets().into_iter().zip(config.network.private_subnets());
    let mut zones = Vec::new();
    for (zone, (public, private)) in site.zones.iter().take(wanted).zip(ranges) {
        let letter = zone.trim_start_matches(site.region.as_str()).to_owned();
        let subnet = |cidr: String, tags| Subnet { vpc: vpc.id(), cidr, zone: zone.clone(), public_ips: false, tags };
        let public =
            Subnet { public_ips: config.network.egress == Egress::Public, ..subnet(public.to_string(), b.tags()) };
        let public = b.add(&format!("network.public-{letter}"), public)?;
        let private = subnet(private.to_string(), b.tags());
        let private = b.add(&format!("network.private-{letter}"), private)?;
        zones.push(Zone { letter, public, private });
    }
    Ok(zones)
}

/// The internet gateway, the NAT gateways and the tables; answers the public one and the private ones.
fn routes(
    b: &mut Builder,
    config: &Config,
    vpc: &Handle<Vpc>,
    zones: &[Zone],
) -> Result<(Handle<RouteTable>, Vec<Handle<RouteTable>>), BuildError> {
    let gateway = b.add("network.internet-gateway", InternetGateway { vpc: vpc.id(), tags: b.tags() })?;
    let table = |subnets: &[&Handle<Subnet>], target: Option<Target>, tags| RouteTable {
        vpc: vpc.id(),
        routes: target.map(|target| Route { destination: ANYWHERE.to_owned(), target }).into_iter().collect(),
        subnets: subnets.iter().map(|subnet| subnet.id()).collect(),
        tags,
    };
    let public: Vec<_> = zones.iter().map(|zone| &zone.public).collect();
    let private: Vec<_> = zones.iter().map(|zone| &zone.private).collect();
    let out = table(&public, Some(Target::InternetGateway(gateway.id())), b.tags());
    let public = b.add("network.public-routes", out)?;
    let tables = match config.network.egress {
        Egress::Nat => {
            let nat = NatGateway { place: Place::Regional { vpc: vpc.id() }, tags: b.tags() };
            // A NAT gateway needs the way to the internet, to which no field of it refers.
            let nat = b.add_after("network.nat", nat, [gateway.logical_id().clone()])?;
            let out = table(&private, Some(Target::NatGateway(nat.id())), b.tags());
            vec![b.add("network.private-routes", out)?]
        }
        Egress::NatZonal => zones
            .iter()
            .map(|zone| {
                let letter = &zone.letter;
                let address = ElasticIp { tags: b.tags() };
                let after = [gateway.logical_id().clone()];
                let address = b.add_after(&format!("network.nat-address-{letter}"), address, after.clone())?;
                let place = Place::Zonal { subnet: zone.public.id(), allocation: address.allocation_id() };
                let nat = NatGateway { place, tags: b.tags() };
                let nat = b.add_after(&format!("network.nat-{letter}"), nat, after)?;
                let out = table(&[&zone.private], Some(Target::NatGateway(nat.id())), b.tags());
                b.add(&format!("network.private-routes-{letter}"), out)
            })
            .collect::<Result<_, BuildError>>()?,
        Egress::Endpoints | Egress::Public => {
            vec![b.add("network.private-routes", table(&private, None, b.tags()))?]
        }
    };
    Ok((public, tables))
}

struct Groups {
    balancer: Handle<SecurityGroup>,
    tasks: Handle<SecurityGroup>,
    database: Option<Handle<SecurityGroup>>,
}

/// Internet → load balancer → tasks → database, and no other way.
fn security_groups(b: &mut Builder, config: &Config, vpc: &Handle<Vpc>) -> Result<Groups, BuildError> {
    let group = |description: &str, ingress, egress, tags| SecurityGroup {
        vpc: vpc.id(),
        description: description.to_owned(),
        ingress,
        egress,
        tags,
    };
    let services = || config.services.iter();
    let inside = Peer::Ipv4(config.network.cidr.to_string());
    // The groups of the balancer and of the tasks cannot both name the other: outwards the range says enough.
    let to_tasks = services().filter_map(|(name, service)| Some(Rule::tcp(service.port?, inside.clone(), name)));
    let mut from_internet = vec![Rule::tcp(443, Peer::Ipv4(ANYWHERE.to_owned()), "HTTPS")];
    if config.edge.as_ref().is_some_and(|edge| edge.redirect_http) {
        from_internet.push(Rule::tcp(80, Peer::Ipv4(ANYWHERE.to_owned()), "HTTP, which is sent to HTTPS"));
    }
    let balancer = group("the load balancer: HTTPS from the internet", from_internet, to_tasks.collect(), b.tags());
    let balancer = b.add("network.balancer-security-group", balancer)?;

    let from_balancer =
        services().filter_map(|(name, service)| Some(Rule::tcp(service.port?, Peer::Group(balancer.id()), name)));
    let from_each_other = services().flat_map(|(name, service)| {
        service.internal_ports.iter().map(move |port| Rule::tcp(*port, Peer::Itself, name))
    });
    let ingress = from_balancer.chain(from_each_other).collect();
    let out = vec![Rule::all(Peer::Ipv4(ANYWHERE.to_owned()), "the database, AWS and what the application calls")];
    let tasks = group("the tasks: from the load balancer alone", ingress, out, b.tags());
    let tasks = b.add("network.tasks-security-group", tasks)?;

    let Some(wanted) = &config.database else { return Ok(Groups { balancer, tasks, database: None }) };
    let from_tasks = vec![Rule::tcp(wanted.port, Peer::Group(tasks.id()), "PostgreSQL")];
    let database = group("the database: from the tasks alone", from_tasks, Vec::new(), b.tags());
    let database = b.add("network.database-security-group", database)?;
    Ok(Groups { balancer, tasks, database: Some(database) })
}

/// The ways to AWS's services inside: S3 by a gateway, which costs nothing and spares image layers the NAT gateway; without a way to the internet, the
/// other services by interfaces.
fn endpoints(
    b: &mut Builder,
    config: &Config,
    site: &Site,
    vpc: &Handle<Vpc>,
    zones: &[Zone],
    tables: &[Handle<RouteTable>],
    tasks: &Handle<SecurityGroup>,
) -> Result<Vec<LogicalId>, BuildError> {
    let endpoint = |service: &str, way, tags| VpcEndpoint {
        vpc: vpc.id(),
        service: format!("com.amazonaws.{}.{service}", site.region),
        way,
        route_tables: Vec::new(),
        subnets: Vec::new(),
        security_groups: Vec::new(),
        private_dns: false,
        policy: None,
        tags,
    };
    let route_tables = tables.iter().map(|table| table.id()).collect();
    let s3 = VpcEndpoint { route_tables, ..endpoint("s3", Way::Gateway, b.tags()) };
    let s3 = b.add("network.endpoint-s3", s3)?;
    let mut all = vec![s3.logical_id().clone()];
    if config.network.egress != Egress::Endpoints {
        return Ok(all);
    }
    let group = SecurityGroup {
        vpc: vpc.id(),
        description: "the endpoints of AWS services: HTTPS from the tasks".to_owned(),
        ingress: vec![Rule::tcp(443, Peer::Group(tasks.id()), "HTTPS")],
        egress: Vec::new(),
        tags: b.tags(),
    };
    let group = b.add("network.endpoints-security-group", group)?;
    let exec = config.cluster.is_some().then_some(EXEC_ENDPOINT);
    for service in ENDPOINTS.into_iter().chain(exec) {
        let interface = VpcEndpoint {
            subnets: zones.iter().map(|zone| zone.private.id()).collect(),
            security_groups: vec![group.id()],
            private_dns: true,
            ..endpoint(service, Way::Interface, b.tags())
        };
        let interface = b.add(&format!("network.endpoint-{}", service.replace('.', "-")), interface)?;
        all.push(interface.logical_id().clone());
    }
    Ok(all)
}

/// The traffic of the VPC, accepted and rejected, in a log group of the stack's.
fn flow_logs(b: &mut Builder, config: &Config, vpc: &Handle<Vpc>, key: &Handle<Key>) -> Result<(), BuildError> {
    let stack = config.stack.name.as_str();
    let group = LogGroup {
        name: format!("/wharf/{stack}/flow-logs"),
        retention: Some(Days(i32::from(config.network.flow_log_days))),
        key: Some(key.arn()),
        class: "STANDARD".to_owned(),
        archive: false,
        tags: b.tags(),
    };
    let group = b.add("network.flow-logs-group", group)?;
    let write = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"];
    let write = Statement::allow(write).on(group.arn().text()).on(Text::join([group.arn().text(), ":*".into()]));
    let role = Role {
        name: format!("{stack}-flow-logs"),
        description: "writes the VPC's flow logs".to_owned(),
        trust: Document::trusting("vpc-flow-logs.amazonaws.com").text(),
        policies: [("write".to_owned(), Document::new([write]).text())].into(),
        managed: Vec::new(),
        max_session: HOUR,
        boundary: None,
        tags: b.tags(),
    };
    let role = b.add("network.flow-logs-role", role)?;
    let flow_log = FlowLog {
        vpc: vpc.id(),
        log_group: group.name().text(),
        role: role.arn().text(),
        traffic: Traffic::All,
        format: FORMAT.to_owned(),
        interval: Interval::TenMinutes,
        tags: b.tags(),
    };
    b.add("network.flow-logs", flow_log)?;
    Ok(())
}
