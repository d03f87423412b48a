//! Repositories. <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>

use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};

use super::{absent, arn, invalid, named, own_registry, tags};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::clock::later;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::kms;
use crate::services::shared::{page, seconds, shown};
use crate::store::Resource;

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    own_registry(ctx, input)?;
    let name = input.string("repositoryName")?;
    well_formed(&name)?;
    let tags = tags::requested(input)?;
    ctx.authorise(Grant::new("ecr:CreateRepository", arn(ctx, &name)).request_tags(&tags))?;
    if !tags.is_empty() {
        ctx.authorise(Grant::new("ecr:TagResource", arn(ctx, &name)).request_tags(&tags))?;
    }
    let (mutability, filters) = mutability(input)?;
    let scan = scanning(input.object("imageScanningConfiguration").as_ref())?;
    let encryption = encryption(ctx, input, &arn(ctx, &name))?;
    if ctx.get("ecr.repository", &name).is_some() {
        let registry = &ctx.account.id;
        let message = format!("The repository with name '{name}' already exists in the registry with id '{registry}'");
        return Err(refuse("RepositoryAlreadyExistsException", message));
    }
    let (account, region) = (&ctx.account.id, &ctx.account.region);
    let mut repository = ctx.resource(
        "ecr.repository",
        &name,
        json!({
            "repositoryArn": arn(ctx, &name),
            "registryId": account,
            "repositoryName": name,
            "repositoryUri": format!("{account}.dkr.ecr.{region}.amazonaws.com/{name}"),
            "createdAt": seconds(ctx.now),
            "imageTagMutability": mutability,
            "imageScanningConfiguration": { "scanOnPush": scan },
            "encryptionConfiguration": encryption,
        }),
    );
    if let Some(filters) = filters {
        repository.set("imageTagMutabilityExclusionFilters", filters);
    }
    repository.tags = tags;
    let answer = shown(&repository);
    ctx.insert(repository);
    Ok(json!({ "repository": answer }))
}

/// Lower case, with slashes, dots, dashes and underscores between letters and digits.
fn well_formed(name: &str) -> Result<(), ApiError> {
    let part = |part: &str| {
        let inner = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "._-".contains(letter);
        let outer = |letter: Option<char>| letter.is_some_and(|l| l.is_ascii_lowercase() || l.is_ascii_digit());
        part.chars().all(inner) && outer(part.chars().next()) && outer(part.chars().last())
    };
    if (2..=256).contains(&name.len()) && name.split('/').all(part) {
        return Ok(());
    }
    Err(invalid(format!(
        "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*'' ({name})"
    )))
}

/// Whether tags stay at their image, and for which the opposite holds.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html>
fn mutability(input: &Input) -> Result<(String, Option<Value>), ApiError> {
    let mutability = input.opt_str("imageTagMutability").unwrap_or("MUTABLE").to_owned();
    let filters: Vec<Value> = input
        .objects("imageTagMutabilityExclusionFilters")
        .iter()
        .map(|filter| {
            if filter.str("filterType")? != "WILDCARD" {
                return Err(invalid("the type of an exclusion filter must be WILDCARD"));
            }
            Ok(json!({ "filterType": "WILDCARD", "filter": filter.str("filter")? }))
        })
        .collect::<Result<_, ApiError>>()?;
    match (mutability.as_str(), filters.is_empty()) {
        ("MUTABLE" | "IMMUTABLE", true) => Ok((mutability, None)),
        ("MUTABLE_WITH_EXCLUSION" | "IMMUTABLE_WITH_EXCLUSION", false) => Ok((mutability, Some(filters.into()))),
        _ => Err(invalid(format!("imageTagMutability {mutability} does not go with these exclusion filters"))),
    }
}

fn scanning(configuration: Option<&Input>) -> Result<bool, ApiError> {
    configuration.map_or(Ok(false), |configuration| configuration.bool_or("scanOnPush", false))
}

/// A repository under a customer's key takes a grant on it.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html>
fn encryption(ctx: &mut Ctx<'_>, input: &Input, repository: &str) -> Result<Value, ApiError> {
    let Some(wanted) = input.object("encryptionConfiguration") else {
        return Ok(json!({ "encryptionType": "AES256" }));
    };
    let kind = wanted.string("encryptionType")?;
    match (kind.as_str(), wanted.opt_str("kmsKey")) {
        ("AES256", None) => Ok(json!({ "encryptionType": "AES256" })),
        ("KMS", Some(key)) => {
            let unfit = |_| refuse("KmsException", format!("the key {key} cannot be used for {repository}"));
            let key = kms::usable(ctx, key).map_err(unfit)?;
            let arn = key.text("Arn").to_owned();
            let via = format!("ecr.{}.amazonaws.com", ctx.account.region);
            for action in ["kms:CreateGrant", "kms:DescribeKey"] {
                ctx.authorise(Grant::new(action, &arn).resource_tags(&key.tags).key("kms:ViaService", &via))?;
            }
            Ok(json!({ "encryptionType": "KMS", "kmsKey": arn }))
        }
        ("KMS", None) => Ok(json!({ "encryptionType": "KMS", "kmsKey": kms::managed(ctx, "ecr") })),
        _ => Err(invalid(format!("encryptionType {kind} with this kmsKey"))),
    }
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    own_registry(ctx, input)?;
    let names = input.strings("repositoryNames");
    let targets = if names.is_empty() { vec!["*".to_owned()] } else { names.clone() };
    for name in &targets {
        let grant = Grant::new("ecr:DescribeRepositories", arn(ctx, name));
        ctx.authorise(grant)?;
    }
    if let Some(missing) = names.iter().find(|name| ctx.get("ecr.repository", name).is_none()) {
        return Err(absent(ctx, missing));
    }
    let mut repositories = ctx.visible("ecr.repository");
    repositories.retain(|repository| names.is_empty() || names.contains(&repository.id));
    let size = usize::try_from(input.opt_int("maxResults")?.unwrap_or(100)).unwrap_or(100);
    let items = repositories.iter().map(|repository| Value::Object(shown(repository))).collect();
    let page = page(items, input.opt_str("nextToken"), size).ok_or_else(|| invalid("Invalid token"))?;
    let mut answer = json!({ "repositories": page.items });
    if let Some(next) = page.next {
        answer["nextToken"] = next.into();
    }
    Ok(answer)
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let repository = named(ctx, input, "DeleteRepository")?;
    let images = ctx.those("ecr.image", |image| image.text("_repository") == repository.id);
    if !images.is_empty() && !input.bool_or("force", false)? {
        let message = format!(
            "The repository with name '{}' in registry with id '{}' cannot be deleted because it still contains images",
            repository.id, ctx.account.id
        );
        return Err(refuse("RepositoryNotEmptyException", message));
    }
    input.ignore(&["force"]);
    for image in images {
        ctx.remove("ecr.image", &image.id);
    }
    ctx.remove("ecr.repository", &repository.id);
    Ok(json!({ "repository": shown(&repository) }))
}

pub(super) fn put_mutability(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let repository = named(ctx, input, "PutImageTagMutability")?;
    input.str("imageTagMutability")?;
    let (mutability, filters) = mutability(input)?;
    let mut answer = about(&repository);
    answer["imageTagMutability"] = mutability.clone().into();
    if let Some(filters) = &filters {
        answer["imageTagMutabilityExclusionFilters"] = filters.clone();
    }
    ctx.update("ecr.repository", &repository.id, |repository| {
        repository.set("imageTagMutability", mutability);
        match filters {
            Some(filters) => repository.set("imageTagMutabilityExclusionFilters", filters),
            None => drop(repository.attrs.remove("imageTagMutabilityExclusionFilters")),
        }
    });
    Ok(answer)
}

pub(super) fn put_scanning(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let repository = named(ctx, input, "PutImageScanningConfiguration")?;
    let wanted =
        input.object("imageScanningConfiguration").ok_or_else(|| input.missing("imageScanningConfiguration"))?;
    let scan = json!({ "scanOnPush": scanning(Some(&wanted))? });
    let mut answer = about(&repository);
    answer["imageScanningConfiguration"] = scan.clone();
    ctx.update("ecr.repository", &repository.id, |repository| repository.set("imageScanningConfiguration", scan));
    Ok(answer)
}

/// The two members that most answers begin with.
pub(super) fn about(repository: &Resource) -> Value {
    json!({ "registryId": repository.text("registryId"), "repositoryName": repository.id })
}

/// A password for `docker login`, good for twelve hours.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html>
pub(super) fn authorization(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["registryIds"]);
    let token = base64::engine::general_purpose::STANDARD.encode(format!("AWS:{}", ctx.new_id("token")));
    let (account, region) = (&ctx.account.id, &ctx.account.region);
    Ok(json!({ "authorizationData": [{
        "authorizationToken": token,
        "expiresAt": seconds(later(ctx.now, Duration::from_secs(12 * 3600))),
        "proxyEndpoint": format!("https://{account}.dkr.ecr.{region}.amazonaws.com"),
    }] }))
}
