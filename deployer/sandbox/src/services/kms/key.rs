//! Keys.
//! <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html>

use serde_json::{Value, json};

use super::{DAY, arn, authorise, find, find_by_any_name, paged, policy, state, tags};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::clock::later;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::{seconds, shown};

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = tags::requested(input)?;
    let spec = key_spec(input)?;
    let usage = key_usage(input, &spec)?;
    let origin = input.opt_str("Origin").unwrap_or("AWS_KMS").to_owned();
    if origin != "AWS_KMS" {
        return Err(ApiError::not_simulated(format!("keys with the origin {origin}")));
    }
    let multi_region = input.bool_or("MultiRegion", false)?;
    let described = |action: &str, resource: String| {
        Grant::new(action, resource)
            .key("kms:KeySpec", spec.clone())
            .key("kms:KeyUsage", usage.clone())
            .key("kms:KeyOrigin", origin.clone())
            .key("kms:MultiRegion", multi_region.to_string())
            .request_tags(&tags)
    };
    ctx.authorise(described("kms:CreateKey", "*".to_owned()))?;
    if !tags.is_empty() {
        // <https://docs.aws.amazon.com/kms/latest/developerguide/tag-permissions.html>
        let any = arn(ctx, "*");
        ctx.authorise(described("kms:TagResource", any))?;
    }
    let bypass = input.bool_or("BypassPolicyLockoutSafetyCheck", false)?;
    let document = match input.opt_str("Policy") {
        Some(text) => policy::judged(ctx, text, bypass)?,
        None => policy::Judged::default_for(ctx),
    };
    let description = input.opt_str("Description").unwrap_or("").to_owned();
    if description.len() > 8192 {
        return Err(refuse(
            "ValidationException",
            "1 validation error detected: Value at 'description' failed to satisfy constraint: Member must have length less than or equal to 8192",
        ));
    }
    let id = if multi_region { format!("mrk-{}", ctx.account.rng.hex(32)) } else { ctx.account.rng.uuid() };
    let mut key = ctx.resource("kms.key", &id, metadata(ctx, &id, &description, "CUSTOMER"));
    key.set("KeyUsage", usage);
    if spec == "SYMMETRIC_DEFAULT" {
        key.set("CurrentKeyMaterialId", ctx.account.rng.hex(64));
    } else {
        algorithms(&mut key.attrs, &spec)?;
    }
    if multi_region {
        let primary = json!({"Arn": arn(ctx, &id), "Region": ctx.account.region});
        key.set("MultiRegion", true);
        key.set(
            "MultiRegionConfiguration",
            json!({"MultiRegionKeyType": "PRIMARY", "PrimaryKey": primary, "ReplicaKeys": []}),
        );
    }
    document.keep(&mut key);
    key.tags = tags;
    let answer = shown(&key);
    ctx.insert(key);
    Ok(json!({"KeyMetadata": answer}))
}

/// What AWS says of a key nobody asked anything special of.
fn metadata(ctx: &Ctx<'_>, id: &str, description: &str, manager: &str) -> Value {
    json!({
        "AWSAccountId": ctx.account.id,
        "KeyId": id,
        "Arn": arn(ctx, id),
        "CreationDate": seconds(ctx.now),
        "Enabled": true,
        "Description": description,
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": manager,
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": false,
        "_rotation": false,
    })
}

fn key_spec(input: &Input) -> Result<String, ApiError> {
    let (new, old) = (input.opt_str("KeySpec"), input.opt_str("CustomerMasterKeySpec"));
    if new.is_some() && old.is_some() {
        return Err(refuse(
            "ValidationException",
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.",
        ));
    }
    Ok(new.or(old).unwrap_or("SYMMETRIC_DEFAULT").to_owned())
}

fn key_usage(input: &Input, spec: &str) -> Result<String, ApiError> {
    let usage = input.opt_str("KeyUsage");
    if spec == "SYMMETRIC_DEFAULT" {
        return match usage.unwrap_or("ENCRYPT_DECRYPT") {
            "ENCRYPT_DECRYPT" => Ok("ENCRYPT_DECRYPT".to_owned()),
            other => {
                Err(refuse("ValidationException", format!("KeyUsage {other} is not compatible with KeySpec {spec}")))
            }
        };
    }
    usage.map(str::to_owned).ok_or_else(|| {
        refuse(
            "ValidationException",
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
        )
    })
}

/// Asymmetric and HMAC keys exist only as far as their metadata.
fn algorithms(attrs: &mut serde_json::Map<String, Value>, spec: &str) -> Result<(), ApiError> {
    let usage = attrs.get("KeyUsage").and_then(Value::as_str).unwrap_or_default().to_owned();
    let (name, known) = match (spec, usage.as_str()) {
        ("RSA_2048" | "RSA_3072" | "RSA_4096", "ENCRYPT_DECRYPT") => {
            ("EncryptionAlgorithms", json!(["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]))
        }
        ("RSA_2048" | "RSA_3072" | "RSA_4096", "SIGN_VERIFY") => (
            "SigningAlgorithms",
            json!([
                "RSASSA_PKCS1_V1_5_SHA_256",
                "RSASSA_PKCS1_V1_5_SHA_384",
                "RSASSA_PKCS1_V1_5_SHA_512",
                "RSASSA_PSS_SHA_256",
                "RSASSA_PSS_SHA_384",
                "RSASSA_PSS_SHA_512"
            ]),
        ),
        ("ECC_NIST_P256" | "ECC_SECG_P256K1", "SIGN_VERIFY") => ("SigningAlgorithms", json!(["ECDSA_SHA_256"])),
        ("ECC_NIST_P384", "SIGN_VERIFY") => ("SigningAlgorithms", json!(["ECDSA_SHA_384"])),
        ("ECC_NIST_P521", "SIGN_VERIFY") => ("SigningAlgorithms", json!(["ECDSA_SHA_512"])),
        ("HMAC_224" | "HMAC_256" | "HMAC_384" | "HMAC_512", "GENERATE_VERIFY_MAC") => {
            ("MacAlgorithms", json!([spec.replace("HMAC_", "HMAC_SHA_")]))
        }
        _ => return Err(ApiError::not_simulated(format!("keys of the spec {spec} for {usage}"))),
    };
    attrs.remove("EncryptionAlgorithms");
    attrs.insert(name.to_owned(), known);
    attrs.insert("KeySpec".to_owned(), spec.into());
    attrs.insert("CustomerMasterKeySpec".to_owned(), spec.into());
    Ok(())
}

/// The services for which AWS keeps keys, of those that a stack of containers uses.
const WITH_MANAGED_KEYS: &[&str] =
    &["backup", "dynamodb", "ebs", "ecr", "lambda", "rds", "s3", "secretsmanager", "sns", "sqs", "ssm"];

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["GrantTokens"]);
    let id = input.str("KeyId")?;
    // Asking for a service's key is what makes it: <https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html>
    if let Some(service) = WITH_MANAGED_KEYS.iter().find(|service| id.ends_with(&format!("alias/aws/{service}"))) {
        managed(ctx, service);
    }
    let key = find_by_any_name(ctx, id)?;
    authorise(ctx, "DescribeKey", &key)?;
    Ok(json!({"KeyMetadata": shown(&key)}))
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let keys = ctx.visible("kms.key");
    let keys = keys.iter().map(|key| json!({"KeyId": key.id, "KeyArn": key.text("Arn")})).collect();
    paged(input, "Keys", keys, 100)
}

pub(super) fn update_description(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let key = find(ctx, input.str("KeyId")?)?;
    authorise(ctx, "UpdateKeyDescription", &key)?;
    state::not_pending_deletion(&key)?;
    let description = input.opt_str("Description").ok_or_else(|| input.missing("Description"))?.to_owned();
    ctx.update("kms.key", &key.id, |key| key.set("Description", description));
    Ok(nothing())
}

/// The key that AWS keeps for a service. Nobody can delete it and it costs nothing, so it does not count as
/// something left behind.
pub(super) fn managed(ctx: &mut Ctx<'_>, service: &str) -> String {
    let name = format!("alias/aws/{service}");
    if let Some(alias) = ctx.get("kms.alias", &name) {
        return arn(ctx, alias.text("TargetKeyId"));
    }
    let id = ctx.account.rng.uuid();
    let description =
        format!("Default key that protects my {} data when no other key is defined", service.to_uppercase());
    let mut key = ctx.resource("kms.key", &id, metadata(ctx, &id, &description, "AWS"));
    key.set("CurrentKeyMaterialId", ctx.account.rng.hex(64));
    key.set("_initial", true);
    // Rotated every year: <https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html>
    key.set("_rotation", true);
    key.set("_rotationPeriod", 365);
    key.set("_nextRotation", seconds(later(ctx.now, DAY * 365)));
    policy::Judged::of_managed(ctx, service).keep(&mut key);
    key.aws_made = true;
    let key_arn = key.text("Arn").to_owned();
    ctx.insert(key);
    let mut alias = super::alias::object(ctx, &name, &id);
    alias.aws_made = true;
    alias.set("_initial", true);
    ctx.insert(alias);
    key_arn
}
