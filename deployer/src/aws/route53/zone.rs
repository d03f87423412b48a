//! A public hosted zone.
//! <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zones-working-with.html>
//!
//! It takes no tags at creation, so the reference that its creation needs anyway says whose it is, until the tags that
//! follow do. A zone that was adopted has only those.

use aws_sdk_route53::types::{HostedZone, HostedZoneConfig, Tag, TagResourceType};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{
    Class, Estimate, Field, Generation, Health, Identity, LogicalId, Order, Outputs, Owner, Rules, Value,
};

use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, Query};
use crate::aws::out::{Handle, Out, Text};
use crate::aws::shared_reads::once;
use crate::aws::tags::{self, Tags};

/// A public hosted zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// The domain.
    pub name: String,
    /// What it is for, as the console shows it.
    pub comment: String,
    /// Whether its tags say whose it is: a run that died between its creation and the call that tags it left them out.
    pub marked: bool,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the id of a hosted zone.
#[derive(Debug)]
pub enum ZoneId {}

impl Handle<Zone> {
    /// The zone's id.
    #[must_use]
    pub fn id(&self) -> Out<ZoneId> {
        self.output("id")
    }

    /// Its name servers, which the registrar has to name.
    #[must_use]
    pub fn name_servers(&self) -> Text {
        self.output("name-servers")
    }
}

/// A public zone of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicZone {
    /// Its id.
    pub id: String,
    /// Its domain, without the last dot.
    pub name: String,
    /// Whether this stack made or adopted it.
    pub ours: bool,
    /// Its name servers.
    pub name_servers: Vec<String>,
}

/// The public zone of a domain, if the account has one: the stack's own before any other.
///
/// # Errors
/// AWS did not answer.
pub async fn find_public(aws: &Aws, domain: &str) -> Result<Option<PublicZone>, CallError> {
    let wanted = bare(domain);
    let mut zones = all(aws).await?;
    zones.retain(|zone| bare(zone.name()) == wanted);
    let tags = tags_of(aws, &zones).await?;
    let mut owned: Vec<(bool, &HostedZone)> =
        zones.iter().zip(&tags).map(|(zone, tags)| (identity(aws, zone, tags).is_some(), zone)).collect();
    owned.sort_by_key(|(ours, zone)| (!ours, zone.id().to_owned()));
    let Some((ours, zone)) = owned.first() else { return Ok(None) };
    let id = short(zone.id());
    let name_servers = servers(aws, id).await?.unwrap_or_default();
    Ok(Some(PublicZone { id: id.to_owned(), name: wanted, ours: *ours, name_servers }))
}

/// True for a zone that this stack made or adopted.
///
/// # Errors
/// AWS did not answer.
pub(crate) async fn is_ours(aws: &Aws, id: &str) -> Result<bool, CallError> {
    let mut zones = all(aws).await?;
    zones.retain(|zone| short(zone.id()) == id);
    let tags = tags_of(aws, &zones).await?;
    Ok(zones.iter().zip(&tags).any(|(zone, tags)| identity(aws, zone, tags).is_some()))
}

impl Kind for Zone {
    const RULES: &'static Rules = &Rules {
        kind: "route53.zone",
        fields: &[
            Field::new("name").replaces(),
            Field::new("comment"),
            Field::new("marked"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::CreateFirst,
        // The registrar names its servers, which another zone would not have.
        protected: true,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(2, 1, 2),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let mut zones = all(aws).await?;
        zones.retain(|zone| query.only_physical().is_none_or(|id| short(zone.id()) == id));
        let tags = tags_of(aws, &zones).await?;
        let found = try_join_all(zones.iter().zip(&tags).map(|(zone, tags)| observe(aws, query, zone, tags))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "route53:CreateHostedZone";
        let reference = format!("{}{}/{}/{}", start_of_references(new.stack), new.id, new.generation, new.token);
        let config = HostedZoneConfig::builder().comment(&self.comment).build();
        let call = aws.route53.create_hosted_zone().name(&self.name).caller_reference(reference);
        let call = call.hosted_zone_config(config);
        let answer = aws.call(ACTION, &self.name, || call.clone().send()).await?;
        let zone = answer.hosted_zone().ok_or_else(|| CallError::lacks(ACTION, "HostedZone"))?;
        let id = short(zone.id()).to_owned();
        write(aws, &id, &new.tags(&self.tags), &[]).await?;
        let servers = answer.delegation_set().map(|set| set.name_servers().to_vec()).unwrap_or_default();
        Ok(Made { outputs: Some(outputs(&id, &servers)), physical: id })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        if changed.has("comment") {
            let send = || aws.route53.update_hosted_zone_comment().id(&now.physical).comment(&self.comment).send();
            aws.call("route53:UpdateHostedZoneComment", &now.physical, send).await?;
        }
        if changed.any(&["marked", "tags"]) {
            let (mut set, gone) = tags::difference(&now.inputs.tags, &self.tags);
            if let (true, Identity::Ours(Some(generation))) = (changed.has("marked"), &now.identity) {
                set.extend(tags::for_new(&aws.scope.stack, &now.id, generation, &Tags::new()));
            }
            write(aws, &now.physical, &set, &gone).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.route53.delete_hosted_zone().id(&now.physical).send();
        aws.call("route53:DeleteHostedZone", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        write(aws, &now.physical, identity, &[]).await
    }

    fn grants() -> Vec<Grant> {
        const PUBLIC: &[(&str, &str, &str)] = &[("Null", "route53:VPCs", "true")];
        const CHANGE: &[&str] =
            &["route53:ChangeTagsForResource", "route53:UpdateHostedZoneComment", "route53:DeleteHostedZone"];
        vec![
            READS,
            // AWS offers no resource for it; a zone without a VPC is a public one.
            Grant::write(&["route53:CreateHostedZone"], &["*"]).when(PUBLIC),
            // Route 53 looks at no tags.
            Grant::write(CHANGE, ZONES),
        ]
    }
}

/// What finding zones, their tags and their servers needs.
pub(crate) const READS: Grant =
    Grant::read(&["route53:ListHostedZones", "route53:ListTagsForResources", "route53:GetHostedZone"]);

/// Every hosted zone.
pub(super) const ZONES: &[&str] = &["arn:{partition}:route53:::hostedzone/*"];

/// What the caller references of a stack's zones begin with.
fn start_of_references(stack: &str) -> String {
    format!("wharf/{stack}/")
}

/// A domain in lower case without its last dot.
pub(super) fn bare(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// An id without the path that AWS puts before it.
pub(super) fn short(id: &str) -> &str {
    id.trim_start_matches("/hostedzone/")
}

/// The account's public zones.
pub(super) async fn all(aws: &Aws) -> Result<Vec<HostedZone>, CallError> {
    once(aws, "zones", listed(aws)).await
}

async fn listed(aws: &Aws) -> Result<Vec<HostedZone>, CallError> {
    let send = |marker| aws.route53.list_hosted_zones().set_marker(marker).send();
    let page = |page: aws_sdk_route53::operation::list_hosted_zones::ListHostedZonesOutput| {
        (page.hosted_zones, page.next_marker)
    };
    let mut zones = aws.pages("route53:ListHostedZones", "", send, page).await?;
    zones.retain(|zone| !zone.config().is_some_and(HostedZoneConfig::private_zone));
    Ok(zones)
}

/// The tags of each of these zones, ten at a time.
async fn tags_of(aws: &Aws, zones: &[HostedZone]) -> Result<Vec<Tags>, CallError> {
    let ids: Vec<String> = zones.iter().map(|zone| short(zone.id()).to_owned()).collect();
    let sets = try_join_all(ids.chunks(10).map(|ids| async move {
        let kind = TagResourceType::Hostedzone;
        let call = aws.route53.list_tags_for_resources().resource_type(kind).set_resource_ids(Some(ids.to_vec()));
        match aws.call("route53:ListTagsForResources", "", || call.clone().send()).await {
            // One that is gone since fails the call for all; the next look tells.
            Err(error) if error.class == Class::Missing => Ok(Vec::new()),
            answer => answer.map(|answer| answer.resource_tag_sets),
        }
    }));
    let sets = sets.await?;
    let tags = |id: &String| {
        let set = sets.iter().flatten().find(|set| set.resource_id() == Some(id))?;
        let tag = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
        Some(set.tags().iter().filter_map(tag).collect())
    };
    Ok(ids.iter().map(|id| tags(id).unwrap_or_default()).collect())
}

/// Whose a zone is, by its reference or its tags.
fn identity(aws: &Aws, zone: &HostedZone, tags: &Tags) -> Option<(LogicalId, Identity)> {
    let stack = &aws.scope.stack;
    let by_reference = || {
        let mut rest = zone.caller_reference().strip_prefix(&start_of_references(stack))?.split('/');
        let (id, generation) = (rest.next()?, rest.next()?);
        Some((LogicalId::new(id).ok()?, Identity::Ours(Some(Generation::from_tag(generation)))))
    };
    tags::read(stack, tags).or_else(by_reference)
}

async fn servers(aws: &Aws, id: &str) -> Result<Option<Vec<String>>, CallError> {
    let send = || aws.route53.get_hosted_zone().id(id).send();
    match aws.call("route53:GetHostedZone", id, send).await {
        Err(error) if error.class == Class::Missing => Ok(None),
        answer => Ok(answer?.delegation_set().map(|set| set.name_servers().to_vec())),
    }
}

async fn observe(
    aws: &Aws,
    query: &Query<Zone>,
    zone: &HostedZone,
    all: &Tags,
) -> Result<Option<Found<Zone>>, CallError> {
    let name = bare(zone.name());
    let foreign = || {
        let wants = query.wanted.iter().find(|(_, wanted)| bare(&wanted.name) == name);
        wants.map(|(id, _)| (id.clone(), Identity::Foreign))
    };
    let Some((id, identity)) = identity(aws, zone, all).or_else(foreign) else { return Ok(None) };
    let physical = short(zone.id()).to_owned();
    let Some(servers) = servers(aws, &physical).await? else { return Ok(None) };
    let comment = zone.config().and_then(|config| config.comment()).unwrap_or_default().to_owned();
    // Adoption marks what is not ours yet.
    let marked = identity == Identity::Foreign || tags::read(&aws.scope.stack, all).is_some();
    Ok(Some(Found {
        id,
        identity,
        health: Health::Ready,
        inputs: Zone { name, comment, marked, tags: tags::user(all) },
        outputs: outputs(&physical, &servers),
        physical,
        blockers: Default::default(),
    }))
}

fn outputs(id: &str, servers: &[String]) -> Outputs {
    let servers = Value::text(servers.join(", "));
    Outputs::from([("id".to_owned(), Value::text(id)), ("name-servers".to_owned(), servers)])
}

async fn write(aws: &Aws, id: &str, set: &Tags, gone: &[String]) -> Result<(), CallError> {
    if set.is_empty() && gone.is_empty() {
        return Ok(());
    }
    let tags: Vec<Tag> = set.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    let call = aws
        .route53
        .change_tags_for_resource()
        .resource_type(TagResourceType::Hostedzone)
        .resource_id(id)
        .set_add_tags(Some(tags).filter(|tags| !tags.is_empty()))
        .set_remove_tag_keys(Some(gone.to_vec()).filter(|keys| !keys.is_empty()));
    aws.call("route53:ChangeTagsForResource", id, || call.clone().send()).await.map(drop)
}
