//! A repository of container images.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/Repositories.html>

use aws_sdk_ecr::types::{
    EncryptionConfiguration, EncryptionType, ImageScanningConfiguration, ImageTagMutability,
    ImageTagMutabilityExclusionFilter, ImageTagMutabilityExclusionFilterType, Repository as Sdk,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Compare, Estimate, Field, Health, Identity, Order, Outputs, Owner, Rules, Value};

use super::tagging;
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::kms::key::KeyArn;
use crate::aws::out::{Handle, Out, Text};
use crate::aws::tag_index;
use crate::aws::tags::{self, Tags};

/// A repository. It is protected, for its images cannot be made again: a deletion that was allowed by name takes
/// them along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// Its name, such as `shop/web`.
    pub name: String,
    /// A tag, once pushed, stays at its image.
    pub immutable_tags: bool,
    /// Tags for which the opposite holds, as patterns: `latest`, `cache-*`.
    pub except_tags: Vec<String>,
    /// Each image is searched for known weaknesses when it is pushed.
    pub scan_on_push: bool,
    /// Encrypts the images; none: with a key of ECR's own (AES-256).
    pub kms_key: Option<Out<KeyArn>>,
    /// When images expire: a JSON document.
    /// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html>
    pub lifecycle_policy: Option<String>,
    /// Who else may pull and push: a policy document. Within the account IAM's policies are enough.
    pub policy: Option<Text>,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the ARN of a repository.
#[derive(Debug)]
pub enum RepositoryArn {}

/// Marks the name of a repository.
#[derive(Debug)]
pub enum RepositoryName {}

impl Handle<Repository> {
    /// The repository's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<RepositoryArn> {
        self.output("arn")
    }

    /// What images of it are called, registry and all, without a tag.
    #[must_use]
    pub fn url(&self) -> Text {
        self.output("url")
    }

    /// The repository's name.
    #[must_use]
    pub fn name(&self) -> Out<RepositoryName> {
        self.output("name")
    }
}

impl Kind for Repository {
    const RULES: &'static Rules = &Rules {
        kind: "ecr.repository",
        fields: &[
            Field::new("name").replaces(),
            Field::new("immutable_tags"),
            Field::new("except_tags").compared(Compare::Set),
            Field::new("scan_on_push"),
            Field::new("kms_key").replaces(),
            Field::new("lifecycle_policy").compared(Compare::Document),
            Field::new("policy").compared(Compare::Document),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::DeleteFirst,
        protected: true,
        visible_within: std::time::Duration::from_secs(10),
        estimate: Estimate::seconds(2, 2, 2),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        const ACTION: &str = "ecr:DescribeRepositories";
        let name = query.only_physical();
        let send = |token| {
            let names = name.map(|name| vec![name.to_owned()]);
            aws.ecr.describe_repositories().set_repository_names(names).set_next_token(token).send()
        };
        let page = |page: aws_sdk_ecr::operation::describe_repositories::DescribeRepositoriesOutput| {
            (page.repositories.unwrap_or_default(), page.next_token)
        };
        let all = match aws.pages(ACTION, name.unwrap_or_default(), send, page).await {
            Err(error) if error.class == Class::Missing => Vec::new(),
            all => all?,
        };
        let found = try_join_all(all.iter().map(|repository| observe(aws, query, repository))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "ecr:CreateRepository";
        let (mutability, exceptions) = self.mutability()?;
        let request = aws
            .ecr
            .create_repository()
            .repository_name(&self.name)
            .image_tag_mutability(mutability)
            .set_image_tag_mutability_exclusion_filters(exceptions)
            .image_scanning_configuration(self.scanning())
            .encryption_configuration(self.encryption()?)
            .set_tags(Some(tagging::to_sdk(&new.tags(&self.tags))?));
        let answer = aws.call(ACTION, &self.name, || request.clone().send()).await?;
        let made = answer.repository.ok_or_else(|| CallError::lacks(ACTION, "repository"))?;
        if self.lifecycle_policy.is_some() {
            self.put_lifecycle_policy(aws).await?;
        }
        if self.policy.is_some() {
            self.put_policy(aws).await?;
        }
        Ok(Made { physical: self.name.clone(), outputs: Some(outputs(&made)) })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let name = &now.physical;
        if changed.any(&["immutable_tags", "except_tags"]) {
            let (mutability, exceptions) = self.mutability()?;
            let request = aws
                .ecr
                .put_image_tag_mutability()
                .repository_name(name)
                .image_tag_mutability(mutability)
                .set_image_tag_mutability_exclusion_filters(exceptions);
            aws.call("ecr:PutImageTagMutability", name, || request.clone().send()).await?;
        }
        if changed.has("scan_on_push") {
            let request = aws.ecr.put_image_scanning_configuration().repository_name(name);
            let request = request.image_scanning_configuration(self.scanning());
            aws.call("ecr:PutImageScanningConfiguration", name, || request.clone().send()).await?;
        }
        if changed.has("lifecycle_policy") {
            self.put_lifecycle_policy(aws).await?;
        }
        if changed.has("policy") {
            self.put_policy(aws).await?;
        }
        if changed.has("tags") {
            let arn = tagging::arn(aws, name);
            tagging::change(aws, &arn, &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    /// With its images: it is not called unless the user allowed that by the repository's id.
    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.ecr.delete_repository().repository_name(&now.physical).force(true).send();
        aws.call("ecr:DeleteRepository", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &tagging::arn(aws, &now.physical), identity).await
    }

    fn grants() -> Vec<Grant> {
        const REPOSITORY: &[&str] = &["arn:{partition}:ecr:{region}:{account}:repository/*"];
        const THROUGH_ECR: &[(&str, &str, &str)] = &[("StringEquals", "kms:ViaService", "ecr.{region}.amazonaws.com")];
        const CHANGE: &[&str] = &[
            "ecr:PutImageTagMutability",
            "ecr:PutImageScanningConfiguration",
            "ecr:PutLifecyclePolicy",
            "ecr:DeleteLifecyclePolicy",
            "ecr:SetRepositoryPolicy",
            "ecr:DeleteRepositoryPolicy",
            "ecr:DeleteRepository",
        ];
        let own = [
            tag_index::GRANT,
            Grant::read(&[
                "ecr:DescribeRepositories",
                "ecr:ListTagsForResource",
                "ecr:GetLifecyclePolicy",
                "ecr:GetRepositoryPolicy",
            ]),
            Grant::write(&["ecr:CreateRepository"], REPOSITORY).when(TAGGED_WITH_THIS_STACK),
            Grant::write(CHANGE, REPOSITORY).when(OF_THIS_STACK),
            Grant::write(
                &["kms:CreateGrant", "kms:RetireGrant", "kms:DescribeKey"],
                &["arn:{partition}:kms:{region}:{account}:key/*"],
            )
            .when(THROUGH_ECR),
        ];
        own.into_iter().chain(tagging::GRANTS).collect()
    }
}

impl Repository {
    fn mutability(&self) -> Result<(ImageTagMutability, Option<Vec<ImageTagMutabilityExclusionFilter>>), CallError> {
        let mutability = match (self.immutable_tags, self.except_tags.is_empty()) {
            (true, true) => ImageTagMutability::Immutable,
            (true, false) => ImageTagMutability::ImmutableWithExclusion,
            (false, true) => ImageTagMutability::Mutable,
            (false, false) => ImageTagMutability::MutableWithExclusion,
        };
        let filter = |pattern: &String| {
            let wildcard = ImageTagMutabilityExclusionFilterType::Wildcard;
            ImageTagMutabilityExclusionFilter::builder().filter_type(wildcard).filter(pattern).build()
        };
        let filters: Result<Vec<_>, _> = self.except_tags.iter().map(filter).collect();
        Ok((mutability, Some(filters.map_err(CallError::ours)?).filter(|filters| !filters.is_empty())))
    }

    fn scanning(&self) -> ImageScanningConfiguration {
        ImageScanningConfiguration::builder().scan_on_push(self.scan_on_push).build()
    }

    fn encryption(&self) -> Result<EncryptionConfiguration, CallError> {
        let encryption = EncryptionConfiguration::builder();
        let encryption = match &self.kms_key {
            Some(key) => encryption.encryption_type(EncryptionType::Kms).kms_key(key.get()?),
            None => encryption.encryption_type(EncryptionType::Aes256),
        };
        encryption.build().map_err(CallError::ours)
    }

    async fn put_lifecycle_policy(&self, aws: &Aws) -> Result<(), CallError> {
        let name = &self.name;
        let Some(policy) = &self.lifecycle_policy else {
            let send = || aws.ecr.delete_lifecycle_policy().repository_name(name).send();
            return gone(aws.call("ecr:DeleteLifecyclePolicy", name, send).await);
        };
        let send = || aws.ecr.put_lifecycle_policy().repository_name(name).lifecycle_policy_text(policy).send();
        aws.call("ecr:PutLifecyclePolicy", name, send).await.map(drop)
    }

    async fn put_policy(&self, aws: &Aws) -> Result<(), CallError> {
        let name = &self.name;
        let Some(policy) = &self.policy else {
            let send = || aws.ecr.delete_repository_policy().repository_name(name).send();
            return gone(aws.call("ecr:DeleteRepositoryPolicy", name, send).await);
        };
        let policy = policy.get()?;
        let send = || aws.ecr.set_repository_policy().repository_name(name).policy_text(policy).send();
        aws.call("ecr:SetRepositoryPolicy", name, send).await.map(drop)
    }
}

/// What was to be taken away is not there.
fn gone<T>(answer: Result<T, CallError>) -> Result<(), CallError> {
    or_none(answer).map(drop)
}

fn or_none<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Err(error) if error.class == Class::Missing => Ok(None),
        answer => answer.map(Some),
    }
}

async fn observe(
    aws: &Aws,
    query: &Query<Repository>,
    repository: &Sdk,
) -> Result<Option<Found<Repository>>, CallError> {
    let (Some(name), Some(arn)) = (repository.repository_name(), repository.repository_arn()) else {
        return Ok(None);
    };
    let known = tag_index::look(aws, query, arn, |wanted: &Repository| &wanted.tags).await;
    let all = if known.is_some() { known } else { tagging::list(aws, arn).await? };
    let Some(all) = all else { return Ok(None) };
    let foreign = || {
        let wants = query.wanted.iter().find(|(_, wanted)| wanted.name == name);
        wants.map(|(id, _)| (id.clone(), Identity::Foreign))
    };
    let Some((id, identity)) = tags::read(&aws.scope.stack, &all).or_else(foreign) else { return Ok(None) };
    let (lifecycle_policy, policy) = futures::try_join!(lifecycle_policy(aws, name), policy(aws, name))?;
    let mutability = repository.image_tag_mutability();
    let encryption = repository.encryption_configuration();
    let mut except_tags: Vec<_> = repository.image_tag_mutability_exclusion_filters().iter().map(filter).collect();
    except_tags.sort();
    let inputs = Repository {
        name: name.to_owned(),
        immutable_tags: matches!(
            mutability,
            Some(ImageTagMutability::Immutable | ImageTagMutability::ImmutableWithExclusion)
        ),
        except_tags,
        scan_on_push: repository.image_scanning_configuration().is_some_and(|scanning| scanning.scan_on_push),
        kms_key: encryption.and_then(|encryption| encryption.kms_key()).map(Out::known),
        lifecycle_policy,
        policy: policy.map(Text::known),
        tags: tags::user(&all),
    };
    Ok(Some(Found {
        id,
        physical: name.to_owned(),
        identity,
        health: Health::Ready,
        inputs,
        outputs: outputs(repository),
        blockers: Default::default(),
    }))
}

fn filter(filter: &ImageTagMutabilityExclusionFilter) -> String {
    filter.filter().to_owned()
}

async fn lifecycle_policy(aws: &Aws, name: &str) -> Result<Option<String>, CallError> {
    let send = || aws.ecr.get_lifecycle_policy().repository_name(name).send();
    let answer = or_none(aws.call("ecr:GetLifecyclePolicy", name, send).await)?;
    Ok(answer.and_then(|answer| answer.lifecycle_policy_text))
}

async fn policy(aws: &Aws, name: &str) -> Result<Option<String>, CallError> {
    let send = || aws.ecr.get_repository_policy().repository_name(name).send();
    let answer = or_none(aws.call("ecr:GetRepositoryPolicy", name, send).await)?;
    Ok(answer.and_then(|answer| answer.policy_text))
}

fn outputs(repository: &Sdk) -> Outputs {
    let text = |name: &str, value: Option<&str>| Some((name.to_owned(), Value::text(value?)));
    let all = [
        text("arn", repository.repository_arn()),
        text("url", repository.repository_uri()),
        text("name", repository.repository_name()),
    ];
    all.into_iter().flatten().collect()
}
