//! The edge: a load balancer over the public subnets that takes HTTPS alone, its certificate, and the names in DNS.

use std::collections::BTreeSet;

use super::network::Network;
use super::{BuildError, Builder, Site};
use crate::aws::acm::certificate::Certificate;
use crate::aws::acm::issued::{CertificateArn, IssuedCertificate};
use crate::aws::elbv2::listener::{DefaultAction, Listener, Tls};
use crate::aws::elbv2::load_balancer::{DesyncMitigation, LoadBalancer, Logs};
use crate::aws::route53::record::Record;
use crate::aws::route53::zone::{Zone, ZoneId};
use crate::aws::units::Seconds;
use crate::aws::{Handle, Out};
use crate::config::{Config, Edge as Wanted, HostName};

/// What other modules need of the edge.
pub(super) struct Edge {
    pub(super) balancer: Handle<LoadBalancer>,
    pub(super) https: Handle<Listener>,
    pub(super) certificate: Out<CertificateArn>,
}

/// The load balancer, its listeners, its certificate and its names.
pub(super) fn edge(
    b: &mut Builder,
    config: &Config,
    site: &Site,
    wanted: &Wanted,
    network: &Network,
) -> Result<Edge, BuildError> {
    let zone = zone(b, site, wanted)?;
    let hosts: BTreeSet<HostName> = config.services.keys().filter_map(|name| config.host(name)).collect();
    let certificate = match (&wanted.certificate, &wanted.domain, &zone) {
        (None, Some(domain), Some(zone)) => certificate(b, domain, &hosts, zone)?,
        (given, _, _) => Out::known(given.clone().unwrap_or_default()),
    };
    let balancer = balancer(config, wanted, network, b.tags());
    // AWS makes none for a VPC that the internet has no way into, to which no field of it refers.
    let balancer = b.add_after("edge.load-balancer", balancer, [network.way_in.clone()])?;
    let https = Listener {
        load_balancer: balancer.arn(),
        port: 443,
        tls: Some(Tls { policy: wanted.tls_policy.clone(), certificate: certificate.clone() }),
        more_certificates: Vec::new(),
        // A name that no service has reaches none.
        default: DefaultAction::NotFound { body: "not found".to_owned() },
        target_groups: Vec::new(),
        weights: Vec::new(),
        tags: b.tags(),
    };
    let https = b.add("edge.https", https)?;
    if wanted.redirect_http {
        let http = Listener {
            load_balancer: balancer.arn(),
            port: 80,
            tls: None,
            more_certificates: Vec::new(),
            default: DefaultAction::ToHttps,
            target_groups: Vec::new(),
            weights: Vec::new(),
            tags: b.tags(),
        };
        b.add("edge.http", http)?;
    }
    if let Some(zone) = &zone {
        names(b, &hosts, zone, &balancer)?;
    }
    Ok(Edge { balancer, https, certificate })
}

/// The zone, made with the stack or found in the account.
fn zone(b: &mut Builder, site: &Site, wanted: &Wanted) -> Result<Option<Out<ZoneId>>, BuildError> {
    let Some(name) = &wanted.zone else { return Ok(None) };
    if wanted.create_zone {
        let comment = format!("made by wharf for {}", wanted.domain.as_ref().unwrap_or(name));
        let zone = Zone { name: name.to_string(), comment, marked: true, tags: b.tags() };
        return Ok(Some(b.add("edge.zone", zone)?.id()));
    }
    match &site.zone {
        Some(zone) if zone.name == name.as_str() => Ok(Some(Out::known(zone.id.clone()))),
        _ => Err(BuildError::Zone(name.to_string())),
    }
}

/// A certificate for all names, proved by a record for each, which stays: ACM renews by it.
/// <https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html>
fn certificate(
    b: &mut Builder,
    domain: &HostName,
    hosts: &BTreeSet<HostName>,
    zone: &Out<ZoneId>,
) -> Result<Out<CertificateArn>, BuildError> {
    let others: Vec<&HostName> = hosts.iter().filter(|host| *host != domain).collect();
    let requested = Certificate {
        domain: domain.to_string(),
        alternative_names: others.iter().map(ToString::to_string).collect(),
        tags: b.tags(),
    };
    let requested = b.add("edge.certificate", requested)?;
    let mut records = Vec::new();
    for host in [domain].into_iter().chain(others) {
        let (name, value) = (requested.record_name_of(host.as_str()), requested.record_value_of(host.as_str()));
        let record = Record::plain(zone.clone(), name, "CNAME", Seconds(300), vec![value]);
        records.push(b.add(&format!("edge.proof-{}", word(host)), record)?.name());
    }
    let issued = IssuedCertificate { certificate: requested.requested(), zone: Some(zone.clone()), records };
    Ok(b.add("edge.issued-certificate", issued)?.arn())
}

fn balancer(config: &Config, wanted: &Wanted, network: &Network, tags: crate::aws::Tags) -> LoadBalancer {
    let logs = wanted.access_logs.as_ref().map(|logs| Logs {
        bucket: logs.bucket.clone(),
        prefix: logs.prefix.clone().unwrap_or_else(|| config.stack.name.to_string()),
    });
    LoadBalancer {
        vpc: network.vpc.id(),
        subnets: network.public.iter().map(|subnet| subnet.id()).collect(),
        security_groups: vec![network.balancer.id()],
        internet_facing: true,
        deletion_protection: wanted.deletion_protection,
        idle_timeout: Seconds(i32::from(wanted.idle_seconds)),
        keep_alive: Seconds(3600),
        http2: true,
        drop_invalid_headers: true,
        preserve_host: false,
        desync_mitigation: DesyncMitigation::Defensive,
        zonal_shift: true,
        access_logs: logs,
        tags,
    }
}

/// The name of each service, by IPv4 and IPv6.
fn names(
    b: &mut Builder,
    hosts: &BTreeSet<HostName>,
    zone: &Out<ZoneId>,
    balancer: &Handle<LoadBalancer>,
) -> Result<(), BuildError> {
    for host in hosts {
        for kind in ["A", "AAAA"] {
            let record = Record::alias(zone.clone(), host.as_str(), kind, balancer);
            b.add(&format!("edge.{}-{}", kind.to_ascii_lowercase(), word(host)), record)?;
        }
    }
    Ok(())
}

/// A host's name as a word of a logical id.
fn word(host: &HostName) -> String {
    host.as_str().replace('.', "-")
}
