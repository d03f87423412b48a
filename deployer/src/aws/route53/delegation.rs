//! Whether the world asks a hosted zone. A zone that was just made is asked by nobody until the registrar, or the zone
//! above, names its servers; nothing in it has an effect until then.

use std::fmt;

use futures::future::LocalBoxFuture;

use crate::aws::call::{Aws, CallError};

/// Who answers for a domain, according to the world.
pub trait Names: fmt::Debug + Send + Sync {
    /// The name servers of a domain; none when the world knows none.
    ///
    /// # Errors
    /// Nobody could be asked.
    fn servers_of<'a>(&'a self, domain: &'a str) -> LocalBoxFuture<'a, Result<Vec<String>, String>>;
}

/// What the world knows of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delegation {
    /// It asks the zone's own servers.
    Asked,
    /// It asks nobody, or others.
    NotAsked {
        /// Whom it asks.
        instead: Vec<String>,
    },
    /// It could not be found out from here.
    Unknown,
}

/// Whether the world asks these servers about the domain.
pub async fn of(aws: &Aws, domain: &str, servers: &[String]) -> Delegation {
    let Some(names) = aws.names() else { return Delegation::Unknown };
    let bare = |name: &String| name.trim_end_matches('.').to_ascii_lowercase();
    match names.servers_of(domain.trim_end_matches('.')).await {
        Err(_) => Delegation::Unknown,
        Ok(found) if found.iter().any(|name| servers.iter().any(|own| bare(own) == bare(name))) => Delegation::Asked,
        Ok(instead) => Delegation::NotAsked { instead },
    }
}

/// Refuses a zone that the world does not ask.
///
/// # Errors
/// It does not, with the servers that the registrar has to name.
pub(crate) async fn demand(aws: &Aws, zone: &str) -> Result<(), CallError> {
    missing(aws, zone).await?.map_or(Ok(()), Err)
}

/// What to say of a zone that the world does not ask; none when it does, or when that cannot be found out from here.
///
/// # Errors
/// AWS did not answer.
pub(crate) async fn missing(aws: &Aws, zone: &str) -> Result<Option<CallError>, CallError> {
    let send = || aws.route53.get_hosted_zone().id(zone).send();
    let answer = match aws.call("route53:GetHostedZone", zone, send).await {
        // What is to stand in it says so.
        Err(error) if error.class == wharf_engine::Class::Missing => return Ok(None),
        answer => answer?,
    };
    let Some(servers) = answer.delegation_set().map(|set| set.name_servers().to_vec()) else { return Ok(None) };
    let name = answer.hosted_zone().map(|zone| zone.name().trim_end_matches('.').to_owned()).unwrap_or_default();
    Ok(match of(aws, &name, &servers).await {
        Delegation::NotAsked { instead } => Some(not_asked(&name, &servers, &instead)),
        Delegation::Asked | Delegation::Unknown => None,
    })
}

/// What to say of a zone that the world does not ask.
#[must_use]
pub fn not_asked(domain: &str, servers: &[String], instead: &[String]) -> CallError {
    let others = match instead {
        [] => "the world knows no name servers for it".to_owned(),
        others => format!("the world asks {} instead", others.join(", ")),
    };
    CallError::invalid(
        format!("the zone {domain} is not delegated: {others}"),
        format!("have the registrar, or the zone above, name these servers for {domain}: {}", servers.join(", ")),
    )
}
