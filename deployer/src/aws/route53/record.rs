//! A record of a hosted zone, with its owner beside it.
//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html>

use std::collections::BTreeMap;

use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Compare, Estimate, Field, Health, Identity, Order, Outputs, Rules, Value};

use super::owners::{self, Owner};
use super::zone::{self, ZONES, ZoneId};
use crate::aws::call::{Aws, CallError};
use crate::aws::elbv2::load_balancer::{CanonicalZoneId, DnsName, LoadBalancer};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, Query};
use crate::aws::out::{Handle, Out, Text};
use crate::aws::tags::{self, Tags};
use crate::aws::units::Seconds;

/// A record: an alias, or values with a time to live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The zone that it is in.
    pub zone: Out<ZoneId>,
    /// Its name, without a dot at the end.
    pub name: Text,
    /// Its type, such as `A` or `CNAME`.
    pub kind: String,
    /// What it stands for, when it is an alias.
    pub alias: Option<Alias>,
    /// How long resolvers may keep the answer, when it is none.
    pub ttl: Option<Seconds>,
    /// Its values then.
    pub values: Vec<Text>,
}

/// What an alias stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The name that AWS gave it.
    pub target: Out<DnsName>,
    /// The zone of that name.
    pub zone: Out<CanonicalZoneId>,
    /// Whether it is left out of answers when it is not well.
    pub evaluate_health: bool,
}

/// Marks the name of a record.
#[derive(Debug)]
pub enum RecordName {}

impl Handle<Record> {
    /// The record's name.
    #[must_use]
    pub fn name(&self) -> Out<RecordName> {
        self.output("name")
    }
}

impl Record {
    /// An alias of type `A` or `AAAA` for a load balancer.
    #[must_use]
    pub fn alias(zone: Out<ZoneId>, name: impl Into<Text>, kind: &str, balancer: &Handle<LoadBalancer>) -> Self {
        let alias = Alias { target: balancer.dns_name(), zone: balancer.zone_id(), evaluate_health: false };
        Self { zone, name: name.into(), kind: kind.to_owned(), alias: Some(alias), ttl: None, values: Vec::new() }
    }

    /// A record with values.
    #[must_use]
    pub fn plain(zone: Out<ZoneId>, name: impl Into<Text>, kind: &str, ttl: Seconds, values: Vec<Text>) -> Self {
        Self { zone, name: name.into(), kind: kind.to_owned(), alias: None, ttl: Some(ttl), values }
    }
}

impl Kind for Record {
    const RULES: &'static Rules = &Rules {
        kind: "route53.record",
        fields: &[
            Field::new("zone").replaces(),
            Field::new("name").replaces(),
            Field::new("kind").replaces(),
            Field::new("alias"),
            Field::new("ttl"),
            Field::new("values").compared(Compare::Set),
        ],
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(1, 1, 1),
    };

    /// Looks into every public zone, also into those that the stack no longer names: a host that moved leaves
    /// nothing behind.
    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let zones: Vec<String> = match query.only_physical().and_then(|physical| physical.split('/').next()) {
            Some(zone) => vec![zone.to_owned()],
            None => zone::all(aws).await?.iter().map(|zone| zone::short(zone.id()).to_owned()).collect(),
        };
        let all = try_join_all(zones.iter().map(|zone| records(aws, zone))).await?;
        let found = zones.iter().zip(&all).flat_map(|(zone, sets)| observe(aws, query, zone, sets));
        Ok(found.collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        let (zone, name) = (self.zone.get()?, self.name.get()?);
        let owner =
            Owner { stack: new.stack.to_owned(), id: new.id.clone(), generation: new.generation.clone() }.value();
        let wanted = self.set()?;
        let made = || Made { physical: physical(zone, name, &self.kind), outputs: Some(outputs(name)) };
        // As a rule there is nothing of the name; where there is, AWS refuses both.
        let claim = owners::set(name, &self.kind, std::slice::from_ref(&owner))?;
        let both = vec![change(ChangeAction::Create, wanted.clone())?, change(ChangeAction::Create, claim)?];
        match send(aws, zone, both).await {
            Err(error) if error.class == Class::Exists => {}
            answer => return answer.map(|()| made()),
        }
        let standing = Standing::of(aws, zone, name, &self.kind).await?;
        let mut changes = Vec::new();
        let mut claims = owners::values(standing.owners.as_ref());
        match &standing.record {
            None => changes.push(change(ChangeAction::Create, wanted)?),
            Some(there) if same(there, &wanted) => {
                if claims.is_empty() {
                    claims.push(owners::SOMEBODY_ELSE.to_owned());
                }
            }
            Some(_) => return Err(taken(name, &self.kind, &claims)),
        }
        claims.push(owner);
        changes.extend(standing.claimed(name, &self.kind, &claims)?);
        send(aws, zone, changes).await?;
        Ok(made())
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, _changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let changes = vec![change(ChangeAction::Upsert, self.set()?)?];
        send(aws, now.inputs.zone.get()?, changes).await?;
        Ok(Some(now.outputs.clone()))
    }

    /// Takes the stack's claim away, and the record with it when nobody else has one.
    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let (zone, name, kind) = (now.inputs.zone.get()?, now.inputs.name.get()?, &now.inputs.kind);
        let standing = Standing::of(aws, zone, name, kind).await?;
        let mut claims = owners::values(standing.owners.as_ref());
        let ours = |owner: &Owner| owner.stack == aws.scope.stack && owner.id == now.id;
        claims.retain(|value| !owners::owners(std::slice::from_ref(value)).iter().any(ours));
        if claims == [owners::SOMEBODY_ELSE] {
            claims.clear();
        } else if claims.is_empty()
            && let Some(record) = standing.record.clone()
        {
            let mut changes = vec![change(ChangeAction::Delete, record)?];
            changes.extend(standing.claimed(name, kind, &claims)?);
            send(aws, zone, changes).await?;
            return Ok(Gone::Now);
        }
        send(aws, zone, standing.claimed(name, kind, &claims)?).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        let (zone, name, kind) = (now.inputs.zone.get()?, now.inputs.name.get()?, &now.inputs.kind);
        let Some(generation) = identity.get(tags::GENERATION) else {
            return Err(CallError::ours("a record is adopted without a generation"));
        };
        let generation = wharf_engine::Generation::from_tag(generation);
        let owner = Owner { stack: aws.scope.stack.clone(), id: now.id.clone(), generation };
        let standing = Standing::of(aws, zone, name, kind).await?;
        let mut claims = owners::values(standing.owners.as_ref());
        claims.push(owner.value());
        send(aws, zone, standing.claimed(name, kind, &claims)?).await
    }

    fn grants() -> Vec<Grant> {
        vec![
            Grant::read(&["route53:ListHostedZones", "route53:ListResourceRecordSets"]),
            Grant::write(&["route53:ChangeResourceRecordSets"], ZONES),
        ]
    }
}

impl Record {
    pub(super) fn set(&self) -> Result<ResourceRecordSet, CallError> {
        let set = ResourceRecordSet::builder().name(self.name.get()?).r#type(RrType::from(self.kind.as_str()));
        let set = match &self.alias {
            Some(alias) => {
                let target = AliasTarget::builder().dns_name(alias.target.get()?).hosted_zone_id(alias.zone.get()?);
                let target = target.evaluate_target_health(alias.evaluate_health).build().map_err(CallError::ours)?;
                set.alias_target(target)
            }
            None => {
                let value =
                    |value: &Text| ResourceRecord::builder().value(value.get()?).build().map_err(CallError::ours);
                let values = self.values.iter().map(value).collect::<Result<Vec<_>, _>>()?;
                set.ttl(self.ttl.map_or(300, |ttl| ttl.0.into())).set_resource_records(Some(values))
            }
        };
        set.build().map_err(CallError::ours)
    }
}

/// What stands at a name: the record of a type, and who owns it.
struct Standing {
    record: Option<ResourceRecordSet>,
    owners: Option<ResourceRecordSet>,
}

impl Standing {
    async fn of(aws: &Aws, zone: &str, name: &str, kind: &str) -> Result<Self, CallError> {
        let beside = owners::name_of(name, kind);
        let page = from(aws, zone, name, kind).await?;
        let record = page.of(name, kind);
        // The name of the owners is below the record's, so as a rule they are on the same page.
        let owners = match page.of(&beside, RrType::Txt.as_str()) {
            None if page.more => {
                from(aws, zone, &beside, RrType::Txt.as_str()).await?.of(&beside, RrType::Txt.as_str())
            }
            found => found,
        };
        Ok(Self { record, owners })
    }

    /// What turns the owners into these. The old ones go by their values, so that a change that somebody else made
    /// since is not written over: AWS refuses the batch, and the step looks again.
    fn claimed(&self, name: &str, kind: &str, claims: &[String]) -> Result<Vec<Change>, CallError> {
        let mut changes = Vec::new();
        if let Some(owners) = &self.owners {
            changes.push(change(ChangeAction::Delete, owners.clone())?);
        }
        if !claims.is_empty() {
            changes.push(change(ChangeAction::Create, owners::set(name, kind, claims)?)?);
        }
        Ok(changes)
    }
}

fn taken(name: &str, kind: &str, claims: &[String]) -> CallError {
    let who = match owners::owners(claims).first() {
        Some(owner) => format!("it belongs to {} of the stack {}", owner.id, owner.stack),
        None => "no stack made it".to_owned(),
    };
    CallError::invalid(
        format!("there is another record {kind} {name}: {who}"),
        "remove it, or choose another name for this stack",
    )
}

fn change(action: ChangeAction, set: ResourceRecordSet) -> Result<Change, CallError> {
    Change::builder().action(action).resource_record_set(set).build().map_err(CallError::ours)
}

async fn send(aws: &Aws, zone: &str, changes: Vec<Change>) -> Result<(), CallError> {
    if changes.is_empty() {
        return Ok(());
    }
    let batch = ChangeBatch::builder().set_changes(Some(changes)).build().map_err(CallError::ours)?;
    let send = || aws.route53.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch.clone()).send();
    aws.call("route53:ChangeResourceRecordSets", zone, send).await.map(drop)
}

/// Some records of a zone, and whether there are more after them.
struct Page {
    sets: Vec<ResourceRecordSet>,
    more: bool,
}

impl Page {
    /// The record of a name and type, if it is among them.
    fn of(&self, name: &str, kind: &str) -> Option<ResourceRecordSet> {
        let is =
            |set: &&ResourceRecordSet| owners::shown(set.name()) == zone::bare(name) && set.r#type().as_str() == kind;
        self.sets.iter().find(is).cloned()
    }
}

/// The records from this one on.
async fn from(aws: &Aws, zone: &str, name: &str, kind: &str) -> Result<Page, CallError> {
    let send = || {
        let call = aws.route53.list_resource_record_sets().hosted_zone_id(zone);
        call.start_record_name(name).start_record_type(RrType::from(kind)).send()
    };
    let answer = aws.call("route53:ListResourceRecordSets", zone, send).await?;
    Ok(Page { sets: answer.resource_record_sets, more: answer.is_truncated })
}

/// All records of a zone; none when it is gone since.
async fn records(aws: &Aws, zone: &str) -> Result<Vec<ResourceRecordSet>, CallError> {
    type Start = (String, Option<RrType>);
    let mut all = Vec::new();
    let mut start: Option<Start> = None;
    loop {
        let send = || {
            let (name, kind) = start.clone().unzip();
            let call = aws.route53.list_resource_record_sets().hosted_zone_id(zone);
            call.set_start_record_name(name).set_start_record_type(kind.flatten()).send()
        };
        let answer = match aws.call("route53:ListResourceRecordSets", zone, send).await {
            Err(error) if error.class == Class::Missing => return Ok(Vec::new()),
            answer => answer?,
        };
        all.extend(answer.resource_record_sets);
        match answer.next_record_name.filter(|_| answer.is_truncated) {
            Some(name) => start = Some((name, answer.next_record_type)),
            None => return Ok(all),
        }
    }
}

/// Whether two records say the same. AWS ends names with a dot.
fn same(one: &ResourceRecordSet, other: &ResourceRecordSet) -> bool {
    let values = |set: &ResourceRecordSet| {
        let mut values: Vec<String> = set.resource_records().iter().map(|record| value(set, record)).collect();
        values.sort();
        values
    };
    let alias = |set: &ResourceRecordSet| {
        set.alias_target().map(|alias| (zone::bare(alias.dns_name()), alias.hosted_zone_id().to_owned()))
    };
    values(one) == values(other) && alias(one) == alias(other)
}

/// A value; that of a CNAME is a name.
fn value(set: &ResourceRecordSet, record: &ResourceRecord) -> String {
    match set.r#type() {
        RrType::Cname => record.value().trim_end_matches('.').to_owned(),
        _ => record.value().to_owned(),
    }
}

/// The stack's records of a zone, and those that have a name it wants without being its own.
fn observe(aws: &Aws, query: &Query<Record>, zone: &str, sets: &[ResourceRecordSet]) -> Vec<Found<Record>> {
    let text = |set: &ResourceRecordSet| (owners::shown(set.name()), set.r#type().as_str().to_owned());
    let by_place: BTreeMap<(String, String), &ResourceRecordSet> = sets.iter().map(|set| (text(set), set)).collect();
    let mut found = Vec::new();
    for ((name, kind), set) in &by_place {
        let beside = (owners::name_of(name, kind), RrType::Txt.as_str().to_owned());
        let claims = owners::owners(&owners::values(by_place.get(&beside).copied()));
        let ours: Vec<&Owner> = claims.iter().filter(|owner| owner.stack == aws.scope.stack).collect();
        for owner in &ours {
            let identity = Identity::Ours(Some(owner.generation.clone()));
            found.push(one_found(owner.id.clone(), identity, zone, name, set));
        }
        let wants = query.wanted.iter().find(|(_, wanted)| {
            wanted.kind == *kind && wanted.name.get().is_ok_and(|wanted| zone::bare(wanted) == *name)
        });
        if let Some((id, wanted)) = wants
            && ours.is_empty()
            && !wanted.set().is_ok_and(|wanted| same(&wanted, set))
        {
            found.push(one_found(id.clone(), Identity::Foreign, zone, name, set));
        }
    }
    found
}

fn one_found(
    id: wharf_engine::LogicalId,
    identity: Identity,
    zone: &str,
    name: &str,
    set: &ResourceRecordSet,
) -> Found<Record> {
    let kind = set.r#type().as_str();
    let alias = set.alias_target().map(|alias| Alias {
        target: Out::known(zone::bare(alias.dns_name())),
        zone: Out::known(alias.hosted_zone_id()),
        evaluate_health: alias.evaluate_target_health(),
    });
    let mut values: Vec<Text> = set.resource_records().iter().map(|record| Text::known(value(set, record))).collect();
    values.sort();
    let inputs = Record {
        zone: Out::known(zone),
        name: Text::known(name),
        kind: kind.to_owned(),
        alias,
        ttl: set.ttl().and_then(|ttl| i32::try_from(ttl).ok()).map(Seconds),
        values,
    };
    Found {
        id,
        physical: physical(zone, name, kind),
        identity,
        health: Health::Ready,
        inputs,
        outputs: outputs(name),
        blockers: Default::default(),
    }
}

fn physical(zone: &str, name: &str, kind: &str) -> String {
    format!("{zone}/{}/{kind}", zone::bare(name))
}

fn outputs(name: &str) -> Outputs {
    Outputs::from([("name".to_owned(), Value::text(zone::bare(name)))])
}
