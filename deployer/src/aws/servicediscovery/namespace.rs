//! A private DNS namespace: a zone of the VPC in which services have names.
//! <https://docs.aws.amazon.com/cloud-map/latest/dg/working-with-namespaces.html>
//!
//! Every namespace of a stack has the stack's name in its own: AWS lists namespaces without tags, and this is what the
//! list is narrowed by. Cloud Map does not tell a namespace's VPC, so a tag does.

use aws_sdk_servicediscovery::types::{
    DnsProperties, FilterCondition, NamespaceFilter, NamespaceFilterName, NamespaceSummary as Sdk, OperationStatus,
    OperationTargetType, OperationType, PrivateDnsNamespaceChange, PrivateDnsNamespaceProperties,
    PrivateDnsNamespacePropertiesChange, PrivateDnsPropertiesMutable, PrivateDnsPropertiesMutableChange, Soa,
    SoaChange,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Estimate, Field, Health, Identity, LogicalId, Order, Outputs, Owner, Rules, Value};

use super::{operation, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::ec2::vpc::VpcId;
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, Query};
use crate::aws::out::{Handle, Out, Text};
use crate::aws::shared_reads::once;
use crate::aws::tags::{self, Tags};
use crate::aws::units::Seconds;

/// A private DNS namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// Its domain, with the stack's name in it: `shop.internal`.
    pub name: String,
    /// The VPC in which its names are known.
    pub vpc: Out<VpcId>,
    /// What it is for.
    pub description: String,
    /// How long a resolver remembers that a name is not there.
    pub ttl: Seconds,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the id of a namespace.
#[derive(Debug)]
pub enum NamespaceId {}
/// Marks the ARN of a namespace.
#[derive(Debug)]
pub enum NamespaceArn {}

impl Handle<Namespace> {
    /// The namespace's id.
    #[must_use]
    pub fn id(&self) -> Out<NamespaceId> {
        self.output("id")
    }

    /// The namespace's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<NamespaceArn> {
        self.output("arn")
    }

    /// The namespace's domain.
    #[must_use]
    pub fn name(&self) -> Text {
        self.output("name")
    }

    /// The id of its hosted zone, which Cloud Map made and takes along.
    #[must_use]
    pub fn zone(&self) -> Text {
        self.output("zone")
    }
}

/// The tag that says which VPC a namespace is in.
const VPC: &str = "wharf:vpc";

impl Kind for Namespace {
    const RULES: &'static Rules = &Rules {
        kind: "servicediscovery.namespace",
        fields: &[
            Field::new("name").replaces(),
            Field::new("vpc").replaces(),
            Field::new("description"),
            Field::new("ttl"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::DeleteFirst,
        protected: false,
        // A namespace whose creation was answered shows only when its zone is there.
        visible_within: std::time::Duration::from_secs(90),
        estimate: Estimate::seconds(45, 6, 15),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        if let Some(id) = query.only_id()
            && let Some(making) = in_the_making(aws, query, id).await?
        {
            return Ok(vec![making]);
        }
        let all = list(aws).await?;
        let found = try_join_all(all.iter().map(|namespace| observe(aws, query, namespace))).await?;
        let mut found: Vec<_> = found.into_iter().flatten().collect();
        let missing =
            query.wanted.keys().filter(|id| query.only.is_none() && found.iter().all(|found| found.id != **id));
        let missing = try_join_all(missing.map(|id| in_the_making(aws, query, id))).await?;
        found.extend(missing.into_iter().flatten());
        Ok(found)
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "servicediscovery:CreatePrivateDnsNamespace";
        if !self.name.contains(new.stack) {
            let what = format!("namespace {} would not be found again", self.name);
            return Err(CallError::invalid(what, format!("give it a name with `{}` in it", new.stack)));
        }
        let soa = Soa::builder().ttl(self.ttl.0.into()).build().map_err(CallError::ours)?;
        let dns = PrivateDnsPropertiesMutable::builder().soa(soa).build();
        let properties = PrivateDnsNamespaceProperties::builder().dns_properties(dns).build();
        let mut tags = new.tags(&self.tags);
        tags.insert(VPC.to_owned(), self.vpc.get()?.to_owned());
        let request = aws
            .servicediscovery
            .create_private_dns_namespace()
            .name(&self.name)
            .vpc(self.vpc.get()?)
            .creator_request_id(new.token)
            .description(&self.description)
            .properties(properties)
            .set_tags(Some(tagging::to_sdk(&tags)?));
        let answer = aws.call(ACTION, &self.name, || request.clone().send()).await?;
        let operation = answer.operation_id.ok_or_else(|| CallError::lacks(ACTION, "OperationId"))?;
        aws.note(new.id, operation);
        Ok(Made { physical: self.name.clone(), outputs: None })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        if changed.has("tags") {
            tagging::change(aws, arn_of(now), &now.inputs.tags, &self.tags).await?;
        }
        if !changed.any(&["description", "ttl"]) {
            return Ok(Some(now.outputs.clone()));
        }
        let soa = SoaChange::builder().ttl(self.ttl.0.into()).build().map_err(CallError::ours)?;
        let dns = PrivateDnsPropertiesMutableChange::builder().soa(soa).build();
        let properties = PrivateDnsNamespacePropertiesChange::builder().dns_properties(dns).build();
        let change = PrivateDnsNamespaceChange::builder().description(&self.description).properties(properties).build();
        let id = id_of(now);
        const ACTION: &str = "servicediscovery:UpdatePrivateDnsNamespace";
        let send = || aws.servicediscovery.update_private_dns_namespace().id(id).namespace(change.clone()).send();
        let answer = aws.call(ACTION, &now.physical, send).await?;
        aws.note(&now.id, answer.operation_id.ok_or_else(|| CallError::lacks(ACTION, "OperationId"))?);
        Ok(None)
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.servicediscovery.delete_namespace().id(id_of(now)).send();
        match aws.call("servicediscovery:DeleteNamespace", &now.physical, send).await {
            // It is being deleted already.
            Err(error) if error.code.as_deref() == Some("DuplicateRequest") => {}
            answer => drop(answer?),
        }
        aws.note(&now.id, operation::DELETING);
        Ok(Gone::Later)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, arn_of(now), identity).await
    }

    fn grants() -> Vec<Grant> {
        const NAMESPACE: &[&str] = &["arn:{partition}:servicediscovery:{region}:{account}:namespace/*"];
        const ZONES: &[&str] = &["arn:{partition}:route53:::hostedzone/*"];
        let own = [
            Grant::read(&["servicediscovery:ListNamespaces"]),
            Grant::read(&["servicediscovery:GetOperation"]),
            Grant::write(&["servicediscovery:CreatePrivateDnsNamespace"], &["*"]).when(tagging::CREATED),
            Grant::write(
                &["servicediscovery:UpdatePrivateDnsNamespace", "servicediscovery:DeleteNamespace"],
                NAMESPACE,
            ),
            // What Cloud Map does with its caller's permissions:
            // <https://docs.aws.amazon.com/cloud-map/latest/dg/security_iam_service-with-iam.html>
            Grant::write(&["route53:CreateHostedZone"], &["*"]),
            Grant::write(
                &["route53:GetHostedZone", "route53:ChangeResourceRecordSets", "route53:DeleteHostedZone"],
                ZONES,
            ),
            Grant::read(&["ec2:DescribeVpcs", "ec2:DescribeRegions", "route53:ListHostedZonesByName"]),
        ];
        own.into_iter().chain(tagging::GRANTS).collect()
    }
}

/// The private namespaces with the stack's name in theirs.
pub(super) async fn list(aws: &Aws) -> Result<Vec<Sdk>, CallError> {
    once(aws, "namespaces", listed(aws)).await
}

async fn listed(aws: &Aws) -> Result<Vec<Sdk>, CallError> {
    let private = NamespaceFilter::builder()
        .name(NamespaceFilterName::Type)
        .condition(FilterCondition::Eq)
        .values("DNS_PRIVATE")
        .build()
        .map_err(CallError::ours)?;
    let send = |token| {
        aws.servicediscovery.list_namespaces().filters(private.clone()).set_next_token(token).max_results(100).send()
    };
    let page = |page: aws_sdk_servicediscovery::operation::list_namespaces::ListNamespacesOutput| {
        (page.namespaces.unwrap_or_default(), page.next_token)
    };
    let all = aws.pages("servicediscovery:ListNamespaces", "", send, page).await?;
    let ours = |one: &Sdk| one.name().is_some_and(|name| name.contains(&aws.scope.stack));
    Ok(all.into_iter().filter(ours).collect())
}

async fn observe(aws: &Aws, query: &Query<Namespace>, namespace: &Sdk) -> Result<Option<Found<Namespace>>, CallError> {
    let (Some(name), Some(arn)) = (namespace.name(), namespace.arn()) else { return Ok(None) };
    // Of one that goes, nobody looks at more than that it is still there.
    let goes = |id: &&LogicalId| aws.noted(id).as_deref() == Some(operation::DELETING);
    let going = query.only_id().filter(goes).filter(|_| query.only_physical() == Some(name));
    let all = match going {
        Some(_) => Some(Tags::new()),
        None => tagging::list(aws, arn).await?,
    };
    let Some(all) = all else { return Ok(None) };
    let foreign = || {
        let wants = query.wanted.iter().find(|(_, wanted)| wanted.name == name);
        wants.map(|(id, _)| (id.clone(), Identity::Foreign))
    };
    let known = going.map(|id| (id.clone(), Identity::Ours(None)));
    let whose = known.or_else(|| tags::read(&aws.scope.stack, &all)).or_else(foreign);
    let Some((id, identity)) = whose else { return Ok(None) };
    let dns = namespace.properties().and_then(|properties| properties.dns_properties());
    let ttl = dns.and_then(DnsProperties::soa).map_or(0, Soa::ttl);
    let inputs = Namespace {
        name: name.to_owned(),
        vpc: Out::known(all.get(VPC).map(String::as_str).unwrap_or_default()),
        description: namespace.description().unwrap_or_default().to_owned(),
        ttl: Seconds(i32::try_from(ttl).map_err(CallError::ours)?),
        tags: tags::user(&all),
    };
    let text = |name: &str, value: Option<&str>| Some((name.to_owned(), Value::text(value?)));
    let outputs = [
        text("id", namespace.id()),
        text("arn", Some(arn)),
        text("name", Some(name)),
        text("zone", dns.and_then(DnsProperties::hosted_zone_id)),
    ];
    let health = operation::health(aws, &id).await?;
    Ok(Some(Found {
        id,
        physical: name.to_owned(),
        identity,
        health,
        inputs,
        outputs: outputs.into_iter().flatten().collect(),
        blockers: Default::default(),
    }))
}

/// A namespace that this run asked for and that is not listed yet.
async fn in_the_making(
    aws: &Aws,
    query: &Query<Namespace>,
    id: &LogicalId,
) -> Result<Option<Found<Namespace>>, CallError> {
    let (Some(wanted), Some(operation)) = (query.wanted.get(id), operation::of(aws, id).await?) else {
        return Ok(None);
    };
    if operation.r#type() != Some(&OperationType::CreateNamespace) {
        return Ok(None);
    }
    let health = match operation.status() {
        Some(OperationStatus::Submitted | OperationStatus::Pending) => Health::Settling("creating".to_owned()),
        Some(OperationStatus::Fail) => {
            let code = operation.error_code().unwrap_or("FAIL");
            Health::Failed(format!("{code}: {}", operation.error_message().unwrap_or("no reason given")))
        }
        // It will be listed within seconds.
        _ => return Ok(None),
    };
    let namespace = operation.targets().and_then(|targets| targets.get(&OperationTargetType::Namespace));
    let outputs = namespace.map(|namespace| ("id".to_owned(), Value::text(namespace)));
    Ok(Some(Found {
        id: id.clone(),
        physical: wanted.name.clone(),
        identity: Identity::Ours(None),
        health,
        inputs: wanted.clone(),
        outputs: outputs.into_iter().collect(),
        blockers: Default::default(),
    }))
}

fn output<'a>(now: &'a Found<Namespace>, name: &str) -> &'a str {
    match now.outputs.get(name) {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

fn id_of(now: &Found<Namespace>) -> &str {
    output(now, "id")
}

fn arn_of(now: &Found<Namespace>) -> &str {
    output(now, "arn")
}
