//! The names under which calls mean a function: its name, or more or less of its ARN, with a qualifier or without.
//! <https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html#lambda-GetFunction-request-FunctionName>

use std::sync::Arc;

use super::{FUNCTION, function_arn, ill_formed, invalid, no_such_function, not_found};
use crate::account::Ctx;
use crate::error::ApiError;
use crate::input::Input;
use crate::store::Resource;

/// The only version of a function that there is here.
pub(super) const LATEST: &str = "$LATEST";
const PATTERN: &str = "satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";

/// A function as a call names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) qualifier: Option<String>,
}

impl Named {
    /// The function's ARN, with the qualifier that the call has.
    pub(super) fn arn(&self, ctx: &Ctx<'_>) -> String {
        match &self.qualifier {
            Some(qualifier) => format!("{}:{qualifier}", function_arn(ctx, &self.name)),
            None => function_arn(ctx, &self.name),
        }
    }

    /// The function, whose only version is the one that is asked for.
    pub(super) fn find(&self, ctx: &Ctx<'_>) -> Option<Arc<Resource>> {
        let latest = self.qualifier.as_deref().is_none_or(|qualifier| qualifier == LATEST);
        ctx.get(FUNCTION, &self.name).filter(|_| latest)
    }
}

fn word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter))
}

/// Takes a name apart; none when it has not the form of one.
fn parts(text: &str) -> Option<(Vec<&str>, Named)> {
    let mut parts: Vec<&str> = text.split(':').collect();
    let function = parts.iter().position(|part| *part == "function");
    let (place, own) = match function {
        Some(at) => {
            let own = parts.split_off(at);
            (parts, own[1..].to_vec())
        }
        // `123456789012:name` is a name in an account.
        None if parts[0].len() == 12 && parts[0].bytes().all(|b| b.is_ascii_digit()) && parts.len() > 1 => {
            let own = parts.split_off(1);
            (parts, own)
        }
        None => (Vec::new(), parts),
    };
    let [name, rest @ ..] = own.as_slice() else { return None };
    let qualifier = match rest {
        [] => None,
        [qualifier] if word(qualifier) || *qualifier == LATEST => Some((*qualifier).to_owned()),
        _ => return None,
    };
    let placed = match place.as_slice() {
        [] => true,
        [account] => account.len() == 12,
        ["arn", partition, "lambda", _, account] => partition.starts_with("aws") && account.len() == 12,
        _ => false,
    };
    (placed && word(name) && name.len() <= 140).then(|| (place, Named { name: (*name).to_owned(), qualifier }))
}

/// Reads a name, wherever a call has it.
pub(super) fn read(ctx: &Ctx<'_>, text: &str) -> Result<Named, ApiError> {
    let (place, named) = parts(text).ok_or_else(|| ill_formed(text, "functionName", PATTERN))?;
    if let [_, _, _, region, _] = place.as_slice()
        && *region != ctx.account.region
    {
        let here = &ctx.account.region;
        return Err(not_found(format!("Functions from '{region}' are not reachable in this region ('{here}')")));
    }
    Ok(named)
}

/// The function that a call means by its name and its qualifier.
pub(super) fn asked(ctx: &Ctx<'_>, input: &Input) -> Result<Named, ApiError> {
    let mut named = read(ctx, input.str("FunctionName")?)?;
    let asked = input.opt_str("Qualifier").map(str::to_owned);
    match (&named.qualifier, asked) {
        (Some(derived), Some(asked)) if *derived != asked => {
            Err(invalid("The derived qualifier from the function name does not match the specified qualifier."))
        }
        (None, Some(asked)) => {
            named.qualifier = Some(asked);
            Ok(named)
        }
        _ => Ok(named),
    }
}

/// The same, once the caller may do this to it and it is there.
pub(super) fn permitted(ctx: &mut Ctx<'_>, input: &Input, action: &str) -> Result<(Named, Arc<Resource>), ApiError> {
    let named = asked(ctx, input)?;
    let found = named.find(ctx);
    let arn = named.arn(ctx);
    super::authorise(ctx, action, &arn, found.as_deref())?;
    let found = found.ok_or_else(|| no_such_function(&arn))?;
    Ok((named, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_many_forms() {
        for text in [
            "shop-push",
            "123456789012:shop-push",
            "123456789012:function:shop-push",
            "function:shop-push",
            "arn:aws:lambda:us-east-1:123456789012:function:shop-push",
        ] {
            let (_, named) = parts(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(named, Named { name: "shop-push".to_owned(), qualifier: None }, "{text}");
        }
        let (_, named) = parts("shop-push:$LATEST").unwrap();
        assert_eq!(named.qualifier.as_deref(), Some(LATEST));
        for text in ["*", "", "a:b:c", "arn:aws:sqs:us-east-1:123456789012:function:x", "shop push"] {
            assert!(parts(text).is_none(), "{text}");
        }
    }
}
