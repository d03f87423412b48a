//! Policy documents that are kept with a resource: their form, and who they are about.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>

use serde_json::{Value, json};

use crate::account::Ctx;
use crate::authorise::{Grant, Policy};
use crate::error::ApiError;
use crate::store::Resource;

/// The statements of a document, if it has the form of one.
pub(crate) fn statements(document: &Value) -> Option<Vec<&Value>> {
    let known = ["2012-10-17", "2008-10-17"];
    if document.get("Version").is_some_and(|version| !known.iter().any(|v| version == v)) {
        return None;
    }
    let statements: Vec<&Value> = match document.get("Statement")? {
        Value::Array(statements) => statements.iter().collect(),
        one => vec![one],
    };
    let sound = |s: &&Value| s.is_object() && matches!(s["Effect"].as_str(), Some("Allow" | "Deny"));
    (!statements.is_empty() && statements.iter().all(sound)).then_some(statements)
}

/// A text or list of texts under a name.
pub(crate) fn texts(value: &Value, name: &str) -> Vec<String> {
    match value.get(name) {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

/// Whom a statement is about: kind (`AWS`, `Service`, `Federated`) and name. Everybody is `AWS` and `*`.
pub(crate) fn principals(statement: &Value) -> Vec<(String, String)> {
    match statement.get("Principal") {
        Some(Value::String(anyone)) => vec![("AWS".to_owned(), anyone.clone())],
        Some(Value::Object(kinds)) => kinds
            .keys()
            .flat_map(|kind| {
                texts(&Value::Object(kinds.clone()), kind).into_iter().map(move |name| (kind.clone(), name))
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// What AWS keeps of a principal instead of its name: the unique id of a role, the name itself otherwise.
/// `None` when there is no such principal, or none yet.
pub(crate) fn principal_id(ctx: &Ctx<'_>, kind: &str, name: &str) -> Option<String> {
    let known = || Some(name.to_owned());
    match kind {
        "Service" if name.ends_with(".amazonaws.com") && !name.contains([' ', '/', '*']) => known(),
        "Federated" | "CanonicalUser" => known(),
        "AWS" if name == "*" || is_account(name) => known(),
        "AWS" => {
            let mut parts = name.strip_prefix("arn:aws:")?.splitn(4, ':');
            let (service, region, account, resource) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            match (service, region) {
                ("iam", "") if is_account(account) && resource == "root" => known(),
                ("iam", "") if is_account(account) && account != ctx.account.id => known(),
                ("iam", "") if name == ctx.account.caller() => known(),
                ("iam", "") => {
                    let role = ctx.usable("iam.role", resource.strip_prefix("role/")?.rsplit('/').next()?)?;
                    (role.text("Arn") == name).then(|| role.text("RoleId").to_owned())
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Puts a document into an object under `name`, with what becomes of the roles in it when they are deleted.
pub(crate) fn keep(resource: &mut Resource, name: &str, text: String, ids: Vec<(String, String)>) {
    resource.set(name, text);
    let ids: serde_json::Map<String, Value> =
        ids.into_iter().filter(|(arn, id)| arn != id).map(|(arn, id)| (arn, id.into())).collect();
    resource.set(&format!("{name}Principals"), ids);
}

/// The document as AWS gives it back: a role that was deleted since stands there by its unique id, also when
/// there is a new role of the same name.
pub(crate) fn kept(ctx: &Ctx<'_>, resource: &Resource, name: &str) -> String {
    let mut text = resource.text(name).to_owned();
    let ids = resource.attrs.get(&format!("{name}Principals")).and_then(Value::as_object);
    for (arn, id) in ids.into_iter().flatten() {
        let role = arn.rsplit('/').next().and_then(|role| ctx.get("iam.role", role));
        if role.is_none_or(|role| Some(role.text("RoleId")) != id.as_str()) {
            text = text.replace(&format!("\"{arn}\""), &id.to_string());
        }
    }
    text
}

/// Whether the statements about some principals allow something: `Some(false)` when they deny it, `None` when
/// they say nothing.
pub(crate) fn judge(
    document: &Value,
    about: impl Fn(&str, &str) -> bool,
    grant: &Grant,
) -> Result<Option<bool>, ApiError> {
    let concerned: Vec<&Value> = statements(document)
        .unwrap_or_default()
        .into_iter()
        .filter(|s| principals(s).iter().any(|(kind, name)| about(kind, name)))
        .collect();
    let of = |effect: &str| -> Result<bool, ApiError> {
        let mut chosen: Vec<Value> =
            concerned.iter().filter(|s| s["Effect"].as_str() == Some(effect)).map(|s| Value::clone(s)).collect();
        chosen.iter_mut().for_each(|s| s["Effect"] = "Allow".into());
        let policy = Policy::parse(&json!({"Statement": chosen}));
        Ok(policy.map_err(|error| ApiError::not_simulated(error.to_string()))?.allows(grant))
    };
    Ok(if of("Deny")? {
        Some(false)
    } else if of("Allow")? {
        Some(true)
    } else {
        None
    })
}
