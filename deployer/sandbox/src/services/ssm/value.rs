//! Values: how long they may be, how they are encrypted, how they look to those who do not decrypt.
//! <https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-securestring.html>

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::invalid;
use crate::account::Ctx;
use crate::error::{ApiError, refuse};
use crate::services::kms;
use crate::store::Resource;

/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html>
pub(super) fn tier(asked: Option<&str>, now: Option<&str>, value: &str) -> Result<String, ApiError> {
    let long = value.len() > 4096;
    let tier = match asked.or(now).unwrap_or("Standard") {
        "Intelligent-Tiering" if long || now == Some("Advanced") => "Advanced",
        "Intelligent-Tiering" => "Standard",
        tier @ ("Standard" | "Advanced") => tier,
        other => {
            return Err(invalid(format!(
                "1 validation error detected: Value '{other}' at 'tier' failed to satisfy constraint: Member must satisfy enum value set: [Standard, Advanced, Intelligent-Tiering]"
            )));
        }
    };
    if tier == "Standard" && now == Some("Advanced") {
        return Err(invalid(
            "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.",
        ));
    }
    if value.is_empty() {
        return Err(invalid(
            "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1.",
        ));
    }
    if tier == "Standard" && long {
        return Err(invalid(
            "Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html",
        ));
    }
    if value.len() > 8192 {
        return Err(invalid("Advanced tier parameters support a maximum parameter value of 8192 characters."));
    }
    Ok(tier.to_owned())
}

/// The key of a SecureString, which must be usable, and by the caller for this parameter.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html#parameter-store-encryption-context>
pub(super) fn key(ctx: &mut Ctx<'_>, id: &str, action: &str, parameter: &str) -> Result<Arc<Resource>, ApiError> {
    if id == "alias/aws/ssm" {
        kms::managed(ctx, "ssm");
    }
    let key = kms::usable(ctx, id).map_err(|error| {
        refuse(
            "InvalidKeyId",
            format!("{} (Service: AWSKMS; Status Code: 400; Error Code: {})", error.message, error.code),
        )
    })?;
    kms::authorise_for(ctx, &key, &[action], "ssm", &[("PARAMETER_ARN", parameter)])?;
    Ok(key)
}

/// What a SecureString looks like without decryption; new with every encryption.
pub(super) fn ciphertext(ctx: &mut Ctx<'_>, value: &str) -> String {
    let mut bytes = vec![1, 2, 2, 0, 0x78];
    let nonce = ctx.account.rng.hex(32);
    let mut block = Sha256::digest(format!("{nonce}{value}"));
    // The data key and the envelope take their room, whatever the value's length.
    while bytes.len() < value.len() + 150 {
        bytes.extend_from_slice(&block);
        block = Sha256::digest(block);
    }
    bytes.truncate(value.len() + 150);
    STANDARD.encode(bytes)
}
